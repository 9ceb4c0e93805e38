"""``lastmile evaluate burden``: how often the product's rules would call somebody, per patient-day.

The rules, the scores and the muting of the product run over recorded numerics: once as they are, once (``plain``) with
the same limits and neither delay nor hysteresis. Counted is each alert that is raised or comes again and that no graver
one mutes. A value stands until the next and is told every five seconds, as a monitor tells it; a cuff's is told once.
Nobody acknowledges, and everybody is taken for an adult.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from gateway.alerts.alert import Mark, Move
from gateway.alerts.book import AlertBook
from gateway.alerts.policy import inhibitor_of
from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, SECOND
from gateway.contract.topic import UnitKind
from gateway.derive.scores.board import QUANTITIES as SCORED
from gateway.derive.scores.board import ScoreBoard, Scored
from gateway.derive.scores.observed import values_of
from gateway.derive.scores.score import Score
from gateway.evaluate.numerics import SPOT, Numerics, read_folder
from gateway.evaluate.records import BrokenRecord
from gateway.fleet import GATEWAY_DEVICE
from gateway.rules.catalogue import CATALOGUE
from gateway.rules.condition import Threshold
from gateway.rules.engine import Rules
from gateway.rules.row import Kind, Priority
from gateway.rules.ruleset import Ruleset, default_ruleset, read_ruleset
from gateway.rules.threshold import Finding, Thresholds

UNIT: Final = "bed"
TOLD_EVERY: Final = 5.0  # s
DAY_SECONDS: Final = 86_400.0
START: Final = HOUR  # event time of a record's first value; 0 is "never" to the rules
GRAVEST_FIRST: Final = (Priority.HIGH, Priority.MEDIUM, Priority.LOW)
OCCURS: Final = frozenset({Move.RAISE, Move.HAPPEN, Move.REOPEN})
NOTE: Final = (
    "Values of a minute hide what delays are for: seconds. Adult limits for everybody; nobody acknowledges. "
    "plain: the same limits without delay and hysteresis."
)

Reading = tuple[Instant, str, str, float]  # event time, device, quantity, value


class PerDay(msgspec.Struct, frozen=True):
    """Calls per patient-day, by priority."""

    high: float
    medium: float
    low: float
    all: float


class RuleFigures(msgspec.Struct, frozen=True):
    """Calls of one alert."""

    rule: str
    priority: str
    product: int
    plain: int


class Record(msgspec.Struct, frozen=True):
    """One patient."""

    name: str
    days: float  # in which at least one value came
    values: int
    product: int  # calls
    plain: int
    product_high: int
    plain_high: int


class Report(msgspec.Struct, frozen=True):
    """What the command prints and writes."""

    task: str
    gross: dict[str, float]
    product: PerDay
    plain: PerDay
    rules: list[RuleFigures]
    records: list[Record]
    note: str = NOTE


class Bedside:
    """One patient's rules, scores and alerts, and how often each alert called somebody."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.calls: Counter[str] = Counter()
        self._rules = Rules(Thresholds(ruleset, lambda _unit: UnitKind.AMBULANCE))
        self._scores = ScoreBoard()
        self._book = AlertBook([])

    def value(self, device: str, quantity: str, value: float, at: Instant, *, derived: bool = False) -> None:
        """A measured or derived value, and what it makes of the scores."""
        self._judge(device, quantity, value, at, derived)
        if not derived and quantity in SCORED:
            self._score(self._scores.value(UNIT, quantity, value, at))

    def event(self, name: str, details: dict[str, Any], at: Instant) -> None:
        """What a detector of ours tells."""
        found = self._rules.report(
            UNIT, GATEWAY_DEVICE, name, details, at, simulated=False, mutes=lambda _device: False
        )
        self._take(found)

    def _judge(self, device: str, quantity: str, value: float, at: Instant, derived: bool) -> None:
        self._take(self._rules.check(at))
        self._take(self._rules.value(UNIT, device, quantity, value, at, 0, derived=derived, simulated=False))

    def _score(self, scored: list[Scored]) -> None:
        for one in scored:
            if isinstance(one.result, Score):
                for name, value in values_of(one.result)[0].items():
                    if value is not None:
                        self._judge(GATEWAY_DEVICE, name, value, one.result.at, derived=True)

    def _take(self, findings: list[Finding]) -> None:
        """The graver alerts of one value first: they mute the others, as they do where a batch is judged at once."""
        made = [made for one in findings if (made := self._book.apply(one, one.at)) is not None]
        for one in made:
            alert = self._book.find(one.alert.id)
            if one.move in OCCURS and alert is not None and inhibitor_of(alert, self._book.open) is None:
                self.calls[alert.rule] += 1
        self._release(made[0].at if made else None)

    def _release(self, now: Instant | None) -> None:
        """Remembers who is muted; an alert that is muted no longer calls."""
        if now is None:
            return
        for alert in self._book.open:
            graver = inhibitor_of(alert, self._book.open)
            if graver is not None and alert.inhibited_by is None:
                self._book.mark(alert, Mark.INHIBIT, now, {}, inhibited_by=graver.id)
            elif graver is None and alert.inhibited_by is not None:
                self._book.mark(alert, Mark.RELEASE, now, {}, inhibited_by=None)
                self.calls[alert.rule] += 1


