"""Baseline of the fetal heart rate and loss of signal, over the ten minutes that have passed.

Source: FIGO consensus guidelines on intrapartum fetal monitoring, Int J Gynecol Obstet 2015;131:13-24 (doi
10.1016/j.ijgo.2015.06.020): baseline 110 to 160/min over ten minutes. Loss: a trace with more than 20 % lost cannot be
read (FIGO 1987). Deviation: the baseline is the median of the window and no reading of accelerations, decelerations or
variability is attempted; those are for whoever reads the trace.
"""

from collections import deque
from statistics import median
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE, SECOND
from gateway.derive.population import Placed, Population
from gateway.derive.scores.score import Refused, half_up, refuse

NAME: Final = "fetal-heart-rate"
SOURCE: Final = "FIGO 2015"
POPULATIONS: Final = frozenset({Population.PREGNANT})
WINDOW: Final = 10 * MINUTE
LOW: Final = 110.0
HIGH: Final = 160.0
MOST_LOSS: Final = 0.2
HELD: Final = 2 * SECOND  # a value stands for so long; what is longer without one is lost


class FetalState(msgspec.Struct, frozen=True):
    """``baseline``, 1/min, is None while too much is lost or the window is not full; ``loss``: share of the window."""

    at: Instant
    code: str  # normal, tachycardia, bradycardia, signal-loss, filling
    baseline: float | None
    loss: float


def code_of(baseline: float) -> str:
    """What a baseline is called."""
    return "bradycardia" if baseline < LOW else "tachycardia" if baseline > HIGH else "normal"


class FetalTrace:
    """One transducer's window. Feed it values in order; None where the device heard nothing."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._values: deque[tuple[Instant, float]] = deque()
        self._began: Instant | None = None

    def feed(self, value: float | None, at: Instant) -> None:
        """Takes a value, 1/min."""
        if self._began is None:
            self._began = at
        if value is not None:
            self._values.append((at, value))
        self._drop(at - self._window)  # here too: of somebody of whom it says nothing, nobody asks for a state

    def state(self, placed: Placed, now: Instant) -> FetalState | Refused:
        """What the window says at ``now``."""
        refused = refuse(NAME, placed, POPULATIONS)
        if refused is not None:
            return refused
        start = now - self._window
        self._drop(start)
        if self._began is None or self._began > start:
            return FetalState(now, "filling", None, self._loss(max(start, self._began or now), now))
        loss = self._loss(start, now)
        if loss > MOST_LOSS:
            return FetalState(now, "signal-loss", None, loss)
        baseline = half_up(median(value for _, value in self._values))
        return FetalState(now, code_of(baseline), baseline, loss)

    def _drop(self, start: Instant) -> None:
        """Values that stand for nothing after ``start``."""
        while self._values and self._values[0][0] + HELD <= start:
            self._values.popleft()

    def _loss(self, start: Instant, now: Instant) -> float:
        """Share of start .. now that no value stands for."""
        if now <= start:
            return 0.0
        covered, until = 0, start
        for at, _ in self._values:
            covered += max(0, min(at + HELD, now) - max(at, until))
            until = max(until, min(at + HELD, now))
        return 1 - covered / (now - start)
