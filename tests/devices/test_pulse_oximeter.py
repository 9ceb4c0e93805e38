"""Pulse Oximeter Service: spot and continuous, statuses, test data."""

import pytest
from hypothesis import strategies as st

from edge_agents.device import Numeric, Occurrence, Reading
from edge_agents.devices.pulse_oximeter import QUESTIONABLE_DATA, SENSOR_STATUS, Decoder, encode, encode_continuous
from tests.devices.gatt_vectors import stated

SECOND = 1_000_000
CONDITIONS = st.frozensets(st.sampled_from([*SENSOR_STATUS.values(), QUESTIONABLE_DATA]), max_size=4)
DISOWNED = {SENSOR_STATUS[bit] for bit in (1, 7, 11, 13, 14, 15)}


def spot(at: int, values: dict[str, float | None], conditions: frozenset[str], test: bool) -> Numeric:
    if conditions & DISOWNED:
        values = dict.fromkeys(values)
    invalid = {name: "no-measurement" for name, value in values.items() if value is None}
    return Numeric(observed_at=at * SECOND, values=values, invalid=invalid, conditions=conditions, test=test)


READINGS = st.builds(
    spot,
    st.integers(2, 4_000_000_000),
    st.fixed_dictionaries({
        "spo2": st.none() | st.integers(0, 1000).map(lambda tenths: tenths / 10),
        "pulse-rate": st.none() | st.integers(1, 300).map(float),
    })
    | st.fixed_dictionaries({
        "spo2": st.integers(0, 100).map(float),
        "pulse-rate": st.integers(1, 300).map(float),
        "perfusion-index": st.none() | st.integers(0, 2000).map(lambda hundredths: hundredths / 100),
    }),
    CONDITIONS,
    st.booleans(),
)  # fmt: skip


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def one(text: str, received_at: int = 77) -> Numeric:
    (item,) = Decoder().feed(bytes.fromhex(text), received_at)
    assert isinstance(item, Numeric)
    return item


@pytest.mark.parametrize("bit", range(24))
def test_every_sensor_status_is_a_condition_or_means_nothing(bit: int) -> None:
    got = one(f"5f2a 08 6200 4e00 {(1 << bit).to_bytes(3, 'little').hex()}")
    assert stated(got) == ({SENSOR_STATUS[bit]} if bit in SENSOR_STATUS else set())
    disowned = SENSOR_STATUS.get(bit) in DISOWNED
    assert got.values == ({"spo2": None, "pulse-rate": None} if disowned else {"spo2": 98.0, "pulse-rate": 78.0})


@pytest.mark.parametrize(
    ("bit", "reason"),
    [(1, "sensor-fault"), (7, "no-measurement"), (11, "sensor-off"), (13, "sensor-off"), (14, "sensor-fault"),
     (15, "sensor-fault")],
)  # fmt: skip
def test_numbers_that_the_sensor_disowns_are_none(bit: int, reason: str) -> None:
    got = one(f"5f2a 18 6200 4e00 {(1 << bit).to_bytes(3, 'little').hex()} 57f0")
    names = ("spo2", "pulse-rate", "perfusion-index")
    assert (got.values, got.invalid) == (dict.fromkeys(names), dict.fromkeys(names, reason))


def test_a_pulse_of_nought_is_none() -> None:
    got = one("5f2a 00 6200 0000")
    assert (got.values, got.invalid) == ({"spo2": 98.0, "pulse-rate": None}, {"pulse-rate": "no-measurement"})


@pytest.mark.parametrize(
    ("bit", "test", "reason"),
    [(5, False, None), (9, False, None), (10, True, None), (11, True, None), (12, False, "calibrating"),
     (13, False, "no-measurement"), (14, False, None), (15, False, "invalid")],
)  # fmt: skip
def test_measurement_status(bit: int, test: bool, reason: str | None) -> None:
    got = one(f"5f2a 04 6200 4e00 {(1 << bit).to_bytes(2, 'little').hex()}")
    assert got.test is test
    assert got.invalid == ({"spo2": reason, "pulse-rate": reason} if reason else {})


def test_a_continuous_value_bears_the_time_of_its_arrival() -> None:
    sent = Numeric(observed_at=5, values={"spo2": 97.0, "pulse-rate": 70.0}, conditions=frozenset({"irregular-pulse"}))
    (got,) = Decoder().feed(encode_continuous(sent), 77)
    assert got == Numeric(observed_at=77, values=sent.values, conditions=sent.conditions)


def test_a_spot_check_that_is_sent_again_is_had_once_and_equal_continuous_values_each_time() -> None:
    sent = Numeric(observed_at=5 * SECOND, values={"spo2": 97.0, "pulse-rate": 70.0}, conditions=frozenset())
    decoder = Decoder()
    assert [len(decoder.feed(encode(sent), 0)) for _ in range(2)] == [1, 0]
    assert [len(decoder.feed(encode_continuous(sent), 0)) for _ in range(2)] == [1, 1]


@pytest.mark.parametrize(
    "reading", [Occurrence(observed_at=0, name="x"), Numeric(observed_at=0, values={"spo2": 97.0})]
)
def test_what_an_oximeter_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        encode(reading)
