"""Input the agent had to refuse: counted by reason, the last frames kept, reported seldom but at once. Pure."""

from collections import deque
from typing import Final

import msgspec

REPORT_SECONDS: Final = 3600.0
KEPT_FRAMES: Final = 32
SAMPLE_BYTES: Final = 64


class Report(msgspec.Struct, frozen=True):
    """What to say about one device and reason."""

    device: str
    reason: str
    count: int  # since the last report
    total: int  # since start
    sample: str  # hex of the newest frame, at most SAMPLE_BYTES


class _Tally(msgspec.Struct):
    total: int = 0
    reported: int = 0
    reported_at: float = float("-inf")
    sample: bytes = b""


class Refusals:
    """Tallies by (device, reason)."""

    def __init__(self) -> None:
        self.frames: deque[tuple[str, str, bytes]] = deque(maxlen=KEPT_FRAMES)  # newest last
        self._tallies: dict[tuple[str, str], _Tally] = {}

    def count(self, device: str, reason: str, frame: bytes) -> None:
        """One more refused frame."""
        tally = self._tallies.setdefault((device, reason), _Tally())
        tally.total += 1
        tally.sample = frame[:SAMPLE_BYTES]
        self.frames.append((device, reason, frame))

    def totals(self) -> dict[tuple[str, str], int]:
        """Counts since start by (device, reason)."""
        return {key: tally.total for key, tally in self._tallies.items()}

    def due(self, now: float) -> list[Report]:
        """Reports to make at ``now``: the first of a kind at once, then at most one an hour."""
        reports = []
        for (device, reason), tally in self._tallies.items():
            if tally.total > tally.reported and now - tally.reported_at >= REPORT_SECONDS:
                count = tally.total - tally.reported
                reports.append(Report(device, reason, count, tally.total, tally.sample.hex()))
                tally.reported, tally.reported_at = tally.total, now
        return reports
