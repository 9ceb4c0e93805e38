r"""A JSON object a line, with a check: shared by the apps of crews and drivers.

``<tag> <object>*<check>`` CR LF. The object is flat: ``at`` (us since 1970), ``event``, perhaps ``test`` (true: it is
training), and the details of the event. Check: CRC-16/CCITT-FALSE of all before the last ``*``, four hex digits. A
brace within a text is written as \u007b, so that the tag and a brace always begin a line. Source: this project.
"""

from binascii import crc_hqx
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from edge_agents.device import FrameError, FrameReason, Occurrence, Reading
from edge_agents.devices._details import Event, Moment, checked
from edge_agents.devices._lines import MAX_LINE, LineBuffer
from edge_agents.devices._privacy import withheld
from gateway.contract.envelope import Instant

_OWN: Final = frozenset({"at", "event", "test"})
Table = Mapping[str, Event]


def table_of(*events: Event) -> Table:
    """Events by name."""
    return {event.name: event for event in events}


def write(tag: str, reading: Reading, table: Table) -> bytes:
    """The line of an occurrence.

    Raises:
        ValueError: the table has no such event, its details are not allowed, or the line is too long.
    """
    if not isinstance(reading, Occurrence) or reading.name not in table:
        raise ValueError(f"{tag} cannot say {reading!r}")
    said = {"at": reading.observed_at, "event": reading.name} | ({"test": True} if reading.test else {})
    body = msgspec.json.encode(said | checked(table[reading.name], reading.details))
    text = tag.encode() + b" {" + body[1:].replace(b"{", b"\\u007b")
    line = b"%s*%04X\r\n" % (text, crc_hqx(text, 0xFFFF))
    if len(line) > MAX_LINE:
        raise ValueError(f"a line over {MAX_LINE} bytes")
    return line


def parse(tag: str, raw: bytes, received_at: Instant, table: Table) -> Occurrence:
    """The occurrence of a line.

    Raises:
        FrameError: with the reason; its text repeats nothing that somebody typed.
    """
    text, star, check = raw.rpartition(b"*")
    if not star:
        raise FrameError(FrameReason.SYNTAX, raw, "no check")
    if b"%04X" % crc_hqx(text, 0xFFFF) != check:
        raise FrameError(FrameReason.CHECKSUM, raw, "check")
    try:
        said: dict[str, Any] = msgspec.json.decode(text[len(tag) + 1 :], type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise FrameError(FrameReason.SYNTAX, raw, "no object") from error
    name = said.get("event")
    if not isinstance(name, str) or name not in table:
        raise FrameError(FrameReason.UNKNOWN_TYPE, raw, "event")
    try:
        at = Moment().check(said.get("at", received_at))
        details = checked(table[name], {key: value for key, value in said.items() if key not in _OWN})
    except ValueError as error:
        raise FrameError(FrameReason.OUT_OF_RANGE, raw, str(error)) from error
    return Occurrence(observed_at=at, name=name, details=details, test=said.get("test") is True)


class JsonLineDecoder:
    """Bytes to occurrences. Nothing of a refused line is kept: people type into these apps."""

    def __init__(self, tag: str, table: Table) -> None:
        self._tag = tag
        self._table = table
        self._lines = LineBuffer(tag.encode() + b" {")

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        return [self._one(line, received_at) for line in self._lines.feed(data)]

    def _one(self, raw: bytes | FrameError, received_at: Instant) -> Reading | FrameError:
        try:
            if isinstance(raw, FrameError):
                raise raw
            return parse(self._tag, raw, received_at, self._table)
        except FrameError as error:
            return FrameError(error.reason, withheld(error.frame))
