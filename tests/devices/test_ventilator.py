"""LMV1: what conformance does not cover."""

import pytest

from edge_agents.device import Reading
from edge_agents.devices.ventilator import LAYOUT
from tests.devices import drawn
from tests.devices.played import measured, play, said, step

READINGS = drawn.readings(LAYOUT)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def test_it_supports_the_breaths_of_the_patient() -> None:
    found = play("ventilator", step(0, on=True), seconds=20, patient={"resp_rate": 24})
    values = measured(found, 10).values
    assert values["resp-rate"] == pytest.approx(24, abs=2)
    assert values["minute-volume"] == pytest.approx(
        (values["tidal-volume"] or 0) * (values["resp-rate"] or 0) / 1000, abs=0.1
    )


def test_an_open_circuit_is_a_condition_and_its_values_are_none() -> None:
    found = play("ventilator", step(0, on=True), step(5, disconnected=True), step(10, disconnected=False), seconds=12)
    open_circuit = measured(found, 7)
    assert open_circuit.conditions == frozenset({"disconnected-circuit"})
    assert open_circuit.values["tidal-volume"] is None
    assert open_circuit.values["peak-airway-pressure"] == 0
    assert measured(found, 11).conditions == frozenset()


def test_apnoea_is_an_alarm_that_ends() -> None:
    breathless = [{"at": 5, "set": {"resp_rate": 0}}, {"at": 15, "set": {"resp_rate": 14}}]
    found = play("ventilator", step(0, on=True), seconds=20, episode=breathless)
    alarm = {"alarm": "apnoea", "priority": "high"}
    names = [(name, details) for _, name, details in said(found)]
    assert names[0] == ("device-alarm-on", alarm)
    assert names[-1] == ("device-alarm-off", alarm)


def test_one_that_is_switched_off_says_nothing() -> None:
    assert play("ventilator", seconds=10) == []
