"""Simulated patient monitor: the physiology, seen through sensors that may be off."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from edge_agents.device import Numeric, Occurrence, Reading, Waveform
from edge_agents.devices.patient_monitor import SIGNAL_LAYOUT, Decoder, FrameType, encode
from firmware_sims.dipole import FS
from firmware_sims.physiology import ECG_N, PLETH_FS, PLETH_N, STEP_US, Patient, Signals, Values
from firmware_sims.world import Timed, World
from gateway.contract.envelope import Instant
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import NO_SAMPLE

__all__ = ["Decoder", "encode", "readings"]

_CHEST: Final = ("V1", "V2", "V3", "V4", "V5", "V6")
_AUGMENTED: Final = ("aVR", "aVL", "aVF")
# leads that cannot be measured without an electrode: chest leads need all three limb electrodes (Wilson terminal)
LOST_LEADS: Final[dict[str, frozenset[str]]] = {
    "RA": frozenset({"I", "II", *_AUGMENTED, *_CHEST}),
    "LA": frozenset({"I", "III", *_AUGMENTED, *_CHEST}),
    "LL": frozenset({"II", "III", *_AUGMENTED, *_CHEST}),
    **{lead: frozenset({lead}) for lead in _CHEST},
}
LOST_QUANTITIES: Final = {
    "spo2": ("spo2", "pulse-rate", "perfusion-index"),
    "temperature": ("temperature",),
    "resp": ("resp-rate",),
}
# the monitor's own alarms: name, quantity, alarms when low <= value <= high
_ALARMS: Final = (
    ("asystole", "heart-rate", 0.0, 0.0),
    ("heart-rate-high", "heart-rate", 161.0, 350.0),
    ("heart-rate-low", "heart-rate", 1.0, 34.0),
    ("spo2-low", "spo2", 0.0, 84.9),
)


def readings(world: World) -> Iterator[Timed]:
    """All the monitor says, in order of time, for ever."""
    monitor = _Monitor(world)
    while True:
        yield from monitor.step()


class _Monitor:
    def __init__(self, world: World) -> None:
        rates = world.scenario.rates
        self._world = world
        self._patient = Patient(world.seed, world.timeline.condition_at)
        self._waves = rates.ecg or rates.pleth
        self._vitals_every = round(1_000_000 / rates.vitals_hz) if rates.vitals_hz else 0
        self._vitals_due = self._vitals_every
        self._nibp_due = round(rates.nibp_first * 1_000_000)
        self._steps = 0
        self._off: frozenset[str] = frozenset()
        self._alarming: frozenset[str] = frozenset()

    def step(self) -> Iterator[Timed]:
        """The next 200 ms."""
        start = self._patient.elapsed
        off = self._world.timeline.off_at(start)
        yield from self._attachment(start, off)
        signals = self._patient.advance(render=self._waves)
        yield from self._numerics(off)
        if signals is not None:
            yield from self._signals(start, signals)
        self._steps += 1

    def _at(self, elapsed: int) -> Instant:
        return self._world.start_at + elapsed

    def _attachment(self, elapsed: int, off: frozenset[str]) -> Iterator[Timed]:
        """Events for what came off and what was put on again."""
        before, now = lost_leads(self._off), lost_leads(off)
        for name, leads in (("lead-off", now - before), ("lead-on", before - now)):
            if leads:
                yield self._event(elapsed, name, {"leads": [lead for lead in ECG_LEADS_12 if lead in leads]})
        for name, sensors in (("sensor-off", off - self._off), ("sensor-on", self._off - off)):
            for sensor in sorted(sensors & LOST_QUANTITIES.keys()):
                yield self._event(elapsed, name, {"sensor": sensor})
        self._off = off

    def _event(self, elapsed: int, name: str, details: dict[str, object]) -> Timed:
        return Timed(elapsed, Occurrence(observed_at=self._at(elapsed), name=name, details=details))

    def _numerics(self, off: frozenset[str]) -> Iterator[Timed]:
        end = self._patient.elapsed
        if self._vitals_every and self._vitals_due <= end:
            values = self._patient.vitals()
            lost = _lost_quantities(off)
            yield from self._alarms(self._vitals_due, {name: values[name] for name in values if name not in lost})
            while self._vitals_due <= end:
                yield Timed(self._vitals_due, _numeric(self._at(self._vitals_due), values, lost))
                self._vitals_due += self._vitals_every
        every = round(self._world.scenario.rates.nibp_every * 1_000_000)
        if every and self._nibp_due <= end:
            yield Timed(end, _numeric(self._at(self._nibp_due), self._patient.blood_pressure(), frozenset()))
            self._nibp_due += every

    def _alarms(self, elapsed: int, values: Values) -> Iterator[Timed]:
        now = frozenset(
            name
            for name, quantity, low, high in _ALARMS
            if (value := values.get(quantity)) is not None and low <= value <= high
        )
        for state, names in (("on", now - self._alarming), ("off", self._alarming - now)):
            for name in sorted(names):
                yield self._event(elapsed, f"device-alarm-{state}", {"alarm": name, "priority": "high"})
        self._alarming = now

    def _signals(self, start: int, signals: Signals) -> Iterator[Timed]:
        rates = self._world.scenario.rates
        if rates.ecg:
            rows = [i for i, lead in enumerate(ECG_LEADS_12) if lead in lost_leads(self._off)]
            ecg = signals.ecg
            ecg[rows] = NO_SAMPLE
            yield self._wave(start, FrameType.ECG, FS, ECG_N, ecg.astype("<i2", copy=False).tobytes())
        if rates.pleth:
            pleth = np.full(PLETH_N, NO_SAMPLE, np.int16) if "spo2" in self._off else signals.pleth
            yield self._wave(start, FrameType.PLETH, PLETH_FS, PLETH_N, pleth.astype("<i2", copy=False).tobytes())

    def _wave(self, start: int, kind: FrameType, fs: int, n: int, samples: bytes) -> Timed:
        signal = SIGNAL_LAYOUT[kind]
        reading = Waveform(
            observed_at=self._at(start),
            n0=self._steps * n,
            fs=float(fs),
            leads=signal.leads,
            scale=signal.scale,
            samples=samples,
            filter=signal.filter,
        )
        return Timed(start + STEP_US, reading)


def lost_leads(off: frozenset[str]) -> frozenset[str]:
    """ECG leads that cannot be measured while these electrodes are off."""
    return frozenset[str]().union(*(LOST_LEADS.get(sensor, frozenset()) for sensor in off))


def _lost_quantities(off: frozenset[str]) -> frozenset[str]:
    lost = {name for sensor in off for name in LOST_QUANTITIES.get(sensor, ())}
    if lost_leads(off) >= {"I", "II", "III"}:
        lost.add("heart-rate")
    return frozenset(lost)


def _numeric(at: Instant, values: Values, lost: frozenset[str]) -> Reading:
    shown = {name: None if name in lost else value for name, value in values.items()}
    invalid = {name: "sensor-off" if name in lost else "no-measurement" for name in shown if shown[name] is None}
    return Numeric(observed_at=at, values=shown, invalid=invalid)
