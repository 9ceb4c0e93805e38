"""What the verdict sees of an alert's history."""

from typing import Any

from gateway.contract.quantity import SECOND
from gateway.scenario.store import moves_of

START = 1_000 * SECOND


def alert(raised_at: float, *history: tuple[float, str, str]) -> dict[str, Any]:
    lines = [{"at": START + round(at * SECOND), "event": event, "state": state} for at, event, state in history]
    return {
        "unit": "u", "device": "monitor", "rule": "spo2-low", "priority": "medium",
        "raised_at": START + round(raised_at * SECOND), "history": lines,
    }  # fmt: skip


def seen(raised_at: float, *history: tuple[float, str, str]) -> list[tuple[float, float, str, bool]]:
    moves = moves_of(alert(raised_at, *history), START)
    return [(one.at, one.received, one.details["state"], "muted" in one.details) for one in moves]


def test_an_alert_happens_at_event_time_and_is_known_later() -> None:
    assert seen(10, (12, "raise", "firing")) == [(10, 12, "raised", False)]


def test_an_alert_that_several_devices_make_is_of_the_one_that_raised_it() -> None:
    joined = alert(10, (12, "raise", "firing"), (13, "join", "firing")) | {"device": None}
    joined["history"][0]["details"] = {"device": "logger"}
    assert [one.device for one in moves_of(joined, START)] == ["logger"]


def test_one_that_came_again_was_raised_each_time() -> None:
    history = (10, "raise", "firing"), (20, "clear", "resolved"), (31, "reopen", "firing")
    assert seen(30, *history) == [
        (10, 10, "raised", False), (30, 31, "raised", False), (20, 20, "resolved", False),
    ]  # fmt: skip


def test_one_that_a_graver_one_mutes_as_it_comes_is_muted() -> None:
    assert seen(10, (12, "raise", "firing"), (12, "inhibit", "firing")) == [(10, 12, "raised", True)]
    assert seen(10, (12, "raise", "firing"), (15, "inhibit", "firing")) == [(10, 12, "raised", False)]


def test_what_only_somebody_has_seen_did_not_end() -> None:
    assert [move[2] for move in seen(10, (12, "raise", "firing"), (14, "acknowledge", "acknowledged"))] == ["raised"]
