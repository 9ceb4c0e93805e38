"""Register maps and what an answer is: vectors of the specification and of public maps, and captured traffic.

The frames here are from outside this project; those of our own layouts are in tests/golden/frames.
"""

import re
import struct
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices._register_fields import (
    Alarm,
    Edge,
    Flag,
    Level,
    Number,
    State,
    Type,
    WordOrder,
    from_words,
    parse,
    to_words,
)
from edge_agents.devices._registers import RegisterDecoder, RegisterMap
from edge_agents.links.modbus_answer import EXCEPTIONS, Request, checksum, identity, on_line, on_tcp
from edge_agents.protocol import modbus_frame

# ---- word orders and types -------------------------------------------------------------------------------------------
FLOAT_5_25 = {
    WordOrder.ABCD: (0x40A8, 0x0000),
    WordOrder.CDAB: (0x0000, 0x40A8),
    WordOrder.BADC: (0xA840, 0x0000),
    WordOrder.DCBA: (0x0000, 0xA840),
}
MAPS = [  # of public maps: what stands at an address, and what its scale makes of it
    ("Deye, energy at 63-64, low word first (evcc uint32s)", (0x86A0, 1), Type.U32, WordOrder.CDAB, 100_000),
    ("Deye SG04LP3, battery current at 591, signed", (0xFB2E,), Type.S16, WordOrder.ABCD, -1234),
    ("SunSpec, the words that begin a map at 40000: SunS", (0x5375, 0x6E53), Type.U32, WordOrder.ABCD, 0x53756E53),
    ("Eastron SDM120, active power at 12 (evcc float32)", (0x4316, 0x0000), Type.F32, WordOrder.ABCD, 150.0),
    ("SunSpec, a scale factor of -2", (0xFFFE,), Type.S16, WordOrder.ABCD, -2),
]  # fmt: skip


@pytest.mark.parametrize("order", WordOrder)
def test_a_float_in_each_word_order(order: WordOrder) -> None:
    assert to_words(5.25, Type.F32, order) == FLOAT_5_25[order]
    assert from_words(FLOAT_5_25[order], Type.F32, order) == 5.25


@pytest.mark.parametrize(("words", "type_", "order", "raw"), [row[1:] for row in MAPS], ids=[row[0] for row in MAPS])
def test_registers_of_public_maps(words: tuple[int, ...], type_: Type, order: WordOrder, raw: float) -> None:
    assert from_words(words, type_, order) == raw
    assert to_words(raw, type_, order) == words


@given(raw=st.integers(-(2**31), 2**31 - 1), order=st.sampled_from(WordOrder))
def test_every_word_order_is_undone(raw: int, order: WordOrder) -> None:
    assert from_words(to_words(raw, Type.S32, order), Type.S32, order) == raw


@pytest.mark.parametrize(("raw", "type_"), [(70_000, Type.U16), (-1, Type.U32), (40_000, Type.S16), (0.5, Type.U16)])
def test_what_does_not_fit_is_not_sent(raw: float, type_: Type) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        to_words(raw, type_)


# ---- numbers, codes, ranges ------------------------------------------------------------------------------------------
PROBE = Number(0, "cargo-temperature-1", Type.S16, 10, fault="probe-fault")
ENERGY = Number(1, "running-time", Type.F32)
TABLE = RegisterMap(
    function=3,
    numbers=(PROBE, ENERGY),
    alarms=(Alarm(3, 1, 1, "battery-low"), Alarm(4, 0xFFFF, 7, "pump-fault")),
    states=(State("things", (Flag("open", 5, 3), Level("limit", 6, 10))),),
    edges=(Edge("open", True, "opened"),),
)


