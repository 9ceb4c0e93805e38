"""Care plans on the gateway's path and a real database: values in, alerts out, over restarts and expiries."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, update

from gateway.adapters import limits, plans, tables
from gateway.care.window import Mode
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.contract.topic import UnitAddress, UnitKind
from gateway.derive.plans import Content
from gateway.derive.scores import peak_flow, rehab, uploads
from gateway.derive.wording import Wordings
from tests.integration.care_bench import end, of, open_rules, start
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import NOW, observation

BED = UnitAddress("linyi", UnitKind.HOMECARE_BED, "bed-001")
DAY = 24 * HOUR
TRAINING = rehab.Plan(resting=60, maximum=160)  # stop above 140: over every limit of an adult below "severe"
GENTLE = rehab.Plan(resting=60, early="infarction")  # stop above 80
KINDS = {rehab.Plan: "rehab", peak_flow.Plan: "peak-flow", uploads.Plan: "uploads"}


@pytest.fixture
def home(tmp_path: Path) -> Bench:
    """A live home bed that speaks for a person of sixty-six."""
    bench = Bench(tmp_path / "lastmile.db")
    bench.register()
    unit = {"id": BED.unit, "site": "linyi", "kind": "homecare-bed", "name": "B", "provenance": "live",
            "token_hash": "0" * 64, "registered_at": NOW}  # fmt: skip
    who = {"id": "p1", "name": "", "created_at": NOW, "birth_date": "1960-01-01"}
    where = {"unit": BED.unit, "device": "patch", "subject": "p1", "start_at": NOW, "source": "manual"}
    for table, row in ((tables.unit, unit), (tables.person, who), (tables.association, where)):
        bench.write(lambda c, table=table, row=row: c.execute(insert(table).values(row)))
    bench.restart()
    return bench


def agree(bench: Bench, content: Content, until: int = 90 * DAY) -> None:
    kind = KINDS[type(content)]
    row = {"id": f"plan-{kind}", "person": "p1", "kind": kind, "plan": msgspec.to_builtins(content), "reason": "agreed",
           "set_by": "dr.li", "set_at": bench.now, "expires_at": bench.now + until, "removed_at": None,
           "removed_by": None}  # fmt: skip
    bench.write(lambda c: plans.add_plan(c, row))
    refresh(bench)


def refresh(bench: Bench) -> None:
    """What the registry watch does every second."""
    bench.stages.rules.set_patients(bench.write(lambda c: limits.patients(c, bench.now)))


def rates(bench: Bench, first: int, count: int, rate: float) -> int:
    for seq in range(first, first + count):
        bench.step(of(BED, observation(seq, bench.now + SECOND, device="patch", heart_rate=rate)))
    return first + count


def blow(bench: Bench, seq: int, flow: float) -> int:
    bench.step(of(BED, observation(seq, bench.now + SECOND, device="meter", peak_flow=flow)))
    return seq + 1


def alerts(bench: Bench) -> list[tuple[str, str]]:
    rows = bench.rows(tables.alert, "rule", "state")
    return sorted((rule, state) for rule, state in rows if not rule.startswith(("news2", "link", "signal", "nobody")))


def raised(bench: Bench, rule: str) -> dict[str, Any]:
    """Why the alert was raised: the first line of its history."""
    [id] = [id for id, code in bench.rows(tables.alert, "id", "rule") if code == rule]
    [first, *_] = [row for row in bench.rows(tables.alert_event, "alert", "details") if row[0] == id]
    found: dict[str, Any] = json.loads(first[1])
    return found


def words(bench: Bench) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in bench.stages.describe(BED.unit)["wordings"]}


# ---- training -------------------------------------------------------------------------------------------------------


def test_a_heart_rate_above_the_training_limit_stops_the_training(home: Bench) -> None:
    seq = rates(home, 0, 15, 100)
    assert alerts(home) == [], "without a plan a hundred is nothing"
    agree(home, GENTLE)
    assert home.stages.describe(BED.unit)["limits"]["heart-rate"]["high"] == 80
    seq = rates(home, seq, 10, 100)
    assert alerts(home) == [], "ten seconds have not passed"
    seq = rates(home, seq, 1, 100)
    assert alerts(home) == [("rehab-heart-rate-stop", "firing")]
    details = raised(home, "rehab-heart-rate-stop")
    assert (details["limit"], details["value"], details["person"]) == (80, 100, "p1")
    assert (details["person_limit"], details["limit_by"]) == ("plan-rehab", "dr.li")
    rates(home, seq, 32, 74)
    assert alerts(home) == [("rehab-heart-rate-stop", "resolved")]


def test_a_half_elapsed_stop_goes_on_after_a_restart(home: Bench) -> None:
    agree(home, GENTLE)
    seq = rates(home, 0, 6, 100)
    home.restart()
    rates(home, seq, 5, 100)
    assert alerts(home) == [("rehab-heart-rate-stop", "firing")]


def test_when_the_plan_expires_its_alert_ends_and_says_so(home: Bench) -> None:
    agree(home, GENTLE, until=30 * SECOND)
    seq = rates(home, 0, 12, 100)
    assert open_rules(home) == ["rehab-heart-rate-stop"]
    home.restart()
    seq = rates(home, seq, 20, 100)
    refresh(home)
    rates(home, seq, 15, 100)
    assert alerts(home) == [("rehab-heart-rate-stop", "resolved")]
    assert "rehab-heart-rate" not in words(home)


def test_a_training_range_is_not_for_somebody_who_is_pregnant(home: Bench) -> None:
    agree(home, GENTLE)
    home.write(lambda c: limits.record(c, "p1", {"pregnancy": "pregnant"}))
    refresh(home)
    rates(home, 0, 15, 100)
    assert alerts(home) == []
    assert (words(home)["rehab-heart-rate"]["refused"], words(home)["rehab-heart-rate"]["population"]) == (
        "population", "pregnant",
    )  # fmt: skip


def test_screens_are_told_when_the_rate_leaves_the_range(home: Bench) -> None:
    agree(home, TRAINING)
    seq = rates(home, 0, 3, 120)
    home.feed.sent.clear()
    rates(home, rates(home, seq, 3, 121), 3, 145)
    told = [body["unit"]["wordings"] for kind, unit, body in home.feed.sent if (kind, unit) == ("unit", BED.unit)]
    assert [[(one["name"], one["code"]) for one in said] for said in told] == [[("rehab-heart-rate", "stop")]]


def test_a_heart_rate_is_given_words_only_where_somebody_trains(home: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes each second and from everybody."""
    asked: list[str] = []

    def news(_: Wordings, unit: str, _words: object) -> bool:
        asked.append(unit)
        return False

    monkeypatch.setattr(Wordings, "news", news)
    agree(home, uploads.Plan(every_minutes=1440))
    seq = rates(home, 0, 3, 70)
    assert asked == []
    agree(home, GENTLE)
    seq = rates(home, seq, 2, 70)
    assert asked == [BED.unit, BED.unit]
    home.step(of(BED, observation(seq, home.now + SECOND, device="patch", spo2=97)))
    assert len(asked) == 2, "no word hangs on it"


