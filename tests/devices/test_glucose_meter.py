"""Glucose Service: records asked for, none had twice, control solution kept apart."""

from pathlib import Path

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices._gatt import Fields
from edge_agents.devices._racp import Response, read_response
from edge_agents.devices.glucose_meter import MEALS, STATUS, Decoder, encode, encode_record
from tests.devices.gatt_vectors import stated, vectors

SECOND = 1_000_000
CONDITIONS = st.frozensets(
    st.sampled_from([code for code in STATUS.values() if not code.startswith("out-of-measuring-range")]), max_size=4
)
DISOWNED = {STATUS[bit] for bit in (1, 2, 3, 4, 7, 8, 9, 10)}


def stored(at: int, value: float | None, conditions: frozenset[str], test: bool) -> Numeric:
    if conditions & DISOWNED:
        value = None
    invalid = {} if value is not None else {"glucose": "no-measurement"}
    return Numeric(
        observed_at=at * SECOND, values={"glucose": value}, invalid=invalid, conditions=conditions, test=test
    )


RECORDS = st.builds(
    stored,
    st.integers(2, 4_000_000_000),
    st.none() | st.floats(1.0, 55.0),
    CONDITIONS,
    st.booleans(),
)
READINGS = (
    RECORDS
    | st.builds(
        lambda sequence, meal: Occurrence(
            observed_at=1_234_567, name="glucose-context", details={"sequence": sequence, "meal": meal}
        ),
        st.integers(0, 0xFFFF),
        st.sampled_from(list(MEALS.values())),
    )
    | st.builds(
        lambda outcome: Occurrence(
            observed_at=1_234_567, name="records-refused", details={"request": 1, "outcome": outcome}
        ),
        st.sampled_from([2, 3, 4, 5, 7, 8, 9]),
    )
)


def agrees(sent: Reading, got: Reading) -> bool:
    if not isinstance(sent, Numeric) or not isinstance(got, Numeric):
        return sent == got
    value, read = sent.values["glucose"], got.values["glucose"]
    near = read is None if value is None else read == pytest.approx(value, abs=0.051)
    return near and (sent.observed_at, sent.conditions, sent.test) == (got.observed_at, got.conditions, got.test)


def record(second: int, value: float = 5.5, test: bool = False) -> Numeric:
    return Numeric(observed_at=second * SECOND, values={"glucose": value}, conditions=frozenset(), test=test)


def test_all_records_are_asked_for_first_and_then_those_behind_the_last() -> None:
    decoder = Decoder()
    assert decoder.greet(0) == (bytes.fromhex("522a 01 01"),)
    decoder.feed(encode_record(record(5), 0x0122), 0)
    assert decoder.greet(0) == (bytes.fromhex("522a 01 03 01 23 01"),), "the example of the Glucose Profile"
    decoder.feed(encode_record(record(6), 0xFFFF), 0)
    assert decoder.greet(0) == (bytes.fromhex("522a 01 01"),), "the number begins again"


@pytest.mark.parametrize("outcome", [3, 6, 9])
def test_after_no_records_or_a_refusal_all_are_asked_for_the_next_time(outcome: int) -> None:
    decoder = Decoder()
    decoder.feed(encode_record(record(5), 7), 0)
    decoder.feed(bytes.fromhex(f"522a060001{outcome:02x}"), 0)
    assert decoder.greet(0) == (bytes.fromhex("522a 01 01"),)


def test_a_record_is_had_once_whatever_the_meter_sends_again() -> None:
    decoder = Decoder()
    frames = [encode_record(record(second), second) for second in (1, 2, 3)]
    assert [len(decoder.feed(frame, 0)) for frame in [*frames, *frames, frames[2]]] == [1, 1, 1, 0, 0, 0, 0]
    (again,) = decoder.feed(encode_record(record(9), 3), 0)
    assert isinstance(again, Numeric), "the same number at another time is another record"


def test_control_solution_is_a_test_reading_by_type_and_by_site() -> None:
    for sample in ("1a", "41", "4a"):
        (got,) = Decoder().feed(bytes.fromhex(f"182a 06 0400 e307021b0b0a1e 37c0 {sample}"), 0)
        assert isinstance(got, Numeric)
        assert got.test
    (got,) = Decoder().feed(bytes.fromhex("182a 06 0400 e307021b0b0a1e 37c0 11"), 0)
    assert isinstance(got, Numeric)
    assert not got.test


@pytest.mark.parametrize("bit", range(16))
def test_every_annunciation_is_a_condition_or_means_nothing(bit: int) -> None:
    word = (1 << bit).to_bytes(2, "little").hex()
    (got,) = Decoder().feed(bytes.fromhex(f"182a 0e 0400 e307021b0b0a1e 37c0 11 {word}"), 0)
    assert isinstance(got, Numeric)
    assert stated(got) == ({STATUS[bit]} if bit in STATUS else set())
    assert (got.values["glucose"] is None) == (1 <= bit <= 10)
    assert bool(got.invalid) == (1 <= bit <= 10)


