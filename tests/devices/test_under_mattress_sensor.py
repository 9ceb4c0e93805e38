"""LMU1: what conformance does not cover."""

import pytest

from edge_agents.device import Numeric, Reading
from edge_agents.devices.under_mattress_sensor import LAYOUT
from tests.devices import drawn
from tests.devices.played import NEW_YEAR, SECOND, measured, play, said, step

READINGS = drawn.readings(LAYOUT)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


@pytest.mark.parametrize("seed", [1, 7, 99])
def test_it_feels_the_heart_that_the_monitor_sees(seed: int) -> None:
    """Two devices at one bed, one patient: the rates are the same beats, the breaths the same to their noise."""
    patient = {"heart_rate": 64, "resp_rate": 18}
    mattress = play("under_mattress_sensor", seconds=30, seed=seed, patient=patient)
    quiet = {"ecg": False, "pleth": False, "nibp_first": 9999}
    monitor = play("patient_monitor", seconds=30, seed=seed, patient=patient, rates=quiet)
    for second in range(5, 30):
        here, there = measured(mattress, second).values, measured(monitor, second).values
        assert here["heart-rate"] == there["heart-rate"]
        assert here["resp-rate"] == pytest.approx(there["resp-rate"], abs=3)


def test_every_second_has_its_measurement() -> None:
    found = play("under_mattress_sensor", seconds=20)
    assert [reading.observed_at for reading in found] == [NEW_YEAR + n * SECOND for n in range(1, 21)]


def test_somebody_who_gets_up_leaves_no_rates_behind() -> None:
    found = play("under_mattress_sensor", step(10, in_bed=False), step(25, in_bed=True), seconds=30)
    assert said(found) == [(10, "bed-exit", {"in_bed_s": 10.0}), (25, "bed-return", {"away_s": 15.0})]
    away = measured(found, 12)
    assert away.values == {"heart-rate": None, "resp-rate": None, "movement": 0.0, "presence": 0.0}
    assert away.invalid == {"heart-rate": "sensor-off", "resp-rate": "sensor-off"}
    assert measured(found, 26).values["heart-rate"]


def test_tossing_hides_the_rates_and_a_fault_everything() -> None:
    found = play("under_mattress_sensor", step(2, restless=0.9), step(6, restless=0, fault=True), seconds=8)
    tossing, faulty = measured(found, 3), measured(found, 7)
    assert tossing.invalid == {"heart-rate": "searching", "resp-rate": "searching"}
    assert tossing.conditions == frozenset({"signal-poor"})
    assert (tossing.values["movement"] or 0) > 100
    assert faulty.values == {"heart-rate": None, "resp-rate": None}
    assert faulty.conditions == frozenset({"sensor-fault"})


def test_all_is_numbers_of_one_second() -> None:
    assert all(isinstance(reading, Numeric) for reading in play("under_mattress_sensor", seconds=5))