# ---- peak flow ------------------------------------------------------------------------------------------------------


def test_peak_flow_is_judged_by_the_personal_best(home: Bench) -> None:
    seq = blow(home, 0, 200)
    assert alerts(home) == [], "without a personal best it says nothing"
    assert "peak-flow-zone" not in words(home)
    agree(home, peak_flow.Plan(personal_best=500))
    seq = blow(home, seq, 390)
    assert alerts(home) == [("peak-flow-yellow", "firing")]
    assert (words(home)["peak-flow-zone"]["code"], words(home)["peak-flow-zone"]["numbers"]["percent"]) == (
        "yellow",
        78,
    )
    home.restart()
    seq = blow(home, seq, 240)
    assert alerts(home) == [("peak-flow-red", "latched"), ("peak-flow-yellow", "firing")]
    assert raised(home, "peak-flow-red")["limit"] == 250
    [yellow] = [alert for alert in home.book.open if alert.rule == "peak-flow-yellow"]
    assert yellow.inhibited_by is not None, "the graver one mutes it"
    blow(home, seq, 450)
    assert alerts(home) == [("peak-flow-red", "latched"), ("peak-flow-yellow", "resolved")]
    assert words(home)["peak-flow-zone"]["code"] == "green"


# ---- uploads --------------------------------------------------------------------------------------------------------


def pass_by(bench: Bench, hours: int) -> dict[int, list[str]]:
    """Hours by which something changed, and the tiers that are open then. The unit itself keeps talking."""
    found: dict[int, list[str]] = {}
    before: list[str] = []
    for hour in range(1, hours + 1):
        bench.step(seconds=3600)
        tiers = [rule for rule in open_rules(bench) if rule.startswith("uploads")]
        if tiers != before:
            found[hour] = before = tiers
    return found


def test_silence_becomes_a_ladder_of_people_and_an_upload_ends_it(home: Bench) -> None:
    agree(home, uploads.Plan(every_minutes=1440, grace_minutes=120))
    remind, call, contact, visit = (
        "uploads-remind-person", "uploads-nurse-calls", "uploads-second-contact", "uploads-visit",
    )  # fmt: skip
    assert pass_by(home, 60) == {26: [remind], 50: [call, remind]}
    home.restart()
    assert pass_by(home, 1) == {1: [call, remind]}, "as before, none twice"
    assert pass_by(home, 110) == {1: [call, remind], 37: [call, remind, contact], 109: [call, remind, contact, visit]}
    assert len(bench_alerts(home)) == 4
    told = {rule: (role, means) for rule, role, means in home.rows(tables.notification, "rule", "role", "means")
            if rule.startswith("uploads")}  # fmt: skip
    assert told == {
        remind: ("patient", "app"), call: ("centre-nurse", "task"), contact: ("second-contact", "call"),
        visit: ("centre-nurse", "task"),
    }  # fmt: skip
    home.step(of(BED, observation(0, home.now + SECOND, device="cuff", bp_systolic=120, bp_diastolic=80)))
    home.step()
    assert [rule for rule in open_rules(home) if rule.startswith("uploads")] == []


