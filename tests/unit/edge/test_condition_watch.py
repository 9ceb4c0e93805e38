"""Conditions of devices: what changes, when it is dated, what a restart and a test reading do to it."""

from pathlib import Path

import pytest

from edge_agents.condition_watch import ConditionWatch
from edge_agents.device import Numeric

NOW = 1_790_000_000_000_000


def say(watch: ConditionWatch, *conditions: str, test: bool = False, device: str = "cuff") -> list[tuple[str, str]]:
    reading = Numeric(observed_at=NOW - 1, values={}, conditions=frozenset(conditions), test=test)
    return [(found.details["code"], found.details["state"]) for found in watch.changes(device, reading, NOW)]


def test_what_comes_and_goes_is_said_once() -> None:
    watch = ConditionWatch()
    assert say(watch, "battery-low") == [("battery-low", "on")]
    assert say(watch, "battery-low") == []
    assert say(watch, "body-moved") == [("battery-low", "off"), ("body-moved", "on")]


def test_a_test_reading_changes_nothing_that_is_remembered() -> None:
    watch = ConditionWatch()
    assert say(watch, "battery-low", test=True) == []
    assert say(watch, "battery-low") == [("battery-low", "on")]
    assert say(watch, test=True) == []
    assert say(watch) == [("battery-low", "off")]


def test_an_event_bears_the_agents_time_not_the_devices() -> None:
    old = Numeric(observed_at=NOW - 3600_000_000, values={}, conditions=frozenset({"battery-low/2"}))
    [event] = ConditionWatch().changes("cuff", old, NOW)
    assert event.observed_at == NOW
    assert event.details == {"code": "battery-low", "part": "2", "state": "on"}


def test_what_was_mended_while_the_agent_was_away_is_gone_with_the_first_word(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db.conditions"
    say(ConditionWatch(path), "battery-low", "body-moved")
    again = ConditionWatch(path)
    assert say(again, device="scale") == []
    assert say(again, "body-moved") == [("battery-low", "off"), ("body-moved", "on")], "what lasts is said once more"
    assert say(again, "body-moved") == []
    assert say(ConditionWatch(path)) == [("body-moved", "off")]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_it_is_written_only_when_something_changed(tmp_path: Path) -> None:
    path = tmp_path / "c"
    watch = ConditionWatch(path)
    say(watch)
    assert not path.exists()
    say(watch, "battery-low")
    path.unlink()
    say(watch, "battery-low")
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"cuff": 7}', b"\xff\xfe", b'{"cuff": ["battery-low'])
def test_a_file_that_cannot_be_read_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c"
    path.write_bytes(content)
    assert say(ConditionWatch(path), "battery-low") == [("battery-low", "on")]


def test_without_room_on_the_disk_this_process_remembers(tmp_path: Path) -> None:
    watch = ConditionWatch(tmp_path / "nowhere" / "c")
    assert say(watch, "battery-low") == [("battery-low", "on")]
    assert say(watch) == [("battery-low", "off")]
