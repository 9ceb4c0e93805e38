"""Button box of the ambulance crew: one text line a press.

``LMB1,<us since 1970>,<mode>,<button>,<details>*<check>`` CR LF, for example
``LMB1,1767225600000000,N,03,by=crew-2*ABCD``. Mode is N (normal) or T (test). Details are URL-encoded key=value
pairs joined by ``&``, perhaps none. Check: CRC-16/CCITT-FALSE of all before ``*``, four hex digits. A box without
a clock leaves the time empty; then the agent's time of arrival counts.

Source: this project's own protocol; the table below is its definition.
"""

from binascii import crc_hqx
from typing import Final
from urllib.parse import parse_qsl, urlencode

from edge_agents.device import FrameError, FrameReason, Occurrence, Reading, Yields
from edge_agents.devices._lines import LineBuffer
from edge_agents.protocol import Stream
from gateway.contract.envelope import Instant

KIND: Final = "crew_panel"
PROTOCOL: Final = Stream(baud=9600)
BUTTONS: Final[dict[str, str]] = {
    "01": "accepted",
    "02": "rolling",
    "03": "at-scene",
    "04": "patient-contact",
    "05": "boarded",
    "06": "departed-scene",
    "07": "arrived",
    "08": "handed-over",
    "09": "available",
    "10": "assistance",
}
YIELDS: Final = Yields(events=tuple(BUTTONS.values()))
_CODES: Final = {name: code for code, name in BUTTONS.items()}
_TIME_LIMIT: Final = 2**62


def encode(reading: Reading) -> bytes:
    """The line a box sends for a press; details must be text.

    Raises:
        ValueError: not an occurrence, or the box has no such button.
    """
    if not isinstance(reading, Occurrence) or reading.name not in _CODES:
        raise ValueError(f"a crew panel cannot say {reading!r}")
    mode = "T" if reading.test else "N"
    text = f"LMB1,{reading.observed_at},{mode},{_CODES[reading.name]},{urlencode(reading.details)}".encode()
    return b"%s*%04X\r\n" % (text, crc_hqx(text, 0xFFFF))


def decode(line: bytes, received_at: Instant) -> Occurrence:
    """The press one line reports.

    Raises:
        FrameError: with the reason.
    """
    text, star, check = line.rpartition(b"*")
    if not star:
        raise FrameError(FrameReason.SYNTAX, line)
    if b"%04X" % crc_hqx(text, 0xFFFF) != check:
        raise FrameError(FrameReason.CHECKSUM, line)
    parts = text.decode("ascii", "replace").split(",")
    if len(parts) != 5 or parts[0] != "LMB1" or parts[2] not in ("N", "T"):
        raise FrameError(FrameReason.SYNTAX, line)
    if parts[3] not in BUTTONS:
        raise FrameError(FrameReason.UNKNOWN_TYPE, line, f"button {parts[3]!r}")
    return Occurrence(
        observed_at=_time(parts[1], line) if parts[1] else received_at,
        name=BUTTONS[parts[3]],
        details=dict(parse_qsl(parts[4], keep_blank_values=True)),
        test=parts[2] == "T",
    )


def _time(text: str, line: bytes) -> Instant:
    if not text.removeprefix("-").isdecimal() or not text.isascii():
        raise FrameError(FrameReason.SYNTAX, line, f"time {text!r}")
    value = int(text)
    if abs(value) > _TIME_LIMIT:
        raise FrameError(FrameReason.OUT_OF_RANGE, line, f"time {text}")
    return value


class Decoder:
    """Lines of a crew panel to occurrences."""

    def __init__(self) -> None:
        self._lines = LineBuffer(b"LMB1,")

    def feed(self, data: bytes, received_at: Instant) -> list[Reading | FrameError]:
        """See edge_agents.device.Decoder."""
        return [self._one(line, received_at) for line in self._lines.feed(data)]

    def _one(self, line: bytes | FrameError, received_at: Instant) -> Reading | FrameError:
        if isinstance(line, FrameError):
            return line
        try:
            return decode(line, received_at)
        except FrameError as error:
            return error
