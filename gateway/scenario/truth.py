"""Truth labels of a scenario, and the verdict on each. Pure: what the gateway stored comes in, verdicts go out.

A truth says what is really the case from ``at`` on (and, with ``until``, that it stays so) and what must be seen of it
within ``within`` seconds; or, with ``never``, what must not be seen; or that nothing else of a kind is seen. A label
excuses what it speaks of only in its own time, and once; with ``repeats``, as often as it comes in that time.
All times are seconds of the scenario.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec

from gateway.contract.condition import EVENT as CONDITION_EVENT

EVERYWHERE: Final = ""  # the unit of what concerns the gateway as a whole, and so every unit
AGENT: Final = "agent"  # the device under which an agent reports events of its own
SIGHTS: Final = ("reading", "st", "event", "condition", "alert")

Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of a scenario file: a key that nobody reads is a mistake."""


class ReadingSight(Table, frozen=True, kw_only=True):
    """A value of a quantity, ``min`` and ``max`` included."""

    quantity: str
    device: str = ""  # "" = any of the unit
    min: float | None = None
    max: float | None = None


class StSight(Table, frozen=True, kw_only=True):
    """An ST level in the stored samples, mV, ``min`` and ``max`` included."""

    lead: str
    device: str
    min: float | None = None
    max: float | None = None

    @property
    def name(self) -> str:
        """What a measured level is called."""
        return f"ST level in {self.lead}"


class EventSight(Table, frozen=True, kw_only=True):
    """An event; ``details`` must be among its own."""

    name: str
    device: str = ""
    details: dict[str, Any] = {}


class ConditionSight(Table, frozen=True, kw_only=True):
    """A technical condition (gateway.contract.condition) that came, or with ``state = "off"`` went."""

    code: str
    device: str = ""
    part: str | None = None  # None = any
    state: Literal["on", "off"] = "on"


class AlertSight(Table, frozen=True, kw_only=True):
    """An alert (gateway.rules.catalogue) that was raised, or with ``state = "resolved"`` ended."""

    rule: str
    device: str = ""
    priority: Literal["low", "medium", "high"] | None = None  # None = any
    state: Literal["raised", "resolved"] = "raised"


Sight = ReadingSight | StSight | EventSight | ConditionSight | AlertSight


class Truth(Table, frozen=True, kw_only=True):
    """One label. Exactly one of the sights and ``nothing_else`` is set."""

    label: str
    unit: str = ""  # "" = the scenario's only one
    at: Seconds = 0.0
    until: Seconds | None = None
    within: Annotated[float, msgspec.Meta(gt=0)] | None = None
    never: bool = False
    repeats: bool = False  # in its own time it may come more than once
    reading: ReadingSight | None = None
    st: StSight | None = None
    event: EventSight | None = None
    condition: ConditionSight | None = None
    alert: AlertSight | None = None
    nothing_else: Literal["event", "condition", "alert"] | None = None  # of alerts: none above low

    @property
    def sight(self) -> Sight | None:
        """What is to be seen, or never to be seen."""
        return self.reading or self.st or self.event or self.condition or self.alert


def fault(truth: Truth, duration: float) -> str | None:
    """What is wrong with a label whose every single field is right; None = nothing."""
    given = [truth.sight, truth.nothing_else]
    sights = [truth.reading, truth.st, truth.event, truth.condition, truth.alert]
    sight = truth.sight
    end = duration if truth.until is None else truth.until
    problems = (
        (_count(given) != 1 or _count(sights) > 1, f"expected one of {', '.join(SIGHTS)}, nothing_else"),
        (truth.at >= duration, f"`at` lies at or after the scenario's end, {duration:g} s"),
        (not truth.at < end <= duration, f"`until` lies before `at` or after the scenario's end, {duration:g} s"),
        (_is_positive(truth) and truth.within is None, "expected `within`: the seconds in which it must be seen"),
        (_is_positive(truth) and truth.at + (truth.within or 0) > end, "`at` + `within` lies after its end"),
        (not _is_positive(truth) and truth.within is not None, "`within` has no meaning for what must not be seen"),
        (truth.never and truth.nothing_else is not None, "`never` has no meaning with `nothing_else`"),
        (_is_lasting_event(truth), "an event does not last `until`, unless it `repeats`"),
        (
            truth.repeats and not _is_repeatable(truth),
            "`repeats` is for what comes, not for a reading",
        ),
        (isinstance(sight, ReadingSight | StSight) and sight.min is sight.max is None, "expected `min` or `max`"),
    )
    return next((text for wrong, text in problems if wrong), None)


def _count(given: Iterable[object]) -> int:
    return sum(one is not None for one in given)


def _is_positive(truth: Truth) -> bool:
    return not truth.never and truth.nothing_else is None