@pytest.mark.parametrize(
    ("word", "value", "reason"),
    [
        (0x0000, 0.0, ""),
        (0xFFFB, -0.5, ""),
        (0x03E8, 100.0, ""),
        (0x03E9, None, "out-of-range"),
        (0xFC17, None, "out-of-range"),
        (0x8000, None, "probe-fault"),
        (0x8001, None, "out-of-range"),
    ],
)
def test_a_fault_or_a_value_out_of_range_is_never_a_number(word: int, value: float | None, reason: str) -> None:
    numeric = TABLE.decode(modbus_frame(1, 3, 0, 1, word.to_bytes(2, "big")), 9).numeric
    assert numeric is not None
    assert numeric.values == {"cargo-temperature-1": value}
    assert numeric.invalid == ({"cargo-temperature-1": reason} if reason else {})


@pytest.mark.parametrize(("words", "there"), [("7fff", False), ("0001", True)])
def test_what_is_not_fitted_is_not_in_the_reading(words: str, there: bool) -> None:
    numeric = TABLE.decode(modbus_frame(1, 3, 0, 1, bytes.fromhex(words)), 9).numeric
    assert (numeric is not None) is there


def test_a_number_cut_by_the_border_of_a_poll_is_not_read() -> None:
    assert TABLE.decode(modbus_frame(1, 3, 2, 1, b"\x00\x01"), 9).numeric is None
    assert TABLE.decode(modbus_frame(1, 3, 1, 1, b"\x40\xa8"), 9).numeric is None


@pytest.mark.parametrize(
    ("alarms", "conditions"),
    [
        ("0000 0000", set()),
        ("0001 0000", {"battery-low"}),
        ("0000 0007", {"pump-fault"}),
        ("0003 0007", {"battery-low", "pump-fault"}),
        ("0000 0008", {"device-fault"}),
    ],
)
def test_alarm_bits_and_alarm_codes_are_conditions(alarms: str, conditions: set[str]) -> None:
    numeric = TABLE.decode(modbus_frame(1, 3, 3, 2, bytes.fromhex(alarms)), 9).numeric
    assert numeric == Numeric(observed_at=9, values={}, conditions=frozenset(conditions))


def test_conditions_are_stated_only_by_a_frame_that_holds_all_alarm_registers() -> None:
    numeric = TABLE.decode(modbus_frame(1, 3, 0, 4, bytes.fromhex("8000 0000 0000 0001")), 9).numeric
    assert numeric is not None
    assert numeric.conditions is None


def test_infinity_is_a_fault_and_nan_is_not_there() -> None:
    fault = TABLE.decode(modbus_frame(1, 3, 1, 2, bytes.fromhex("7f80 0000")), 9).numeric
    assert fault is not None
    assert fault.invalid == {"running-time": "sensor-fault"}
    assert TABLE.decode(modbus_frame(1, 3, 1, 2, bytes.fromhex("7fc0 0000")), 9).numeric is None


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={}),
        Numeric(observed_at=0, values={"glucose": 5.0}),
        Numeric(observed_at=0, values={"cargo-temperature-1": 5000.0}),
        Numeric(observed_at=0, values={"cargo-temperature-1": 3276.7}),  # the code for: not fitted
        Numeric(observed_at=0, values={"cargo-temperature-1": None}, invalid={"cargo-temperature-1": "bored"}),
        Numeric(observed_at=0, values={"cargo-temperature-1": 1.0}, conditions=frozenset({"cuff-error"})),
        Numeric(observed_at=0, values={"cargo-temperature-1": 1.0}, test=True),
        Occurrence(observed_at=0, name="opened"),
        Occurrence(observed_at=0, name="things", details={"open": True}),
    ],
    ids=repr,
)
def test_what_has_no_place_in_the_map_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"."):
        TABLE.encode(reading)


def test_pieces_hold_only_what_the_reading_speaks_of() -> None:
    numeric = Numeric(observed_at=0, values={"cargo-temperature-1": 4.5}, conditions=frozenset({"pump-fault"}))
    assert TABLE.pieces(numeric) == modbus_frame(1, 3, 0, 1, b"\x00\x2d") + modbus_frame(
        1, 3, 3, 2, b"\x00\x00\x00\x07"
    )


class Decoder(RegisterDecoder):
    table = TABLE


