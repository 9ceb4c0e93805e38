"""The laboratory protocol: answers, repeats, time, units; and the simulated analyser's side of the talk."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices import _astm
from edge_agents.devices.poc_analyser import ASSAYS, Decoder, encode
from firmware_sims.devices import poc_analyser as simulator
from firmware_sims.scenario import Timeline, parse
from firmware_sims.world import World
from gateway.contract.quantity import QUANTITIES
from tests.devices.played import NEW_YEAR, measured, play, step

ENQ, ACK, NAK, EOT = b"\x05", b"\x06", b"\x15", b"\x04"


@st.composite
def results(draw: st.DrawFn) -> Numeric:
    values: dict[str, float | None] = {}
    invalid: dict[str, str] = {}
    for assay in draw(st.lists(st.sampled_from(ASSAYS), unique_by=lambda assay: assay.quantity, min_size=1)):
        row, scale = QUANTITIES[assay.quantity], 10**assay.digits
        counts = draw(st.none() | st.integers(round(row.low * scale), round(row.high * scale)))
        values[assay.quantity] = None if counts is None else counts / scale
        if counts is None:
            invalid[assay.quantity] = draw(st.sampled_from(["no-measurement", "below-range", "above-range"]))
    seconds = draw(st.integers(0, 4_000_000_000))
    return Numeric(observed_at=seconds * 1_000_000, values=values, invalid=invalid, test=draw(st.booleans()))


READINGS = results()


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


RESULT = Numeric(observed_at=NEW_YEAR, values={"potassium": 4.1, "lactate": 2.5})


def frames() -> list[bytes]:
    """The frames of a message, as they stand between ENQ and EOT."""
    return [frame + b"\r\n" for frame in encode(RESULT)[1:-1].split(b"\r\n")[:-1]]


def talk(decoder: Decoder, *pieces: bytes) -> tuple[list[Reading | FrameError], bytes]:
    """What came of the pieces, and what was answered to them."""
    found, answers = [], b""
    for piece in pieces:
        found += decoder.feed(piece, 0)
        answers += decoder.answers()
    return found, answers


# ---- the link --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "checksum"),
    [
        ("1H|\\^&|||ACCESS^500001|||||LIS||P|1|20111231235959", b"20"),
        ("2P|1|098765678", b"A3"),
        ("3O|1|SPEC1234||^^^Ferritin|R||||||A||||Serum", b"F8"),
        ("4C|1|I|CEX;PEX|I", b"42"),
        ("4L|1|F", b"FF"),
        ("1A|B|C|D", b"BF"),
    ],
)
def test_checksums_are_those_that_others_print(text: str, checksum: bytes) -> None:
    """Beckman Coulter, Access host interface manual C03112; the last of python-astm's tests (test_codecs.py)."""
    number = int(text[0])
    records = ["x"] * (number - 1) + [text[1:]]
    assert list(_astm.frames(records))[-1] == b"\x02" + text.encode() + b"\r\x03" + checksum + b"\r\n"


def test_every_piece_is_answered_by_itself() -> None:
    found, answers = talk(Decoder(), ENQ, *frames(), EOT)
    assert found == [RESULT]
    assert answers == ACK * (1 + len(frames()))


def test_a_damaged_frame_is_asked_for_again_and_nothing_is_lost() -> None:
    first, second, *rest = frames()
    damaged = second.replace(b"P|1", b"P|2")
    found, answers = talk(Decoder(), ENQ, first, damaged, second, *rest, EOT)
    assert answers == ACK + ACK + NAK + ACK * (1 + len(rest))
    assert [item for item in found if not isinstance(item, FrameError)] == [RESULT]
    assert [item.reason for item in found if isinstance(item, FrameError)] == [FrameReason.CHECKSUM]


def test_a_frame_whose_acknowledgement_was_lost_is_not_taken_twice() -> None:
    pieces = [piece for frame in frames() for piece in (frame, frame)]
    found, answers = talk(Decoder(), ENQ, *pieces, EOT)
    assert found == [RESULT]
    assert answers == ACK * (1 + len(pieces))


def test_a_new_enquiry_begins_anew() -> None:
    found, _ = talk(Decoder(), ENQ, *frames()[:4], ENQ, *frames(), EOT)
    assert found == [RESULT]


def test_frames_from_the_middle_of_a_message_are_not_acknowledged() -> None:
    """An agent that comes up while the analyser sends: silence makes it send all of it again."""
    found, answers = talk(Decoder(), *frames()[2:])
    assert answers == b""
    assert all(isinstance(item, FrameError) for item in found)