def _is_lasting_event(truth: Truth) -> bool:
    return truth.event is not None and truth.until is not None and not (truth.never or truth.repeats)


def _is_repeatable(truth: Truth) -> bool:
    return isinstance(truth.sight, EventSight | ConditionSight | AlertSight) and not truth.never


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the gateway stored: a value, an event, a change of a technical condition or of an alert."""

    unit: str
    device: str
    name: str  # quantity, event, code of the condition, or rule of the alert
    at: float  # when it happened, s
    received: float  # when the gateway had it, s
    value: float | None = None
    details: dict[str, Any] = {}
    is_alert: bool = False  # then ``details`` has its priority and its state

    @property
    def kind(self) -> str:
        """reading, event, condition or alert."""
        if self.is_alert:
            return "alert"
        if self.value is not None:
            return "reading"
        return "condition" if self.name == CONDITION_EVENT else "event"

    def __str__(self) -> str:
        if self.value is not None:
            return f"{self.name} {self.value:g} of {self.device or 'the unit'} at {self.at:.1f} s"
        words = " ".join(f"{name}={value}" for name, value in self.details.items())
        return f"{self.name} of {self.device} at {self.at:.1f} s" + (f" ({words})" if words else "")


class Outcome(StrEnum):
    """The verdict on one label."""

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One label: what was expected, what was seen, how long after the truth it was there, and what that makes it."""

    label: str
    unit: str
    expected: str
    seen: str
    delay_s: float | None  # from the truth to its being stored, scenario time; None = not seen, or nothing to see
    verdict: Outcome


def judge(truths: Sequence[Truth], seen: Iterable[Seen], duration: float) -> list[Verdict]:
    """The verdict on every label. ``truths`` name their units; ``seen`` in any order."""
    things = sorted(seen, key=lambda thing: thing.at)
    return [
        _judge_one(truth, truths, [one for one in things if one.unit in (truth.unit, EVERYWHERE)], duration)
        for truth in truths
    ]


def _judge_one(truth: Truth, truths: Sequence[Truth], things: list[Seen], duration: float) -> Verdict:
    end = duration if truth.until is None else truth.until
    during = [thing for thing in things if truth.at <= thing.at < end]
    if truth.nothing_else is not None:
        kin = [one for one in things if _is_of(one, truth.nothing_else)]
        excused = _excused([one for one in truths if one.unit == truth.unit and _is_positive(one)], kin)
        strangers = [one for place, one in enumerate(kin) if place not in excused and truth.at <= one.at < end]
        return _forbidden(truth, strangers)
    sight = truth.sight
    assert sight is not None
    if truth.never:
        return _forbidden(truth, [thing for thing in during if matches(sight, thing)])
    return _required(truth, sight, during)


def _is_of(thing: Seen, kind: str) -> bool:
    """What an agent says of its own links is no event of the world; a low or a muted alert calls nobody."""
    calls = thing.kind != "alert" or not (thing.details.get("priority") == "low" or thing.details.get("muted"))
    return thing.kind == kind and thing.device != AGENT and calls


def _excused(truths: Iterable[Truth], things: Sequence[Seen]) -> set[int]:
    """The places of the things that a label speaks of, each label in its own time and, unless it repeats, of one.

    That a condition goes is no news: its coming was expected, or is a stranger itself.
    """
    options = [(one, [place for place, thing in enumerate(things) if _speaks_of(one, thing)]) for one in truths]
    excused = {place for place, thing in enumerate(things) if _is_gone(thing)}
    for truth, places in sorted(options, key=lambda option: len(option[1])):  # who has no choice chooses first
        left = [place for place in places if place not in excused]
        excused.update(left if truth.repeats else left[:1])
    return excused


def _speaks_of(truth: Truth, thing: Seen) -> bool:
    assert truth.sight is not None
    return matches(truth.sight, thing) and truth.at <= thing.at <= _last(truth)


def _last(truth: Truth) -> float:
    """The end of the time in which what a label speaks of may come."""
    return truth.at + (truth.within or 0.0) if truth.until is None else truth.until


def _is_gone(thing: Seen) -> bool:
    return thing.kind in {"condition", "alert"} and thing.details.get("state") in {"off", "resolved"}


def _forbidden(truth: Truth, found: list[Seen]) -> Verdict:
    seen = "nothing" if not found else "; ".join(map(str, found[:3])) + (f"; {len(found)} in all" if found[3:] else "")
    return _verdict(truth, seen, found[0].received if found else None, not found)


def _required(truth: Truth, sight: Sight, during: list[Seen]) -> Verdict:
    assert truth.within is not None
    found = next((thing for thing in during if matches(sight, thing)), None)
    if found is None:
        return _verdict(truth, _instead(sight, during), None, passed=False)
    if truth.until is not None and (ended := next(_contrary(sight, during, found), None)) is not None:
        return _verdict(truth, f"{found}, but then {ended}", found.received, passed=False)
    return _verdict(truth, str(found), found.received, found.received - truth.at <= truth.within)


