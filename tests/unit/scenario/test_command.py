"""Exit statuses: a verdict is 0 or 1, and nothing else ever is."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.scenario import command
from gateway.scenario.run import BrokenRun, Played, Run
from gateway.scenario.truth import Seen

STORY = """\
title = "x"
duration = 60
devices = ["crew"]

[[truth]]
label = "boarded"
at = 3
within = 5
event = { name = "boarded" }
"""
BOARDED = Seen(unit="unit-001", device="crew", name="boarded", at=4.0, received=4.5)


def status(folder: Path, monkeypatch: pytest.MonkeyPatch, outcome: Played | Exception) -> int:
    async def play(_: Run) -> Played:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(Run, "play", play)
    story = folder / "story.toml"
    story.write_text(STORY, "utf-8")
    return CliRunner().invoke(command.app, ["run", str(story)]).exit_code


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Played(0, [BOARDED], [25.0]), 0),
        (Played(0, [], []), 1),
        (BrokenRun("a process has ended"), 3),
        (RuntimeError("a mistake of ours"), 3),
    ],
)
def test_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Played | Exception, expected: int
) -> None:
    assert status(tmp_path, monkeypatch, outcome) == expected