def test_a_meter_without_a_clock_says_so_and_the_record_bears_the_time_of_arrival() -> None:
    (got,) = Decoder().feed(bytes.fromhex("182a 06 0400 00000000000000 37c0 11"), 77)
    assert isinstance(got, Numeric)
    assert (got.observed_at, stated(got)) == (77, {"clock-unset"})


def test_a_meter_without_a_clock_that_starts_to_number_again_loses_no_record() -> None:
    decoder = Decoder()
    frames = [bytes.fromhex(f"182a 06 0400 00000000000000 {value} 11") for value in ("37c0", "38c0", "37c0")]
    assert [len(decoder.feed(frame, 77)) for frame in frames] == [1, 1, 0]


def test_an_agent_that_starts_again_takes_no_record_twice_and_asks_for_all() -> None:
    """All of them: another meter may be at the address by now, and its records have other numbers."""
    before = Decoder()
    frames = [encode_record(record(second), second) for second in (1, 2, 3)]
    frames.insert(2, bytes.fromhex("342a 02 0200 03"))  # what was entered about the second
    frames.append(bytes.fromhex("182a 06 0400 00000000000000 37c0 11"))  # the meter's clock was not set
    frames.append(bytes.fromhex("342a 02 0400 01"))
    assert [len(before.feed(frame, 77)) for frame in frames] == [1] * 6
    after = Decoder()
    after.recall(had := before.had())
    assert had == frames
    assert before.had() == [], "said once"
    assert after.greet(0) == (bytes.fromhex("522a 01 01"),)
    assert [len(after.feed(frame, 99)) for frame in frames] == [0] * 6
    assert after.had() == []
    (new,) = after.feed(bytes.fromhex("342a 02 0400 02"), 99)
    assert isinstance(new, Occurrence)
    assert new.observed_at == 99, "when the record without a time arrived is not known any more"
    assert len(after.feed(encode_record(record(4), 2), 99)) == 1, "an old number at another time is another record"


def test_a_context_bears_the_time_of_its_record() -> None:
    decoder = Decoder()
    decoder.feed(encode_record(record(5), 9), 77)
    (got,) = decoder.feed(bytes.fromhex("342a 02 0900 03"), 78)
    assert got == Occurrence(observed_at=5 * SECOND, name="glucose-context", details={"sequence": 9, "meal": "fasting"})


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"spo2": 97.0}),
        Occurrence(observed_at=0, name="glucose-context", details={"sequence": 1, "meal": "brunch"}),
    ],
)
def test_what_a_meter_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        encode(reading)


# ---- public vectors --------------------------------------------------------------------------------------------------
@pytest.mark.data
def test_the_public_vectors_of_the_glucose_service(recordings: Path) -> None:
    (vector,) = vectors(recordings, "glucose_measurement").values()
    got = vector.only(Decoder())
    assert got.observed_at == 1_551_265_530 * SECOND, "11:10:30 less the offset of 5 min"
    assert {"battery-low", "strip-error/sample-too-small", "ambient-temperature/cold"} == stated(got)
    assert got.invalid == {"glucose": "out-of-range"}, "30 kg/L"
    (context,) = vectors(recordings, "glucose_measurement_context").values()
    (said,) = context.read(Decoder())
    assert isinstance(said, Occurrence)
    assert said.details == {"sequence": 1}
    (feature,) = vectors(recordings, "glucose_feature").values()
    assert feature.read(Decoder()) == []


@pytest.mark.data
def test_the_public_vectors_of_2a52(recordings: Path) -> None:
    found = vectors(recordings, "record_access_control_point")
    answers = {
        "onRecordAccessOperationCompleted": Response(1, 1),
        "onRecordAccessOperationError_invalidOperator": Response(1, 3),
        "onRecordAccessOperationError_invalidOperand": Response(1, 5),
        "onRecordAccessOperationError_abortUnsuccessful": Response(3, 7),
        "onRecordAccessOperationError_operandNotSupported": Response(2, 9),
        "onNumberOfRecordsReceived_uint8": Response(4, 1, 1),
        "onNumberOfRecordsReceived_uint32": Response(4, 1, 16_909_060),
    }
    for case, answer in answers.items():
        assert read_response(Fields(found[case].frame)) == answer
    assert found["onInvalidDataReceived_tooShort"].refusal(Decoder()) is FrameReason.UNKNOWN_TYPE
    assert found["onInvalidDataReceived_invalidOperator"].refusal(Decoder()) is FrameReason.SYNTAX
    assert len(found) == len(answers) + 2
