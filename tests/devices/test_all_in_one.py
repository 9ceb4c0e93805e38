"""LMK1: what conformance does not cover."""

import pytest

from edge_agents.device import Numeric, Reading
from edge_agents.devices.all_in_one import LAYOUT
from tests.devices import drawn
from tests.devices.played import measured, play, step

READINGS = drawn.readings(LAYOUT)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def test_a_report_tells_the_patient_of_the_scenario() -> None:
    patient = {"systolic": 158, "diastolic": 96, "spo2": 95, "heart_rate": 88, "temperature": 37.9}
    found = play("all_in_one", step(30, measure=1, height=172, weight=90, glucose=8.4), patient=patient)
    assert len(found) == 1
    values = measured(found, 30).values
    assert values["bp-systolic"] == pytest.approx(158, abs=9)
    assert values["pulse-rate"] == pytest.approx(88, abs=5)
    assert values["temperature"] == pytest.approx(37.9, abs=0.1)
    assert values["bmi"] == pytest.approx(90 / 1.72**2, abs=0.1)
    assert values["glucose"] == pytest.approx(8.4, abs=0.2)


def test_a_station_that_failed_has_no_value_and_one_that_was_skipped_no_name() -> None:
    found = play("all_in_one", step(30, measure=1, failed=["cuff-error"], skip=["glucose", "height"]))
    report = measured(found, 30)
    assert report.conditions == frozenset({"cuff-error"})
    assert report.invalid == dict.fromkeys(("bp-systolic", "bp-diastolic", "bp-mean"), "no-measurement")
    assert not report.values.keys() & {"glucose", "height", "bmi"}


def test_each_person_gets_a_report() -> None:
    found = play("all_in_one", step(10, measure=1), step(50, measure=2))
    assert [type(reading) for reading in found] == [Numeric, Numeric]
