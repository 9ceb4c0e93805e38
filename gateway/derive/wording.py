"""What a reading is called: a category, a class, a zone, a place in a range. Pure.

It is found when somebody looks and stored nowhere (ADR 0026): whose reading it is may be known, or corrected, only
afterwards, and a category of somebody else's population is none. Alerts stand on the numbers, never on these words.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.derive.fetal_watch import BASELINE, LOSS
from gateway.derive.plans import Plans, planned
from gateway.derive.population import Population
from gateway.derive.scores import blood_pressure, fetal, glucose, peak_flow, rehab
from gateway.derive.scores.score import Person, Refused, refuse
from gateway.fleet import DERIVED_YIELDS, Latest

# Said seldom, and worth a word each time.
SPOT: Final = frozenset({"bp-systolic", "bp-diastolic", "glucose", "peak-flow", LOSS})
QUANTITIES: Final = SPOT | {"heart-rate", fetal.NAME, BASELINE}
NO_PRESSURE: Final = "no-pressure"


class Measured(msgspec.Struct, frozen=True):
    """One value of one device."""

    device: str
    quantity: str
    value: float
    at: Instant


class Wording(msgspec.Struct, frozen=True, omit_defaults=True):
    """One reading in words. Without a ``code`` it is ``refused``, or there is a range and no reading yet."""

    name: str  # of the derivation
    source: str
    population: Population
    assumed: bool = False  # the age is not known: taken for an adult
    table: str = ""  # of the several that a site may have
    code: str | None = None
    at: Instant | None = None
    device: str | None = None
    urgent: bool = False
    numbers: dict[str, float] = {}  # what it was found by: the range, the share of the personal best
    estimated: bool = False  # the range is a formula's, not of an exercise test
    refused: str | None = None  # why there is no word, for a page
    reason: str | None = None  # the same as a sentence

    @property
    def gist(self) -> tuple[object, ...]:
        """All of it but which reading it was."""
        return self.name, self.code, self.refused, self.numbers, self.population, self.assumed


class Wordings:
    """``off``: derivations that are switched off; ``pressures``: the table of blood pressures of this site."""

    def __init__(self, off: Collection[str] = (), pressures: blood_pressure.Table = blood_pressure.CHINA) -> None:
        self._off = frozenset(off)
        self._pressures = pressures
        self._told: dict[str, list[tuple[object, ...]]] = {}

    def of(self, measured: Iterable[Measured], person: Person, plans: Plans) -> list[Wording]:
        """What there is to say of one person's readings, by name; of each quantity the newest counts."""
        newest = _newest(measured)
        found = (
            *self._of_pressure(newest, person),
            *_of_glucose(newest.get("glucose", ()), person),
            *_of_peak_flow(newest.get("peak-flow", ()), person, plans),
            *_of_training(newest.get("heart-rate", ()), person, plans),
            *_of_fetal(newest, person),
        )
        return sorted((one for one in found if one.name not in self._off), key=lambda one: one.name)

    def news(self, unit: str, wordings: Iterable[Wording]) -> bool:
        """Whether a unit's readings are called otherwise than when this was last asked."""
        now = [one.gist for one in wordings]
        before, self._told[unit] = self._told.get(unit, []), now
        return now != before

    def _of_pressure(self, newest: dict[str, Sequence[Measured]], person: Person) -> Iterator[Wording]:
        """Of the newest two numbers that belong together: one device, one instant."""
        lower = {(one.device, one.at): one.value for one in newest.get("bp-diastolic", ())}
        for upper in newest.get("bp-systolic", ()):
            diastolic = lower.get((upper.device, upper.at))
            if diastolic is not None:
                yield self._pressure(upper, diastolic, person)
                return

    def _pressure(self, upper: Measured, diastolic: float, person: Person) -> Wording:
        said = _begin(blood_pressure.NAME, self._pressures.source, person, upper)
        numbers = {"systolic": upper.value, "diastolic": diastolic}
        said = msgspec.structs.replace(said, table=self._pressures.name, numbers=numbers)
        try:
            found = blood_pressure.categorise(upper.value, diastolic, person.placed, self._pressures)
        except ValueError as error:
            return msgspec.structs.replace(said, refused=NO_PRESSURE, reason=str(error))
        if isinstance(found, Refused):
            return _refused(said, found)
        code = "hypotension" if found.hypotension else found.code
        return msgspec.structs.replace(said, code=code, urgent=found.urgent)


