"""`lastmile scenario`: the scenarios that come along pass, a false truth does not, and the truth stays with the judge.

``make test`` plays two of them, with another seed each day: the delivery trip, and one of the others in turn;
LASTMILE_FAULTS=full plays all with five seeds each that nobody has seen before.
"""

import json
import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from tests.acceptance.process import FULL, LASTMILE, Process, eventually

SCENARIOS = (
    "stemi_en_route",
    "stroke",
    "sepsis_at_home",
    "hypoglycaemia_kiosk",
    "bed_exit_night",
    "fridge_door_open",
    "van_breakdown",
    "tag_leaves_ward",
)
TRIP = "fridge_door_open"  # a van's round: goods, doors, temperatures
UNSEEN_SEEDS = 5
MARKER = "zebra-in-the-ward"  # a label, a title and a comment that must stay with the judge

SMALL = f"""\
title = "{MARKER}"
duration = 40
devices = ["crew", "gnss"]  # {MARKER}

[[button]]
at = 12
button = "boarded"
details = {{ by = "crew-7" }}

[motion]
route = [[35.0398, 118.3712], [35.0533, 118.3571]]
profile = [[0, 50], [60, 50]]
spread = false

[[truth]]
label = "{MARKER} is boarded"
at = 12
within = 15
event = {{ device = "crew", name = "boarded", details = {{ by = "crew-7" }} }}

[[truth]]
label = "{MARKER} rides"
at = 5
within = 15
reading = {{ device = "gnss", quantity = "speed", min = 45, max = 55 }}
"""
FALSE = """
[[truth]]
label = "boarded twice"
at = 20
within = 15
event = { device = "crew", name = "boarded" }
"""


class Outcome(NamedTuple):
    code: int
    output: str
    report: dict[str, Any]


def lastmile(*arguments: str, timeout: float = 30) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LASTMILE, *arguments], capture_output=True, text=True, timeout=timeout, check=False)


def run(folder: Path, scenario: str, *options: str) -> Outcome:
    report = folder / "report.json"
    done = lastmile("scenario", "run", scenario, "--report", str(report), *options, timeout=280)
    output = done.stdout + done.stderr
    return Outcome(done.returncode, output, json.loads(report.read_text()) if report.exists() else {})


def written(folder: Path, text: str) -> str:
    path = folder / "small.toml"
    path.write_text(text, "utf-8")
    return str(path)


def todays() -> list[tuple[str, int]]:
    """Scenario and seed of the runs: all with unseen seeds, or the trip and one that changes with the day."""
    if FULL:
        unseen = random.SystemRandom()
        return [(name, unseen.randrange(1_000, 1_000_000)) for name in SCENARIOS for _ in range(UNSEEN_SEEDS)]
    day = datetime.now(UTC).toordinal()
    others = [name for name in SCENARIOS if name != TRIP]
    return [(TRIP, day), (others[day % len(others)], day)]


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "seed"), todays())
def test_a_scenario_is_seen_as_it_truly_is(tmp_path: Path, name: str, seed: int) -> None:
    outcome = run(tmp_path, name, "--seed", str(seed))
    assert outcome.code == 0, f"lastmile scenario run {name} --seed {seed}\n{outcome.output}"
    assert outcome.report["passed"]
    assert outcome.report["truths"]
    assert {truth["verdict"] for truth in outcome.report["truths"]} == {"pass"}
    assert outcome.report["machine_s"] < outcome.report["duration_s"], "faster than real"


def test_all_promised_scenarios_come_along() -> None:
    listed = lastmile("scenario", "list")
    assert listed.returncode == 0
    assert set(SCENARIOS) <= {line.split("\t")[0] for line in listed.stdout.splitlines()}
    for name in SCENARIOS:
        assert lastmile("scenario", "check", name).returncode == 0


