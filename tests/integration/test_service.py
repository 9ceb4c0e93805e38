"""Service mode, training and technical conditions on the gateway's path, over restarts, on a real database."""

from typing import Any

import msgspec
import pytest

from gateway.adapters import care, tables
from gateway.care.window import Mode, Refusal, WindowRefused
from gateway.contract.observation import Event
from gateway.contract.quantity import MINUTE, SECOND
from gateway.contract.topic import UnitAddress
from gateway.ports import RecordFlag
from tests.integration.care_bench import AMBULANCE, actions, end, of, open_rules, start
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import event, hello, observation

DUTY = "nobody-on-duty"  # these sites have no shifts

# ---- service mode ---------------------------------------------------------------------------------------------------


def high_rates(bench: Bench, first: int, count: int, address: UnitAddress | None = None) -> None:
    for seq in range(first, first + count):
        body = observation(seq, bench.now + SECOND, heart_rate=130.4)  # NEWS2 rounds it to 130: no 3 yet
        bench.step(of(address, body) if address else body)


def test_in_service_values_are_stored_and_flagged_and_raise_nothing(bench: Bench) -> None:
    taken = start(bench, "amb-001", "monitor")
    assert taken.mode is Mode.CALIBRATION
    high_rates(bench, 0, 20)
    assert bench.book.open == []
    assert [flags & RecordFlag.SERVICE for (flags,) in bench.rows(tables.record, "flags")] == [RecordFlag.SERVICE] * 20
    assert bench.rows(tables.latest, "quantity") == [], "they are no newest values"
    assert bench.stages.describe("amb-001")["service"]["monitor"]["mode"] == "calibration"
    told = [body for kind, _, body in bench.feed.sent if kind == "observations"]
    assert all(body["service"] for body in told)


@pytest.mark.parametrize("restart", [False, True])
def test_it_ends_on_request_and_the_device_counts_again(bench: Bench, restart: bool) -> None:
    start(bench, "amb-001", "monitor")
    high_rates(bench, 0, 15)
    if restart:
        bench.restart()
    assert end(bench, "amb-001", "monitor").state == "ended"
    high_rates(bench, 15, 11)
    assert open_rules(bench) == ["heart-rate-high"]
    assert actions(bench) == [("nurse", "service-started"), ("ops", "service-ended")]


@pytest.mark.parametrize("restart", [False, True])
def test_it_expires_by_itself(bench: Bench, restart: bool) -> None:
    start(bench, "amb-001", "monitor", minutes=1)
    if restart:
        bench.restart()
    bench.step(seconds=61)
    assert bench.rows(tables.service_window, "state", "ended_by") == [("expired", "gateway")]
    high_rates(bench, 0, 11)
    assert open_rules(bench) == ["heart-rate-high"]
    assert actions(bench) == [("nurse", "service-started"), ("gateway", "service-expired")]


def test_a_device_in_service_may_be_silent(bench: Bench) -> None:
    for seq in (0, 2, 4):
        other = observation(seq + 1, bench.now, device="oxi", spo2=97)
        bench.step(hello(bench.now), observation(seq, bench.now, spo2=97), other)
    for _ in range(20):
        bench.step(hello(bench.now))
    assert {(alert.rule, alert.device) for alert in bench.book.open} == {
        ("signal-missing", "monitor"), ("signal-missing", "oxi"),
    }  # fmt: skip
    start(bench, "amb-001", "monitor")
    assert [alert.device for alert in bench.book.open] == ["oxi"], "it is not missing: it is known where it is"
    for _ in range(20):
        bench.step(hello(bench.now))
    assert [alert.device for alert in bench.book.open] == ["oxi"]
    end(bench, "amb-001", "monitor")
    for _ in range(20):
        bench.step(hello(bench.now))
    assert [alert.device for alert in bench.book.open] == ["oxi", "monitor"], "it has not come back"


def test_a_value_in_service_does_not_clear_a_patients_alert(bench: Bench) -> None:
    high_rates(bench, 0, 11)
    start(bench, "amb-001", "monitor")
    for seq in range(11, 30):
        bench.step(observation(seq, bench.now, heart_rate=80))
    assert open_rules(bench) == ["heart-rate-high"]