def test_a_device_of_whose_state_nothing_was_known_has_not_changed() -> None:
    decoder, told = Decoder(), []
    for words in ("0008 0014", "0000 0014", "0008 0014", "0000 0014"):
        items = decoder.feed(modbus_frame(1, 3, 5, 2, bytes.fromhex(words)), 0)
        told += [item.name for item in items if isinstance(item, Occurrence)]
    assert told == ["things", "things", "things", "opened", "things"]


# ---- what an answer is: examples of the Modbus application protocol V1.1b3 -------------------------------------------
def object_(number: int, text: str) -> str:
    """An object of an identification, in hex."""
    return (bytes((number, len(text))) + text.encode()).hex()


EXAMPLES = [  # section, request, the answer's PDU, what it holds
    ("6.1 read coils", Request(1, 1, 0x13, 0x13), "01 03 CD6B05", "1011001111010110101"),
    ("6.2 read discrete inputs", Request(1, 2, 0xC4, 0x16), "02 03 ACDB35", "0011010111011011101011"),
    ("6.3 read holding registers", Request(1, 3, 0x6B, 3), "03 06 022B 0000 0064", [555, 0, 100]),
    ("6.4 read input registers", Request(1, 4, 8, 1), "04 02 000A", [10]),
    ("6.5 write single coil", Request(1, 5, 0xAC, 1, b"\xff\x00"), "05 00AC FF00", None),
    ("6.6 write single register", Request(1, 6, 1, 1, b"\x00\x03"), "06 0001 0003", None),
    ("6.11 write multiple coils", Request(1, 15, 0x13, 10, b"\xcd\x01"), "0F 0013 000A", None),
    ("6.12 write multiple registers", Request(1, 16, 1, 2, b"\x00\x0a\x01\x02"), "10 0001 0002", None),
    (  # the example of the specification miscounts its second text by two
        "6.21 read device identification",
        Request(1, 43, 0, 0),
        "2B 0E 01 01 00 00 03 "
        + object_(0, "Company identification")
        + object_(1, "Product code XX")
        + object_(2, "V2.11"),
        None,
    ),
    ("7 exception: no such coil", Request(1, 1, 0x4A1, 1), "81 02", "illegal data address"),
]
each_example = pytest.mark.parametrize(
    ("request_", "pdu", "holds"), [row[1:] for row in EXAMPLES], ids=[row[0] for row in EXAMPLES]
)


def mbap(transaction: int, unit: int, pdu: bytes, protocol: int = 0) -> bytes:
    return struct.pack(">HHHB", transaction, protocol, len(pdu) + 1, unit) + pdu


def rtu(unit: int, pdu: bytes) -> bytes:
    return bytes((unit,)) + pdu + checksum(bytes((unit,)) + pdu)


@each_example
def test_examples_of_the_specification_are_answers_and_mean_what_it_says(
    request_: Request, pdu: str, holds: Any
) -> None:
    answer = bytes.fromhex(pdu)
    assert on_tcp(request_, 7, mbap(7, 1, answer)).frame == mbap(7, 1, answer)
    assert on_line(request_, rtu(1, answer)).frame == rtu(1, answer)
    if isinstance(holds, list):
        assert parse(modbus_frame(*request_[:4], answer[2:])).words == holds
    elif request_.function in (1, 2) and answer[0] < 0x80:
        bits = parse(modbus_frame(*request_[:4], answer[2:])).bits
        assert "".join(str(int(bit)) for bit in bits) == holds
    elif holds is not None:
        assert EXCEPTIONS[answer[1]] == holds


