"""Technical conditions become alerts: one for each unit, device, code and part."""

from typing import Any

import pytest

from gateway.contract.condition import CONDITIONS
from gateway.contract.quantity import SECOND
from gateway.contract.topic import UnitKind
from gateway.rules.catalogue import CATALOGUE, Kind, Priority
from gateway.rules.engine import Rules
from gateway.rules.hold import Edge, Hold
from gateway.rules.switches import CODES, BadCondition, Switches, read_report
from gateway.rules.threshold import Finding, Thresholds
from tests.unit.gateway.builders import NOW


def say(rules: Rules, code: str, state: str, second: int = 0, *, part: str = "", mute: bool = False) -> list[Finding]:
    details = {"code": code, "state": state} | ({"part": part} if part else {})
    return rules.report(
        "bed-1", "mattress", "condition", details, NOW + second * SECOND, simulated=False, mutes=lambda _: mute
    )


def edges(findings: list[Finding]) -> list[tuple[str, str, Edge]]:
    return [(one.row.code, one.subject, one.edge) for one in findings]


@pytest.mark.parametrize("code", sorted(CONDITIONS))
def test_every_condition_has_its_row_and_is_raised_and_cleared(code: str) -> None:
    rules = Rules(Thresholds())
    row = CATALOGUE[code]
    assert (row.kind, row.priority, row.source) == (Kind.TECHNICAL, CONDITIONS[code].priority, CONDITIONS[code].meaning)
    assert edges(say(rules, code, "on")) == [(code, "device/bed-1/mattress", Edge.RAISE)]
    assert edges(say(rules, code, "off", 1)) == [(code, "device/bed-1/mattress", Edge.CLEAR)]


def test_each_part_is_an_alert_of_its_own() -> None:
    rules = Rules(Thresholds())
    [second] = say(rules, "probe-fault", "on", part="2")
    [third] = say(rules, "probe-fault", "on", part="3")
    version = {"rules_version": rules.version}
    assert (second.subject, second.details) == ("device/bed-1/mattress/2", {"part": "2"} | version)
    assert third.subject == "device/bed-1/mattress/3"
    [cleared] = say(rules, "probe-fault", "off", 1, part="2")
    assert cleared.subject == second.subject


@pytest.mark.parametrize(
    ("name", "end", "details", "row", "part"),
    [
        ("sensor-off", "sensor-on", {"sensor": "spo2"}, "sensor-off", "spo2"),
        ("beacon-silent", "beacon-seen-again", {"id": "b:1:7", "kind": "ibeacon"}, "beacon-silent", "b:1:7"),
    ],
)
def test_what_is_behind_a_device_is_a_part_of_it(
    name: str, end: str, details: dict[str, Any], row: str, part: str
) -> None:
    rules = Rules(Thresholds())
    found = []
    for second, event in enumerate((name, end)):
        found += rules.report("u", "d", event, details, NOW + second * SECOND, simulated=False, mutes=lambda _: False)
    assert edges(found) == [(row, f"device/u/d/{part}", Edge.RAISE), (row, f"device/u/d/{part}", Edge.CLEAR)]


@pytest.mark.parametrize(
    ("alarm", "given", "row", "subject", "priority"),
    [
        ("asystole", "high", "asystole", "device/u/monitor", "high"),
        ("heart-rate-high", "high", "heart-rate-high", "device/u/monitor", "high"),
        ("heart-rate-high", None, "heart-rate-high", "device/u/monitor", "medium"),
        ("bubble-sensor", "low", "device-alarm", "device/u/monitor/bubble-sensor", "low"),
        ("battery-low", "medium", "device-alarm", "device/u/monitor/battery-low", "medium"),
    ],
)
def test_a_devices_own_alarm_is_told_as_the_device_says_it(
    alarm: str, given: str | None, row: str, subject: str, priority: str
) -> None:
    rules = Rules(Thresholds())
    details = {"alarm": alarm} | ({"priority": given} if given else {})
    found = []
    for second, state in enumerate(("on", "off")):
        at = NOW + second * SECOND
        found += rules.report(
            "u", "monitor", f"device-alarm-{state}", details, at, simulated=False, mutes=lambda _: False
        )
    assert edges(found) == [(row, subject, Edge.RAISE), (row, subject, Edge.CLEAR)]
    assert found[0].row.priority == priority
    assert found[0].details["source"] == "device"


@pytest.mark.parametrize("details", [{}, {"alarm": ""}, {"alarm": 3}, {"alarm": "x", "priority": "urgent"}])
def test_an_alarm_that_does_not_say_what_it_is_is_refused(details: dict[str, Any]) -> None:
    with pytest.raises(BadCondition):
        read_report("device-alarm-on", details)