def _of_glucose(readings: Sequence[Measured], person: Person) -> Iterator[Wording]:
    for one in readings[:1]:
        said = _begin(glucose.NAME, glucose.SOURCE, person, one)
        found = glucose.classify(one.value, person.placed)
        if isinstance(found, Refused):
            yield _refused(said, found)
        else:
            yield msgspec.structs.replace(said, code=found.code, urgent=found.urgent)


def _of_peak_flow(readings: Sequence[Measured], person: Person, plans: Plans) -> Iterator[Wording]:
    plan = planned(plans, peak_flow.Plan)
    for one in readings[:1] if plan is not None else ():
        assert plan is not None
        said = _begin(peak_flow.NAME, peak_flow.SOURCE, person, one)
        found = peak_flow.zone(one.value, plan.personal_best, person.placed, person.age_days)
        if isinstance(found, Refused):
            yield _refused(said, found)
        else:
            numbers = {"best": plan.personal_best, "percent": found.percent}
            yield msgspec.structs.replace(said, code=found.zone, numbers=numbers, urgent=found.zone == "red")


def _of_training(rates: Sequence[Measured], person: Person, plans: Plans) -> Iterator[Wording]:
    """The range stands also before the first beat: whoever trains wants to know it."""
    plan = planned(plans, rehab.Plan)
    if plan is None:
        return
    said = _begin(rehab.NAME, rehab.SOURCE, person, rates[0] if rates else None)
    found = rehab.limits(plan, person)
    if isinstance(found, Refused):
        yield _refused(said, found)
        return
    code = rehab.judge(rates[0].value, found) if rates else None
    numbers = {"low": found.low, "stop": found.stop}
    yield msgspec.structs.replace(
        said, code=code, numbers=numbers, estimated=found.estimated, urgent=code == "stop"
    )  # fmt: skip


def _of_fetal(newest: dict[str, Sequence[Measured]], person: Person) -> Iterator[Wording]:
    """As last told: there is a baseline only where enough was heard."""
    lost, heard = newest.get(LOSS, ()), newest.get(fetal.NAME, ())
    if not lost and not heard:
        return
    said = _begin(fetal.NAME, fetal.SOURCE, person, (lost or heard)[0])
    refused = refuse(fetal.NAME, person.placed, fetal.POPULATIONS)
    if refused is not None:
        yield _refused(said, refused)
        return
    if not lost:
        yield msgspec.structs.replace(said, code="filling")
        return
    loss = lost[0]
    baseline = next((one.value for one in newest.get(BASELINE, ()) if one.at == loss.at), None)
    code = "signal-loss" if baseline is None else fetal.code_of(baseline)
    numbers = {"loss": loss.value} | ({} if baseline is None else {"baseline": baseline})
    yield msgspec.structs.replace(said, code=code, numbers=numbers, urgent=code in ("bradycardia", "tachycardia"))


def _newest(measured: Iterable[Measured]) -> dict[str, Sequence[Measured]]:
    """By quantity, the newest first."""
    found: dict[str, list[Measured]] = {}
    for one in measured:
        if one.quantity in QUANTITIES:
            found.setdefault(one.quantity, []).append(one)
    return {name: sorted(several, key=lambda one: one.at, reverse=True) for name, several in found.items()}


def _begin(name: str, source: str, person: Person, one: Measured | None) -> Wording:
    placed = person.placed
    said = Wording(name, source, placed.population, placed.assumed)
    return said if one is None else msgspec.structs.replace(said, at=one.at, device=one.device)


def _refused(said: Wording, why: Refused) -> Wording:
    return msgspec.structs.replace(said, refused=why.code, reason=why.reason)


def may_reword(quantities: Collection[str], plans: Plans) -> bool:
    """Whether values may be called otherwise by these: a rate, which comes each second, only of who is in training."""
    return not SPOT.isdisjoint(quantities) or ("heart-rate" in quantities and planned(plans, rehab.Plan) is not None)


def measured_of(latest: Mapping[tuple[str, str], Latest]) -> list[Measured]:
    """A unit's newest values. A rate that was derived counts while no device's own is about as new."""
    own_at = max(
        (one.event_at for (_, name), one in latest.items() if name == "heart-rate" and not one.derived), default=0
    )
    return [
        Measured(device, quantity, one.value, one.event_at)
        for (device, quantity), one in latest.items()
        if quantity in QUANTITIES and one.value is not None
        if quantity != "heart-rate" or not one.derived or one.event_at - DERIVED_YIELDS > own_at
    ]
