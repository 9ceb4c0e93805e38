"""Alarms on simulated people who are well and move: ECG through the product's analyser, values through its rules.

Their monitor sends no heart rate of its own, so that the one found in the disturbed ECG counts. Four people for a
quarter of an hour; with LASTMILE_FAULTS=full twenty for a day each, about 1.6 hours of CPU, shared by the cores.
"""

import random
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import pytest

from firmware_sims.condition import Condition
from firmware_sims.dipole import FS, STEP_MV
from firmware_sims.physiology import STEP_US, Patient
from gateway.contract.quantity import ECG_LEADS_12, HOUR, MINUTE, SECOND
from gateway.contract.waveform import WaveFrame
from gateway.derive.ecg.analyser import EcgAnalyser
from gateway.evaluate.burden import START, Bedside, per_day, plain_ruleset
from gateway.fleet import GATEWAY_DEVICE
from gateway.rules.ruleset import default_ruleset

MONITOR = "monitor"
CUFF_EVERY = 5 * MINUTE
DAY = 24 * HOUR
PEOPLE, FULL_PEOPLE = 4, 20
LASTS, FULL_LASTS = 15 * MINUTE, DAY


def well(seed: int) -> Condition:
    """Somebody with nothing to be alarmed at: no parameter that scores in NEWS2. They move: bouts of 20 to 6 dB."""
    of = random.Random(seed)
    return Condition(
        heart_rate=of.uniform(60, 84), sinus_arrhythmia=of.uniform(0.02, 0.06), ectopic_share=of.uniform(0, 0.01),
        resp_rate=of.uniform(13, 18), spo2=of.uniform(97, 99), temperature=of.uniform(36.4, 37.2),
        systolic=of.uniform(116, 136), diastolic=of.uniform(64, 82), unrest=of.uniform(0.2, 1.0),
    )  # fmt: skip


class Sight:
    """What rules with and without delays make of one patient in the same run."""

    def __init__(self, seed: int, condition: Condition) -> None:
        self._patient = Patient(seed, lambda _elapsed: condition)
        self._analyser = EcgAnalyser(MONITOR, 0)
        self.product, self.plain = Bedside(default_ruleset()), Bedside(plain_ruleset())

    def last(self, duration: int) -> "Sight":
        for number in range(duration // STEP_US):
            at = START + number * STEP_US
            self._ecg(number, at)
            if at % SECOND == 0:
                values = self._patient.vitals()
                values.pop("heart-rate")
                self._tell(values, at)
            if at % CUFF_EVERY == 0:
                self._tell(self._patient.blood_pressure(), at)
        return self

    def _ecg(self, number: int, at: int) -> None:
        signals = self._patient.advance()
        assert signals is not None
        samples = signals.ecg
        frame = WaveFrame(
            epoch="0" * 16, seq=number, device=MONITOR, observed_at=at, n0=number * samples.shape[1], fs=FS,
            leads=list(ECG_LEADS_12), scale=STEP_MV, samples=samples.astype("<i2").tobytes(), filter="0.05-150 Hz",
        )  # fmt: skip
        for found in self._analyser.feed(frame, at, lambda: (None, None)):
            for bedside in (self.product, self.plain):
                if found.rate is not None:
                    bedside.value(GATEWAY_DEVICE, "heart-rate", found.rate, found.at, derived=True)
                else:
                    bedside.event(found.event, found.details, found.at)

    def _tell(self, values: dict[str, float | None], at: int) -> None:
        for name, value in values.items():
            if value is not None:
                self.product.value(MONITOR, name, value, at)
                self.plain.value(MONITOR, name, value, at)


def calls_of(seed: int, lasts: int) -> tuple[Counter[str], Counter[str]]:
    """One person's: with and without delays and hysteresis."""
    sight = Sight(seed, well(seed)).last(lasts)
    return Counter(sight.product.calls), Counter(sight.plain.calls)


def total(calls: Iterable[Counter[str]]) -> Counter[str]:
    return sum(calls, Counter())


@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_nobody_who_is_well_and_moves_gets_a_high_alert(fault_share: float, capsys: pytest.CaptureFixture[str]) -> None:
    people, lasts = (FULL_PEOPLE, FULL_LASTS) if fault_share == 1.0 else (PEOPLE, LASTS)
    with ProcessPoolExecutor() as pool:
        found = list(pool.map(partial(calls_of, lasts=lasts), range(people)))
    product, plain = total(each for each, _ in found), total(each for _, each in found)
    days = people * lasts / DAY
    with capsys.disabled():
        print(f"\n{days:.2f} patient-days: {dict(product)}; plain: {dict(plain)}")  # noqa: T201  the figures of the proof
    assert per_day(product, days).high == 0, product
    assert per_day(product, days).all < per_day(plain, days).all, (product, plain)


@pytest.mark.slow
def test_a_heart_that_races_is_told_all_the_same() -> None:
    """The other side of it: the same movement hides nothing."""
    ill = Sight(1, Condition(heart_rate=178, unrest=0.6)).last(2 * MINUTE)
    assert ill.product.calls.keys() & {"heart-rate-severe-high", "extreme-tachycardia", "ventricular-tachycardia"}
