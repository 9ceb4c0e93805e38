"""LMR1: what conformance does not cover."""

import pytest

from edge_agents.device import Numeric, Reading
from edge_agents.devices.stretcher_sensor import LAYOUT, encode
from tests.devices import drawn
from tests.devices.played import measured, play, said, step

READINGS = drawn.readings(LAYOUT)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"speed": 1.0}),
        Numeric(observed_at=0, values={"weight": None}, invalid={"weight": "bored"}),
    ],
    ids=repr,
)
def test_what_has_no_place_in_the_layout_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="no "):
        encode(reading)


def test_a_simulated_patient_is_weighed_only_while_on_the_stretcher() -> None:
    found = play(
        "stretcher_sensor",
        step(2, loaded=True),
        step(7, patient=True, weight=80),
        step(22, patient=False, loaded=False),
    )
    assert said(found) == [
        (2, "stretcher-loaded", {}),
        (7, "patient-on-stretcher", {}),
        (22, "stretcher-unloaded", {}),
        (22, "patient-off-stretcher", {}),
    ]
    weights = [reading.values["weight"] for reading in found if isinstance(reading, Numeric)]
    assert weights == [pytest.approx(80, abs=2)] * 3


def test_a_weak_battery_is_a_condition() -> None:
    found = play("stretcher_sensor", step(0, patient=True, battery_low=True), step(12, battery_low=False))
    assert measured(found, 10).conditions == frozenset({"battery-low"})
    assert measured(found, 15).conditions == frozenset()
