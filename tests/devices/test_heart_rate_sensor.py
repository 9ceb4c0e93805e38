"""Heart Rate Service: intervals and skin contact."""

from pathlib import Path

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices.heart_rate_sensor import Decoder, encode
from tests.devices import golden
from tests.devices.gatt_vectors import vectors

READINGS = st.builds(
    lambda values: Numeric(observed_at=golden.ARRIVES_AT, values=values, conditions=frozenset()),
    st.fixed_dictionaries({"heart-rate": st.integers(1, 350).map(float)})
    | st.fixed_dictionaries({"heart-rate": st.integers(1, 350).map(float), "rr-interval": st.floats(25, 4900)}),
) | st.just(
    Numeric(
        observed_at=golden.ARRIVES_AT,
        values={"heart-rate": None},
        invalid={"heart-rate": "sensor-off"},
        conditions=frozenset({"sensor-off"}),
    )
)


def agrees(sent: Reading, got: Reading) -> bool:
    assert isinstance(sent, Numeric)
    assert isinstance(got, Numeric)
    near = got.values.get("rr-interval") == pytest.approx(sent.values.get("rr-interval"), abs=0.6)
    return near and (sent.values["heart-rate"], sent.conditions) == (got.values["heart-rate"], got.conditions)


@pytest.mark.parametrize("frame", ["372a 00 00", "372a 01 0000", "372a 06 00"])
def test_a_heart_rate_of_nought_is_none_whatever_is_said_of_the_contact(frame: str) -> None:
    (got,) = Decoder().feed(bytes.fromhex(frame), 5)
    values: dict[str, float | None] = {"heart-rate": None}
    invalid = {"heart-rate": "no-measurement"}
    assert got == Numeric(observed_at=5, values=values, invalid=invalid, conditions=frozenset())


@pytest.mark.parametrize("reading", [Occurrence(observed_at=0, name="x"), Numeric(observed_at=0, values={})])
def test_what_a_sensor_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        encode(reading)


@pytest.mark.data
def test_the_public_vectors_of_2a37(recordings: Path) -> None:
    found = vectors(recordings, "heart_rate_measurement")
    assert found["onHeartRateMeasurementReceived_simple"].only(Decoder()).values == {"heart-rate": 85.0}
    full = found["onHeartRateMeasurementReceived_uint8"].only(Decoder())
    assert full.values == {"heart-rate": 85.0, "rr-interval": pytest.approx(33 * 1000 / 1024, abs=0.001)}
    assert found["onInvalidDataReceived"].refusal(Decoder()) is FrameReason.LENGTH
    assert len(found) == 3
