"""Infusion pump in a rack that sends by itself: B. Braun BCC 3.30 in cyclic mode (serial line, or TCP port 4001).

A block, ASCII; each is answered with ACK (06), or with NAK (15) when it came damaged, else the rack falls silent::

    SOH | length, 5 digits | STX | bed/1/1> | quadruples | ETX or ETB | check, 5 digits | EOT

Length is that of the whole block, check the sum of all bytes from SOH to ETX modulo 256. Quadruples are
``time,address,parameter,value`` joined by RS; time in seconds since the rack was switched on, address ``501xy``
(pillar, slot; 50100 is the rack itself). A rack may replace D, E, d, e by EX, EE, ex, ee; length and check are those
without.

A rack holds several pumps: the option ``pump`` says which one this device is ("11": pillar 1, slot 1). Without it the
first that speaks is meant, and a second one is refused. Nothing is ever written but ACK and NAK: no rate can be changed
from here. Parameters that may name a person (PATID, NURSEID ...) are not read, and refused blocks are not repeated.

Source: B. Braun Melsungen AG, Technical Interface Specification BCC, I0022_000030, version 4.0, 2019-03-20.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading, Yields
from edge_agents.devices._privacy import withheld
from edge_agents.protocol import Stream
from gateway.contract.condition import split
from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES

KIND: Final = "infusion_pump"
PROTOCOL: Final = Stream(baud=9600, clock=False)
ACK: Final = b"\x06"
NAK: Final = b"\x15"
MAX_BLOCK: Final = 8192
NO_VALUE: Final = frozenset({"_NV", "_NA"})  # "not to be interpreted as zero"
SWITCHED_OFF: Final = "00050"  # of DSSTATUS: what else the pump says then was not measured


class Number(NamedTuple):
    """A parameter that is a quantity, in its unit."""

    parameter: str
    quantity: str
    digits: int


class Alarm(NamedTuple):
    """A condition that holds while a parameter has this value."""

    parameter: str
    value: str
    condition: str


NUMBERS: Final = (
    Number("INRT", "infusion-rate", 2),
    Number("INVI", "infused-volume", 1),
    Number("INVOLACT", "volume-remaining", 2),  # in the syringe
    Number("INAKKU", "battery-time-left", 0),
)
ALARMS: Final = (  # of several for one condition the first is what `encode` writes
    Alarm("INA11", "1", "battery-low"),
    Alarm("INA1", "1", "battery-low"),  # empty
    Alarm("INA3", "1", "occlusion"),
    Alarm("INA15", "1", "air-in-line"),
    Alarm("INA7", "1", "infusion-ended"),  # end of volume
    Alarm("INA2", "1", "infusion-ended"),  # syringe empty
    Alarm("INA8", "1", "infusion-ended"),  # time over
    Alarm("INM8", "0", "mains-lost"),
    Alarm("INA9", "1", "pump-fault/syringe"),
    Alarm("INA13", "1", "pump-fault/door"),
    Alarm("INA14", "1", "pump-fault/drop"),
)
STATE: Final = "infusion-state"
FLAGS: Final = {"running": "INM3", "bolus": "INM2", "standby": "INM6"}  # details of the state
STARTED, STOPPED, RATE_CHANGED, BOLUS = "infusion-started", "infusion-stopped", "rate-changed", "bolus"
YIELDS: Final = Yields(
    quantities=tuple(number.quantity for number in NUMBERS),
    events=(STATE, STARTED, STOPPED, RATE_CHANGED, BOLUS),
    conditions=tuple(dict.fromkeys(split(alarm.condition)[0] for alarm in ALARMS)),
)
_SOH, _EOT = b"\x01", b"\x04"
_BED: Final = b"ComSystem"
_PUMP: Final = "11"
_BLOCK: Final = re.compile(rb"\x01\d{5}\x02[/-9A-z]{1,15}/1/1>([^\x01-\x04\x17]*)[\x03\x17]\d{5}\x04")
_ADDRESS: Final = re.compile(r"501([0-3][0-9A-O])")
_SLOT: Final = re.compile(r"[1-3][1-9A-O]")
_VALUE: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,4})?")
_STUFFED: Final = re.compile(rb"E[EX]|e[ex]")
_PLAIN: Final = {b"EE": b"E", b"EX": b"D", b"ee": b"e", b"ex": b"d"}


def encode(reading: Reading) -> bytes:
    """The block of a rack whose only pump says just this.

    Raises:
        ValueError: no parameter says this.
    """
    if reading.test:
        raise ValueError("no parameter says that a reading is a test")
    match reading:
        case Numeric():
            said = _numeric_parameters(reading)
        case Occurrence(name=name, details=details) if name == STATE and details.keys() == FLAGS.keys():
            said = {parameter: str(int(details[key])) for key, parameter in FLAGS.items()}
        case Occurrence(name=name, details={"count": int(count), "volume": volume}) if name == BOLUS and 0 < count < 10:
            said = {"INBOCNT": str(count), "INBOVAL": f"{volume:.2f}"}
        case _:
            raise ValueError(f"a pump cannot say {reading!r}")
    time = reading.observed_at // 1_000_000 % 1_000_000_000
    text = "\x1e".join(f"{time},501{_PUMP},{parameter},{value}" for parameter, value in said.items())
    inner = b"\x02%s/1/1>%s\x03" % (_BED, text.encode())
    block = b"\x01%05d%s" % (len(inner) + 12, inner)
    return b"%s%05d%s" % (block, sum(block) % 256, _EOT)


def _numeric_parameters(reading: Numeric) -> dict[str, str]:
    numbers = {number.quantity: number for number in NUMBERS}
    said: dict[str, str] = {}
    for quantity, value in reading.values.items():
        if quantity not in numbers:
            raise ValueError(f"no parameter is {quantity}")
        if value is None and reading.invalid.get(quantity) != "no-measurement":
            raise ValueError(f"_NV does not say why there is no {quantity}")
        number = numbers[quantity]
        said[number.parameter] = "_NV" if value is None else f"{value:.{number.digits}f}"
    if reading.conditions is not None:
        first = {alarm.condition: alarm for alarm in reversed(ALARMS)}
        if strange := reading.conditions - first.keys():
            raise ValueError(f"no parameter for {', '.join(sorted(strange))}")
        on = {first[condition].parameter for condition in reading.conditions}
        said |= {a.parameter: a.value if a.parameter in on else str(1 - int(a.value)) for a in ALARMS}
    if not said:
        raise ValueError("an empty reading")
    return said


def _undamaged(block: bytes) -> bytes:
    """The block without stuffing, when its length and its check are right: FrameError asks for it again if not."""
    length, check = block[1:6], block[-6:-1]
    if length.isdigit() and int(length) != len(block):
        block = _STUFFED.sub(lambda found: _PLAIN[found[0]], block)
    if not length.isdigit() or int(length) != len(block):
        raise FrameError(FrameReason.LENGTH, block)
    if not check.isdigit() or int(check) != sum(block[:-6]) % 256:
        raise FrameError(FrameReason.CHECKSUM, block)
    return block


def _quadruples(block: bytes, errors: list[Reading | FrameError]) -> tuple[str, dict[str, dict[str, str]]]:
    """The time of a block, and by pillar and slot the parameters; raises FrameError.

    What the rack could not say of a slot goes to ``errors``.
    """
    parts = _BLOCK.fullmatch(block)
    if parts is None:
        raise FrameError(FrameReason.SYNTAX, block)
    said: dict[str, dict[str, str]] = {}
    time = ""
    for row in parts[1].decode("utf-8", "replace").split("\x1e"):
        time, address, parameter, value = (*row.split(",", 3), "", "", "")[:4]
        slot = _ADDRESS.fullmatch(address)
        if slot is None or not parameter or not (time.isascii() and time.isdecimal()):
            raise FrameError(FrameReason.SYNTAX, block, "quadruple")
        if parameter == "GNERR":
            errors.append(FrameError(FrameReason.EXCEPTION, withheld(block), f"error {value[:8]} of {address}"))
            continue
        said.setdefault(slot[1], {})[parameter] = value
    return time, said


class Decoder:
    """Blocks of a rack to the readings of one pump; remembers its state, to tell what changed."""

    def __init__(self, pump: str = "") -> None:
        """``pump``: its pillar and slot; raises ValueError when that is no place in a rack."""
        if pump and not _SLOT.fullmatch(pump):
            raise ValueError(f"pump {pump!r}: expected pillar 1 to 3 and slot 1 to 9 or A to O, as 11")
        self._pump = pump
        self._only = not pump
        self._buffer = bytearray()
        self._answer = b""
        self._alarms: dict[str, str] = {}
        self._state: dict[str, bool] = {}
        self._rate: float | None = None  # at which it ran last, without a bolus
        self._bolus = ("", "")  # time and number of the last one

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        self._buffer += data
        found: list[Reading | FrameError] = []
        while (block := self._next(found)) is not None:
            try:
                block = _undamaged(block)
                self._answer = (self._answer + ACK)[-64:]
                time, said = _quadruples(block, found)
                found += self._read(time, said, block, received_at)
            except FrameError as error:
                if error.reason in {FrameReason.LENGTH, FrameReason.CHECKSUM}:  # of _undamaged alone
                    self._answer = (self._answer + NAK)[-64:]
                found.append(FrameError(error.reason, withheld(error.frame)))
        return found

    def answers(self) -> bytes:
        """See edge_agents.device.Answering."""
        answer, self._answer = self._answer, b""
        return answer

    def greet(self, _now: Instant) -> tuple[bytes, ...]:
        """A rack that waits for an acknowledgement from before goes on."""
        return (ACK,)

    def _next(self, found: list[Reading | FrameError]) -> bytes | None:
        """The next block, from SOH to EOT; what is none goes to ``found``. None when more bytes are needed."""
        while self._buffer:
            start = self._buffer.find(_SOH)
            if start:
                self._refuse(FrameReason.NOISE, start if start > 0 else len(self._buffer), found)
                continue
            end, again = self._buffer.find(_EOT), self._buffer.find(_SOH, 1)
            if again > 0 and not 0 < end < again:
                self._refuse(FrameReason.LENGTH, again, found)
            elif end > 0:
                return self._take(end + 1)
            elif len(self._buffer) > MAX_BLOCK:
                self._refuse(FrameReason.LENGTH, len(self._buffer), found)
            else:
                break
        return None

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _refuse(self, reason: FrameReason, size: int, found: list[Reading | FrameError]) -> None:
        found.append(FrameError(reason, withheld(self._take(size))))

    def _read(self, time: str, said: dict[str, dict[str, str]], block: bytes, at: Instant) -> list[Reading]:
        pumps = [slot for slot in said if _SLOT.fullmatch(slot)]
        if self._only and pumps:
            self._pump = self._pump or pumps[0]
            if strange := set(pumps) - {self._pump}:
                raise FrameError(FrameReason.OUT_OF_RANGE, block, f"pumps {self._pump} and {', '.join(strange)}")
        mine = said.get(self._pump, {})
        numeric = self._numeric(mine, block, at)
        found: list[Reading] = [*self._changes(mine, numeric, at), *self._boli(mine, time, block, at)]
        return found if numeric is None else [*found, numeric]

    def _numeric(self, said: Mapping[str, str], block: bytes, at: Instant) -> Numeric | None:
        values: dict[str, float | None] = {}
        invalid: dict[str, str] = {}
        for parameter, quantity, _ in NUMBERS:
            if (text := said.get(parameter)) is not None:
                nothing = text in NO_VALUE or said.get("DSSTATUS") == SWITCHED_OFF
                values[quantity] = value = None if nothing else _number(text, block)
                row = QUANTITIES[quantity]
                if value is None or not row.low <= value <= row.high:
                    values[quantity] = None
                    invalid[quantity] = "no-measurement" if nothing else "out-of-range"
        told = {alarm.parameter: said[alarm.parameter] for alarm in ALARMS if alarm.parameter in said}
        self._alarms |= told
        conditions = frozenset(a.condition for a in ALARMS if self._alarms.get(a.parameter) == a.value)
        if not values and not told:
            return None
        return Numeric(observed_at=at, values=values, invalid=invalid, conditions=conditions if told else None)

    def _changes(self, said: Mapping[str, str], numeric: Numeric | None, at: Instant) -> list[Occurrence]:
        """The state when it is news, start and stop, and another rate of a pump that runs without a bolus."""
        found: list[Occurrence] = []
        if all(said.get(parameter) in {"0", "1"} for parameter in FLAGS.values()):
            state = {key: said[parameter] == "1" for key, parameter in FLAGS.items()}
            before, self._state = self._state, state
            if state != before:
                found.append(_event(at, STATE, state))
            if before and state["running"] != before["running"]:
                found.append(_event(at, STARTED if state["running"] else STOPPED, {}))
            if not state["running"] or state["bolus"]:
                self._rate = None
        rate = None if numeric is None else numeric.values.get("infusion-rate")
        if rate is not None and self._state.get("running") and not self._state["bolus"]:
            if self._rate is not None and rate != self._rate:
                found.append(_event(at, RATE_CHANGED, {"from": self._rate, "to": rate}))
            self._rate = rate
        return found

    def _boli(self, said: Mapping[str, str], time: str, block: bytes, at: Instant) -> list[Occurrence]:
        """What was given since the block before; the same block again is not another bolus."""
        count = said.get("INBOCNT", "0")
        if count in NO_VALUE | {"0"} or (time, count) == self._bolus:
            return []
        if not re.fullmatch(r"[1-9]", count):
            raise FrameError(FrameReason.SYNTAX, block, f"INBOCNT {count[:8]}")
        self._bolus = (time, count)
        volume = said.get("INBOVAL", "_NV")
        known = {} if volume in NO_VALUE else {"volume": _number(volume, block)}
        return [_event(at, BOLUS, {"count": int(count), **known})]


def _event(at: Instant, name: str, details: Mapping[str, Any]) -> Occurrence:
    return Occurrence(observed_at=at, name=name, details=dict(details))


def _number(text: str, block: bytes) -> float:
    if not _VALUE.fullmatch(text):
        raise FrameError(FrameReason.SYNTAX, block, "a number")
    return float(text)