def test_a_devices_own_alarm_is_a_switch_after_a_restart_too() -> None:
    rules = Rules(Thresholds())
    details = {"alarm": "heart-rate-high", "priority": "high"}
    rules.report("u", "monitor", "device-alarm-on", details, NOW, simulated=False, mutes=lambda _: False)
    [(subject, code, state)] = rules.switches.take_dirty()
    assert rules.switches.owns(subject, code)
    assert state.firing
    assert not rules.switches.owns("unit/u", "heart-rate-high"), "ours is a rule on values"


def test_what_is_older_than_the_last_word_changes_nothing_also_over_a_restart() -> None:
    rules = Rules(Thresholds())
    say(rules, "battery-low", "on", 5)
    say(rules, "battery-low", "off", 10)
    assert say(rules, "battery-low", "on", 9) == []
    kept = rules.switches.take_dirty()
    again = Rules(Thresholds(), Switches())
    for subject, code, state in kept:
        again.switches.restore(subject, code, state)
    assert say(again, "battery-low", "on", 9) == []
    assert edges(say(again, "battery-low", "on", 11)) == [("battery-low", "device/bed-1/mattress", Edge.RAISE)]


def test_one_code_does_not_hide_another() -> None:
    rules = Rules(Thresholds())
    say(rules, "battery-low", "on", 10)
    assert edges(say(rules, "mains-lost", "on", 5)) == [("mains-lost", "device/bed-1/mattress", Edge.RAISE)]


def test_in_service_mode_nothing_is_raised_and_what_lasts_is_told_afterwards() -> None:
    rules = Rules(Thresholds())
    say(rules, "pump-fault", "on", 0)
    assert say(rules, "battery-low", "on", 1, mute=True) == []
    assert say(rules, "mains-lost", "on", 2, mute=True) == []
    assert edges(say(rules, "mains-lost", "off", 3, mute=True))[0][2] is Edge.CLEAR
    assert edges(say(rules, "pump-fault", "off", 4, mute=True))[0][2] is Edge.CLEAR, "what is repaired is over"
    standing = rules.switches.standing("bed-1", "mattress", NOW, simulated=False)
    assert edges(standing) == [("battery-low", "device/bed-1/mattress", Edge.RAISE)]


def test_what_stands_is_of_that_device_alone() -> None:
    rules = Rules(Thresholds())
    say(rules, "battery-low", "on")
    say(rules, "probe-fault", "on", part="2")
    for other in ("mattress-2", "mat"):
        rules.report("bed-1", other, "lead-off", {}, NOW, simulated=False, mutes=lambda _: False)
    found = rules.switches.standing("bed-1", "mattress", NOW, simulated=False)
    assert {one.subject for one in found} == {"device/bed-1/mattress", "device/bed-1/mattress/2"}
    everywhere = rules.switches.standing("bed-1", None, NOW, simulated=False)
    assert {one.device for one in everywhere} == {"mattress", "mattress-2", "mat"}
    assert rules.switches.standing("bed-10", None, NOW, simulated=False) == []


def test_a_code_of_a_newer_agent_is_a_fault_that_names_itself() -> None:
    [found] = say(Rules(Thresholds()), "flux-low", "on", part="b")
    assert (found.row.code, found.subject) == ("device-fault", "device/bed-1/mattress/flux-low/b")
    assert found.details["part"] == "flux-low/b"


@pytest.mark.parametrize(
    "details",
    [
        {},
        {"code": "battery-low"},
        {"code": "battery-low", "state": "perhaps"},
        {"code": "battery-low", "state": True},
        {"code": "", "state": "on"},
        {"code": 7, "state": "on"},
        {"code": "x" * 65, "state": "on"},
    ],
)
def test_what_is_no_condition(details: dict[str, Any]) -> None:
    with pytest.raises(BadCondition):
        read_report("condition", details)


def silence_of(
    rules: Rules, state: str, second: int = 0, *, by: str = "agent", device: Any = "monitor"
) -> list[Finding]:
    details = {"device": device, "state": state}
    return rules.report(
        "bed-1", by, "device-silent", details, NOW + second * SECOND, simulated=False, mutes=lambda _: False
    )


def test_a_device_the_agent_calls_silent_is_an_alert_of_that_device() -> None:
    rules = Rules(Thresholds())
    [raised] = silence_of(rules, "silent")
    assert (raised.row.code, raised.subject, raised.device) == ("link-fault", "device/bed-1/monitor", "monitor")
    assert raised.edge is Edge.RAISE
    assert silence_of(rules, "speaking", -1) == [], "older than the last word"
    assert edges(silence_of(rules, "speaking", 1)) == [("link-fault", "device/bed-1/monitor", Edge.CLEAR)]


def test_nobody_but_the_agent_says_that_another_device_is_silent() -> None:
    assert silence_of(Rules(Thresholds()), "silent", by="mattress") == []


