"""Shock index, modified shock index and the estimate of mean pressure, of adults who are not pregnant.

Source: Allgöwer and Burri 1967 (shock index = heart rate / systolic, normal 0.5 to 0.7, watch from 0.9, alert from
1.0); Liu et al. 2012 (modified = heart rate / mean, outside 0.7 to 1.3); mean = diastolic + (systolic - diastolic) / 3,
only where no device gives it, low below 65 mmHg. The bounds are common usage (domain facts 1.3), for a site to confirm.
"""

from typing import Final

from gateway.contract.envelope import Instant
from gateway.derive.population import ADULTS, MATERNAL, Population
from gateway.derive.scores.score import (
    PULSE,
    Formula,
    Inputs,
    Outcome,
    Part,
    Reading,
    fresh_of,
    half_up,
    lack,
    preferred,
)

WATCH: Final = 0.9
ALERT: Final = 1.0
MODIFIED_LOW: Final = 0.7
MODIFIED_HIGH: Final = 1.3
MEAN_LOW: Final = 65.0
ESTIMATE: Final = "bp-mean-estimate"
_CUFF: Final = ("bp-systolic", "bp-diastolic")


def estimate_mean(systolic: float, diastolic: float) -> float | None:
    """Mean pressure, mmHg, to one decimal; None when diastolic is not below systolic."""
    return half_up(diastolic + (systolic - diastolic) / 3, 1) if diastolic < systolic else None


def measured_mean(inputs: Inputs, now: Instant) -> Reading | None:
    """The mean a device gives, unless a newer cuff reading has made it another measurement's."""
    mean, systolic = fresh_of(inputs, "bp-mean", now), fresh_of(inputs, "bp-systolic", now)
    return None if mean is None or (systolic is not None and systolic.at > mean.at) else mean


def estimated_mean(inputs: Inputs, now: Instant) -> Reading | None:
    """The mean by the one third rule, from the two pressures of one measurement."""
    systolic, diastolic = (fresh_of(inputs, name, now) for name in _CUFF)
    if systolic is None or diastolic is None or systolic.at != diastolic.at:
        return None
    value = estimate_mean(float(systolic.value), float(diastolic.value))
    return None if value is None else Reading(value, systolic.at)


def _index(inputs: Inputs, now: Instant) -> Outcome:
    found = _ratio(inputs, now, "bp-systolic", fresh_of(inputs, "bp-systolic", now))
    if found.value is None:
        return found
    risk = "alert" if found.value >= ALERT else "watch" if found.value >= WATCH else "none"
    return Outcome(found.value, found.parts, risk=risk)


def _modified(inputs: Inputs, now: Instant) -> Outcome:
    measured, estimated = measured_mean(inputs, now), estimated_mean(inputs, now)
    name = ESTIMATE if measured is None and estimated is not None else "bp-mean"
    found = _ratio(inputs, now, name, measured or estimated)
    if found.value is None:
        return found
    return Outcome(found.value, found.parts, risk="none" if MODIFIED_LOW <= found.value <= MODIFIED_HIGH else "alert")


def _estimate(inputs: Inputs, now: Instant) -> Outcome:
    estimated = estimated_mean(inputs, now)
    if measured_mean(inputs, now) is not None:
        return Outcome(None)  # not missing: a device gives the real one
    if estimated is None:
        return Outcome(
            None, missing=tuple(lack(inputs, name, (name,)) for name in _CUFF if fresh_of(inputs, name, now) is None)
        )
    parts = tuple(Part(name, inputs[name].value, None, estimated.at) for name in _CUFF)
    return Outcome(float(estimated.value), parts, risk="low" if float(estimated.value) < MEAN_LOW else "none")


def _ratio(inputs: Inputs, now: Instant, name: str, pressure: Reading | None) -> Outcome:
    pulse = preferred(inputs, PULSE, now)
    found = (("pulse", PULSE, pulse), (name, (name,), pressure))
    parts = tuple(Part(part, one.value, None, one.at) for part, _, one in found if one is not None)
    missing = tuple(lack(inputs, part, sources) for part, sources, one in found if one is None)
    if pulse is None or pressure is None or float(pressure.value) <= 0:
        return Outcome(None, parts, missing)
    return Outcome(half_up(float(pulse.value) / float(pressure.value), 2), parts)


SHOCK_INDEX: Final = Formula("shock-index", "Allgöwer 1967", ADULTS, frozenset({*PULSE, "bp-systolic"}), _index)
MODIFIED_SHOCK_INDEX: Final = Formula(
    "modified-shock-index", "Liu 2012", ADULTS, frozenset({*PULSE, *_CUFF, "bp-mean"}), _modified
)
MEAN_ESTIMATE: Final = Formula(
    ESTIMATE,
    "one third rule",
    ADULTS | MATERNAL | {Population.ADOLESCENT},
    frozenset({*_CUFF, "bp-mean"}),
    _estimate,
)