def _contrary(sight: Sight, during: list[Seen], first: Seen) -> Iterator[Seen]:
    """What shows that it did not last: a value out of range, the condition's opposite."""
    match sight:
        case ReadingSight() | StSight():
            anything = msgspec.structs.replace(sight, min=None, max=None)
            yield from (
                one for one in during if one.at > first.at and matches(anything, one) and not matches(sight, one)
            )
        case ConditionSight():
            opposite = msgspec.structs.replace(sight, state="off" if sight.state == "on" else "on")
            yield from (one for one in during if one.at > first.at and matches(opposite, one))
        case AlertSight():
            opposite_alert = msgspec.structs.replace(sight, state="resolved" if sight.state == "raised" else "raised")
            yield from (one for one in during if one.at > first.at and matches(opposite_alert, one))


def _instead(sight: Sight, during: list[Seen]) -> str:
    """The nearest thing that was seen: what somebody who must repair the scenario or the program looks for first."""
    alike = [one for one in during if _alike(sight, one)]
    return f"nothing; at last {alike[-1]}" if alike else "nothing"


def _alike(sight: Sight, thing: Seen) -> bool:
    match sight:
        case ReadingSight() | StSight():
            return matches(msgspec.structs.replace(sight, min=None, max=None), thing)
        case EventSight():
            return thing.kind == "event" and thing.name == sight.name
        case ConditionSight():
            return thing.kind == "condition" and thing.details.get("code") == sight.code
        case AlertSight():
            return thing.kind == "alert" and thing.name == sight.rule


def _verdict(truth: Truth, seen: str, received: float | None, passed: bool) -> Verdict:
    return Verdict(
        label=truth.label,
        unit=truth.unit,
        expected=describe(truth),
        seen=seen,
        delay_s=None if received is None else round(received - truth.at, 3),
        verdict=Outcome.PASS if passed else Outcome.FAIL,
    )


def matches(sight: Sight, thing: Seen) -> bool:
    """Whether this is what was to be seen."""
    if sight.device and thing.device != sight.device:
        return False
    match sight:
        case ReadingSight():
            return thing.value is not None and thing.name == sight.quantity and _within(sight, thing.value)
        case StSight():
            return thing.value is not None and thing.name == sight.name and _within(sight, thing.value)
        case EventSight():
            return thing.kind == "event" and thing.name == sight.name and _among(sight.details, thing.details)
        case ConditionSight():
            wanted = {"code": sight.code, "state": sight.state} | ({} if sight.part is None else {"part": sight.part})
            return thing.kind == "condition" and _among(wanted, thing.details)
        case AlertSight():
            told = {"state": sight.state} | ({} if sight.priority is None else {"priority": sight.priority})
            return thing.kind == "alert" and thing.name == sight.rule and _among(told, thing.details)


def _within(sight: ReadingSight | StSight, value: float) -> bool:
    return (sight.min is None or value >= sight.min) and (sight.max is None or value <= sight.max)


def _among(wanted: dict[str, Any], details: dict[str, Any]) -> bool:
    return all(name in details and details[name] == value for name, value in wanted.items())


def describe(truth: Truth) -> str:
    """The label's demand as a sentence."""
    span = f"from {truth.at:g} s" + (f" to {truth.until:g} s" if truth.until is not None else "")
    if truth.nothing_else is not None:
        return f"no other {truth.nothing_else}{' above low' * (truth.nothing_else == 'alert')} {span}"
    if truth.never:
        return f"never {_words(truth.sight)} {span}"
    lasting = f", then until {truth.until:g} s" if truth.until is not None else ""
    return f"{_words(truth.sight)} within {truth.within:g} s of {truth.at:g} s{lasting}"


def _words(sight: Sight | None) -> str:
    if sight is None:
        return ""
    return f"{_thing(sight)} of {sight.device}" if sight.device else _thing(sight)


def _thing(sight: Sight) -> str:
    match sight:
        case ReadingSight() | StSight():
            low, high = ("" if bound is None else f"{bound:g}" for bound in (sight.min, sight.max))
            return f"{sight.quantity if isinstance(sight, ReadingSight) else sight.name} {low}..{high}"
        case EventSight():
            return " ".join([f"event {sight.name}", *(f"{name}={value}" for name, value in sight.details.items())])
        case ConditionSight():
            return f"condition {sight.code}" + (f"/{sight.part}" if sight.part else "") + f" {sight.state}"
        case AlertSight():
            return f"alert {sight.rule}" + (f" ({sight.priority})" if sight.priority else "") + f" {sight.state}"
