"""The whole path of the gateway on a real database, without a broker: batches in, rows, alerts and acks out."""

import asyncio
from typing import Any

import msgspec
import pytest
from sqlalchemy import update
from sqlalchemy.dialects.sqlite import insert

from gateway.adapters import tables
from gateway.adapters.load import age_in_years, load_subjects
from gateway.changes import Batch, Changes
from gateway.contract.envelope import Lane, LaneState, Presence, SeqRange
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel
from gateway.moves import Acknowledgement
from gateway.pipeline import Conflict
from gateway.ports import LogMessage
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import EPOCH, NOW, UNIT, event, hello, observation

FAST = 130.4  # beyond the limit; NEWS2 rounds it to 130, which is no 3 yet


def vitals(bench: Bench, seq: int, rate: float) -> Any:
    return observation(seq, bench.now + SECOND, heart_rate=rate, spo2=97)


def test_a_record_is_stored_as_it_came_and_acked_after_the_commit(bench: Bench) -> None:
    body = observation(0, NOW + SECOND, spo2=97)
    bench.step(body)
    assert bench.rows(tables.record, "seq", "device", "payload") == [(0, "monitor", msgspec.json.encode(body))]
    assert [(lane.lane, lane.watermark) for lane in bench.acks[-1].lanes] == [(Lane.OBS, 1)]
    assert bench.rows(tables.position, "stream_created", "sequence") == [("2026", 1)]


def test_a_duplicate_is_acked_again_and_stored_once(bench: Bench) -> None:
    body = observation(0, NOW, spo2=97)
    bench.step(body)
    bench.step(msgspec.structs.replace(body, backfill=True), body)
    assert len(bench.rows(tables.record, "seq")) == 1
    assert len(bench.acks) == 2
    assert bench.rows(tables.conflict, "seq") == [], "marked as backfill it is still the same record"


def test_a_number_with_other_content_is_kept_and_raises_an_alert(bench: Bench) -> None:
    bench.step(observation(0, NOW, spo2=97))
    bench.step(observation(0, NOW, spo2=55))
    assert bench.rows(tables.conflict, "seq") == [(0,)]
    bench.step()
    assert bench.rows(tables.alert, "rule", "state") == [("duplicate-identity", "latched")]


def test_gaps_are_wanted_healed_and_remembered_over_a_restart(bench: Bench) -> None:
    bench.step(observation(0, NOW, spo2=97), observation(3, NOW, spo2=97))
    assert bench.acks[-1].lanes[0].missing == [SeqRange(1, 2)]
    bench.restart()
    bench.step(observation(1, NOW, spo2=97, backfill=True))
    assert bench.acks[-1].lanes[0].missing == [SeqRange(2, 2)]
    bench.step(observation(2, NOW, spo2=97, backfill=True))
    assert bench.acks[-1].lanes[0].watermark == 4
    [(first, last, healed_at)] = bench.rows(tables.gap, "first", "last", "healed_at")
    assert healed_at == bench.now
    assert first <= 2 <= last


def test_gone_numbers_become_a_lost_gap(bench: Bench) -> None:
    bench.step(observation(2, NOW, spo2=97))
    state = LaneState(epoch=EPOCH, lane=Lane.OBS, first=2, next=3, gone=[SeqRange(0, 1)])
    bench.step(hello(bench.now, lanes=[state]))
    assert bench.rows(tables.gap, "first", "last", "lost_at") == [(0, 1, bench.now)]
    assert bench.acks[-1].lanes[0].watermark == 3


def test_an_alert_needs_its_duration_and_ends_with_its_hysteresis(bench: Bench) -> None:
    for seq in range(10):
        bench.step(vitals(bench, seq, FAST))
        assert bench.book.open == []
    bench.step(vitals(bench, 10, FAST))
    assert bench.rows(tables.alert, "rule", "state", "value", "limit") == [("heart-rate-high", "firing", FAST, 130.0)]
    for seq in range(11, 23):
        bench.step(vitals(bench, seq, 100))
    assert bench.rows(tables.alert, "rule", "state") == [("heart-rate-high", "resolved")]
    assert [row[0] for row in bench.rows(tables.alert_event, "event")] == ["raise", "notify", "clear"]


@pytest.mark.parametrize("restart_after", range(10))
def test_a_half_elapsed_duration_survives_a_restart(bench: Bench, restart_after: int) -> None:
    """The alert log is the same wherever the process was killed."""
    for seq in range(11):
        bench.step(vitals(bench, seq, FAST))
        if seq == restart_after:
            bench.restart()
    assert bench.rows(tables.alert, "rule", "raised_at") == [("heart-rate-high", NOW + 11 * SECOND)]


def test_acknowledging_goes_through_the_path_once(bench: Bench) -> None:
    for seq in range(11):
        bench.step(vitals(bench, seq, FAST))
    alert = bench.book.open[0]

    async def both() -> list[Any]:
        loop = asyncio.get_running_loop()
        moves = [Acknowledgement(alert.id, name, loop.create_future()) for name in ("wang", "li")]
        bench.now += SECOND
        await bench.pipeline.step(Batch([], bench.now), moves)
        return await asyncio.gather(*(move.future for move in moves), return_exceptions=True)

    first, second = asyncio.run(both())
    assert first.acknowledged_by == "wang"
    assert type(second).__name__ == "IllegalMove"
    assert bench.rows(tables.alert, "state", "acknowledged_by") == [("acknowledged", "wang")]