def test_a_false_truth_fails_and_is_named(tmp_path: Path) -> None:
    outcome = run(tmp_path, written(tmp_path, SMALL + FALSE))
    assert outcome.code == 1, outcome.output
    assert not outcome.report["passed"]
    verdicts = {truth["label"]: truth for truth in outcome.report["truths"]}
    assert [label for label, truth in verdicts.items() if truth["verdict"] == "fail"] == ["boarded twice"]
    assert verdicts["boarded twice"]["seen"] == "nothing"
    assert 0 <= verdicts[f"{MARKER} is boarded"]["delay_s"] <= 15
    assert 0 <= outcome.report["latency_ms"]["p50"] < 500, "of the machine, not of the scenario"
    assert re.search(r"boarded twice.*FAIL", outcome.output)


@pytest.mark.parametrize(
    ("command", "old", "new", "line", "expected"),
    [
        ("run", "within = 15", "witin = 15", 15, "witin"),
        ("check", 'quantity = "speed"', 'quantity = "sped"', 25, "sped"),
        ("run", "[[truth]]", "[[truth]", 15, ""),
    ],
)
def test_a_broken_file_is_named_with_its_line(
    tmp_path: Path, command: str, old: str, new: str, line: int, expected: str
) -> None:
    path = written(tmp_path, SMALL.replace(old, new, 1))
    done = lastmile("scenario", command, path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{path}:{line}: ")
    assert expected in done.stderr


class Spy:
    """What the processes of a run were given: arguments, environments, and every file of its directory."""

    def __init__(self, process: Process, data: Path) -> None:
        self._process = process
        self._judge = psutil.Process(process.pid).cmdline()
        self._data = data
        self.commands: set[str] = set()
        self.given: set[str] = set()
        self.clocks: set[str] = set()

    def look(self) -> bool:
        """One look; whether the run has ended."""
        for child in self._children():
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                arguments, environment = child.cmdline(), child.environ()
                if arguments == self._judge or not environment:
                    continue  # a fork of the judge that is about to become another program, or one that is ending
                self.commands |= {" ".join(arguments[3:4])} if arguments[1:3] == ["-m", "gateway.cli"] else set()
                self.given |= {*arguments, *environment.values()}
                self.clocks |= {environment.get("LASTMILE_CLOCK", f"none: {arguments}")}
        return not self._process.running

    def _children(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return [*psutil.Process(self._process.pid).children(recursive=True)]
        return []

    def files(self) -> Iterator[Path]:
        return (path for path in self._data.rglob("*") if path.is_file())


def test_the_truth_enters_no_process_but_the_judge(tmp_path: Path) -> None:
    data = tmp_path / "data"
    arguments = ["scenario", "run", written(tmp_path, SMALL), "--data", str(data), "--seed", "3"]
    process = Process("scenario", arguments, tmp_path / "scenario.log")
    spy = Spy(process, data)
    eventually(spy.look, "the run ends", timeout=110, every=0.02)
    assert process.exit_code == 0, process.tail()
    assert spy.commands == {"serve", "broker", "gateway", "watch", "simulate", "agent"}, "the processes of production"
    assert len(spy.clocks) == 1, "one clock"
    assert "none" not in spy.clocks.pop(), "and not the machine's"
    assert not [text for text in spy.given if MARKER in text]
    files = list(spy.files())
    assert (data / "unit-001.json").exists(), "what the simulator was given is among them"
    assert not [path for path in files if MARKER.encode() in path.read_bytes()]
    assert not [path for path in files if b'"truth"' in path.read_bytes()]


def test_a_run_that_cannot_be_carried_out_is_no_verdict(tmp_path: Path) -> None:
    arguments = ["scenario", "run", written(tmp_path, SMALL.replace("duration = 40", "duration = 4000"))]
    process = Process("scenario", arguments, tmp_path / "scenario.log")

    def agent() -> psutil.Process | None:
        family = psutil.Process(process.pid).children(recursive=True)
        return next((one for one in family if "agent" in one.cmdline()[3:4]), None)

    eventually(agent, "the agent runs", timeout=60).kill()
    assert process.wait(60) == 3
    assert "agent-unit-001 has ended" in process.output()
    assert MARKER not in process.output(), "no verdict was given"


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, SMALL)
    done = lastmile("scenario", "run", path, "--data", str(tmp_path))
    assert done.returncode == 2
    assert "not empty" in done.stderr
