"""Every scenario file loads and does what its truth labels say."""

from pathlib import Path

import pytest

from firmware_sims.condition import Condition, Rhythm
from firmware_sims.scenario import Scenario, ScenarioError, Timeline, load, names

MINIMAL = """
title = "x"
{more}
[motion]
route = [[35.0, 118.0], [35.1, 118.0]]
profile = [[0, 10], [10, 10]]
"""


def written(folder: Path, more: str) -> str:
    path = folder / "scenario.toml"
    path.write_text(MINIMAL.format(more=more), "utf-8")
    return str(path)


def at(scenario: Scenario, second: float) -> Condition:
    return Timeline(scenario).condition_at(round(second * 1_000_000))


def test_the_promised_scenarios_are_there() -> None:
    assert {"ambulance-chest-pain", "ambulance-hypoxia", "ambulance-stable", "stress"} <= set(names())


@pytest.mark.parametrize("name", names())
def test_loads(name: str) -> None:
    assert load(name).title


def test_simulators_do_not_look_at_the_truth(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, "duration = 'any'\n[[truth]]\nlabel = 3"))
    assert not hasattr(scenario, "truth")


def test_a_scenario_may_be_handed_over_as_json(tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text('{"title": "x", "patient": {"heart_rate": 61}}', "utf-8")
    assert load(str(path)).patient.heart_rate == 61


def test_chest_pain_raises_and_clears_an_alert_within_minutes() -> None:
    scenario = load("ambulance-chest-pain")
    fast = [second for second in range(int(scenario.cycle)) if at(scenario, second).heart_rate > 130]
    assert fast[0] <= 12
    assert fast == list(range(fast[0], fast[-1] + 1)), "one run"
    assert len(fast) >= 60
    assert at(scenario, fast[-1] + 20).heart_rate < 105
    assert all(at(scenario, second).st_inferior >= 0.1 for second in range(300))


def test_chest_pain_has_a_short_loose_electrode() -> None:
    timeline = Timeline(load("ambulance-chest-pain"))
    off = [second for second in range(300) if timeline.off_at(second * 1_000_000)]
    assert 5 <= len(off) <= 20


def test_stable_never_leaves_the_normal() -> None:
    scenario = load("ambulance-stable")
    assert {at(scenario, second).heart_rate for second in range(0, 3600, 60)} == {74.0}


def test_hypoxia_falls_below_85_and_recovers() -> None:
    scenario = load("ambulance-hypoxia")
    assert at(scenario, 75).spo2 < 85
    assert at(scenario, 160).spo2 > 93
    assert at(scenario, 200).rhythm is Rhythm.ATRIAL_FIBRILLATION
    assert at(scenario, 310).rhythm is Rhythm.SINUS


def test_stress_is_a_thousand_messages_a_second_without_signals() -> None:
    rates = load("stress").rates
    assert (rates.vitals_hz, rates.ecg, rates.pleth) == (1000, False, False)


def test_parameters_move_gradually_in_any_order_of_asking(tmp_path: Path) -> None:
    more = "[patient]\nheart_rate = 60\n[[episode]]\nat = 10\nover = 10\nset = {heart_rate = 100}\n"
    more += "[[episode]]\nat = 40\nset = {heart_rate = 50}"
    timeline = Timeline(load(written(tmp_path, more)))
    expected = {0: 60, 10: 60, 15: 80, 20: 100, 39.9: 100, 40: 50, 1e6: 50}
    for second in [*expected, *reversed(expected)]:
        assert timeline.condition_at(round(second * 1_000_000)).heart_rate == expected[second]


def test_a_cycle_starts_again(tmp_path: Path) -> None:
    more = "cycle = 100\n[[episode]]\nat = 10\nset = {heart_rate = 100}\n"
    more += '[[sensor_off]]\nat = 20\nuntil = 30\nsensors = ["LA"]'
    timeline = Timeline(load(written(tmp_path, more)))
    assert [timeline.condition_at(s * 1_000_000).heart_rate for s in (5, 50, 105, 150)] == [75, 100, 75, 100]
    assert [bool(timeline.off_at(s * 1_000_000)) for s in (19, 25, 31, 125)] == [False, True, False, True]


@pytest.mark.parametrize(
    "more",
    [
        "tilte = 'x'",
        "[patient]\nheartrate = 3",
        "[rates]\nvitals_hz = -1",
        "[[episode]]\nat = 3\nset = {heart = 3}",
        "[[episode]]\nat = 3\nrhythm = 'jazz'",
        '[[sensor_off]]\nat = 3\nuntil = 2\nsensors = ["LA"]',
        '[[sensor_off]]\nat = 3\nuntil = 4\nsensors = ["V9"]',
        "[[button]]\nat = 3\nbutton = 'coffee'",
        "cycle = 10\n[[button]]\nat = 11\nbutton = 'boarded'",
        "[[button]",
    ],
)
def test_mistakes_are_named(tmp_path: Path, more: str) -> None:
    with pytest.raises(ScenarioError, match=r"scenario\.toml: ."):
        load(written(tmp_path, more))


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"nowhere\.toml"):
        load("nowhere")
