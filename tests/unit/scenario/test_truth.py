"""The verdict: what was stored against what is true."""

from typing import Any

import msgspec
import pytest

from gateway.scenario.truth import Outcome, Seen, Truth, Verdict, fault, judge

DURATION = 100.0


def truth(**fields: Any) -> Truth:
    return msgspec.convert({"label": "it", "unit": "u", **fields}, Truth)


def value(at: float, number: float, *, late: float = 0.5, device: str = "monitor", unit: str = "u") -> Seen:
    return Seen(unit=unit, device=device, name="heart-rate", at=at, received=at + late, value=number)


def event(at: float, name: str, *, device: str = "crew", late: float = 0.5, **details: Any) -> Seen:
    return Seen(unit="u", device=device, name=name, at=at, received=at + late, details=details)


def condition(at: float, code: str, state: str = "on", device: str = "pump", **more: Any) -> Seen:
    return event(at, "condition", device=device, code=code, state=state, **more)


def alert(at: float, rule: str, priority: str = "medium", state: str = "raised") -> Seen:
    details = {"priority": priority, "state": state}
    return Seen(unit="u", device="monitor", name=rule, at=at, received=at, details=details, is_alert=True)


def verdict(one: Truth, *seen: Seen) -> Verdict:
    return judge([one], seen, DURATION)[0]


def passes(one: Truth, *seen: Seen) -> bool:
    return verdict(one, *seen).verdict is Outcome.PASS


FAST = {"reading": {"quantity": "heart-rate", "min": 120}, "at": 10, "within": 20}


def test_a_reading_in_range_and_in_time() -> None:
    assert passes(truth(**FAST), value(5, 130), value(15, 90), value(20, 120))
    assert verdict(truth(**FAST), value(20, 120, late=2)).delay_s == 12


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [value(5, 130)],
        [value(15, 119)],
        [value(31, 130)],
        [value(29, 130, late=2)],
        [value(15, 130, unit="v")],
    ],
    ids=["nothing", "before", "out of range", "too late", "stored too late", "of another unit"],
)
def test_a_reading_that_does_not_show_it(seen: list[Seen]) -> None:
    assert not passes(truth(**FAST), *seen)


def test_an_upper_bound_and_a_device() -> None:
    slow = truth(at=0, within=10, reading={"quantity": "heart-rate", "max": 50, "device": "band"})
    assert passes(slow, value(1, 50, device="band"))
    assert not passes(slow, value(1, 51, device="band"), value(1, 40, device="monitor"))


def test_what_must_last() -> None:
    lasting = truth(**FAST, until=60)
    assert passes(lasting, value(20, 130), value(59, 125), value(60, 80))
    failed = verdict(lasting, value(20, 130), value(59, 119))
    assert failed.verdict is Outcome.FAIL
    assert "but then heart-rate 119" in failed.seen


def test_an_event_with_details_among_its_own() -> None:
    one = truth(at=10, within=10, event={"name": "boarded", "details": {"by": "crew-1"}})
    assert passes(one, event(12, "boarded", by="crew-1", complaint="pain"))
    assert not passes(one, event(12, "boarded", by="crew-2"))
    assert not passes(one, event(12, "arrived", by="crew-1"))


def test_a_condition_comes_lasts_and_goes() -> None:
    on = truth(at=10, within=10, until=40, condition={"code": "pump-fault"})
    off = truth(label="over", at=40, within=10, condition={"code": "pump-fault", "state": "off"})
    story = [condition(11, "pump-fault"), condition(41, "pump-fault", "off")]
    assert [one.verdict for one in judge([on, off], story, DURATION)] == [Outcome.PASS, Outcome.PASS]
    assert not passes(on, condition(11, "pump-fault"), condition(30, "pump-fault", "off"))


def test_a_condition_of_a_part() -> None:
    one = truth(at=0, within=10, condition={"code": "probe-fault", "part": "2"})
    assert passes(one, condition(1, "probe-fault", part="2"))
    assert not passes(one, condition(1, "probe-fault", part="1"), condition(1, "probe-fault"))