def test_what_went_wrong_in_service_is_told_when_it_ends_also_after_a_restart(bench: Bench) -> None:
    start(bench, "amb-001", "monitor")
    bench.step(condition(0, bench.now, "battery-low", "on"), event(1, bench.now, "lead-off"))
    assert bench.book.open == []
    bench.restart()
    end(bench, "amb-001", "monitor")
    assert open_rules(bench) == ["battery-low", "lead-off"]


def test_an_electrode_that_is_off_for_a_minute_is_graver_but_not_in_service(bench: Bench) -> None:
    def electrodes() -> list[str]:
        return [rule for rule in open_rules(bench) if rule.startswith("lead-off")]

    start(bench, "amb-001", "monitor")
    bench.step(event(0, bench.now, "lead-off"))
    bench.step(seconds=61)
    assert electrodes() == []
    end(bench, "amb-001", "monitor")
    assert electrodes() == ["lead-off", "lead-off-long"]
    bench.restart()
    bench.step(event(1, bench.now, "lead-on"))
    bench.step(seconds=1)
    assert electrodes() == []


def test_an_electrode_that_came_off_a_minute_ago_is_graver_over_a_restart_too(bench: Bench) -> None:
    bench.step(event(0, bench.now, "lead-off"))
    bench.step(seconds=50)
    assert "lead-off-long" not in open_rules(bench)
    bench.restart()
    bench.step(seconds=11)
    [long] = [alert for alert in bench.book.open if alert.rule == "lead-off-long"]
    assert (long.priority, long.device) == ("medium", "monitor")


def test_service_is_refused_for_a_unit_that_is_revoked_and_twice(bench: Bench) -> None:
    start(bench, "amb-001", "monitor")
    again = start(bench, "amb-001", "monitor")
    assert isinstance(again, WindowRefused)
    assert again.reason is Refusal.ALREADY_ON
    stranger = start(bench, "amb-009", "monitor")
    assert isinstance(stranger, WindowRefused)
    assert stranger.reason is Refusal.UNKNOWN_UNIT
    assert isinstance(end(bench, "amb-001", "gnss"), WindowRefused)
    assert len(actions(bench)) == 1, "a refused act changes nothing"


def test_what_began_in_service_and_comes_after_it_is_told(bench: Bench) -> None:
    start(bench, "amb-001", "monitor")
    began = bench.now
    bench.step(seconds=5)
    end(bench, "amb-001", "monitor")
    bench.step(condition(0, began + SECOND, "battery-low", "on"), event(1, began + SECOND, "lead-off"))
    assert open_rules(bench) == ["battery-low", "lead-off"]


def test_what_began_before_service_and_comes_in_it_waits(bench: Bench) -> None:
    began = bench.now
    start(bench, "amb-001", "monitor")
    bench.step(condition(0, began, "battery-low", "on"))
    assert open_rules(bench) == []
    end(bench, "amb-001", "monitor")
    assert open_rules(bench) == ["battery-low"]


def test_an_event_in_service_is_told_as_such(bench: Bench) -> None:
    start(bench, "amb-001", "monitor")
    bench.step(event(0, bench.now, "boarded"))
    end(bench, "amb-001", "monitor")
    bench.step(event(1, bench.now + SECOND, "boarded"))
    told = [(body["service"], body["test"]) for kind, _, body in bench.feed.sent if kind == "event"]
    assert told == [(True, False), (False, False)]


# ---- training -------------------------------------------------------------------------------------------------------


def train(bench: Bench) -> Any:
    return start(bench, "amb-002", "", Mode.TRAINING, 60)


def test_practice_is_marked_everywhere_and_its_alerts_never_leave(live: Bench) -> None:
    assert train(live).mode is Mode.TRAINING
    assert live.stages.describe("amb-002")["provenance"] == "test"
    high_rates(live, 0, 11, AMBULANCE)
    [alert] = live.book.open
    assert (alert.rule, alert.simulated) == ("heart-rate-high", True)
    assert all(flags & RecordFlag.TEST for (flags,) in live.rows(tables.record, "flags"))
    told = [body for kind, _, body in live.feed.sent if kind == "observations"]
    assert all(body["test"] for body in told)
    assert live.stages.describe("amb-001")["training"] is None


