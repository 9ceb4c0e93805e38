"""Blood Pressure Service: units, times, special values, what a measurement says of itself."""

from pathlib import Path

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices.blood_pressure_monitor import PRESSURES, SPOILING, Decoder, encode
from tests.devices.gatt_vectors import stated, vectors

SECOND = 1_000_000
CONDITIONS = st.frozensets(
    st.sampled_from(["body-moved", "cuff-error/loose", "cuff-error/position", "irregular-pulse"])
)
TIMES = st.integers(0, 4_000_000_000).map(lambda second: second * SECOND)
PRESSURE = st.none() | st.integers(200, 2500).map(lambda tenths: tenths / 10)
MEASUREMENTS = st.builds(
    lambda at, pressures, pulse, conditions: numeric(
        at, dict(zip(("bp-systolic", "bp-diastolic", "bp-mean"), pressures, strict=True)) | pulse, conditions
    ),
    TIMES,
    st.tuples(PRESSURE, PRESSURE, PRESSURE),
    st.just({}) | st.fixed_dictionaries({"pulse-rate": st.none() | st.integers(30, 200).map(float)}),
    CONDITIONS,
)
INFLATIONS = st.builds(
    lambda at, pressure, conditions: numeric(at, {"cuff-pressure": pressure}, conditions),
    TIMES,
    st.integers(0, 300).map(float),
    CONDITIONS,
)
READINGS = MEASUREMENTS | INFLATIONS


def numeric(at: int, values: dict[str, float | None], conditions: frozenset[str]) -> Numeric:
    """As the device means it: what it measured with a cuff that was not on right is nothing."""
    spoilt = {*PRESSURES, "pulse-rate"} if conditions & SPOILING else set()
    values = {name: None if name in spoilt else value for name, value in values.items()}
    invalid = {name: "no-measurement" for name, value in values.items() if value is None}
    return Numeric(observed_at=at, values=values, invalid=invalid, conditions=conditions)


def agrees(sent: Reading, got: Reading) -> bool:
    assert isinstance(sent, Numeric)
    assert isinstance(got, Numeric)
    near = all(
        got.values[name] is None if value is None else got.values[name] == pytest.approx(value, abs=0.5)
        for name, value in sent.values.items()
    )
    return near and (sent.observed_at, sent.conditions) == (got.observed_at, got.conditions)


def one(text: str, received_at: int = 77) -> Numeric:
    (item,) = Decoder().feed(bytes.fromhex(text), received_at)
    assert isinstance(item, Numeric)
    return item


def test_kilopascal_becomes_millimetres_of_mercury() -> None:
    """16.0/10.7/12.4 kPa: SFLOAT with exponent -1."""
    got = one("352a 01 a0f0 6bf0 7cf0")
    assert got.values == {"bp-systolic": 120.01, "bp-diastolic": 80.26, "bp-mean": 93.01}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("ff07", "no-measurement"), ("0008", "not-at-this-resolution"), ("fe07", "above-range"),
        ("0208", "below-range"), ("0108", "reserved"), ("e803", "out-of-range"),
    ],
)  # fmt: skip
def test_what_is_no_pressure_is_no_value_but_a_reason(raw: str, reason: str) -> None:
    got = one(f"352a 00 {raw} 5000 5d00")
    assert got.values["bp-systolic"] is None
    assert got.invalid == {"bp-systolic": reason}


def test_a_clock_that_was_never_set_is_a_condition_and_the_time_that_of_arrival() -> None:
    got = one("352a 02 7800 5000 5d00 0000 0000000000")
    assert (got.observed_at, stated(got)) == (77, {"clock-unset"})
    assert one("352a 02 7800 5000 5d00 ea07 0101000000").conditions == frozenset()


def test_the_next_measurement_takes_back_what_was_said_of_the_last() -> None:
    decoder = Decoder()
    (first,) = decoder.feed(encode(numeric(0, {"bp-systolic": 120.0}, frozenset({"cuff-error/loose"}))), 0)
    (second,) = decoder.feed(encode(numeric(SECOND, {"bp-systolic": 121.0}, frozenset())), 0)
    assert isinstance(first, Numeric)
    assert isinstance(second, Numeric)
    assert (stated(first), stated(second)) == ({"cuff-error/loose"}, set())


