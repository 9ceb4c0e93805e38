"""LMI1: what conformance does not cover."""

import pytest

from edge_agents.device import Numeric, Occurrence, Reading, Waveform
from edge_agents.devices.siren_inputs import LAYOUT, encode
from tests.devices import drawn
from tests.devices.played import play, said, step

READINGS = drawn.readings(LAYOUT)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"speed": 1.0}),
        Occurrence(observed_at=0, name="coffee"),
        Occurrence(observed_at=0, name="door-open"),
        Occurrence(observed_at=0, name="door-open", details={"door": "roof"}),
        Occurrence(observed_at=0, name="lights-on", details={"door": "cab"}),
        Waveform(observed_at=0, n0=0, fs=1.0, leads=("I",), scale=1.0, samples=b"\0\0"),
    ],
    ids=repr,
)
def test_what_the_box_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(reading)


def test_the_simulated_box_reports_changes_and_nothing_twice() -> None:
    found = play(
        "siren_inputs", step(1, lights=True, siren=True), step(2, lights=True, rear=True), step(3, siren=False)
    )
    assert said(found) == [
        (1, "lights-on", {}),
        (1, "siren-on", {}),
        (2, "door-open", {"door": "rear"}),
        (3, "siren-off", {}),
    ]
