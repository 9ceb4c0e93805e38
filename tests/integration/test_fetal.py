"""The fetal heart on the gateway's path: values in, alerts out, of somebody who is pregnant and of nobody else."""

from typing import Any

import pytest
from sqlalchemy import insert, select, update

from gateway.adapters import limits, tables
from gateway.care.window import Mode
from gateway.contract.quantity import SECOND
from gateway.derive.derivation import DERIVED_EPOCH
from gateway.ports import RecordFlag
from tests.integration.care_bench import AMBULANCE, end, of, start
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import NOW, observation


def carry(bench: Bench, pregnancy: str | None) -> None:
    """The ambulance speaks for a woman of twenty-six."""
    who = {"id": "p1", "name": "", "created_at": NOW, "birth_date": "2000-01-01", "pregnancy": pregnancy}
    where = {"unit": AMBULANCE.unit, "device": "ctg", "subject": "p1", "start_at": NOW, "source": "manual"}
    bench.write(lambda c: c.execute(insert(tables.person).values(**who)))
    bench.write(lambda c: c.execute(insert(tables.association).values(**where)))
    begin(bench)


def begin(bench: Bench) -> None:
    bench.restart()
    meet(bench)


def meet(bench: Bench) -> None:
    people = bench.write(lambda c: limits.patients(c, bench.now))
    bench.stages.rules.set_patients(people)
    bench.stages.derivation.set_people({unit: (one.id, one.person) for unit, one in people.items()})


def hear(bench: Bench, first: int, seconds: int, rate: float) -> int:
    """A value every two seconds, thirty in a batch."""
    seq = first
    for _ in range(0, seconds, 60):
        start = bench.now
        bodies = [observation(seq + n, start + 2 * n * SECOND, device="ctg", fetal_heart_rate=rate) for n in range(30)]
        bench.step(*(of(AMBULANCE, body) for body in bodies), seconds=60)
        seq += 30
    return seq


def replace(bench: Bench) -> None:
    """Another woman who is pregnant comes at once after the first."""
    of_unit = tables.association.c.unit == AMBULANCE.unit
    who = {"id": "p2", "name": "", "created_at": NOW, "birth_date": "2001-01-01", "pregnancy": "pregnant"}
    where = {"unit": AMBULANCE.unit, "device": "ctg", "subject": "p2", "start_at": bench.now, "source": "manual"}
    bench.write(lambda c: c.execute(update(tables.association).where(of_unit).values(end_at=bench.now)))
    bench.write(lambda c: c.execute(insert(tables.person).values(**who)))
    bench.write(lambda c: c.execute(insert(tables.association).values(**where)))


def told(bench: Bench) -> list[int]:
    """The flags of what was told of the heart."""
    record, lane = tables.record, tables.lane
    query = (
        select(record.c.flags)
        .join_from(record, lane, record.c.lane_id == lane.c.id)
        .where(lane.c.unit == AMBULANCE.unit, lane.c.epoch == DERIVED_EPOCH)
    )
    return [row.flags for row in bench.write(lambda c: c.execute(query).all())]


def fetal(bench: Bench) -> list[tuple[Any, ...]]:
    return sorted(row for row in bench.rows(tables.alert, "rule", "state") if row[0].startswith("fetal"))


@pytest.mark.parametrize(("rate", "rule"), [(100, "fetal-bradycardia"), (180, "fetal-tachycardia")])
def test_a_baseline_beyond_its_limits_calls_and_ends_when_it_is_back(live: Bench, rate: float, rule: str) -> None:
    carry(live, "pregnant")
    seq = hear(live, 0, 540, rate)
    assert fetal(live) == []
    seq = hear(live, seq, 180, rate)
    assert fetal(live) == [(rule, "firing")]
    [alert] = [one for one in live.book.open if one.rule == rule]
    assert (alert.value, alert.quantity) == (rate, "fetal-baseline")
    seq = hear(live, seq, 240, 140)
    begin(live)
    assert fetal(live) == [(rule, "firing")]
    hear(live, seq, 120, 140)
    assert fetal(live) == [(rule, "resolved")], "half of the window was heard before the restart, half of it after"