def plain_ruleset() -> Ruleset:
    """The product's limits on values without delay and hysteresis, as a site's file could say it."""
    rows = (
        row for row in CATALOGUE.values() if row.kind is Kind.PHYSIOLOGICAL and isinstance(row.condition, Threshold)
    )
    tables = (f"[alert.{row.code}]\nhysteresis = 0\nfor = 0\nclear-for = 0\n" for row in rows)
    return read_ruleset("".join(tables).encode())


def evaluate(directory: Path) -> Report:
    """Runs every record of the folder twice.

    Raises:
        BrokenRecord: there is none, or one cannot be read.
    """
    rulesets = default_ruleset(), plain_ruleset()
    product, plain = Counter[str](), Counter[str]()
    records = []
    for numerics in read_folder(directory):
        ours, theirs = (play(numerics, ruleset) for ruleset in rulesets)
        product += ours
        plain += theirs
        records.append(_record(numerics, ours, theirs))
    if not records:
        raise BrokenRecord(f"{directory}: no record with numerics")
    days = sum(record.days for record in records)
    gross = {"patients": len(records), "patient_days": days}
    rules = [
        RuleFigures(code, CATALOGUE[code].priority, product[code], plain[code])
        for code in sorted(product | plain, key=lambda code: (-plain[code], code))
    ]
    return Report("burden", gross, per_day(product, days), per_day(plain, days), rules, records)


def play(numerics: Numerics, ruleset: Ruleset) -> Counter[str]:
    """How often each alert called somebody."""
    bedside = Bedside(ruleset)
    for at, device, quantity, value in readings(numerics):
        bedside.value(device, quantity, value, at)
    return bedside.calls


def readings(numerics: Numerics) -> Iterator[Reading]:
    """The values as a monitor tells them, in order of time."""
    times = max(1, round(numerics.interval / TOLD_EVERY))
    length = max(series.values.size for series in numerics.series)
    for n in range(length):
        for repeat in range(times):
            at = START + round((n + repeat / times) * numerics.interval * SECOND)
            for series in numerics.series:
                value = float(series.values[n])
                if value == value and (repeat == 0 or series.device not in SPOT):  # noqa: PLR0124 - NaN
                    yield at, series.device, series.quantity, value


def per_day(calls: Counter[str], days: float) -> PerDay:
    """Counts by priority, per day."""
    high, medium, low = (_count(calls, priority) / days if days else 0.0 for priority in GRAVEST_FIRST)
    return PerDay(high, medium, low, high + medium + low)


def _record(numerics: Numerics, product: Counter[str], plain: Counter[str]) -> Record:
    present = np.stack([np.isfinite(series.values) for series in numerics.series])
    return Record(
        numerics.name,
        days=float(present.any(axis=0).sum()) * numerics.interval / DAY_SECONDS,
        values=int(present.sum()),
        product=product.total(),
        plain=plain.total(),
        product_high=_count(product, Priority.HIGH),
        plain_high=_count(plain, Priority.HIGH),
    )


def _count(calls: Counter[str], priority: Priority) -> int:
    return sum(count for code, count in calls.items() if CATALOGUE[code].priority is priority)
