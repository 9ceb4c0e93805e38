"""One device's ECG while it comes in: heart rate once a second, rhythms that begin or end, ST when criteria are met.

    frame --rhythm lead--> beats, quality --> rhythm watch --> events "rhythm"
                           beats ----------> rate ----------> heart-rate
          --12 leads-----> 10 s window ---> ST ------------> events "st-criteria"

Beats, rhythm and rate look at one lead, the first of `LEAD_PREFERENCE` that is on. When that electrode falls off,
another takes over; a rhythm that was present goes on until the new lead shows ten seconds of a normal one.
"""

from collections.abc import Callable, Collection
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.contract.envelope import Instant
from gateway.contract.quantity import MINUTE, SECOND
from gateway.contract.waveform import NO_SAMPLE, WaveFrame
from gateway.derive.ecg.beat import Beat
from gateway.derive.ecg.beats import SLOWEST_FS, BeatDetector
from gateway.derive.ecg.lead import LEAD_PREFERENCE
from gateway.derive.ecg.quality import Quality, QualityMeter
from gateway.derive.ecg.rate import RateMeter
from gateway.derive.ecg.rhythm import RhythmEdge, RhythmWatch
from gateway.derive.ecg.st import measure
from gateway.derive.ecg.st_criteria import StFinding, criteria
from gateway.derive.ecg.twelve_lead_window import TwelveLeads, TwelveLeadWindow

LEAD_PATIENCE: Final = 1.0  # s: an electrode that is off for so long is given up for another lead
LEAD_TRUST: Final = 10.0  # s: and followed again when it has held so long; a loose one would begin all anew each time
ST_AGAIN: Final = 10 * MINUTE  # the same leads are asked to be read again after so long

Samples = npt.NDArray[np.float64]
Who = tuple[str | None, float | None]  # sex, age in years


class Found(msgspec.Struct, frozen=True):
    """What the ECG says, at a time: a heart rate (``rate``), or an event."""

    at: Instant
    rate: float | None = None
    event: str = ""
    details: dict[str, Any] = {}


