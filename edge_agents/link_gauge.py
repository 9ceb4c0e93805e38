"""Decides whether the link carries everything live (FULL) or only lead II, numerics and events (WEAK). Pure."""

from collections import deque
from typing import Final

import msgspec

from gateway.contract.envelope import LinkMode

BEHIND_SECONDS: Final = 2.0  # the oldest live record has waited this long: the link does not keep up
SLOW_SECONDS: Final = 1.5  # median PUBACK round trip that counts as a weak link by itself
WEAK_AFTER: Final = 5.0  # seconds of either, without a break
FULL_AFTER: Final = 20.0  # seconds of proof that the full stream would fit
MAX_FULL_AFTER: Final = 300.0
RELAPSE_SECONDS: Final = 60.0  # weak again this soon after FULL: ask for twice the proof next time
HEADROOM: Final = 1.3  # measured throughput over full production
RATE_SECONDS: Final = 10.0


class Sample(msgspec.Struct, frozen=True):
    """What the uplink counts, once a second."""

    now: float  # monotonic seconds
    produced: int  # bytes appended since start, live or not
    delivered: int  # bytes PUBACKed since start
    live_wait: float  # seconds the oldest live record has waited
    round_trip: float | None  # median of recent PUBACK round trips, seconds; None = none lately
    idle: bool  # nothing waits, neither live nor backlog


class LinkGauge:
    """Hysteresis over one-second samples, and the operator's override."""

    def __init__(self) -> None:
        self.mode = LinkMode.FULL
        self.override: LinkMode | None = None
        self._samples: deque[Sample] = deque()
        self._since: float | None = None  # since when every sample spoke for the other mode
        self._full_since = float("-inf")
        self._full_after = FULL_AFTER

    def sample(self, sample: Sample) -> LinkMode:
        """Take in one sample and return the mode to use from now on."""
        self._samples.append(sample)
        while sample.now - self._samples[0].now > RATE_SECONDS:
            self._samples.popleft()
        if self.override is not None:
            self.mode, self._since = self.override, None
            return self.mode
        speaks = self._is_weak(sample) if self.mode is LinkMode.FULL else self._is_strong(sample)
        if not speaks:
            self._since = None
        elif self._since is None:
            self._since = sample.now
        if self._since is not None and sample.now - self._since >= self._patience():
            self._switch(sample.now)
        return self.mode

    def disconnected(self) -> None:
        """Samples across a cut say nothing about the link's width."""
        self._samples.clear()
        self._since = None

    def _patience(self) -> float:
        return WEAK_AFTER if self.mode is LinkMode.FULL else self._full_after

    def _switch(self, now: float) -> None:
        if self.mode is LinkMode.FULL:
            relapse = now - self._full_since < RELAPSE_SECONDS
            self._full_after = min(2 * self._full_after, MAX_FULL_AFTER) if relapse else FULL_AFTER
            self.mode = LinkMode.WEAK
        else:
            self.mode = LinkMode.FULL
            self._full_since = now
        self._since = None

    def _is_weak(self, sample: Sample) -> bool:
        return sample.live_wait > BEHIND_SECONDS or (sample.round_trip or 0.0) > SLOW_SECONDS

    def _is_strong(self, sample: Sample) -> bool:
        """Live is prompt, and either nothing waits at all or throughput exceeds what full mode would produce."""
        if self._is_weak(sample):
            return False
        oldest = self._samples[0]
        delivered, produced = sample.delivered - oldest.delivered, sample.produced - oldest.produced
        return sample.idle or (sample.now - oldest.now >= RATE_SECONDS / 2 and delivered >= HEADROOM * produced)