def test_lost_signal_is_told_and_a_good_trace_ends_it(live: Bench) -> None:
    carry(live, "pregnant")
    seq = hear(live, 0, 660, 140)
    for _ in range(3):
        live.step(seconds=60)
    assert fetal(live) == [("fetal-signal-lost", "firing")]
    hear(live, seq, 660, 140)
    assert fetal(live) == [("fetal-signal-lost", "resolved")]


def test_of_nobody_who_is_not_pregnant(live: Bench) -> None:
    carry(live, None)
    hear(live, 0, 900, 200)
    assert fetal(live) == []


def test_a_training_practises_and_what_comes_after_it_begins_anew(live: Bench) -> None:
    carry(live, "pregnant")
    start(live, AMBULANCE.unit, "", Mode.TRAINING, minutes=60)
    seq = hear(live, 0, 720, 100)
    [alert] = [one for one in live.book.open if one.rule == "fetal-bradycardia"]
    assert alert.simulated
    assert {flags & RecordFlag.TEST for flags in told(live)} == {RecordFlag.TEST}
    end(live, AMBULANCE.unit, "")
    assert fetal(live) == [("fetal-bradycardia", "resolved")]
    before = len(told(live))
    seq = hear(live, seq, 540, 140)
    assert len(told(live)) == before
    hear(live, seq, 180, 140)
    assert told(live)[before:], "it is full"
    assert not any(flags & RecordFlag.TEST for flags in told(live)[before:])
    assert fetal(live) == [("fetal-bradycardia", "resolved")]


def test_a_restart_gives_nobody_anothers_trace(live: Bench) -> None:
    carry(live, "pregnant")
    seq = hear(live, 0, 540, 180)
    replace(live)
    begin(live)
    hear(live, seq, 180, 140)
    assert (told(live), fetal(live)) == ([], [])


def test_lost_signal_ends_with_the_trace_and_the_next_trace_can_lose_it_again(live: Bench) -> None:
    carry(live, "pregnant")
    seq = hear(live, 0, 660, 140)
    for _ in range(9):
        live.step(seconds=60)
    assert fetal(live) == [("fetal-signal-lost", "firing")]
    for _ in range(3):
        live.step(seconds=60)
    assert fetal(live) == [("fetal-signal-lost", "resolved")]
    for _ in range(10):
        live.step(seconds=60)
    hear(live, seq, 660, 140)
    for _ in range(3):
        live.step(seconds=60)
    assert [alert.rule for alert in live.book.open if alert.rule.startswith("fetal")] == ["fetal-signal-lost"]


def test_a_trace_that_ends_while_the_gateway_is_away_is_over(live: Bench) -> None:
    carry(live, "pregnant")
    hear(live, 0, 660, 140)
    for _ in range(3):
        live.step(seconds=60)
    assert fetal(live) == [("fetal-signal-lost", "firing")]
    live.now += 3600 * SECOND
    begin(live)
    live.step()
    assert fetal(live) == [("fetal-signal-lost", "resolved")]


def test_a_low_baseline_outlasts_its_trace_but_not_its_person(live: Bench) -> None:
    carry(live, "pregnant")
    hear(live, 0, 720, 100)
    for _ in range(15):
        live.step(seconds=60)
    assert fetal(live) == [("fetal-bradycardia", "firing"), ("fetal-signal-lost", "resolved")]
    replace(live)
    meet(live)
    live.step()
    assert fetal(live) == [("fetal-bradycardia", "resolved"), ("fetal-signal-lost", "resolved")]


def test_what_fails_at_the_time_of_day_is_named_once_and_stops_nothing(
    live: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_now: int) -> list[Any]:
        raise ZeroDivisionError("a score")

    carry(live, "pregnant")
    hear(live, 0, 660, 140)
    monkeypatch.setattr(live.stages.derivation.scores, "check", fail)
    for _ in range(3):
        live.step(seconds=60)
    assert fetal(live) == [("fetal-signal-lost", "firing")], "the other parts go on"
    assert live.rows(tables.reject, "reason", "detail", "unit") == [
        ("internal-error", "scores: ZeroDivisionError('a score')", None)
    ]