@pytest.mark.parametrize("restart", [False, True])
def test_practice_leaves_nothing_behind_and_a_real_alert_is_real(live: Bench, restart: bool) -> None:
    train(live)
    high_rates(live, 0, 11, AMBULANCE)
    if restart:
        live.restart()
    end(live, "amb-002", "")
    assert live.book.open == []
    assert live.rows(tables.latest, "quantity") == []
    assert live.stages.describe("amb-002")["latest"] == {}
    high_rates(live, 11, 10, AMBULANCE)
    assert live.book.open == [], "the duration begins anew"
    high_rates(live, 21, 1, AMBULANCE)
    [alert] = live.book.open
    assert alert.simulated is False


def test_what_is_really_wrong_is_told_as_real_when_training_ends(live: Bench) -> None:
    train(live)
    live.step(of(AMBULANCE, condition(0, live.now, "battery-low", "on")))
    assert [(alert.rule, alert.simulated) for alert in live.book.open] == [("battery-low", True)]
    end(live, "amb-002", "")
    assert [(alert.rule, alert.simulated) for alert in live.book.open] == [("battery-low", False)]


def test_what_began_in_training_and_comes_after_it_is_told_as_real(live: Bench) -> None:
    train(live)
    began = live.now
    live.step(seconds=5)
    end(live, "amb-002", "")
    live.step(of(AMBULANCE, condition(0, began + SECOND, "battery-low", "on")))
    assert [(alert.rule, alert.simulated) for alert in live.book.open] == [("battery-low", False)]


def test_an_event_of_practice_is_told_as_such(live: Bench) -> None:
    train(live)
    live.step(of(AMBULANCE, event(0, live.now, "boarded")))
    assert [(body["service"], body["test"]) for kind, _, body in live.feed.sent if kind == "event"] == [(False, True)]


@pytest.mark.parametrize("restart", [False, True])
def test_a_real_silence_that_training_finds_ends_after_it(live: Bench, restart: bool) -> None:
    for seq in range(3):
        live.step(of(AMBULANCE, observation(seq, live.now, spo2=97)))
    for _ in range(12):
        live.step(of(AMBULANCE, hello(live.now)))
    assert [(alert.rule, alert.simulated) for alert in live.book.open] == [("signal-missing", False)]
    train(live)
    if restart:
        live.restart()
    end(live, "amb-002", "")
    assert open_rules(live) == ["signal-missing"]
    live.step(of(AMBULANCE, observation(3, live.now, spo2=97)))
    live.step(of(AMBULANCE, hello(live.now)))
    assert open_rules(live) == []


def test_a_silence_that_began_in_training_is_told_as_real_after_it(live: Bench) -> None:
    train(live)
    for seq in range(3):
        live.step(of(AMBULANCE, observation(seq, live.now, spo2=97)))
    for _ in range(12):
        live.step(of(AMBULANCE, hello(live.now)))
    assert [(alert.rule, alert.simulated) for alert in live.book.open] == [("signal-missing", True)]
    end(live, "amb-002", "")
    live.step(of(AMBULANCE, hello(live.now)))
    assert [(alert.rule, alert.simulated) for alert in live.book.open] == [("signal-missing", False)]


@pytest.mark.parametrize("restart", [False, True])
def test_what_has_happened_in_training_ends_with_it_and_happens_anew_as_real(live: Bench, restart: bool) -> None:
    def disagree(seq: int) -> None:
        """Two answers to one number."""
        live.step(*(of(AMBULANCE, observation(seq, live.now, spo2=spo2)) for spo2 in (97, 91)))
        live.step()

    train(live)
    disagree(0)
    assert [(alert.rule, alert.simulated) for alert in live.book.open if alert.rule != DUTY] == [
        ("duplicate-identity", True)
    ]
    if restart:
        live.restart()
    end(live, "amb-002", "")
    assert live.book.open == []
    disagree(1)
    assert [(alert.rule, alert.simulated) for alert in live.book.open if alert.rule != DUTY] == [
        ("duplicate-identity", False)
    ]


def test_late_practice_neither_counts_nor_mixes_with_the_real(live: Bench) -> None:
    train(live)
    practised = live.now
    live.step(seconds=14)
    end(live, "amb-002", "")
    late = [observation(seq, practised + seq * SECOND, heart_rate=130.4) for seq in range(12)]
    live.step(*(of(AMBULANCE, body) for body in late))
    assert live.book.open == [], "young enough to page, but practice"
    assert all(flags & RecordFlag.TEST for (flags,) in live.rows(tables.record, "flags"))


