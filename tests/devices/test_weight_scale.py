"""Weight Scale Service: units and steps."""

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices.weight_scale import Decoder, encode

SECOND = 1_000_000
READINGS = st.builds(
    lambda at, values: Numeric(
        observed_at=at * SECOND,
        values=values,
        invalid={name: "no-measurement" for name, value in values.items() if value is None},
        conditions=frozenset(),
    ),
    st.integers(2, 4_000_000_000),
    st.fixed_dictionaries({"weight": st.none() | st.floats(1, 300)})
    | st.fixed_dictionaries(
        {"weight": st.floats(1, 300), "bmi": st.none() | st.floats(5, 100), "height": st.none() | st.floats(30, 250)}
    ),
)
STEPS = {"weight": 0.003, "bmi": 0.051, "height": 0.051}


def agrees(sent: Reading, got: Reading) -> bool:
    assert isinstance(sent, Numeric)
    assert isinstance(got, Numeric)
    near = all(
        got.values[name] is None if value is None else got.values[name] == pytest.approx(value, abs=STEPS[name])
        for name, value in sent.values.items()
    )
    return near and sent.observed_at == got.observed_at


def test_a_feature_is_understood_and_says_nothing() -> None:
    assert Decoder().feed(bytes.fromhex("9e2a 3a000000"), 0) == []
    (error,) = Decoder().feed(bytes.fromhex("9e2a 3a00"), 0)
    assert isinstance(error, FrameError)
    assert error.reason is FrameReason.LENGTH


def test_a_weight_that_is_sent_again_is_had_once() -> None:
    decoder = Decoder()
    sent = Numeric(observed_at=5 * SECOND, values={"weight": 70.0}, conditions=frozenset())
    assert [len(decoder.feed(encode(sent), 0)) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize(
    "reading",
    [
        Occurrence(observed_at=0, name="x"),
        Numeric(observed_at=0, values={"weight": 70.0, "bmi": 22.0}),
        Numeric(observed_at=0, values={"weight": 70.0}, test=True),
    ],
)
def test_what_a_scale_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        encode(reading)