def bench_alerts(bench: Bench) -> list[str]:
    return [rule for (rule,) in bench.rows(tables.alert, "rule") if rule.startswith("uploads")]


def test_an_upload_before_a_restart_counts_after_it(home: Bench) -> None:
    agree(home, uploads.Plan(every_minutes=60))
    home.step(seconds=50 * 60)
    home.step(of(BED, observation(0, home.now + SECOND, device="scale", weight=71.5)))
    home.restart()
    home.step(seconds=59 * 60)
    assert bench_alerts(home) == []
    home.step(seconds=2 * 60)
    assert bench_alerts(home) == ["uploads-remind-person"]


def upload_alerts(bench: Bench) -> list[str]:
    return [rule for rule in open_rules(bench) if rule.startswith("uploads")]


def test_a_training_hides_no_missing_upload_and_takes_none_away(home: Bench) -> None:
    agree(home, uploads.Plan(every_minutes=60))
    home.step(seconds=50 * 60)
    home.step(of(BED, observation(0, home.now + SECOND, device="scale", weight=71.5)))
    home.step(seconds=1)
    start(home, BED.unit, "", Mode.TRAINING, minutes=30)
    home.step(of(BED, observation(1, home.now + SECOND, device="scale", weight=90)))
    end(home, BED.unit, "")
    home.restart()
    home.step(seconds=55 * 60)
    assert bench_alerts(home) == [], "the upload before the training counts"
    home.step(seconds=5 * 60)
    assert bench_alerts(home) == ["uploads-remind-person"], "and what was practised does not"


@pytest.mark.parametrize("restart", [False, True])
def test_whoever_comes_next_owes_nothing_of_before(home: Bench, restart: bool) -> None:
    agree(home, uploads.Plan(every_minutes=60))
    home.step(seconds=4.5 * 3600)
    assert len(upload_alerts(home)) == 3
    theirs = home.write(lambda c: plans.plan(c, "p1", "plan-uploads")) | {"id": "plan-2", "person": "p2"}
    who = {"id": "p2", "name": "", "created_at": NOW, "birth_date": "1950-01-01"}
    where = {"unit": BED.unit, "device": "patch", "subject": "p2", "start_at": home.now, "source": "manual"}
    home.write(lambda c: c.execute(update(tables.association).values(end_at=home.now)))
    home.write(lambda c: c.execute(insert(tables.person).values(who)))
    home.write(lambda c: c.execute(insert(tables.association).values(where)))
    home.write(lambda c: plans.add_plan(c, theirs))
    if restart:
        home.restart()
    refresh(home)
    home.step(seconds=55 * 60)
    assert upload_alerts(home) == []
    home.step(seconds=6 * 60)
    assert upload_alerts(home) == ["uploads-remind-person"]


def test_two_devices_bound_to_one_person_speak_from_the_first(home: Bench) -> None:
    where = {"unit": BED.unit, "device": "cuff", "subject": "p1", "start_at": NOW + HOUR, "source": "manual"}
    home.write(lambda c: c.execute(insert(tables.association).values(where)))
    assert home.write(lambda c: limits.patients(c, NOW + 2 * HOUR))[BED.unit].since == NOW


def test_the_end_of_the_plan_ends_the_ladder(home: Bench) -> None:
    agree(home, uploads.Plan(every_minutes=60), until=3 * HOUR)
    home.step(seconds=2.5 * 3600)
    assert len(bench_alerts(home)) == 2
    home.now += HOUR
    refresh(home)
    home.step()
    assert [rule for rule in open_rules(home) if rule.startswith("uploads")] == []


# ---- words ----------------------------------------------------------------------------------------------------------


def test_a_blood_pressure_has_a_category_wherever_it_was_measured(home: Bench) -> None:
    home.feed.sent.clear()
    home.step(of(BED, observation(0, home.now + SECOND, device="cuff", bp_systolic=142, bp_diastolic=88)))
    assert [unit for kind, unit, _ in home.feed.sent if kind == "unit"] == [BED.unit], "screens are told at once"
    assert (words(home)["bp-category"]["code"], "assumed" in words(home)["bp-category"]) == ("grade-1", False)
    home.restart()
    assert words(home)["bp-category"]["code"] == "grade-1", "the newest values say it, nothing else is kept"
    home.step(observation(0, home.now + SECOND, glucose=3.2))
    [said] = home.stages.describe("amb-001")["wordings"]
    assert (said["name"], said["code"], said["urgent"], said["assumed"]) == ("glucose-class", "hypo-1", True, True)


def test_nonsense_for_a_pressure_stops_nobody(home: Bench) -> None:
    home.step(of(BED, observation(0, home.now + SECOND, device="cuff", bp_systolic=80, bp_diastolic=120)))
    assert words(home)["bp-category"]["refused"] == "no-pressure"
    home.step(of(BED, observation(1, home.now + MINUTE, device="cuff", bp_systolic=120, bp_diastolic=80)))
    assert words(home)["bp-category"]["code"] == "high-normal"
