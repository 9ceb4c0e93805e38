"""Lines of text out of a byte stream, bounded: shared by the devices that speak ASCII."""

from typing import Final

from edge_agents.device import FrameError, FrameReason

MAX_LINE: Final = 512  # NMEA 0183 allows 82, makers' own sentences are longer


class LineBuffer:
    """Splits at line feeds; what comes before the last start marker of a line is noise. b"" = lines have no marker.

    A line that is too long is refused once and skipped to its end, so memory is bounded.
    """

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._buffer = bytearray()
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | FrameError]:
        """Complete lines, from their marker, without line end; and errors, in order."""
        *lines, rest = data.split(b"\n")
        found: list[bytes | FrameError] = []
        for line in lines:
            self._add(line, found)
            if not self._skipping:
                self._end(found)
            self._skipping = False
        self._add(rest, found)
        return found

    def _add(self, piece: bytes, found: list[bytes | FrameError]) -> None:
        if self._skipping:
            return
        self._buffer += piece
        if len(self._buffer) > MAX_LINE:
            found.append(FrameError(FrameReason.LENGTH, bytes(self._buffer[:MAX_LINE]), f"line over {MAX_LINE} bytes"))
            self._buffer.clear()
            self._skipping = True

    def _end(self, found: list[bytes | FrameError]) -> None:
        line = bytes(self._buffer.strip())
        self._buffer.clear()
        if not line:
            return
        start = line.rfind(self._marker) if self._marker else 0
        if noise := line[:start] if start >= 0 else line:
            found.append(FrameError(FrameReason.NOISE, noise))
        if start >= 0:
            found.append(line[start:])
