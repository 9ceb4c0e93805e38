"""Calibrations that fall due: a week before, on the day, and over when the date is moved."""

from typing import Any

from gateway.care.calibration import DAY, CalibrationWatch, Due
from gateway.rules.hold import Edge

DAY_0 = 20_000 * DAY
UNITS = {"kiosk-1": False}


def due(days: int, device: str = "cuff", unit: str = "kiosk-1") -> Due:
    return Due(unit, device, DAY_0 + days * DAY)


def told(watch: CalibrationWatch, day: float) -> list[tuple[str, Edge]]:
    return [(one.subject, one.edge) for one in watch.check(DAY_0 + round(day * DAY), UNITS.get)]


def watching(*dues: Due, **how: Any) -> CalibrationWatch:
    watch = CalibrationWatch(**how)
    watch.set_dues(dues)
    return watch


SOON, NOW_DUE = "calibration/kiosk-1/cuff/soon", "calibration/kiosk-1/cuff/due"


def test_it_is_told_a_week_before_and_again_on_the_day() -> None:
    watch = watching(due(10))
    found = {day: told(watch, day) for day in range(13)}
    assert {day: what for day, what in found.items() if what} == {
        3: [(SOON, Edge.RAISE)],
        10: [(SOON, Edge.CLEAR), (NOW_DUE, Edge.RAISE)],
    }


def test_a_new_date_ends_it_at_once() -> None:
    watch = watching(due(0))
    assert told(watch, 0.1) == [(NOW_DUE, Edge.RAISE)]
    watch.set_dues([due(365)])
    assert told(watch, 0.2) == [(NOW_DUE, Edge.CLEAR)]


def test_it_looks_once_a_day_unless_a_date_has_changed() -> None:
    watch = watching(due(3))
    assert told(watch, 0.1) == [(SOON, Edge.RAISE)]
    watch.set_dues([due(3)])
    assert told(watch, 0.2) == []
    watch.set_dues([due(3), due(4, "scale")])
    assert [subject for subject, _ in told(watch, 0.3)] == ["calibration/kiosk-1/scale/soon"]


def test_a_restart_raises_nothing_twice_and_ends_what_was_moved_meanwhile() -> None:
    assert told(watching(due(0), raised=[NOW_DUE]), 0.5) == []
    assert told(watching(raised=[NOW_DUE, "unit/kiosk-1"]), 0.5) == [(NOW_DUE, Edge.CLEAR)]


def test_nothing_is_said_before_the_dates_are_known() -> None:
    assert told(CalibrationWatch(raised=[NOW_DUE]), 0.5) == []


def test_a_unit_that_is_revoked_has_nothing_due() -> None:
    assert told(watching(due(0, unit="kiosk-9")), 0.5) == []


def test_a_simulated_unit_stays_in_the_house() -> None:
    [found] = watching(due(0)).check(DAY_0, {"kiosk-1": True}.get)
    assert (found.simulated, found.device, found.row.code) == (True, "cuff", "calibration-due")
