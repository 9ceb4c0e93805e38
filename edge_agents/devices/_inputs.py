"""Modules of digital inputs on Modbus: eight inputs that are read together, each with the events of its two edges.

Discrete inputs 0 to 7, function 2: input 1 of the module is address 0, and bit 0 of the answer's byte. So it is with
Waveshare's Modbus RTU IO 8CH and Relay 8CH, and with many modules of that form.

A change is an event. The first answer tells how every input stands, as changes: nobody saw them come, but a siren that
sounds is news to whoever has just begun to listen, and so is one that went off while nobody did. An input bears no time
and is not latched: the time of arrival counts, and what comes and goes between two polls was not there.

Sources: Modbus application protocol V1.1b3, 6.2; wiki.waveshare.com, Modbus RTU IO 8CH.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from edge_agents.device import FrameError, FrameReason, Occurrence, Reading, Yields
from edge_agents.devices._register_fields import parse
from edge_agents.protocol import Modbus, Poll, modbus_frame
from gateway.contract.envelope import Instant

FUNCTION: Final = 2  # read discrete inputs
SIZE: Final = 8
PROTOCOL: Final = Modbus(polls=(Poll(function=FUNCTION, address=0, count=SIZE, every=0.5),))
_ANY_UNIT: Final = 1


class Input(NamedTuple):
    """What one input means."""

    on: str
    off: str = ""  # "" = going off is no event
    details: Mapping[str, Any] = {}
    lasted: str = ""  # detail of the event ``off``: for how many seconds it was on, if its beginning was seen


def yields(inputs: Sequence[Input | None]) -> Yields:
    """All that inputs may say."""
    events = [event for row in inputs if row is not None for event in (row.on, row.off) if event]
    return Yields(events=tuple(dict.fromkeys(events)))


def frame(first: int, states: Sequence[bool]) -> bytes:
    """An answer that tells the states of inputs, from the ``first`` on."""
    data = sum(on << at for at, on in enumerate(states))
    return modbus_frame(_ANY_UNIT, FUNCTION, first, len(states), data.to_bytes((len(states) + 7) // 8, "little"))


def encode(inputs: Sequence[Input | None], reading: Reading) -> bytes:
    """The answer in which an event is news.

    Raises:
        ValueError: no input says that.
    """
    if isinstance(reading, Occurrence) and not reading.test:
        for number, row in enumerate(inputs):
            if row is not None and reading.name in {row.on, row.off} and _is_of(row, reading.details):
                return frame(number, [reading.name == row.on])
    raise ValueError(f"no input says {reading!r}")


def _is_of(row: Input, details: Mapping[str, Any]) -> bool:
    return {key: value for key, value in details.items() if key != row.lasted} == dict(row.details)


class InputDecoder:
    """Answers of a module to events; keeps what every input was."""

    def __init__(self, inputs: Sequence[Input | None]) -> None:
        """``inputs``: by number from 0; None = nothing is connected."""
        self._inputs = dict(enumerate(inputs))
        self._was: dict[int, bool] = {}
        self._since: dict[int, Instant] = {}  # of those that were seen going on

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        if not data:
            return []
        try:
            block = parse(data)
        except FrameError as error:
            return [error]
        if block.function != FUNCTION:
            return [FrameError(FrameReason.UNKNOWN_TYPE, data, f"function {block.function}, not {FUNCTION}")]
        states = enumerate(block.bits, block.address)
        return [event for number, on in states for event in self._changed(number, on, received_at)]

    def _changed(self, number: int, on: bool, at: Instant) -> list[Occurrence]:
        row, was = self._inputs.get(number), self._was.get(number)
        if row is None:
            return []
        self._was[number] = on
        if on:
            if was is False:
                self._since[number] = at
            return [] if was else [Occurrence(observed_at=at, name=row.on, details=dict(row.details))]
        since = self._since.pop(number, None)
        if was is False or not row.off:
            return []
        lasted = {row.lasted: round(max(0, at - since) / 1_000_000, 1)} if row.lasted and since is not None else {}
        return [Occurrence(observed_at=at, name=row.off, details={**row.details, **lasted})]
