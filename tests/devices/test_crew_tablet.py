"""What conformance does not cover of crew_tablet's lines."""

import pytest

from edge_agents.device import FrameError, Numeric, Occurrence, Reading
from edge_agents.devices.crew_tablet import EVENTS, Decoder, encode
from tests.devices import drawn
from tests.devices.played import play, said, step

READINGS = drawn.events(EVENTS)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


IDENTITY = "11010519491231002X"  # example of GB 11643-1999


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"speed": 1.0}),
        Occurrence(observed_at=0, name="avpu", details={"level": "asleep"}),
        Occurrence(observed_at=0, name="oxygen", details={"state": "some"}),
        Occurrence(observed_at=0, name="gcs", details={"eye": 5, "verbal": 5, "motor": 6}),
        Occurrence(observed_at=0, name="gcs", details={"eye": 0, "verbal": 5, "motor": 6}),
        Occurrence(observed_at=0, name="respiratory-effort", details={"level": "alert"}),
        Occurrence(observed_at=0, name="fast", details={"face": 1, "arm": False, "speech": False}),
        Occurrence(observed_at=0, name="boarded", details={"complaint": f"Li {IDENTITY}"}),
        Occurrence(observed_at=0, name="person-identified", details={"source": "tablet", "subject": IDENTITY.lower()}),
        Occurrence(observed_at=0, name="last-known-well", details={"time": 1.5}),
    ],
    ids=repr,
)
def test_what_the_tablet_may_not_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(reading)


def test_an_identity_number_somebody_typed_is_neither_a_record_nor_kept() -> None:
    entry = Occurrence(observed_at=5, name="boarded", details={"complaint": "Q" * len(IDENTITY)})
    line = encode(entry).rpartition(b"*")[0].replace(b"Q" * len(IDENTITY), IDENTITY.encode())
    (refused,) = Decoder().feed(_checked(line), 0)
    assert isinstance(refused, FrameError)
    assert b"1949" not in refused.frame
    assert "1949" not in str(refused)


def _checked(text: bytes) -> bytes:
    register = 0xFFFF
    for byte in text:
        register ^= byte << 8
        for _ in range(8):
            register = (register << 1 ^ (0x1021 if register & 0x8000 else 0)) & 0xFFFF
    return b"%s*%04X\r\n" % (text, register)


def test_a_simulated_onset_lies_before_the_scenario() -> None:
    found = play("crew_tablet", step(3, event="last-known-well", time=-5400), step(9, event="avpu", level="pain"))
    assert said(found) == [
        (3, "last-known-well", {"time": 1_767_225_600_000_000 - 5_400_000_000}),
        (9, "avpu", {"level": "pain"}),
    ]