@each_example
def test_nothing_else_is_an_answer(request_: Request, pdu: str, holds: Any) -> None:
    answer = bytes.fromhex(pdu)
    for other in (answer + b"\0", answer[:-1], bytes((answer[0] ^ 1,)) + answer[1:]):
        assert not on_tcp(request_, 7, mbap(7, 1, other)).frame
        assert not on_line(request_, rtu(1, other)).frame
    for transaction, unit, protocol in ((0, 1, 0), (6, 1, 0), (7, 0, 0), (7, 2, 0), (7, 1, 1)):
        assert not on_tcp(request_, 7, mbap(transaction, unit, answer, protocol)).frame
    assert not on_line(request_, rtu(2, answer)).frame
    assert not on_line(request_, rtu(1, answer)[:-1] + b"\x00").frame


def test_what_a_device_says_it_is() -> None:
    answer = next(bytes.fromhex(pdu) for _, request, pdu, _ in EXAMPLES if request.function == 43)
    told = {"maker": "Company identification", "model": "Product code XX", "firmware": "V2.11"}
    assert identity(answer[7:]) == told
    assert identity(answer[7:-1]) == told | {"firmware": "V2.1"}, "nothing cut short makes it raise"
    assert identity(b"\x02\x03\x00\x00 \x07\x01x") == {}, "empty, and an object that has no name here"
    assert not on_tcp(Request(1, 43, 0, 0), 7, mbap(7, 1, answer[:2] + b"\x04" + answer[3:])).frame, (
        "not what was asked"
    )


def test_checksum_of_a_request_in_the_literature() -> None:
    assert checksum(bytes.fromhex("01 03 00 00 00 0A")) == bytes.fromhex("C5 CD")


def test_an_answer_behind_others_is_found() -> None:
    request, pdu = Request(1, 3, 0x6B, 3), bytes.fromhex("03 06 022B 0000 0064")
    found = on_tcp(request, 7, mbap(6, 1, pdu) + mbap(7, 1, pdu) + mbap(8, 1, pdu))
    assert found.frame == mbap(7, 1, pdu)
    assert found.passed_over == "an answer to transaction 6, not 7"
    behind = on_line(request, b"\x00\xff" + rtu(2, pdu) + rtu(1, pdu))
    assert behind.frame == rtu(1, pdu)
    assert behind.passed_over


@given(received=st.binary(max_size=260), size=st.integers(1, 125))
def test_noise_is_no_answer_and_nothing_breaks(received: bytes, size: int) -> None:
    assert not on_tcp(Request(1, 3, 0, size), 0x4D4D, received).frame
    on_line(Request(1, 3, 0, size), received)


# ---- captured traffic ------------------------------------------------------------------------------------------------
class Segment(NamedTuple):
    source: tuple[str, int]
    target: tuple[str, int]
    payload: bytes


def segments(capture: Path) -> Iterator[Segment]:
    """TCP payloads of a little-endian pcap file of Ethernet frames, in order of arrival."""
    data = capture.read_bytes()
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    assert data[20] == 1
    at = 24
    while at < len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        packet, at = data[at + 16 : at + 16 + size], at + 16 + size
        if packet[12:14] != b"\x08\x00" or packet[23] != 6:
            continue
        ip = packet[14 : 14 + int.from_bytes(packet[16:18], "big")]
        tcp = ip[(ip[0] & 15) * 4 :]
        ports = struct.unpack_from(">HH", tcp)
        hosts = [".".join(map(str, ip[start : start + 4])) for start in (12, 16)]
        if payload := tcp[(tcp[12] >> 4) * 4 :]:
            yield Segment((hosts[0], ports[0]), (hosts[1], ports[1]), payload)


FUNCTIONS = {
    "READ_COILS": 1,
    "READ_DISCRETE_INPUTS": 2,
    "READ_HOLDING_REGISTERS": 3,
    "READ_INPUT_REGISTERS": 4,
    "WRITE_SINGLE_COIL": 5,
    "WRITE_SINGLE_REGISTER": 6,
    "WRITE_MULTIPLE_COILS": 15,
    "WRITE_MULTIPLE_REGISTERS": 16,
}


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")] if text != "-" else []


