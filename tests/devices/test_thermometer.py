"""Health Thermometer Service: units, where it was measured, intermediate values."""

from pathlib import Path

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices.thermometer import SITES, Decoder, encode
from tests.devices.gatt_vectors import vectors

SECOND = 1_000_000
READINGS = st.builds(
    lambda at, value: Numeric(
        observed_at=at * SECOND,
        values={"temperature": value},
        invalid={} if value is not None else {"temperature": "no-measurement"},
        conditions=frozenset(),
    ),
    st.integers(2, 4_000_000_000),
    st.none() | st.integers(1400, 4600).map(lambda hundredths: hundredths / 100),
) | st.builds(
    lambda site: Occurrence(observed_at=1_234_567, name="measurement-site", details={"site": site}),
    st.sampled_from(list(SITES.values())),
)
FEVER = Numeric(observed_at=5 * SECOND, values={"temperature": 38.5}, conditions=frozenset())


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


@pytest.mark.parametrize(("fahrenheit", "celsius"), [(986, 37.0), (1022, 39.0), (950, 35.0), (1000, 37.78)])
def test_fahrenheit(fahrenheit: int, celsius: float) -> None:
    (got,) = Decoder().feed(bytes.fromhex(f"1c2a01{fahrenheit.to_bytes(3, 'little').hex()}ff"), 0)
    assert isinstance(got, Numeric)
    assert got.values == {"temperature": celsius}


def test_where_it_was_measured_is_said_when_it_changes() -> None:
    decoder = Decoder()
    said = [
        [item.details["site"] for item in decoder.feed(bytes.fromhex(text), 0) if isinstance(item, Occurrence)]
        for text in ("1d2a02", "1c2a046c0100ff02", "1c2a046c0100ff03", "1c2a046c0100ff03", "1c2a046c0100ffc8")
    ]
    assert said == [["body"], [], ["ear"], [], []]


def test_a_measurement_that_is_sent_again_is_had_once() -> None:
    decoder = Decoder()
    assert [len(decoder.feed(encode(FEVER), 0)) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize(
    "reading",
    [
        Occurrence(observed_at=0, name="measurement-site", details={"site": "elbow"}),
        Numeric(observed_at=0, values={"temperature": 36.0}, test=True),
        Numeric(observed_at=0, values={"spo2": 97.0}),
    ],
)
def test_what_a_thermometer_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        encode(reading)


@pytest.mark.data
def test_the_public_vectors_of_2a1c_and_2a08(recordings: Path) -> None:
    (vector,) = vectors(recordings, "temperature_measurement").values()
    site, got = vector.read(Decoder())
    assert isinstance(site, Occurrence)
    assert isinstance(got, Numeric)
    assert site.details == {"site": "finger"}
    assert (got.values, got.observed_at) == ({"temperature": 37.6}, 1_354_708_227 * SECOND)
    times = vectors(recordings, "date_time")
    head = bytes.fromhex("1c2a026c0100ff")
    (today,) = Decoder().feed(head + times["onDateTimeReceived_today"].frame[2:], 0)
    assert isinstance(today, Numeric)
    assert today.observed_at == 1_523_980_260 * SECOND
    short = times["onInvalidDataReceived_dataTooShort"]
    assert short._replace(frame=head + short.frame[2:]).refusal(Decoder()) is FrameReason.LENGTH
    assert len(times) == 2