def test_an_alert_is_raised_lasts_and_ends() -> None:
    low = truth(alert={"rule": "spo2-low", "priority": "medium"}, at=10, within=20, until=60)
    assert passes(low, alert(15, "spo2-low"), alert(70, "spo2-low", state="resolved"))
    assert not passes(low, alert(15, "spo2-low"), alert(50, "spo2-low", state="resolved")), "it ended too early"
    assert not passes(low, alert(15, "spo2-low", "high"))
    assert not passes(low, alert(15, "heart-rate-low"))
    assert not passes(low, event(15, "spo2-low", device="monitor")), "an event is no alert"
    over = truth(alert={"rule": "spo2-low", "state": "resolved"}, at=60, within=20)
    assert passes(over, alert(15, "spo2-low"), alert(70, "spo2-low", state="resolved"))


def test_no_other_alert_above_low() -> None:
    labels = [
        truth(alert={"rule": "spo2-low"}, at=10, within=20),
        truth(label="else", nothing_else="alert"),
    ]

    def else_passes(*seen: Seen) -> bool:
        return judge(labels, seen, DURATION)[1].verdict is Outcome.PASS

    expected = alert(15, "spo2-low"), alert(40, "spo2-low", state="resolved")
    assert else_passes(*expected, alert(20, "signal-missing", "low"), condition(21, "probe-fault"))
    assert not else_passes(*expected, alert(20, "asystole", "high"))
    assert not else_passes(*expected, alert(50, "spo2-low")), "a second one is another"
    graver = alert(20, "spo2-severe")
    assert not else_passes(*expected, graver)
    assert else_passes(*expected, msgspec.structs.replace(graver, details=graver.details | {"muted": True}))


def test_never() -> None:
    quiet = truth(never=True, at=10, until=50, event={"name": "lead-off"})
    assert passes(quiet, event(5, "lead-off"), event(50, "lead-off"))
    failed = verdict(quiet, event(49, "lead-off"))
    assert failed.verdict is Outcome.FAIL
    assert "lead-off of crew at 49.0 s" in failed.seen
    assert not passes(truth(never=True, reading={"quantity": "heart-rate", "max": 20}), value(99, 20))


def test_nothing_else_but_what_other_labels_speak_of() -> None:
    others = [
        truth(label="fault", at=10, within=10, condition={"code": "pump-fault"}),
        truth(label="alone", nothing_else="condition"),
        truth(label="no event", nothing_else="event"),
    ]
    known = [condition(11, "pump-fault"), condition(30, "pump-fault", "off"), event(1, "device-link", device="agent")]
    assert {one.verdict for one in judge(others, known, DURATION)} == {Outcome.PASS}
    fault_, alone, no_event = judge(others, [*known, condition(50, "battery-low"), event(60, "boarded")], DURATION)
    assert (fault_.verdict, alone.verdict, no_event.verdict) == (Outcome.PASS, Outcome.FAIL, Outcome.FAIL)
    assert "battery-low" in alone.seen
    assert "boarded" in no_event.seen


def nothing_else(kind: str, labels: list[Truth], *seen: Seen) -> Verdict:
    return judge([*labels, truth(label="nothing else", nothing_else=kind)], seen, DURATION)[-1]


@pytest.mark.parametrize("at", [9.0, 31.0])
@pytest.mark.parametrize("kind", ["event", "condition"])
def test_a_label_excuses_nothing_outside_its_time(kind: str, at: float) -> None:
    labels = [
        truth(label="e", at=10, within=20, event={"name": "bed-exit"}),
        truth(label="c", at=10, within=20, condition={"code": "pump-fault"}),
    ]
    make = {"event": lambda when: event(when, "bed-exit"), "condition": lambda when: condition(when, "pump-fault")}
    assert nothing_else(kind, labels, make[kind](15)).verdict is Outcome.PASS
    failed = nothing_else(kind, labels, make[kind](at))
    assert failed.verdict is Outcome.FAIL
    assert f"at {at} s" in failed.seen


