"""Load cells under a van's floor, on a weighing terminal that speaks MT-SICS: the whole load.

Mettler-Toledo Standard Interface Command Set, level 0; terminals of other makers speak it too (KERN's KCP). After each
connect the terminal is told to send its net weight over and over (``SIR``). A line, ASCII, CR LF::

    S S     100.00 g    a stable weight: ten characters, right-aligned, and its unit (g, kg or t)
    S D     129.07 g    a weight that moves
    S +      S -        over or under the range of the terminal
    S I                 it cannot weigh now (it is taring, or sets its zero)
    S S Error 10b       the terminal or a cell is broken; the maker's number of the error
    I4 A "0123456789"   it was switched on, or reset: its serial number, and it repeats nothing any more

A terminal that was switched on, or cannot weigh now, is told again at once: it may say nothing more until it is.

Terminals repeat many times a second: of weights that say the same of the terminal's state one a second is taken. A line
bears no check but its ten columns, so the line's parity should be on. Which cell is broken the protocol does not tell.

Source: Mettler-Toledo, Reference Manual MT-SICS, 11780711.
"""

import re
from decimal import Decimal
from typing import Final

from edge_agents.device import FrameError, FrameReason, Numeric, Reading, Yields
from edge_agents.devices._lines import LineBuffer
from edge_agents.protocol import Stream
from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES

KIND: Final = "load_cells"
PROTOCOL: Final = Stream(baud=9600, clock=False)
REPEAT: Final = b"SIR\r\n"
EVERY: Final = 1_000_000  # us
LOAD: Final = "load"
FAULT, RANGE = "sensor-fault", "out-of-measuring-range"
YIELDS: Final = Yields(quantities=(LOAD,), conditions=(FAULT, RANGE))
_UNITS: Final = {b"g": Decimal("0.001"), b"kg": Decimal(1), b"t": Decimal(1000)}  # in kg
_WEIGHT: Final = re.compile(rb"S [SD] (?=.{10} )( *-?[0-9]+(?:\.[0-9]+)?) +([a-z]{1,2})")
_ERROR: Final = re.compile(rb"S [SD] +Error +[0-9]{1,3}[a-z]?")
_WITHOUT: Final = {b"S +": ("out-of-range", RANGE), b"S -": ("out-of-range", RANGE), b"S I": ("no-measurement", "")}
SWITCHED_ON: Final = b"I4 A"
_DOES_NOT_REPEAT: Final = (SWITCHED_ON, b"S I")


def encode(reading: Reading) -> bytes:
    """The line the terminal sends for a reading.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(reading, Numeric) or reading.test or reading.values.keys() != {LOAD}:
        raise ValueError(f"a terminal cannot say {reading!r}")
    load, conditions = reading.values[LOAD], reading.conditions or frozenset()
    if load is not None and not conditions:
        return b"S S %10.2f kg\r\n" % load
    if load is None and conditions == {FAULT}:
        return b"S S  Error 10b\r\n"
    for line, (reason, condition) in _WITHOUT.items():
        if (reading.invalid.get(LOAD), conditions) == (reason, frozenset({condition} - {""})):
            return line + b"\r\n"
    raise ValueError(f"no line for {reading!r}")


class Decoder:
    """Lines of the terminal to loads; keeps when it last told one, and in which state the terminal was."""

    def __init__(self) -> None:
        self._lines = LineBuffer(b"")
        self._told: tuple[Instant, frozenset[str] | None] | None = None
        self._ask = False  # it may not repeat any more

    def greet(self, _now: Instant) -> tuple[bytes, ...]:
        """See edge_agents.device.Greeter: the terminal sends nothing unasked."""
        self._ask = False
        return (REPEAT,)

    def answers(self) -> bytes:
        """See edge_agents.device.Answering: the command again, for a terminal that no longer obeys it."""
        ask, self._ask = self._ask, False
        return REPEAT if ask else b""

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        lines = self._lines.feed(data)
        self._ask |= any(isinstance(line, bytes) and line.startswith(_DOES_NOT_REPEAT) for line in lines)
        items = [_read(line, received_at) for line in lines if not _is_greeting(line)]
        return [item for item in items if isinstance(item, FrameError) or self._is_due(item)]

    def _is_due(self, reading: Numeric) -> bool:
        at = reading.observed_at
        if self._told is not None and self._told[1] == reading.conditions and 0 <= at - self._told[0] < EVERY:
            return False
        self._told = at, reading.conditions
        return True


def _is_greeting(line: bytes | FrameError) -> bool:
    return isinstance(line, bytes) and line.startswith(SWITCHED_ON)


def _read(line: bytes | FrameError, at: Instant) -> Numeric | FrameError:
    if isinstance(line, FrameError):
        return line
    if weight := _WEIGHT.fullmatch(line):
        return _weight(line, weight[1], weight[2], at)
    if line in _WITHOUT:
        reason, condition = _WITHOUT[line]
        return Numeric(
            observed_at=at, values={LOAD: None}, invalid={LOAD: reason}, conditions=frozenset({condition} - {""})
        )
    if _ERROR.fullmatch(line):
        return Numeric(observed_at=at, values={LOAD: None}, invalid={LOAD: FAULT}, conditions=frozenset({FAULT}))
    return FrameError(FrameReason.SYNTAX, line)


def _weight(line: bytes, number: bytes, unit: bytes, at: Instant) -> Numeric | FrameError:
    if unit not in _UNITS:
        return FrameError(FrameReason.UNKNOWN_TYPE, line, f"unit {unit!r}")
    load, row = float(Decimal(number.decode().strip()) * _UNITS[unit]), QUANTITIES[LOAD]
    plausible = row.low <= load <= row.high
    return Numeric(
        observed_at=at, values={LOAD: load if plausible else None},
        invalid={} if plausible else {LOAD: "out-of-range"}, conditions=frozenset(),
    )  # fmt: skip