def data_of(function: int, values: list[int]) -> bytes:
    """What a write carries, as edge_agents.protocol.modbus_frame has it."""
    if function == 5:
        return b"\xff\x00" if values[0] else b"\x00\x00"
    if function == 15:
        return sum(bit << at for at, bit in enumerate(values)).to_bytes((len(values) + 7) // 8, "little")
    return b"".join(value.to_bytes(2, "big") for value in values)


@pytest.mark.data
def test_captured_answers_hold_what_an_independent_decoder_found(recordings: Path) -> None:
    """Zeek's ICSNPP parser read the same capture: every read and write of its log is found, with the same values."""
    folder = recordings / "modbus-pcap"
    heard: dict[tuple[str, int], bytes] = {}
    for segment in segments(folder / "icsnpp_modbus_example.pcap"):
        heard[segment.target] = heard.get(segment.target, b"") + segment.payload
    compared = 0
    for line in (folder / "icsnpp_modbus_detailed.log").read_text().splitlines():
        cells = line.split("\t")
        if line.startswith("#") or cells[8] not in FUNCTIONS:
            continue
        function, address, size, wrote = FUNCTIONS[cells[8]], int(cells[9]), int(cells[10]), numbers(cells[11])
        request = Request(int(cells[7]), function, address, size, data_of(function, wrote) if wrote else b"")
        frame = on_tcp(request, int(cells[6]), heard[cells[2], int(cells[3])]).frame
        assert frame, line
        if cells[19] != "-":
            assert EXCEPTIONS[frame[8]].upper().replace(" ", "_") == cells[19]
        elif function <= 4:
            block = parse(modbus_frame(*request[:4], frame[9:]))
            assert (block.words if function >= 3 else [int(bit) for bit in block.bits]) == numbers(cells[12]), line
        compared += 1
    assert compared == 13


@pytest.mark.data
@pytest.mark.parametrize("name", ["zeek_fuzz-72.pcap", "zeek_modbus-and-non-modbus-p502.pcap"])
def test_fuzzed_traffic_and_what_is_no_modbus_at_all_raise_only_reasons(recordings: Path, name: str) -> None:
    payloads = [segment.payload for segment in segments(recordings / "modbus-pcap" / name)]
    assert len(payloads) >= 5
    for payload in payloads:
        for unit, function, size in product((0, 1, 255), range(1, 5), (1, 8, 125)):
            request = Request(unit, function, 0, size)
            for answer in (on_tcp(request, int.from_bytes(payload[:2], "big"), payload), on_line(request, payload)):
                assert not answer.frame or request.is_answer(answer.frame[7:]) or request.is_answer(answer.frame[1:-2])
        for cut in range(12):
            items = Decoder().feed(payload[cut:], 0)
            assert all(item.reason in FrameReason for item in items if isinstance(item, FrameError))


# ---- public maps -----------------------------------------------------------------------------------------------------
EVCC = {  # its words for how a number stands in registers
    "int16": (Type.S16, WordOrder.ABCD),
    "uint16": (Type.U16, WordOrder.ABCD),
    "int32": (Type.S32, WordOrder.ABCD),
    "uint32": (Type.U32, WordOrder.ABCD),
    "float32": (Type.F32, WordOrder.ABCD),
    "int32s": (Type.S32, WordOrder.CDAB),
    "uint32s": (Type.U32, WordOrder.CDAB),
    "float32s": (Type.F32, WordOrder.CDAB),
}


@pytest.mark.data
def test_the_types_of_public_maps_have_a_row(recordings: Path) -> None:
    """Evcc's templates of real meters and inverters: which of their decoders this table can say, and how many not."""
    words = [
        word
        for path in sorted((recordings / "modbus-maps").glob("evcc_*.yaml"))
        for word in re.findall(r"^\s*decode: (\w+)", path.read_text(), re.MULTILINE)
    ]
    unknown = {word for word in words if word not in EVCC}
    assert len(words) > 50
    assert unknown <= {"uint64", "int64", "float64", "bool8", "uint32nan", "int32nan", "int16nan", "uint16nan"}
    assert sum(word in EVCC for word in words) > 0.8 * len(words)
