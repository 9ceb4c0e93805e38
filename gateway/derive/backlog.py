"""ECG frames that wait to be looked at, so that the seconds after a start do not all fall into one batch.

There are two kinds: the last seconds from before a restart, which fill the detectors' windows, and what came in while
the analyser was being loaded. Looked at together they would take seconds, in which no screen hears anything. So each
batch looks at some of them, one unit after another, and a unit's new frames wait behind its old ones. Taking turns
would make every unit as late as the last. Worked out for 200 streams on one core, at 0.27 ms a look (measured) and
0.45 ms for the rest of a record's path (assumed): the last is through after 9 s either way, half of them after 3 s, and
in turns none before 8 s. More of them a batch make batches longer, and the last hardly earlier: the core is full.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from gateway.admit import Admitted
from gateway.contract.waveform import WaveFrame

LOOKS_A_BATCH: Final = 100  # some tens of ms


class Backlog:
    """What waits, by unit, each in its order."""

    def __init__(self) -> None:
        self._frames: dict[str, deque[WaveFrame | Admitted]] = {}
        self._line: dict[str, None] = {}  # the units that have spoken, in the order in which they did

    def keep(self, unit: str, frame: WaveFrame) -> None:
        """A frame from before a restart. It is needed when the unit sends the next one, and waits for that."""
        self._frames.setdefault(unit, deque()).append(frame)

    def add(self, record: Admitted) -> None:
        """A new frame; its unit joins the end of the line."""
        unit = record.route.address.unit
        self._frames.setdefault(unit, deque()).append(record)
        self._line[unit] = None

    def waits(self, unit: str) -> bool:
        """Whether frames of the unit wait, so that a new one has to wait as well."""
        return unit in self._frames

    def take(self) -> Iterator[tuple[str, WaveFrame | Admitted]]:
        """The unit and the frame, of those to be looked at with this batch."""
        for _ in range(LOOKS_A_BATCH):
            unit = next(iter(self._line), None)
            if unit is None:
                return
            frames = self._frames[unit]
            frame = frames.popleft()
            if not frames:
                del self._frames[unit], self._line[unit]
            yield unit, frame
