"""A weak link splits each ECG frame: lead II live, the other leads as backfill soon after. The gateway's part in it."""

import msgspec
import numpy as np
import pytest

from gateway.admit import Admitted
from gateway.contract.envelope import Lane
from gateway.contract.observation import Observation
from gateway.contract.quantity import ECG_LEADS_12, SECOND
from gateway.contract.topic import Channel
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import encode
from gateway.derive.derivation import Derivation
from gateway.derive.silence import ECG_CHANNEL, SilenceWatch, wave_channel
from gateway.fleet import Fleet
from gateway.ledger import IdSource, Ledger
from gateway.ports import RecordFlag
from gateway.unpack import Route
from tests.unit.gateway.builders import EPOCH, NOW, UNIT

DEFERRED = "de" * 8
FS, FRAME, SCALE = 500, 100, 0.005
SECONDS = 30
LATENESS = 3 * SECOND  # of the other leads
OTHERS = tuple(name for name in ECG_LEADS_12 if name != "II")


def beats(rate: float) -> np.ndarray:
    """Narrow spikes of 1 mV, ``SECONDS`` long."""
    time = np.arange(SECONDS * FS) / FS
    phase = (time * rate / 60) % 1
    return np.round(200 * np.exp(-(((phase - 0.5) * 60 / rate / 0.02) ** 2))).astype("<i2")


def frames(leads: tuple[str, ...], rate: float, epoch: str = EPOCH, *, backfill: bool = False) -> list[WaveFrame]:
    """Every lead beats at ``rate``."""
    signal = beats(rate)
    return [
        WaveFrame(
            epoch=epoch, seq=n0 // FRAME, device="monitor", observed_at=NOW + n0 * SECOND // FS, n0=n0, fs=float(FS),
            leads=list(leads), scale=SCALE, samples=signal[n0 : n0 + FRAME].tobytes() * len(leads), backfill=backfill,
        )
        for n0 in range(0, len(signal), FRAME)
    ]  # fmt: skip


class Estimator:
    """The gateway's derivation, fed frame by frame."""

    def __init__(self) -> None:
        self._ledger = Ledger(IdSource(0), IdSource(0))
        self._derivation = Derivation(self._ledger, Fleet())
        self.rates: list[tuple[int, float]] = []  # second of the estimate, rate

    def feed(self, frame: WaveFrame, lateness: int = 0) -> None:
        lane = self._ledger.lane(UNIT.unit, frame.epoch, Lane.WAVE)
        at = frame.observed_at
        flags = int(RecordFlag.BACKFILL) if frame.backfill else 0
        route = Route(UNIT, Channel.WAVE, Lane.WAVE)
        for found in self._derivation.derive(Admitted(route, lane, frame, at, at + lateness, flags, encode(frame))):
            if isinstance(found.body, Observation):
                rate = found.body.values["heart-rate"]
                assert rate is not None
                self.rates.append((found.event_at // SECOND, rate))


def rates_of(sent: list[WaveFrame]) -> list[tuple[int, float]]:
    estimator = Estimator()
    for frame in sent:
        estimator.feed(frame)
    return estimator.rates


def test_the_other_leads_do_not_disturb_the_rate_of_lead_two() -> None:
    """They come as backfill, seconds late, and would say something else."""
    live, late = frames(("II",), 72), frames(OTHERS, 140, DEFERRED, backfill=True)
    alone = rates_of(live)
    assert len(alone) > 20
    estimator = Estimator()
    for number, frame in enumerate(live):
        estimator.feed(frame)
        if (behind := number - LATENESS * FS // FRAME // SECOND) >= 0:
            estimator.feed(late[behind], LATENESS)
    assert estimator.rates == alone


def test_the_rate_goes_on_where_the_link_becomes_weak_and_strong() -> None:
    whole, half = frames(ECG_LEADS_12, 72), frames(("II",), 72)
    assert rates_of(whole[:50] + half[50:100] + whole[100:]) == rates_of(whole)


def test_a_hole_that_backfill_fills_later_is_not_gone_back_to() -> None:
    live = frames(("II",), 72)
    filled = [msgspec.structs.replace(frame, backfill=True) for frame in live[60:75]]
    holed = live[:60] + live[75:]
    mixed = live[:60] + [each for pair in zip(live[75:90], filled, strict=True) for each in pair] + live[90:]
    assert rates_of(mixed) == rates_of(holed)


def test_backfill_in_order_counts() -> None:
    """After a cut of seconds the backlog comes first, then live goes on."""
    live = frames(("II",), 72)
    caught_up = [msgspec.structs.replace(frame, backfill=40 <= frame.seq < 60) for frame in live]
    assert rates_of(caught_up) == rates_of(live)


@pytest.mark.parametrize("scale", [1e-6, 10.0])
def test_a_pleth_frame_of_the_same_device_makes_no_estimate(scale: float) -> None:
    """Its scale is not the ECG's; the estimate of that second is the next ECG frame's."""
    live = frames(("II",), 72)
    mixed = []
    for frame in live:
        mixed += [msgspec.structs.replace(frame, leads=["pleth"], scale=scale), frame]
    assert rates_of(mixed) == rates_of(live)


# ---- silence --------------------------------------------------------------------------------------------------------


def test_a_split_frame_is_heard_on_the_same_channel() -> None:
    assert {wave_channel(lead) for lead in (*ECG_LEADS_12, "MLII", "ECG")} == {ECG_CHANNEL} == {"wave/ecg"}
    assert (wave_channel("pleth"), wave_channel("resp")) == ("wave/pleth", "wave/resp")
    assert wave_channel("of-tomorrow") == "wave/of-tomorrow"


def silences(channels: tuple[str, ...], weak: range, seconds: int = 60) -> list[tuple[int, str | None, bool]]:
    """What a watch says of a unit whose channels spoke until second 0 and whose link is weak in the given seconds."""
    watch = SilenceWatch(NOW)
    for second in (-2, -1, 0):
        for channel in channels:
            watch.hear("amb-001", "monitor", channel, NOW + second * SECOND)
    found = []
    for second in range(seconds):
        at = NOW + second * SECOND
        watch.hear_unit("amb-001", at)
        names = {"amb-001"} if second in weak else set()
        found += [(second, change.channel, change.silent) for change in watch.check(at, names)]
    return found


def test_what_a_weak_link_puts_off_is_not_missing_until_it_is_strong_again() -> None:
    assert silences(("wave/pleth",), range(5, 40)) == [(49, "wave/pleth", True)]
    assert silences(("wave/pleth",), range(0)) == [(10, "wave/pleth", True)]


def test_lead_two_and_numbers_are_missed_on_a_weak_link_too() -> None:
    assert silences((ECG_CHANNEL, "spo2"), range(60)) == [(10, ECG_CHANNEL, True), (10, "spo2", True)]


def test_a_silence_from_before_lasts_through_the_weak_link() -> None:
    assert silences(("wave/pleth",), range(20, 40)) == [(10, "wave/pleth", True)]
