"""Calls about missed uploads wait for service hours: who asks is a person, and nobody is ill because nothing came."""

import pytest

from gateway.alerts.ladder import ServiceHours, Setting
from gateway.contract.quantity import HOUR, SECOND
from tests.unit.alerts.clinic import NIGHT, NOON, Clinic

CALL, TASK = "uploads-second-contact", "uploads-nurse-calls"


@pytest.mark.parametrize("restart", [False, True])
def test_no_relative_is_phoned_at_night_because_a_measurement_is_missing(restart: bool) -> None:
    clinic = Clinic(now=NIGHT)
    clinic.begin(TASK, "home-1")
    clinic.begin(CALL, "home-1")
    assert [notice.rule for notice in clinic.notices] == [TASK], "a task waits by itself"
    clinic.step(seconds=9 * 3600 - 1)
    if restart:
        clinic.restart()
    assert clinic.told(CALL) == []
    clinic.step(seconds=1)
    morning = (NIGHT - NOON) // SECOND + 9 * 3600
    assert clinic.told(CALL) == [(morning, "raised", "second-contact", ())]
    clinic.step(seconds=24 * 3600)
    assert [(at, reason) for at, reason, _, _ in clinic.told(CALL)][1:] == [(morning + 24 * 3600, "reminder")]


def test_in_service_hours_and_where_nobody_ever_sits_the_call_is_made_at_once() -> None:
    by_day, never = Clinic(), Clinic(now=NIGHT)
    never.hours = {Setting.HOME: ServiceHours(days=frozenset())}
    never.restart()
    for clinic in (by_day, never):
        clinic.begin(CALL, "home-1")
        assert [notice.role for notice in clinic.notices] == ["second-contact"]


def test_after_a_friday_a_place_that_rests_opens_on_monday() -> None:
    hours = ServiceHours(8 * 60, 20 * 60, frozenset(range(5)))
    friday_night = NIGHT + 24 * HOUR
    assert hours.next_opening(friday_night) == friday_night + (9 + 48) * HOUR
    assert hours.next_opening(NOON - 5 * HOUR) == NOON - 4 * HOUR, "today still"
