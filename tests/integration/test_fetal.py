"""The fetal heart on the gateway's path: values in, alerts out, of somebody who is pregnant and of nobody else."""

from typing import Any

import pytest
from sqlalchemy import insert

from gateway.adapters import limits, tables
from gateway.contract.quantity import SECOND
from tests.integration.care_bench import AMBULANCE, of
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
