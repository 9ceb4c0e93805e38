"""Door contacts: what conformance does not cover."""

import pytest
from hypothesis import strategies as st

from edge_agents.device import Occurrence, Reading
from edge_agents.devices import _inputs
from edge_agents.devices.door_contact import Decoder
from tests.devices import golden
from tests.devices.played import SECOND, play, said, step

READINGS = st.builds(
    lambda name, door: Occurrence(observed_at=golden.ARRIVES_AT, name=name, details={"door": door}),
    st.sampled_from(["door-open", "door-closed", "door-tampered"]),
    st.sampled_from(["rear", "side"]),
)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def told(decoder: Decoder, second: float, *on: int) -> list[tuple[str, dict[str, object]]]:
    """What it says of an answer in which these inputs, from 1, are on."""
    states = [number + 1 in on for number in range(_inputs.SIZE)]
    items = decoder.feed(_inputs.frame(0, states), round(second * SECOND))
    return [(item.name, item.details) for item in items if isinstance(item, Occurrence)]


CLOSED = [("door-closed", {"door": "rear"}), ("door-closed", {"door": "side"})]


def test_what_a_door_did_while_nobody_looked_is_told_with_the_first_answer() -> None:
    decoder = Decoder()
    assert told(decoder, 0) == CLOSED
    assert told(decoder, 1) == []


def test_a_door_that_was_seen_opening_tells_how_long_it_was_open() -> None:
    decoder = Decoder()
    told(decoder, 0)
    assert told(decoder, 5, 1) == [("door-open", {"door": "rear"})]
    assert told(decoder, 6, 1) == []
    assert told(decoder, 65.5) == [("door-closed", {"door": "rear", "open_s": 60.5})]


def test_a_door_that_was_found_open_tells_no_time() -> None:
    decoder = Decoder(doors="side")
    assert told(decoder, 0, 1) == [("door-open", {"door": "side"})]
    assert told(decoder, 1, 1) == []
    assert told(decoder, 9) == [("door-closed", {"door": "side"})]
    assert told(decoder, 10, 1) == [("door-open", {"door": "side"})]
    assert told(decoder, 12) == [("door-closed", {"door": "side", "open_s": 2.0})], "seen this time"


def test_a_clock_that_is_set_back_makes_no_negative_time() -> None:
    decoder = Decoder()
    told(decoder, 100)
    told(decoder, 101, 1)
    assert told(decoder, 50) == [("door-closed", {"door": "rear", "open_s": 0.0})]


def test_what_a_site_calls_its_doors() -> None:
    decoder = Decoder(doors="left, right,roof")
    closed = [("door-closed", {"door": door}) for door in ("left", "right")]
    assert told(decoder, 0, 3, 5) == [*closed, ("door-open", {"door": "roof"}), ("door-tampered", {"door": "left"})]
    assert told(decoder, 1, 4, 8) == [("door-closed", {"door": "roof"})], "nothing is wired to 4 and 8"


@pytest.mark.parametrize("doors", ["", "a,,b", "a,a", "a,b,c,d,e", "110105194912310028", "x" * 25])
def test_doors_that_are_none(doors: str) -> None:
    with pytest.raises(ValueError, match=r"expected|belong"):
        Decoder(doors=doors)


def test_the_simulated_contact_opens_closes_and_is_cut() -> None:
    found = play(
        "door_contact",
        step(5, rear=True),
        step(20, side=True, tampered="side"),
        step(95.5, rear=False, tampered="rear"),
        seconds=100,
    )
    assert said(found) == [
        *((0, *closed) for closed in CLOSED),
        (5, "door-open", {"door": "rear"}),
        (20, "door-open", {"door": "side"}),
        (20, "door-tampered", {"door": "side"}),
        (95.5, "door-closed", {"door": "rear", "open_s": 90.5}),
        (95.5, "door-tampered", {"door": "rear"}),
    ]


def test_a_scenario_that_comes_again_opens_and_cuts_again() -> None:
    found = play("door_contact", step(5, rear=True), step(8, rear=False, tampered="rear"), seconds=25, cycle=10)
    assert [at for at, name, _ in said(found) if name == "door-open"] == [5, 15, 25]
    assert [at for at, name, _ in said(found) if name == "door-tampered"] == [8, 18]
