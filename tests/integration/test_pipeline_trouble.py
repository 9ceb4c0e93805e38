"""What one bad record, an old clock, a restart or an absent broker must never do to the path."""

import asyncio
from typing import Any

import msgspec
import pytest

from gateway.adapters import tables
from gateway.alerts.roster import Roster, Staff
from gateway.changes import Batch
from gateway.contract.envelope import Lane, LaneState, Presence, SeqRange
from gateway.contract.quantity import SECOND
from gateway.contract.waveform import WaveFrame
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import EPOCH, NOW, event, hello, observation


@pytest.mark.parametrize("part", ["derive", "score"])
def test_one_record_that_breaks_a_derivation_is_stored_named_and_stops_nobody(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def burst(record: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(bench.stages.derivation, part, burst)
    bench.step(observation(0, NOW, spo2=97), observation(1, NOW, spo2=98))
    assert bench.rows(tables.record, "seq") == [(0,), (1,)]
    found = bench.rows(tables.reject, "reason", "detail", "whole")
    assert found == [("internal-error", "ZeroDivisionError('planted')", False)] * 2
    assert bench.acks[-1].lanes[0].watermark == 2


def test_one_message_that_breaks_admission_becomes_a_reject(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = bench.stages.admission.admit

    def admit(message: Any) -> Any:
        if b'"seq":1' in message.log.payload:
            raise ZeroDivisionError("planted")
        return plain(message)

    monkeypatch.setattr(bench.stages.admission, "admit", admit)
    bench.step(*(observation(seq, NOW, spo2=97) for seq in range(3)))
    assert bench.rows(tables.record, "seq") == [(0,), (2,)]
    assert bench.rows(tables.reject, "reason", "whole") == [("internal-error", True)]
    assert bench.acks[-1].lanes[0].watermark == 3, "its number is accounted for: the agent does not send it for ever"


def test_a_message_that_breaks_after_it_was_numbered_is_accounted_for_too(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def burst(body: Any) -> dict[str, float]:
        if body.seq == 1:
            raise ZeroDivisionError("planted")
        return {}

    monkeypatch.setattr("gateway.stages.implausible", burst)
    bench.step(*(observation(seq, NOW, spo2=97) for seq in range(3)))
    assert bench.rows(tables.record, "seq") == [(0,), (2,)]
    assert bench.rows(tables.reject, "seq", "reason", "whole") == [(1, "internal-error", True)]
    assert bench.acks[-1].lanes[0].watermark == 3
    bench.step(observation(1, NOW, spo2=97))
    assert bench.rows(tables.reject, "seq") == [(1,)], "sent again it is a duplicate"


def test_an_ecg_sampled_too_slowly_for_beats_is_stored_without_a_heart_rate(bench: Bench) -> None:
    for seq in range(12):
        samples = bytes(range(40))
        bench.step(
            WaveFrame(
                epoch=EPOCH, seq=seq, device="ecg", observed_at=bench.now + SECOND, n0=seq * 20, fs=20, leads=["II"],
                scale=0.01, samples=samples,
            )
        )  # fmt: skip
    assert len(bench.rows(tables.record, "seq")) == 12
    assert bench.rows(tables.reject, "reason") == []


def test_hellos_alone_do_not_hide_silent_devices(bench: Bench) -> None:
    for seq in range(3):
        bench.step(hello(bench.now), observation(seq, bench.now, spo2=97))
    for second in range(30):
        bench.step(*([hello(bench.now)] if second % 10 == 9 else []))
    assert [(alert.rule, alert.quantity) for alert in bench.book.open] == [("signal-missing", "spo2")]


def test_a_spot_measurement_is_never_missing(bench: Bench) -> None:
    bench.step(hello(bench.now), observation(0, bench.now, spo2=97))
    for second in range(30):
        bench.step(*([hello(bench.now)] if second % 10 == 9 else []))
    assert bench.book.open == []


def test_a_unit_revoked_while_its_records_wait_stops_nobody(bench: Bench) -> None:
    bench.step(observation(0, bench.now, spo2=97))
    bench.step(observation(2, bench.now, spo2=97))
    bench.stages.fleet.revoke("amb-001")
    bench.step(seconds=5)
    bench.step()


def test_records_that_waited_for_their_order_are_evaluated_after_a_restart(bench: Bench) -> None:
    bench.step(event(0, bench.now, "hello-world"))
    bench.step(event(2, bench.now, "lead-off"))
    assert bench.book.open == []
    bench.restart()
    for _ in range(3):
        bench.step()
    assert [alert.rule for alert in bench.book.open] == ["lead-off"]


def test_an_old_report_neither_raises_nor_clears(bench: Bench) -> None:
    bench.step(event(0, bench.now, "lead-off"))
    old = bench.now - 50 * SECOND
    bench.step(msgspec.structs.replace(event(1, old, "lead-on"), backfill=True))
    assert [alert.rule for alert in bench.book.open] == ["lead-off"]
    bench.restart()
    bench.step(msgspec.structs.replace(event(2, old, "lead-on"), backfill=True))
    assert [alert.rule for alert in bench.book.open] == ["lead-off"]
    bench.step(event(3, bench.now + SECOND, "lead-on"))
    assert bench.book.open == []


def test_a_late_last_will_changes_nothing_even_over_a_restart(bench: Bench) -> None:
    bench.step(hello(bench.now, epoch="aa" * 8))
    bench.step(msgspec.structs.replace(hello(bench.now, epoch="bb" * 8), clock_offset=7, clock_error=1))
    bench.step(hello(bench.now, epoch="aa" * 8, presence=Presence.OFFLINE))
    assert bench.stages.describe("amb-001")["link"] == "online"
    bench.restart()
    assert bench.stages.describe("amb-001")["clock"]["offset"] == 7
    bench.step(hello(bench.now, epoch="bb" * 8))
    assert bench.book.open == []


def test_what_happens_at_an_instant_stays_until_seen_and_each_time_leaves_a_line(bench: Bench) -> None:
    bench.step(observation(0, NOW, spo2=97))
    for value in (55, 56):
        bench.step(observation(0, NOW, spo2=value))
        bench.step()
    [alert] = bench.book.open
    assert (alert.rule, alert.state) == ("duplicate-identity", "latched")
    lines = bench.rows(tables.alert_event, "event", "state")
    assert lines == [("happen", "latched"), ("notify", "latched"), ("happen", "latched")]
    assert bench.book.acknowledge(alert.id, "wang", bench.now).alert.state == "resolved"
    assert bench.book.open == []


def test_shedding_is_raised_while_it_goes_on_and_not_by_a_restart(bench: Bench) -> None:
    def shed(count: int) -> Any:
        ranges = [SeqRange(0, count - 1)] if count else []
        return hello(bench.now, lanes=[LaneState(epoch=EPOCH, lane=Lane.WAVE, first=100, next=100, shed=ranges)])

    open_rules = []
    for count in (0, 50, 60, 60, 20, 0):
        bench.step(shed(count))
        open_rules.append([alert.rule for alert in bench.book.open])
        bench.restart()
    assert open_rules == [[], ["shedding"], ["shedding"], [], [], []]


@pytest.mark.parametrize("change", [{"epoch": "0" * 16}, {"device": "gateway"}])
def test_names_of_the_gateways_own_are_refused(bench: Bench, change: dict[str, str]) -> None:
    bench.step(msgspec.structs.replace(observation(0, NOW, spo2=97), **change))
    assert bench.rows(tables.record, "seq") == []
    assert bench.rows(tables.reject, "reason") == [("reserved-name",)]


def test_a_broker_that_is_away_is_an_alert_and_people_are_still_heard(bench: Bench) -> None:
    bench.stages.lifecycle.set_roster(Roster(staff=[Staff("ops", "ops", ("*",))]))
    for _ in range(6):
        assert bench.book.open == [], "a broker that comes back within seconds is no alert"
        bench.now += SECOND
        asyncio.run(bench.pipeline.step(Batch([], bench.now, trouble="connection refused"), []))
    assert [alert.rule for alert in bench.book.open] == ["broker-lost"]
    bench.step()
    assert bench.book.open == []
