"""Whose limits count, late values and kinds of place, on the gateway's path and a real database."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.adapters import limits, tables
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.contract.topic import UnitAddress, UnitKind
from gateway.derive.derivation import Derivation
from gateway.rules.ruleset import default_ruleset
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import NOW, hello, message, observation

BED = UnitAddress("linyi", UnitKind.HOMECARE_BED, "bed-001")
KIOSK = UnitAddress("linyi", UnitKind.HEALTH_KIOSK, "kiosk-001")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path / "lastmile.db")
    made.register()
    return made


def bind(bench: Bench, **person: Any) -> None:
    who = {"id": "p1", "name": "", "created_at": NOW, "birth_date": "1960-01-01"} | person
    where = {"unit": "amb-001", "device": "monitor", "subject": "p1", "start_at": NOW, "source": "manual"}
    bench.write(lambda c: c.execute(insert(tables.person).values(**who)))
    bench.write(lambda c: c.execute(insert(tables.association).values(**where)))


def limit(bench: Bench, value: float, expires_at: int) -> None:
    row = {"id": "l1", "person": "p1", "rule": "heart-rate-high", "limit": value, "reason": "runs", "set_by": "dr.li",
           "set_at": NOW, "expires_at": expires_at}  # fmt: skip
    assert bench.write(lambda c: limits.add_limit(c, row))


def refresh(bench: Bench) -> list[str]:
    """What the registry watch does every second; screens are told anew of the units that it returns."""
    return bench.stages.rules.set_patients(bench.write(lambda c: limits.patients(c, bench.now)))


def rates(bench: Bench, first: int, count: int, rate: float) -> None:
    for seq in range(first, first + count):
        bench.step(observation(seq, bench.now + SECOND, heart_rate=rate))


def alerts(bench: Bench) -> list[tuple[Any, ...]]:
    """Of the person; what a score makes of the same values has its own tests."""
    rows = bench.rows(tables.alert, "rule", "state", "limit", "kind")
    return [row[:3] for row in rows if row[3] == "physiological" and not row[0].startswith("news2")]


def raised(bench: Bench, rule: str) -> dict[str, Any]:
    """Why the alert was raised: the first line of its history."""
    [id] = [id for id, code in bench.rows(tables.alert, "id", "rule") if code == rule]
    [first, *_] = [row for row in bench.rows(tables.alert_event, "alert", "details") if row[0] == id]
    found: dict[str, Any] = json.loads(first[1])
    return found


def test_a_patients_own_limit_counts_over_a_restart_and_until_it_expires(bench: Bench) -> None:
    bind(bench)
    limit(bench, 150, NOW + 60 * SECOND)
    bench.restart()
    assert bench.stages.describe("amb-001")["limits"]["heart-rate"]["high"] == 150
    rates(bench, 0, 20, 145)
    assert alerts(bench) == []
    rates(bench, 20, 45, 145)
    refresh(bench)
    rates(bench, 65, 11, 145)
    assert alerts(bench) == [("heart-rate-high", "firing", 130.0)]


def test_an_alert_explains_itself_with_values_limits_window_version_and_whose_limit_it_was(bench: Bench) -> None:
    bind(bench)
    limit(bench, 150, NOW + HOUR)
    bench.restart()
    rates(bench, 0, 11, 155)
    details = raised(bench, "heart-rate-high")
    assert details["rules_version"] == default_ruleset().version
    assert (details["quantity"], details["value"], details["for"]) == ("heart-rate", 155.0, 10 * SECOND)
    assert details["since"] == NOW + SECOND
    assert (details["person"], details["person_limit"], details["limit_by"]) == ("p1", "l1", "dr.li")
    assert details["population"] == "adult"
    assert "assumed" not in details


def test_nobody_bound_is_an_adult_by_assumption_and_screens_are_told(bench: Bench) -> None:
    assert bench.stages.describe("amb-001")["population"] == {"name": "adult", "assumed": True}
    bind(bench, birth_date="2026-01-01", pregnancy=None)
    bench.restart()
    assert bench.stages.describe("amb-001")["population"] == {"name": "infant", "assumed": False}
    rates(bench, 0, 15, 150)
    assert alerts(bench) == []


def not_for(bench: Bench, unit: str = "amb-001") -> dict[str, Any]:
    found: dict[str, Any] = bench.stages.describe(unit)["not_for"]
    return found


def test_screens_are_told_which_scores_are_not_made_for_whoever_is_there(bench: Bench) -> None:
    register(bench, KIOSK)
    assert not_for(bench, KIOSK.unit) == {}, "nobody is scored there"
    assert "news2" not in not_for(bench), "an age nobody knows is an adult's"
    assert not_for(bench)["pews"]["code"] == "age-unknown"
    bind(bench, birth_date="2026-01-01", pregnancy=None)
    assert refresh(bench) == ["amb-001"], "its screens get it anew"
    assert not_for(bench)["news2"] == {"code": "population", "made_for": ("adult",)}
    assert "pews" not in not_for(bench)
    rates(bench, 0, 5, 120)
    assert refresh(bench) == [], "and no more while nothing changes"


def test_a_score_that_is_switched_off_refuses_nobody(bench: Bench) -> None:
    bench.stages.derivation = Derivation(bench.ledger, bench.stages.fleet, off=("pews",))
    assert "pews" not in not_for(bench)
    assert "meows" in not_for(bench)


def test_a_glucose_of_forty_minutes_ago_alerts_and_says_when_it_was_measured(bench: Bench) -> None:
    bench.step(hello(bench.now))
    measured = bench.now - 40 * MINUTE
    bench.step(observation(0, measured, backfill=True, glucose=2.1))
    assert ("glucose-severe-low", "latched", 3.0) in alerts(bench)
    details = raised(bench, "glucose-severe-low")
    assert (details["late"], details["measured_at"]) == (True, measured)


def test_a_tachycardia_of_six_hours_ago_is_one_soundless_task(bench: Bench) -> None:
    bench.step(hello(bench.now))
    start = bench.now - 6 * HOUR
    for seq in range(30):
        if seq == 7:
            bench.restart()  # its half-elapsed clock goes on, too
        bench.step(observation(seq, start + seq * SECOND, backfill=True, heart_rate=175))
    assert [row[:2] for row in alerts(bench)] == [("missed-while-blind", "latched")]
    details = raised(bench, "missed-while-blind")
    assert (details["rule"], details["sound"]) == ("heart-rate-severe-high", False)
    assert details["owner"]
    assert details["deadline"] > bench.now


def register(bench: Bench, address: UnitAddress) -> None:
    row = {"id": address.unit, "site": "linyi", "kind": str(address.kind), "name": "", "provenance": "simulated",
           "token_hash": "0" * 64, "registered_at": NOW}  # fmt: skip
    bench.write(lambda c: c.execute(insert(tables.unit).values(row)))
    bench.restart()
    bench.step(message(0, hello(bench.now), bench.now, address))


def lost_after(bench: Bench, minutes: int) -> list[int]:
    """The minutes at which a link was told lost."""
    found = []
    for minute in range(1, minutes + 1):
        before = len(bench.book.open)
        bench.step(seconds=60)
        found += [minute] if len(bench.book.open) > before else []
    return found


def test_a_home_bed_may_be_silent_for_ten_minutes_and_then_somebody_is_asked_to_call(bench: Bench) -> None:
    register(bench, BED)
    assert lost_after(bench, 15) == [10]
    assert raised(bench, "link-lost")["task"] == "call-home"


def test_a_kiosk_may_be_silent_outside_its_opening_hours(bench: Bench) -> None:
    midnight = NOW - NOW % (24 * HOUR) + 16 * HOUR  # of a site eight hours ahead
    bench.now = midnight + 17 * HOUR + 30 * MINUTE
    register(bench, KIOSK)
    assert lost_after(bench, 5) == [1]
    bench.now = midnight + 18 * HOUR
    bench.step(message(0, hello(bench.now), bench.now, KIOSK))
    assert bench.book.open == []
    assert lost_after(bench, 10) == []