class EcgAnalyser:
    """Feed it a device's frames in order. ``off``: derivations the site has switched off."""

    def __init__(self, device: str, phase: int, present: Collection[str] = (), off: Collection[str] = ()) -> None:
        """``phase``, us: where in a second the rate is told; those of a fleet should not all fall into one batch.

        ``present``: the rhythms an earlier process told of and did not end.
        """
        self._device = device
        self._off = frozenset(off)
        self._lead = ""
        self._fs = 0.0
        self._next_n0 = -1
        self._off_since: int | None = None  # sample since when the lead is off
        self._back_since: int | None = None  # sample since when the electrode of the first lead is on again
        self._present = set(present)
        self._phase = phase
        self._second = 0  # number of the newest second judged
        self._window = TwelveLeadWindow()
        self._st_told: tuple[tuple[str, ...], Instant] = ((), 0)

    def feed(self, frame: WaveFrame, event_at: Instant, who: Callable[[], Who]) -> list[Found]:
        """What this frame lets us tell. ``event_at``: time of its first sample, us."""
        rate, edges = self._look(frame, event_at)
        found = [] if rate is None or "heart-rate" in self._off else [Found(_end_at(frame, event_at), rate=rate)]
        for edge in edges:
            (self._present.add if edge.on else self._present.discard)(edge.code)
            if "rhythm" not in self._off:
                found.append(self._tell(edge, frame, event_at))
        if "st-criteria" not in self._off and (window := self._window.feed(frame, event_at)) is not None:
            found += self._judge_st(window, *who())
        return found

    def fill(self, frame: WaveFrame, event_at: Instant) -> None:
        """Takes in a frame from before a restart, without telling anything: what was told then is ``present``.

        What begins or ends in it and was not told (the process was killed twice) is told with the next frame. ST has
        windows of its own, which begin anew.
        """
        _, edges = self._look(frame, event_at)
        if edges:
            self._rhythm.take_back(edges)

    # ---- one lead

    def _look(self, frame: WaveFrame, event_at: Instant) -> tuple[float | None, list[RhythmEdge]]:
        """Once a second the heart rate, if it can be told, and the rhythms that have begun or ended.

        Backfill that does not follow on what is there has no part in it: a weak link's second half of each frame (every
        lead but the rhythm's) comes late and must not begin anew.
        """
        lead = self._choose(frame)
        if not lead or frame.fs < SLOWEST_FS:
            return None, []
        if lead != self._lead or frame.fs != self._fs or frame.n0 != self._next_n0:
            if frame.backfill and self._lead:
                return None, []
            self._follow(lead, frame)
        self._next_n0 = frame.n0 + frame.n
        self._take_in(frame)
        second = (_end_at(frame, event_at) + self._phase) // SECOND
        if second == self._second:  # an earlier one is news as well: the device's clock was set back
            return None, []
        self._second = second
        return self._rate.tell(self._next_n0), self._block.judge(self._rhythm)

    def _choose(self, frame: WaveFrame) -> str:
        """The lead to follow: the one that was, unless it has been off for a while and another one is on."""
        known = [lead for lead in LEAD_PREFERENCE if lead in frame.leads]
        if not known:
            return ""
        present = self._lead if self._lead in known else known[0]
        if not _is_off(frame, present):
            self._off_since = None
            return known[0] if self._is_back(frame, known[0], present) else present
        if self._off_since is None or frame.n0 < self._off_since:  # the device counts anew after a restart
            self._off_since = frame.n0
        if frame.n0 - self._off_since < LEAD_PATIENCE * frame.fs:
            return present
        return next((lead for lead in known if not _is_off(frame, lead)), present)

    def _is_back(self, frame: WaveFrame, first: str, present: str) -> bool:
        """Whether the lead that is looked at first has been given up, and its electrode holds again."""
        if first == present or _is_off(frame, first):
            self._back_since = None
            return False
        if self._back_since is None or frame.n0 < self._back_since:
            self._back_since = frame.n0
        return frame.n0 - self._back_since >= LEAD_TRUST * frame.fs

    def _follow(self, lead: str, frame: WaveFrame) -> None:
        """Another lead, another rate, or the stream has jumped: over a gap the detectors know what to forget."""
        begins = lead != self._lead or frame.fs != self._fs or frame.n0 < self._next_n0
        self._lead, self._fs = lead, frame.fs
        if begins:
            self._beats, self._quality = BeatDetector(frame.fs), QualityMeter(frame.fs)
            self._rhythm = RhythmWatch(frame.fs, present=self._present)
            self._rate, self._block = RateMeter(frame.fs), _Block()
        elif frame.n0 != self._next_n0:
            self._rate, self._block = RateMeter(frame.fs), _Block()  # less than a second before the gap is not judged

    def _take_in(self, frame: WaveFrame) -> None:
        samples = _samples(frame, self._lead)
        beats = self._beats.feed(samples, frame.n0)
        quality = self._quality.feed(samples, frame.n0)
        self._block.add(samples, frame.n0, beats, quality)
        self._rate.feed(beats, quality)

    def _tell(self, edge: RhythmEdge, frame: WaveFrame, event_at: Instant) -> Found:
        def at(sample: int) -> Instant:
            return event_at + round((sample - frame.n0) / frame.fs * SECOND)

        details = {
            "code": edge.code, "state": "on" if edge.on else "off", "device": self._device, "lead": self._lead,
            "from": at(edge.since), "to": at(edge.sample), **edge.details,
        }  # fmt: skip
        return Found(at(edge.sample), event="rhythm", details=details)

    # ---- twelve leads

    def _judge_st(self, window: TwelveLeads, sex: str | None, age: float | None) -> list[Found]:
        report = measure(window.leads, window.fs, window.low_cut_hz)
        finding = criteria(report, sex, age)
        end_at = window.start + round(10 * SECOND)
        met = () if finding is None else tuple(row.lead for row in finding.judged if row.met)
        told, told_at = self._st_told
        if finding is None or not finding.criteria_met or (met == told and end_at - told_at < ST_AGAIN):
            return []
        self._st_told = met, end_at
        return [Found(end_at, event="st-criteria", details=self._st_details(finding, window, end_at))]

    def _st_details(self, finding: StFinding, window: TwelveLeads, end_at: Instant) -> dict[str, Any]:
        kept = msgspec.to_builtins(finding)
        return {"device": self._device, "from": window.start, "to": end_at, **kept, "statement": finding.statement}


class _Block:
    """Up to a second of the lead for the rhythm watch: five frames at once cost it hardly more than one.

    The lethal rhythms take four seconds and more to be what they are; one second is little of the ten they may take.
    """

    def __init__(self) -> None:
        self._samples: list[Samples] = []
        self._beats: list[Beat] = []
        self._n0 = 0
        self._quality: Quality | None = None

    def add(self, samples: Samples, n0: int, beats: list[Beat], quality: Quality | None) -> None:
        if not self._samples:
            self._n0 = n0
        self._samples.append(samples)
        self._beats += beats
        self._quality = quality or self._quality

    def judge(self, watch: RhythmWatch) -> list[RhythmEdge]:
        """The edges of it; the block is empty then."""
        samples, beats, quality = np.concatenate(self._samples), self._beats, self._quality
        self._samples, self._beats, self._quality = [], [], None
        return watch.feed(beats, samples, self._n0, quality)


def _end_at(frame: WaveFrame, event_at: Instant) -> Instant:
    """When the frame ends, on the clock of ``event_at``."""
    return event_at + frame.end_at - frame.observed_at


def _is_off(frame: WaveFrame, lead: str) -> bool:
    """Whether no sample of the lead is one."""
    return bool((_raw(frame, lead) == NO_SAMPLE).all())


def _raw(frame: WaveFrame, lead: str) -> npt.NDArray[np.int16]:
    return np.frombuffer(frame.samples, "<i2", frame.n, frame.leads.index(lead) * 2 * frame.n)


def _samples(frame: WaveFrame, lead: str) -> Samples:
    """(n,) mV; NaN where the lead is off."""
    raw = _raw(frame, lead)
    return np.where(raw == NO_SAMPLE, np.nan, raw * frame.scale)
