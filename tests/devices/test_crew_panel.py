"""LMB1: what conformance does not cover."""

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices.crew_panel import BUTTONS, Decoder, encode

TEXTS = st.text(max_size=6)  # without surrogates, as hypothesis does by itself
READINGS = st.builds(
    Occurrence,
    observed_at=st.integers(-(2**62), 2**62),
    name=st.sampled_from(list(BUTTONS.values())),
    details=st.dictionaries(TEXTS, TEXTS, max_size=3),
    test=st.booleans(),
)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


PRESS = Occurrence(observed_at=5, name="boarded", details={"by": "crew-1"})


def test_the_line_is_what_the_manual_shows() -> None:
    assert encode(PRESS).startswith(b"LMB1,5,N,05,by=crew-1*")
    assert encode(PRESS).endswith(b"\r\n")


def test_button_names_are_unique() -> None:
    assert len(set(BUTTONS.values())) == len(BUTTONS)


@pytest.mark.parametrize("reading", [Numeric(observed_at=0, values={}), Occurrence(observed_at=0, name="coffee")])
def test_what_has_no_button_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        encode(reading)


def test_noise_before_a_line_is_refused_and_the_line_read() -> None:
    noise, press = Decoder().feed(b"\x00\xffLMB" + encode(PRESS), 0)
    assert isinstance(noise, FrameError)
    assert (noise.reason, noise.frame) == (FrameReason.NOISE, b"\x00\xffLMB")
    assert press == PRESS


def test_a_line_that_lost_its_end_does_not_cost_the_line_behind_it() -> None:
    torn, press = Decoder().feed(encode(PRESS)[:12] + encode(PRESS), 0)
    assert isinstance(torn, FrameError)
    assert press == PRESS


def test_an_endless_line_is_refused_once_and_the_next_line_read() -> None:
    decoder = Decoder()
    refused = [item for _ in range(100) for item in decoder.feed(b"x" * 100, 0)]
    assert [item.reason for item in refused if isinstance(item, FrameError)] == [FrameReason.LENGTH]
    assert decoder.feed(b"\r\n" + encode(PRESS), 0) == [PRESS]
