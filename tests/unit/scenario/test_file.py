"""A scenario's file: parted into what happens and what is true; mistakes are named with file, line and expectation."""

from pathlib import Path

import msgspec
import pytest

from firmware_sims import scenario as simulated
from gateway.scenario.file import ONLY_UNIT, BrokenFile, Plan, load
from gateway.scenario.place import line_of

GOOD = """\
title = "what nobody may know"   # 1
duration = 60
devices = ["monitor", "crew"]

[patient]
heart_rate = 80                  # 6

[[button]]
at = 3
button = "boarded"               # 10

[[step]]                         # 12
at = 5
device = "monitor"
set = { x = 1 }

[[truth]]
label = "marker-of-the-truth"
at = 3
within = 5                       # 20
event = { name = "boarded" }

[[truth]]                        # 23
label = "fast"
at = 0
within = 10
reading = { quantity = "heart-rate", min = 70 }
"""

SEVERAL = """\
title = "two"
duration = 60

[[unit]]
name = "amb-001"
devices = ["crew"]

[[unit.button]]
at = 1
button = "boarded"

[[unit]]
name = "amb-002"
devices = ["crew"]

[[unit.button]]
at = 2
button = "arrived"

[[truth]]
unit = "amb-002"
label = "arrived"
at = 2
within = 10
event = { name = "arrived" }
"""


def read(folder: Path, text: str) -> Plan:
    path = folder / "story.toml"
    path.write_text(text, "utf-8")
    return load(str(path))


def test_a_file_of_one_unit(tmp_path: Path) -> None:
    plan = read(tmp_path, GOOD)
    assert (plan.name, plan.duration, plan.start) == ("story", 60, None)
    assert [(unit.name, unit.profile, unit.devices) for unit in plan.units] == [
        (ONLY_UNIT, "ambulance", ["monitor", "crew"])
    ]
    assert {truth.unit for truth in plan.truths} == {ONLY_UNIT}


def test_a_file_of_several_units(tmp_path: Path) -> None:
    plan = read(tmp_path, SEVERAL)
    assert [unit.name for unit in plan.units] == ["amb-001", "amb-002"]
    assert [simulated.parse(unit.tables).button[0].button for unit in plan.units] == ["boarded", "arrived"]


def test_what_the_simulator_gets_holds_no_truth(tmp_path: Path) -> None:
    (unit,) = read(tmp_path, GOOD).units
    handed_out = tmp_path / "handed-out.json"
    handed_out.write_bytes(msgspec.json.encode(unit.tables))
    assert not [word for word in ("truth", "marker", "nobody", "duration", "fast") if word in handed_out.read_text()]
    scenario = simulated.load(str(handed_out))
    assert scenario.patient.heart_rate == 80
    assert scenario.step[0].set == {"x": 1}


def test_a_time_of_day(tmp_path: Path) -> None:
    assert read(tmp_path, "start = 2026-03-01T02:30:00+08:00\n" + GOOD).start == 1_772_303_400_000_000


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("duration = 60", "", 1, "duration"),
        ("duration = 60", "duration = 'long'", 2, "float"),
        ("heart_rate = 80", "heartrate = 80", 5, "heartrate"),
        ("heart_rate = 80", "heart_rate = 'fast'", 6, "float"),
        ('button = "boarded"', 'button = "coffee"', 10, "coffee"),
        ('device = "monitor"', 'device = "kettle"', 14, "expected one of ['monitor', 'crew']"),
        ("within = 5 ", "within = -5 ", 20, ">"),
        ("within = 5 ", "# ", 17, "within"),
        ('name = "boarded" }', 'nam = "boarded" }', 21, "nam"),
        ('label = "fast"', 'label = "marker-of-the-truth"\nevent = { name = "x" }', 23, "one of"),
        ('label = "fast"', 'label = "marker-of-the-truth"\nunit = "x"', 25, "unit-001"),
        ('"heart-rate", min', '"heartrate", min', 27, "no quantity"),
        ("min = 70", 'min = 70, device = "gnss"', 23, "gnss"),
        ("[[step]] ", "[[step]", 12, ""),
        ("title", "profile = 'submarine'\ntitle", 1, "submarine"),
        ("duration = 60", "duration = 60\nstart = 2026-03-01T02:30:00", 3, "offset"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int, expected: str) -> None:
    assert old in GOOD
    with pytest.raises(BrokenFile) as caught:
        read(tmp_path, GOOD.replace(old, new))
    where, _, what = str(caught.value).partition(": ")
    assert where == f"{tmp_path / 'story.toml'}:{line}"
    assert expected in what


def test_a_mistake_in_one_of_several_units(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r"story\.toml:18: .*'tea'"):
        read(tmp_path, SEVERAL.replace('"arrived"\n\n', '"tea"\n\n'))
    with pytest.raises(BrokenFile, match=r"story\.toml:21: .*amb-001"):
        read(tmp_path, SEVERAL.replace('[[truth]]\nunit = "amb-002"', '[[truth]]\nunit = "amb-003"'))


def test_two_labels_alike(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match=r":24: a second"):
        read(tmp_path, GOOD.replace('"fast"', '"marker-of-the-truth"'))


def test_a_file_without_truth_or_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(BrokenFile, match="truth"):
        read(tmp_path, GOOD.partition("[[truth]]")[0])
    with pytest.raises(BrokenFile, match="stemi_en_route"):
        load("nowhere")


@pytest.mark.parametrize(
    ("place", "line"),
    [("$", 1), ("$.nothing", 1), ("$.patient", 5), ("$.patient.heart_rate", 6), ("$.truth[0]", 17), ("$.truth[1]", 23),
     ("$.truth[1].reading.min", 27), ("$.truth[0].label", 18), ("$.devices[1]", 3)],
)  # fmt: skip
def test_places_have_lines(place: str, line: int) -> None:
    assert line_of(GOOD, place) == line


@pytest.mark.parametrize("name", simulated.names())
def test_every_scenario_of_the_package_can_be_run_or_has_no_truth(name: str) -> None:
    text = simulated.find(name).read_text("utf-8")
    if "[[truth]]" in text:
        assert load(name).truths
    else:
        assert simulated.load(name).title