def test_a_late_reading_within_its_validity_alerts_and_one_beyond_does_not_page(bench: Bench) -> None:
    bench.step(hello(bench.now))
    for seq in range(12):  # heart rate is valid for 30 s: a backlog of an hour ago never pages
        bench.step(observation(seq, NOW - 3600 * SECOND + seq * SECOND, heart_rate=150, backfill=True))
    assert bench.book.open == []
    assert len(bench.rows(tables.record, "seq")) == 12


def test_what_cannot_be_read_is_kept_with_its_reason(bench: Bench) -> None:
    garbage = LogMessage(0, 0, UNIT.subject(Channel.OBS), b"\x00garbage")
    stranger = LogMessage(0, 0, "lm.v1.linyi.ambulance.amb-999.obs", b"{}")
    implausible = observation(0, NOW, spo2=140, heart_rate=80)
    bench.step(garbage, stranger, implausible)
    found = bench.rows(tables.reject, "reason", "whole", "payload")
    assert found == [
        ("bad-syntax", True, b"\x00garbage"),
        ("bad-schema", True, b"{}"),
        ("out-of-range", False, msgspec.json.encode(implausible)),
    ]
    assert ("amb-001", "heart-rate", 80.0) in bench.rows(tables.latest, "unit", "quantity", "value")
    assert "spo2" not in [row[0] for row in bench.rows(tables.latest, "quantity")]


def test_lead_off_raises_and_lead_on_clears(bench: Bench) -> None:
    bench.step(event(0, bench.now, "lead-off"))
    assert bench.rows(tables.alert, "rule", "state") == [("lead-off", "firing")]
    bench.step(event(1, bench.now, "lead-on"))
    assert bench.rows(tables.alert, "rule", "state") == [("lead-off", "resolved")]


def test_two_devices_with_one_name_raise_an_alert(bench: Bench) -> None:
    bench.step(hello(bench.now, epoch="aa" * 8))
    bench.step(hello(bench.now, epoch="bb" * 8))
    assert bench.book.open == [], "a restart is no second device"
    bench.restart()
    bench.step(hello(bench.now, epoch="aa" * 8))
    assert [alert.rule for alert in bench.book.open] in ([], ["duplicate-identity"])
    bench.step(hello(bench.now, epoch="bb" * 8))
    bench.step(hello(bench.now, epoch="aa" * 8))
    assert [alert.rule for alert in bench.book.open] == ["duplicate-identity"]


def test_a_dead_link_is_an_alert_and_its_return_ends_it(bench: Bench) -> None:
    bench.step(hello(bench.now), observation(0, bench.now, spo2=97))
    bench.step(hello(bench.now, presence=Presence.OFFLINE))
    for _ in range(70):
        bench.step()
    assert [alert.rule for alert in bench.book.open] == ["link-lost"]
    bench.restart()
    bench.step()
    assert [alert.rule for alert in bench.book.open] == ["link-lost"]
    bench.step(hello(bench.now))
    bench.step()
    assert "link-lost" not in [alert.rule for alert in bench.book.open]


def test_nothing_is_sent_to_screens_of_an_alert_before_its_commit(bench: Bench) -> None:
    order: list[str] = []
    plain_commit, plain_notify = bench.commit, bench.feed.notify

    async def commit_noted(changes: Changes) -> list[Conflict]:
        result = await plain_commit(changes)
        order.append("commit")
        return result

    def notify_noted(kind: str, unit: str, body: dict[str, Any]) -> None:
        order.append(kind)
        plain_notify(kind, unit, body)

    bench.pipeline.commit = commit_noted
    bench.feed.notify = notify_noted  # type: ignore[method-assign]
    bench.step(event(0, bench.now, "lead-off"), observation(0, bench.now, spo2=97))
    assert order == ["event", "observations", "commit", "alert"]


def test_a_unit_shows_whom_its_devices_speak_for(bench: Bench) -> None:
    born = {"id": "p-1", "name": "王小明", "sex": "male", "birth_date": "1963-05-01", "created_at": NOW}
    speaks = {"unit": "amb-001", "device": "monitor", "subject": "p-1", "start_at": NOW, "source": "manual"}
    bench.write(lambda c: c.execute(insert(tables.person).values(born)))
    bench.write(lambda c: c.execute(insert(tables.association).values(speaks)))
    fleet = bench.stages.fleet
    assert fleet.set_subjects(bench.write(lambda c: load_subjects(c, NOW - 1))) == []
    assert fleet.set_subjects(bench.write(lambda c: load_subjects(c, NOW))) == ["amb-001"]
    subject = bench.stages.describe("amb-001")["subject"]
    assert subject == {"id": "p-1", "name": "王小明", "sex": "male", "age": 63}  # NOW is in September 2026
    bench.write(lambda c: c.execute(update(tables.association).values(end_at=NOW + 5)))
    assert fleet.set_subjects(bench.write(lambda c: load_subjects(c, NOW + 5))) == ["amb-001"]
    assert bench.stages.describe("amb-001")["subject"] is None


@pytest.mark.parametrize(
    ("born", "age"), [("2026-09-20", 0), ("2025-09-22", 0), ("2025-09-21", 1), (None, None), ("?", None)]
)
def test_age_in_whole_years(born: str | None, age: int | None) -> None:
    assert age_in_years(born, NOW) == age