@pytest.mark.parametrize(("device", "state"), [("", "silent"), ("a/b", "silent"), (7, "silent"), ("bed", "on")])
def test_what_is_no_silence(device: Any, state: str) -> None:
    with pytest.raises(BadCondition):
        silence_of(Rules(Thresholds()), state, device=device)


def test_other_events_switch_nothing() -> None:
    assert read_report("boarded", {"code": "battery-low", "state": "on"}) is None


def test_an_alert_of_an_older_database_is_a_switch_that_is_on() -> None:
    rules = Rules(Thresholds())
    rules.restore("device/bed-1/mattress", "lead-off", NOW)
    assert rules.report("bed-1", "mattress", "lead-on", {}, NOW - 1, simulated=False, mutes=lambda _: False) == []
    rules.restore("unit/bed-1", "heart-rate-high", NOW)
    assert "heart-rate-high" not in CODES


# ---- what lasts -----------------------------------------------------------------------------------------------------


def tell(rules: Rules, name: str, second: int, device: str = "monitor", **details: str) -> list[Finding]:
    return rules.report("u", device, name, details, NOW + second * SECOND, simulated=False, mutes=lambda _: False)


def checked(rules: Rules, second: int, *, mute: bool = False) -> list[Finding]:
    return rules.check(NOW + second * SECOND, mutes=lambda _, __: mute)


@pytest.mark.parametrize(
    ("name", "end", "sensor", "subject"),
    [
        ("lead-off", "lead-on", "", "device/u/monitor"),
        ("sensor-off", "sensor-on", "spo2", "device/u/monitor/spo2"),
    ],
)
def test_what_is_off_for_a_minute_is_medium_until_it_is_on(name: str, end: str, sensor: str, subject: str) -> None:
    rules, long = Rules(Thresholds(None, lambda _: UnitKind.AMBULANCE)), f"{name}-long"
    part = {"sensor": sensor} if sensor else {}
    assert tell(rules, name, 0, **part)[0].row.priority is Priority.LOW
    tell(rules, name, 50, **part)  # said again: the minute does not begin anew
    assert checked(rules, 59) == []
    [found] = checked(rules, 61)
    assert (found.row.code, found.row.priority, found.edge) == (long, Priority.MEDIUM, Edge.RAISE)
    assert (found.subject, found.device, found.at) == (subject, "monitor", NOW + 60 * SECOND)
    assert found.details["rules_version"] == rules.version
    assert checked(rules, 62) == [], "once"
    assert edges(tell(rules, end, 70, **part)) == [(name, subject, Edge.CLEAR)]
    assert edges(checked(rules, 70)) == [(long, subject, Edge.CLEAR)]
    tell(rules, name, 80, **part)
    assert checked(rules, 139) == [], "a minute of its own"
    assert edges(checked(rules, 140)) == [(long, subject, Edge.RAISE)]


def test_what_is_off_for_less_than_a_minute_stays_low() -> None:
    rules = Rules(Thresholds())
    tell(rules, "lead-off", 0)
    tell(rules, "lead-on", 59)
    assert checked(rules, 200) == []


@pytest.mark.parametrize("stopped", [30, 65])
def test_a_restart_neither_forgets_the_minute_nor_tells_it_twice(stopped: int) -> None:
    rules = Rules(Thresholds())
    tell(rules, "lead-off", 0)
    before = checked(rules, stopped)
    again = Rules(Thresholds())
    for subject, code, state in rules.take_dirty():
        assert again.switches.owns(subject, code)
        assert isinstance(state, Hold)
        again.switches.restore(subject, code, state)
    after = checked(again, 66)
    assert edges(before + after) == [("lead-off-long", "device/u/monitor", Edge.RAISE)]
    tell(again, "lead-on", 70)
    assert edges(checked(again, 71)) == [("lead-off-long", "device/u/monitor", Edge.CLEAR)]


def test_what_lasts_in_service_is_told_when_that_ends() -> None:
    rules = Rules(Thresholds())
    tell(rules, "lead-off", 0)
    assert checked(rules, 61, mute=True) == []
    standing = rules.standing("u", "monitor", NOW + 90 * SECOND, simulated=False)
    assert {one.row.code for one in standing} == {"lead-off", "lead-off-long"}


def test_at_a_kiosk_a_sensor_waits_for_the_next_person() -> None:
    for kind, expected in ((UnitKind.HEALTH_KIOSK, []), (UnitKind.HOMECARE_BED, ["sensor-off-long"])):
        rules = Rules(Thresholds(None, lambda _, kind=kind: kind))  # type: ignore[misc]
        tell(rules, "sensor-off", 0, sensor="spo2")
        assert [one.row.code for one in checked(rules, 300)] == expected
