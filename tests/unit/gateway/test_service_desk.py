"""Service mode and training: how a window opens and ends, and which instant falls into it."""

import msgspec
import pytest

from gateway.care.desk import REMEMBERED, ServiceDesk
from gateway.care.window import (
    LONGEST,
    SHORTEST,
    Mode,
    Refusal,
    ServiceWindow,
    State,
    WindowRefused,
)
from gateway.contract.quantity import MINUTE
from tests.unit.gateway.builders import NOW

UNIT = "amb-001"


def window(
    id: str = "w1", *, device: str = "monitor", mode: Mode = Mode.CLEANING, lasts: int = 10 * MINUTE
) -> ServiceWindow:
    return ServiceWindow(
        id=id, unit=UNIT, device=device, mode=mode, reason="dirty", started_by="nurse", role="nurse", started_at=NOW,
        expires_at=NOW + lasts,
    )  # fmt: skip


@pytest.mark.parametrize("mode", list(Mode))
def test_every_window_is_bounded(mode: Mode) -> None:
    for lasts in (SHORTEST, LONGEST[mode]):
        assert ServiceDesk().start(window(mode=mode, lasts=lasts)).state is State.ON
    for lasts in (SHORTEST - 1, LONGEST[mode] + 1, -MINUTE):
        with pytest.raises(WindowRefused) as refused:
            ServiceDesk().start(window(mode=mode, lasts=lasts))
        assert refused.value.reason is Refusal.TOO_LONG


def test_one_at_a_time_and_only_what_is_on_can_be_ended() -> None:
    desk = ServiceDesk()
    desk.start(window())
    with pytest.raises(WindowRefused) as refused:
        desk.start(window("w2", mode=Mode.REPAIR))
    assert refused.value.reason is Refusal.ALREADY_ON
    desk.start(window("w3", device="gnss"))
    ended = desk.end(UNIT, "monitor", "ops", NOW + MINUTE)
    assert (ended.state, ended.ended_at, ended.ended_by) == (State.ENDED, NOW + MINUTE, "ops")
    with pytest.raises(WindowRefused) as refused:
        desk.end(UNIT, "monitor", "ops", NOW + MINUTE)
    assert refused.value.reason is Refusal.NOT_ON
    assert desk.resting == {(UNIT, "gnss")}
    assert [change.window.id for change in desk.take_changes()] == ["w1", "w3", "w1"]
    assert desk.take_changes() == []


def test_it_expires_at_its_time_whenever_that_is_noticed() -> None:
    desk = ServiceDesk()
    desk.start(window())
    desk.advance(NOW + 10 * MINUTE - 1)
    assert desk.on(UNIT, "monitor") is not None
    desk.advance(NOW + 60 * MINUTE)
    last = desk.take_changes()[-1].window
    assert (last.state, last.ended_at, last.ended_by) == (State.EXPIRED, NOW + 10 * MINUTE, "gateway")
    assert desk.on(UNIT, "monitor") is None
    with pytest.raises(WindowRefused):
        desk.end(UNIT, "monitor", "ops", NOW + 60 * MINUTE)


def test_a_late_record_is_judged_by_when_it_happened() -> None:
    desk = ServiceDesk()
    desk.start(window())
    desk.end(UNIT, "monitor", "ops", NOW + MINUTE)
    desk.start(msgspec.structs.replace(window("w2"), started_at=NOW + 5 * MINUTE))
    times = {
        minute: desk.during(UNIT, "monitor", NOW + round(minute * MINUTE)) for minute in (-0.1, 0, 0.9, 1, 5, 9.9, 10)
    }
    assert {minute: one and one.id for minute, one in times.items()} == {
        -0.1: None, 0: "w1", 0.9: "w1", 1: None, 5: "w2", 9.9: "w2", 10: None,
    }  # fmt: skip
    assert desk.during(UNIT, "gnss", NOW) is None


def test_a_restart_goes_on_where_it_was() -> None:
    first = ServiceDesk()
    first.start(window())
    first.start(window("w2", device="", mode=Mode.TRAINING))
    again = ServiceDesk(change.window for change in first.take_changes())
    assert again.devices(UNIT) == first.devices(UNIT)
    assert again.training(UNIT) == {"started_at": NOW, "expires_at": NOW + 10 * MINUTE}
    assert again.take_changes() == [], "nothing is written anew"


def test_what_ended_long_ago_is_forgotten() -> None:
    desk = ServiceDesk()
    assert desk.units == set()
    desk.start(window())
    desk.advance(NOW + 10 * MINUTE)
    assert desk.during(UNIT, "monitor", NOW) is not None
    later = NOW + REMEMBERED + 10 * MINUTE
    desk.start(msgspec.structs.replace(window("w2"), started_at=later - MINUTE, expires_at=later + MINUTE))
    desk.end(UNIT, "monitor", "ops", later)
    assert desk.during(UNIT, "monitor", NOW) is None
    assert desk.units == {UNIT}