@pytest.mark.parametrize("bit", range(16))
def test_a_cuff_that_was_not_on_right_has_measured_nothing_and_a_movement_only_marks_it(bit: int) -> None:
    got = one(f"352a 14 7800 5000 5d00 4800 {(1 << bit).to_bytes(2, 'little').hex()}")
    spoilt = bit in {1, 5}
    assert got.invalid == (dict.fromkeys((*PRESSURES, "pulse-rate"), "no-measurement") if spoilt else {})
    assert got.values["bp-systolic"] == (None if spoilt else 120.0)


def test_a_low_battery_is_not_forgotten_by_the_next_measurement() -> None:
    decoder = Decoder()
    (battery,) = decoder.feed(bytes.fromhex("192a 0a"), 5)
    assert battery == Numeric(observed_at=5, values={"battery": 10.0}, conditions=frozenset({"battery-low"}))
    (measured,) = decoder.feed(encode(numeric(0, {"bp-systolic": 120.0}, frozenset())), 0)
    assert isinstance(measured, Numeric)
    assert stated(measured) == {"battery-low"}
    (battery,) = decoder.feed(bytes.fromhex("192a 64"), 5)
    assert isinstance(battery, Numeric)
    assert battery.conditions == frozenset()


def test_device_information_is_said_once() -> None:
    decoder = Decoder()
    frame = bytes.fromhex("262a") + b"1.4\x00"
    assert decoder.feed(frame, 5) == [Occurrence(observed_at=5, name="device-information", details={"firmware": "1.4"})]
    assert decoder.feed(frame, 6) == []


@pytest.mark.parametrize(
    "reading",
    [
        Occurrence(observed_at=0, name="x"), Numeric(observed_at=0, values={}),
        Numeric(observed_at=0, values={"spo2": 97.0}), Numeric(observed_at=0, values={"bp-systolic": 120.0}, test=True),
        Numeric(observed_at=0, values={"bp-systolic": 120.0, "cuff-pressure": 1.0}),
    ],
)  # fmt: skip
def test_what_a_cuff_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        encode(reading)


# ---- public vectors --------------------------------------------------------------------------------------------------
FULL = {"body-moved", "cuff-error/loose", "irregular-pulse", "cuff-error/position", "clock-unset"}


@pytest.mark.data
def test_the_public_vectors_of_2a35(recordings: Path) -> None:
    found = vectors(recordings, "blood_pressure_measurement")
    full = found["onBloodPressureMeasurementReceived_full"].only(Decoder(), 77)
    assert full.values == dict.fromkeys((*PRESSURES, "pulse-rate")), "138/88 with a cuff that is loose and misplaced"
    assert (stated(full), full.observed_at) == (FULL, 77)
    minimal = found["onBloodPressureMeasurementReceived_minimal"].only(Decoder(), 77)
    # 18.9/11/15.9 is read rightly; 18.9 mmHg is no systolic pressure of a person
    assert minimal.values == {"bp-systolic": None, "bp-diastolic": 11.0, "bp-mean": 15.9}
    assert minimal.invalid == {"bp-systolic": "out-of-range"}
    assert found["onInvalidDataReceived_noTimestamp"].refusal(Decoder()) is FrameReason.LENGTH
    assert len(found) == 3


@pytest.mark.data
def test_the_public_vectors_of_2a36(recordings: Path) -> None:
    found = vectors(recordings, "intermediate_cuff_pressure")
    full = found["onIntermediateCuffPressureReceived_full"].only(Decoder(), 77)
    assert full.values == {"cuff-pressure": 4.0, "pulse-rate": None}
    assert (stated(full), full.observed_at) == (FULL, 77)
    minimal = found["onIntermediateCuffPressureReceived_minimal"].only(Decoder(), 77)
    assert (minimal.values, minimal.conditions) == ({"cuff-pressure": 21.5}, frozenset())
    assert found["onInvalidDataReceived_noTimestamp"].refusal(Decoder()) is FrameReason.LENGTH
    assert len(found) == 3


def test_a_value_of_another_service_is_refused() -> None:
    (error,) = Decoder().feed(bytes.fromhex("9d2a00"), 0)
    assert isinstance(error, FrameError)
    assert error.reason is FrameReason.UNKNOWN_TYPE
