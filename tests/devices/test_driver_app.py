"""What conformance does not cover of driver_app's lines."""

import pytest

from edge_agents.device import FrameError, Numeric, Occurrence, Reading
from edge_agents.devices.driver_app import EVENTS, Decoder, encode
from tests.devices import drawn
from tests.devices.played import play, said, step

READINGS = drawn.events(EVENTS)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


FAILED = Occurrence(
    observed_at=5, name="delivery-failed", details={"delivery": "D-1", "reason": "other", "note": 'LMF1 {"at":1} * {}'}
)


def test_a_note_that_looks_like_a_line_is_a_note() -> None:
    assert Decoder().feed(encode(FAILED), 0) == [FAILED]


def test_a_torn_line_does_not_cost_the_line_behind_it() -> None:
    torn, failed = Decoder().feed(encode(FAILED)[:30] + encode(FAILED), 0)
    assert isinstance(torn, FrameError)
    assert failed == FAILED


def test_what_was_typed_is_not_kept_of_a_refused_line() -> None:
    line = encode(FAILED).replace(b"D-1", b"Wang")
    (refused,) = Decoder().feed(line, 0)
    assert isinstance(refused, FrameError)
    assert refused.frame == b"%d bytes withheld" % (len(line) - 2)


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"speed": 1.0}),
        Occurrence(observed_at=0, name="coffee"),
        Occurrence(observed_at=0, name="loaded", details={"items": 3}),
        Occurrence(observed_at=0, name="loaded", details={"delivery": "D", "items": -1}),
        Occurrence(observed_at=0, name="loaded", details={"delivery": "D", "items": True}),
        Occurrence(observed_at=0, name="delivered", details={"delivery": "D", "code": "x" * 13}),
        Occurrence(observed_at=0, name="delivered", details={"delivery": "电" * 40, "code": "话" * 12, "items": "3"}),
    ],
    ids=repr,
)
def test_what_the_app_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(reading)


def test_the_simulated_driver_does_what_the_scenario_says() -> None:
    found = play(
        "driver_app",
        step(1, event="loaded", delivery="D-1", items=3),
        step(9, event="delivered", delivery="D-1", code="4711"),
    )
    assert said(found) == [
        (1, "loaded", {"delivery": "D-1", "items": 3}),
        (9, "delivered", {"delivery": "D-1", "code": "4711"}),
    ]