def test_a_record_longer_than_a_frame_goes_on_in_the_next() -> None:
    comment = "C|1|I|" + "x" * 600
    records = ["H|\\^&|||x", comment, "R|1|^^^K+|4.0|mmol/L", "L|1|N"]
    stream = ENQ + b"".join(_astm.frames(records)) + EOT
    assert stream.count(b"\x17") == 2
    found, _ = talk(Decoder(), stream)
    assert [item.values for item in found if isinstance(item, Numeric)] == [{"potassium": 4.0}]


def test_eight_frames_and_more_count_from_zero_again() -> None:
    many = Numeric(observed_at=NEW_YEAR, values={assay.quantity: 7.0 for assay in ASSAYS if assay.quantity != "sodium"})
    assert encode(many).count(b"\x02") > 9
    assert talk(Decoder(), *[bytes([byte]) for byte in encode(many)])[0] == [many]


@given(cut=st.integers(0, 10_000), bit=st.integers(0, 6))
def test_no_damaged_value_gets_through(cut: int, bit: int) -> None:
    """A sum is a weak check, but it sees every single changed bit."""
    stream = bytearray(encode(RESULT))
    stream[cut % len(stream)] ^= 1 << bit
    for item in Decoder().feed(bytes(stream), 0):
        assert isinstance(item, FrameError) or item == RESULT


# ---- what a message means --------------------------------------------------------------------------------------------


def said(*records: str, utc_offset: str = "") -> list[Reading | FrameError]:
    stream = ENQ + b"".join(_astm.frames(["H|\\^&|||x", *records, "L|1|N"])) + EOT
    return Decoder(utc_offset).feed(stream, 5)


def test_a_local_time_counts_only_with_an_offset() -> None:
    record = "R|1|^^^K+^M|4.0|mmol/L|||N|F||||20260101080000"
    assert [item.observed_at for item in said(record) if isinstance(item, Numeric)] == [5]
    known = said(record, utc_offset="+0800")
    assert [item.observed_at for item in known if isinstance(item, Numeric)] == [NEW_YEAR]


def test_results_of_different_times_are_readings_of_their_own() -> None:
    found = said(
        "O|1||a", "R|1|^^^K+|4.0|mmol/L|||N|F||||20260101000000+0000", "R|2|^^^Na+|140|mmol/L|||N|F",
        "R|3|^^^Lac|1.0|mmol/L|||N|F||||20260101000500+0000", "O|2||b||||||||Q", "R|1|^^^K+|5.0|mmol/L",
    )  # fmt: skip
    assert [(item.observed_at, dict(item.values)) for item in found if isinstance(item, Numeric)] == [
        (NEW_YEAR, {"potassium": 4.0, "sodium": 140.0}),
        (NEW_YEAR + 300_000_000, {"lactate": 1.0}),
        (5, {"potassium": 5.0}),
    ]


@pytest.mark.parametrize(
    ("record", "quantity", "value"),
    [
        ("R|1|^^^TnI^M|0.034|ug/L", "troponin-i", 34.0),
        ("R|1|^^^TnI^M|0.034|ng/mL", "troponin-i", 34.0),
        ("R|1|^^^hs-TnI|12|pg/mL", "troponin-i", 12.0),
        ("R|1|^^^pCO2|5.33|kPa", "pco2", 40.0),
        ("R|1|^^^Glucose|100|mg/dL", "glucose", 5.55),
        ("R|1|^^^Lac|9.0|mg/dL", "lactate", 1.0),
        ("R|1|2744-1^^^anything|7.4|", "blood-ph", 7.4),
    ],
)
def test_units_are_converted(record: str, quantity: str, value: float) -> None:
    (reading,) = said(record)
    assert isinstance(reading, Numeric)
    assert reading.values == {quantity: pytest.approx(value, abs=0.05)}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("R|1|^^^K+|.....|mmol/L", "no-measurement"),
        ("R|1|^^^K+||mmol/L", "no-measurement"),
        ("R|1|^^^K+|4.0|mmol/L||||X", "no-measurement"),
        ("R|1|^^^K+|4.0e0|mmol/L", "no-measurement"),
        ("R|1|^^^K+|?4.0|mmol/L", "questionable"),
        ("R|1|^^^K+|<1.0|mmol/L", "below-range"),
        ("R|1|^^^K+|12.0|mmol/L||>", "above-range"),
        ("R|1|^^^K+|4.0|g", "unknown-unit"),
        ("R|1|^^^K+|99|mmol/L", "out-of-range"),
    ],
)
def test_what_is_no_result_is_no_number(record: str, reason: str) -> None:
    (reading,) = said(record)
    assert isinstance(reading, Numeric)
    assert (reading.values, reading.invalid) == ({"potassium": None}, {"potassium": reason})


