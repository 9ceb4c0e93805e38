"""How much may be on its way: a byte window steered by the PUBACK round trip. Pure.

A window as large as the link's buffers would put an alarm behind seconds of waveform, so it grows only while round
trips are short and shrinks when they are long (the idea of LEDBAT, RFC 6817, with a fixed delay target).
"""

from collections import deque
from statistics import median
from typing import Final

TARGET_SECONDS: Final = 0.25
MIN_BYTES: Final = 8 * 1024
MAX_BYTES: Final = 1024 * 1024
START_BYTES: Final = 64 * 1024
MAX_RECORDS: Final = 512
_RECENT: Final = 15  # round trips whose median is reported


class SendWindow:
    """Bytes and records in flight against a moving limit."""

    def __init__(self) -> None:
        self.limit = START_BYTES
        self.bytes = 0
        self.records = 0
        self.delivered = 0
        self._round_trips: deque[float] = deque(maxlen=_RECENT)

    @property
    def open(self) -> bool:
        """Whether one more record may go (a record larger than the limit goes alone)."""
        return self.bytes < self.limit and self.records < MAX_RECORDS

    @property
    def round_trip(self) -> float | None:
        """Median of recent round trips, seconds; None before the first."""
        return median(self._round_trips) if self._round_trips else None

    def sent(self, size: int) -> None:
        """A record of ``size`` bytes went out."""
        self.bytes += size
        self.records += 1

    def acked(self, size: int, round_trip: float) -> None:
        """Its PUBACK came after ``round_trip`` seconds."""
        was_full = self.bytes >= self.limit // 2
        self.bytes -= size
        self.records -= 1
        self.delivered += size
        self._round_trips.append(round_trip)
        if round_trip > TARGET_SECONDS:
            self.limit = max(MIN_BYTES, self.limit - size // 2)
        elif was_full:
            self.limit = min(MAX_BYTES, self.limit + size)

    def reset(self) -> None:
        """A new connection: nothing is on its way."""
        self.bytes = self.records = 0
        self.limit = min(self.limit, START_BYTES)
        self._round_trips.clear()