def test_a_label_excuses_once_unless_it_repeats() -> None:
    one = {"at": 10, "within": 20, "event": {"name": "bed-exit"}}
    exits = [event(15, "bed-exit"), event(16, "bed-exit")]
    failed = nothing_else("event", [truth(**one)], *exits)
    assert failed.seen == "bed-exit of crew at 16.0 s"
    assert nothing_else("event", [truth(**one, repeats=True)], *exits).verdict is Outcome.PASS
    until = truth(**one, repeats=True, until=50)
    assert nothing_else("event", [until], *exits, event(49, "bed-exit")).verdict is Outcome.PASS
    assert nothing_else("event", [until], *exits, event(51, "bed-exit")).verdict is Outcome.FAIL


def test_a_condition_that_flaps_is_not_excused() -> None:
    lasting = truth(at=10, within=10, until=60, condition={"code": "pump-fault"})
    once = [condition(11, "pump-fault"), condition(70, "pump-fault", "off")]
    assert nothing_else("condition", [lasting], *once).verdict is Outcome.PASS
    again = nothing_else("condition", [lasting], *once, condition(75, "pump-fault"))
    assert again.seen == "condition of pump at 75.0 s (code=pump-fault state=on)"


def test_two_labels_excuse_two_things() -> None:
    anybody = truth(label="anybody", at=10, within=20, event={"name": "bed-exit"})
    the_bed = truth(label="the bed", at=10, within=20, event={"name": "bed-exit", "device": "bed"})
    both = [event(15, "bed-exit", device="bed"), event(16, "bed-exit", device="mat")]
    assert nothing_else("event", [anybody, the_bed], *both).verdict is Outcome.PASS
    assert nothing_else("event", [anybody, the_bed], *both, event(17, "bed-exit")).verdict is Outcome.FAIL


def test_what_is_said_of_a_label_that_failed() -> None:
    failed = verdict(truth(**FAST), value(12, 90), value(14, 91))
    assert failed.expected == "heart-rate 120.. within 20 s of 10 s"
    assert failed.seen == "nothing; at last heart-rate 91 of monitor at 14.0 s"
    assert failed.delay_s is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"at": 1, "within": 5}, "one of reading"),
        ({"at": 1, "within": 5, "event": {"name": "x"}, "nothing_else": "event"}, "one of reading"),
        ({"event": {"name": "x"}}, "within"),
        ({"event": {"name": "x"}, "at": 98, "within": 5}, "after its end"),
        ({"event": {"name": "x"}, "at": 100, "within": 5}, "scenario's end"),
        ({"event": {"name": "x"}, "at": 5, "until": 4, "never": True}, "before `at`"),
        ({"event": {"name": "x"}, "until": 101, "never": True}, "scenario's end"),
        ({"event": {"name": "x"}, "never": True, "within": 5}, "no meaning"),
        ({"event": {"name": "x"}, "at": 5, "until": 40, "within": 5}, "does not last"),
        ({"nothing_else": "event", "never": True}, "no meaning"),
        ({"nothing_else": "event", "repeats": True}, "`repeats` is for"),
        ({"event": {"name": "x"}, "never": True, "repeats": True}, "`repeats` is for"),
        ({"reading": {"quantity": "spo2", "min": 1}, "within": 5, "repeats": True}, "`repeats` is for"),
        ({"reading": {"quantity": "spo2"}, "within": 5}, "min"),
    ],
)
def test_a_label_nothing_could_show(fields: dict[str, Any], expected: str) -> None:
    assert expected in (fault(truth(**fields), DURATION) or "no fault found")


def test_a_right_label_has_no_fault() -> None:
    assert fault(truth(**FAST, until=100), DURATION) is None
    assert fault(truth(event={"name": "x"}, within=5, until=50, repeats=True), DURATION) is None


def test_an_alert_of_the_gateway_concerns_every_unit() -> None:
    lost = msgspec.structs.replace(alert(15, "broker-lost", "high"), unit="", device="")
    assert nothing_else("alert", [], lost).verdict is Outcome.FAIL
    named = truth(label="it is told", at=10, within=20, alert={"rule": "broker-lost"})
    assert nothing_else("alert", [named], lost).verdict is Outcome.PASS
    assert passes(named, lost)
    assert nothing_else("alert", [], msgspec.structs.replace(lost, unit="v")).verdict is Outcome.PASS