def test_typed_in_corrected_and_unknown_results_are_passed_over() -> None:
    assert said("R|1|^^^K+^I|4.0|mmol/L", "R|2|^^^pH(T)^C|7.4|", "R|3|^^^CKMB^M|<2.0|ug/L", "R|4|x", "R") == []


def test_who_the_person_is_stays_in_the_analyser() -> None:
    name = "P|1||11010519491231002X||Wang^Fang"
    damaged = (ENQ + b"".join(_astm.frames(["H|\\^&", name]))).replace(b"Fang", b"Ping")
    told = repr(said(name, "R|1|^^^K+|4.0|mmol/L")) + repr(Decoder().feed(damaged, 0))
    told += "".join(repr(item.frame) for item in Decoder().feed(damaged, 0) if isinstance(item, FrameError))
    assert "Wang" not in told
    assert "1949" not in told


@pytest.mark.parametrize("offset", ["8", "+8", "0800", "+1500", "CST"])
def test_an_offset_that_is_none_is_refused(offset: str) -> None:
    with pytest.raises(ValueError, match="HHMM"):
        Decoder(offset)


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={}),
        Numeric(observed_at=0, values={"speed": 1.0}),
        Numeric(observed_at=-1, values={"potassium": 4.0}),
        Numeric(observed_at=0, values={"potassium": None}, invalid={"potassium": "bored"}),
        Occurrence(observed_at=0, name="coffee"),
    ],
    ids=repr,
)
def test_what_an_analyser_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(reading)


# ---- the simulated analyser ------------------------------------------------------------------------------------------


def test_a_simulated_panel_has_the_values_of_the_scenario() -> None:
    found = play(
        "poc_analyser", step(5, measure="blood-gas", potassium=6.4, lactate=4.2),
        step(20, measure="troponin", below=["troponin-i"], sample="control"),
    )  # fmt: skip
    gas, troponin = measured(found, 6), measured(found, 21)
    assert gas.values["potassium"] == pytest.approx(6.4, rel=0.05)
    assert gas.values["lactate"] == pytest.approx(4.2, rel=0.05)
    assert not gas.test
    assert troponin.invalid == {"troponin-i": "below-range"}
    assert troponin.test


def analyser() -> World:
    scenario = parse({"title": "a test"})
    return World(scenario, Timeline(scenario), 1, NEW_YEAR, "d")


def conversation(
    world: World, decoder: Decoder, opening: bytes, deaf: frozenset[int]
) -> Iterator[Reading | FrameError]:
    """Decoder and analyser talk until neither has anything to say; pieces whose number is in ``deaf`` are damaged."""
    pieces, number = [opening], 0
    while pieces:
        piece = pieces.pop(0)
        damaged = piece[:3] + b"#" + piece[4:] if number in deaf else piece
        number += 1
        yield from decoder.feed(damaged, 0)
        if answer := decoder.answers():
            pieces += simulator.control(world, 0, answer)


@pytest.mark.parametrize("deaf", [frozenset[int](), frozenset({1}), frozenset({2, 3, 4}), frozenset({6})])
def test_analyser_and_agent_understand_each_other_over_a_bad_line(deaf: frozenset[int]) -> None:
    world, decoder = analyser(), Decoder()
    opening = simulator.opening(world, encode(RESULT))
    assert opening == ENQ
    found = list(conversation(world, decoder, opening, deaf))
    assert [item for item in found if not isinstance(item, FrameError)] == [RESULT]
    assert len(found) == 1 + len(deaf)


def test_a_second_result_waits_for_the_first_and_a_new_reader_gets_both() -> None:
    world = analyser()
    later = Numeric(observed_at=NEW_YEAR + 1_000_000, values={"sodium": 140.0})
    assert simulator.opening(world, encode(RESULT)) == ENQ
    assert simulator.opening(world, encode(later)) == b""
    decoder = Decoder()
    (again,) = simulator.control(world, 0, b"")
    assert list(conversation(world, decoder, again, frozenset())) == [RESULT, later]
    assert simulator.control(world, 0, b"") == ()