def test_no_training_while_a_patients_alert_is_open(live: Bench) -> None:
    high_rates(live, 0, 11, AMBULANCE)
    refused = train(live)
    assert isinstance(refused, WindowRefused)
    assert refused.reason is Refusal.PATIENT_ALERTS
    assert open_rules(live) == ["heart-rate-high"]


# ---- technical conditions -------------------------------------------------------------------------------------------


def condition(seq: int, at: int, code: str, state: str, part: str = "", **more: Any) -> Event:
    details = {"code": code, "state": state} | ({"part": part} if part else {})
    return msgspec.structs.replace(event(seq, at, "condition"), details=details, **more)


@pytest.mark.parametrize("restart", [False, True])
def test_a_condition_is_raised_by_on_and_cleared_by_off(bench: Bench, restart: bool) -> None:
    bench.step(condition(0, bench.now, "probe-fault", "on", "2"), condition(1, bench.now, "probe-fault", "on", "3"))
    if restart:
        bench.restart()
    assert [alert.subject for alert in bench.book.open] == ["device/amb-001/monitor/2", "device/amb-001/monitor/3"]
    bench.step(condition(2, bench.now, "probe-fault", "on", "2"))
    assert len(bench.rows(tables.alert, "id")) == 2, "said again it is the same alert"
    bench.step(condition(3, bench.now, "probe-fault", "off", "2"))
    assert [alert.subject for alert in bench.book.open] == ["device/amb-001/monitor/3"]


def test_a_cleared_condition_is_not_raised_by_an_older_word_after_a_restart(bench: Bench) -> None:
    bench.step(condition(0, bench.now, "battery-low", "on"))
    bench.step(condition(1, bench.now, "battery-low", "off"))
    bench.restart()
    bench.step(condition(2, bench.now - 30 * SECOND, "battery-low", "on", backfill=True))
    assert bench.book.open == []


def test_a_condition_told_late_still_lasts(bench: Bench) -> None:
    """It came up in a tunnel, ten minutes ago, and nobody has said that it is over."""
    bench.step(hello(bench.now))
    bench.step(condition(0, bench.now - 10 * MINUTE, "battery-low", "on", backfill=True))
    assert open_rules(bench) == ["battery-low"]


def test_a_condition_that_says_nothing_is_kept_with_its_reason(bench: Bench) -> None:
    bench.step(condition(0, bench.now, "battery-low", "perhaps"), condition(1, bench.now, "battery-low", "on"))
    assert bench.rows(tables.reject, "reason", "whole") == [("bad-condition", False)]
    assert open_rules(bench) == ["battery-low"]
    assert bench.rows(tables.record, "seq") == [(0,), (1,)]


def test_a_device_in_test_mode_says_nothing_of_itself(bench: Bench) -> None:
    bench.step(condition(0, bench.now, "battery-low", "on", test=True))
    assert bench.book.open == []


# ---- calibration ----------------------------------------------------------------------------------------------------


def test_a_calibration_that_is_due_is_an_alert_until_the_date_is_moved(bench: Bench) -> None:
    def tell(day: str) -> None:
        bench.write(lambda c: care.describe(c, "amb-001", "monitor", {"calibration_due": day}))
        bench.stages.standing.calibrations.set_dues(bench.write(lambda c: care.dues(c, bench.now)))
        bench.step()

    tell("2026-09-25")  # NOW is on 21 September 2026
    assert [(alert.rule, alert.device) for alert in bench.book.open] == [("calibration-due", "monitor")]
    bench.restart()
    tell("2026-09-25")
    assert len(bench.rows(tables.alert, "id")) == 1
    tell("2027-09-25")
    assert bench.book.open == []


def test_a_calibration_told_in_training_is_told_as_real_after_it(live: Bench) -> None:
    train(live)
    live.write(lambda c: care.describe(c, "amb-002", "monitor", {"calibration_due": "2026-09-25"}))
    live.stages.standing.calibrations.set_dues(live.write(lambda c: care.dues(c, live.now)))
    live.step()
    assert [(alert.rule, alert.simulated) for alert in live.book.open] == [("calibration-due", True)]
    end(live, "amb-002", "")
    live.step()
    assert [(alert.rule, alert.simulated) for alert in live.book.open] == [("calibration-due", False)]
