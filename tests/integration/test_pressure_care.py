"""Pressure care on the gateway's path: maps, turns, exits, alerts, proposals that become commands, restarts."""

import asyncio
from typing import Any

import pytest
from sqlalchemy.dialects.sqlite import insert

from gateway.adapters import audit_log, pressure_care, tables
from gateway.adapters.compactor import Compactor
from gateway.alerts.alert import State
from gateway.commands.command import CommandConflict, RemoteCommand
from gateway.contract.envelope import Hello, Presence
from gateway.contract.observation import Event
from gateway.contract.quantity import MINUTE, SECOND
from gateway.contract.topic import UnitAddress, UnitKind
from gateway.derive.pressure import TURNED, Care, CareRefused, Refusal, Stopped
from gateway.derive.scores.pressure_dose import COLUMNS, LIMIT, ROWS, ZONES
from gateway.derive.scores.score import Person
from gateway.derive.scores.turn_clock import LAPSES_AFTER
from gateway.moves import Confirmation, TurnEntry
from tests.integration.care_bench import act, of
from tests.integration.path_bench import Bench
from tests.unit.gateway.builders import EPOCH, NOW, UNIT

BED = UnitAddress("linyi", UnitKind.HOMECARE_BED, "bed-1")
SACRUM = "pelvis-middle"
EVERY = 60  # s between maps: as long as a map stands
HOUR = 3600


class Ward:
    """One live bed on the path."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.seq = 0
        row = {"id": BED.unit, "site": BED.site, "kind": str(BED.kind), "name": "B", "provenance": "live",
               "token_hash": "0" * 64, "registered_at": NOW}  # fmt: skip
        bench.write(lambda c: c.execute(insert(tables.unit).values(row)))
        bench.restart()
        bench.step(of(BED, Hello(presence=Presence.ONLINE, epoch=EPOCH, sent_at=bench.now)))

    def say(self, name: str, *, device: str = "bed", seconds: float = 1.0, test: bool = False, **details: Any) -> None:
        at = self.bench.now + round(seconds * SECOND)
        body = Event(epoch=EPOCH, seq=self.seq, device=device, observed_at=at, name=name, details=details, test=test)
        self.seq += 1
        self.bench.step(of(BED, body), seconds=seconds)

    def lie(self, seconds: int, kpa: float = 8.0, *, test: bool = False) -> None:
        cells = [kpa if place in ZONES[SACRUM] else 0.0 for place in range(ROWS * COLUMNS)]
        for _ in range(seconds // EVERY):
            self.say("pressure-map", device="mat", seconds=EVERY, test=test, rows=ROWS, columns=COLUMNS, kpa=cells)

    def until_proposed(self) -> int:
        """A mattress that lies still, and a turn that is overdue."""
        self.say("mattress-state", device="mattress", mode="static")
        self.lie(2 * HOUR + 2 * EVERY)
        assert self.care.proposal is not None
        return self.care.proposal.proposed_at

    def turn(self, ago: int = 0, unit: str = BED.unit) -> Any:
        at = self.bench.now + SECOND - ago
        return act(self.bench, lambda future: TurnEntry(unit, at, "wang", future))

    def confirm(self, proposed_at: int, number: int = 1, by: str = "wang") -> Any:
        return act(self.bench, lambda future: Confirmation(proposed_at, self.wanted(number, by), future))

    def wanted(self, number: int, by: str) -> RemoteCommand:
        now = self.bench.now
        return RemoteCommand(
            id=f"c{number}", site=BED.site, unit=BED.unit, device="mattress", name="set-mattress-mode",
            arguments={"mode": "alternate"}, reason="sacrum", requested_by=by, role="nurse", requested_at=now,
            expires_at=now + 30 * SECOND,
        )  # fmt: skip

    @property
    def care(self) -> Care:
        """As the database has it."""
        found = self.bench.write(lambda c: pressure_care.newest(c, BED.unit, self.bench.now))
        assert isinstance(found, Care)
        return found

    @property
    def alerts(self) -> dict[str, State]:
        return {alert.rule: alert.state for alert in self.bench.book.open if alert.unit == BED.unit}


@pytest.fixture
def ward(bench: Bench) -> Ward:
    return Ward(bench)


def test_maps_become_records_of_the_units_own_once_a_minute(ward: Ward) -> None:
    ward.lie(10 * 60)
    told = [body for kind, _, body in ward.bench.feed.sent if kind == "observations" and body["derived"]]
    assert [one["values"]["time-unturned"] for one in told] == list(range(10))
    assert ward.care.zone == SACRUM
    assert ward.care.dose == pytest.approx(8 * 9)
    latest = ward.bench.stages.fleet.states[BED.unit].latest["gateway", "pressure-dose"]
    assert (latest.value, latest.derived) == (ward.care.dose, True)


def test_an_overdue_turn_is_a_task_until_somebody_turns_them(ward: Ward) -> None:
    ward.lie(2 * HOUR - 60)
    assert ward.alerts == {}
    ward.lie(3 * 60)
    assert ward.alerts == {"turn-overdue": State.FIRING}
    [alert] = [one for one in ward.bench.book.open if one.rule == "turn-overdue"]
    assert (str(alert.priority), alert.value, alert.limit) == ("low", 120, 120)
    record = ward.turn()
    assert isinstance(record, Event)
    assert (record.name, record.details) == (TURNED, {"by": "wang"})
    assert ward.alerts == {}
    assert ward.care.since == record.observed_at
    assert ("wang", TURNED, BED.unit) in ward.bench.rows(tables.audit_log, "actor", "action", "target")
    assert ward.bench.write(audit_log.verify) == []


def test_a_dose_at_its_limit_mutes_the_overdue_turn(ward: Ward) -> None:
    ward.lie(2 * HOUR + 60, kpa=25.0)
    assert ward.care.dose >= LIMIT
    muted = {one.rule: one.inhibited_by is not None for one in ward.bench.book.open if one.unit == BED.unit}
    assert muted == {"pressure-dose-high": False, "turn-overdue": True}


def test_a_turn_recorded_late_ends_the_alert_all_the_same(ward: Ward) -> None:
    ward.lie(2 * HOUR + 120)
    assert "turn-overdue" in ward.alerts
    ward.turn(ago=5 * MINUTE)
    assert ward.alerts == {}
    ward.lie(120)
    assert ward.care.unknown == pytest.approx(5 * MINUTE, abs=SECOND * EVERY)


def test_a_bed_exit_sets_back(ward: Ward) -> None:
    ward.lie(2 * HOUR + 120)
    ward.say("bed-exit")
    assert ward.care.since is None
    assert "turn-overdue" not in ward.alerts


def test_an_empty_mat_ends_the_task_though_the_bed_says_nothing(ward: Ward) -> None:
    ward.lie(2 * HOUR + 120)
    assert "turn-overdue" in ward.alerts
    ward.lie(7 * 60, kpa=0.4)
    assert (ward.alerts, ward.care.stopped) == ({}, Stopped.EMPTY)


def test_the_clock_goes_on_while_everything_is_silent(ward: Ward) -> None:
    ward.lie(60)
    for _ in range(125):
        ward.bench.step(seconds=60)
    assert "turn-overdue" in ward.alerts


def test_a_persons_own_interval_is_a_limit_of_theirs(ward: Ward) -> None:
    person = {"id": "p-1", "name": "王建国", "sex": "male", "birth_date": "1940-01-01", "created_at": NOW}
    bound = {"id": 1, "unit": BED.unit, "device": "*", "subject": "p-1", "start_at": NOW, "source": "manual"}
    limit = {"id": "l-1", "person": "p-1", "rule": "turn-overdue", "limit": 60.0, "reason": "skin", "set_by": "dr-li",
             "set_at": NOW, "expires_at": NOW + 9 * HOUR * SECOND}  # fmt: skip
    for table, row in ((tables.person, person), (tables.association, bound), (tables.person_limit, limit)):
        ward.bench.write(lambda c, table=table, row=row: c.execute(insert(table).values(row)))
    ward.bench.restart()
    ward.lie(HOUR + 120)
    assert "turn-overdue" in ward.alerts
    assert ward.care.turn_every == HOUR * SECOND


def test_a_restart_goes_on_from_what_was_stored(ward: Ward) -> None:
    ward.lie(HOUR)
    before = ward.care
    ward.bench.restart()
    ward.lie(10 * 60)
    assert ward.care.since == before.since
    assert ward.care.dose == pytest.approx(before.dose + 8 * 10, rel=0.02)
    assert ward.care.unknown == 0


def test_the_last_word_is_found_when_it_has_been_folded_into_a_block(ward: Ward) -> None:
    ward.lie(HOUR)
    before = ward.care
    Compactor(ward.bench.database.engine, ward.bench.database).step(ward.bench.now + 9 * HOUR * SECOND)
    assert ward.bench.rows(tables.record, "seq") == []
    assert ward.care == before
    later = ward.bench.now + pressure_care.LOOK_BACK + SECOND
    assert ward.bench.write(lambda c: pressure_care.newest(c, BED.unit, later)) is None, "nobody lies there any more"


def test_what_happened_while_it_was_down_is_unknown(ward: Ward) -> None:
    ward.lie(HOUR)
    before = ward.care
    ward.bench.now += 30 * MINUTE
    ward.bench.restart()
    ward.lie(120)
    assert ward.care.since == before.since
    assert ward.care.unknown == pytest.approx(29 * MINUTE, abs=MINUTE)
    assert ward.care.dose == pytest.approx(before.dose + 8 * 3, rel=0.05)


def test_whoever_lies_there_next_inherits_nothing(ward: Ward) -> None:
    ward.lie(2 * HOUR + 120)
    derivation = ward.bench.stages.derivation
    for person in ("p-1", "p-2"):
        derivation.set_people({BED.unit: (person, Person())})
        ward.bench.step()
        assert ("turn-overdue" in ward.alerts) is (person == "p-1"), (
            "before anybody was known it was theirs who are now"
        )
    assert (ward.care.since, ward.care.dose) == (None, 0)


def bind(ward: Ward, person: str, start: int, end: int | None = None) -> None:
    who = {"id": person, "name": "", "created_at": NOW}
    where = {"unit": BED.unit, "device": "*", "subject": person, "start_at": start, "end_at": end, "source": "manual"}
    ward.bench.write(lambda c: c.execute(insert(tables.person).values(who).on_conflict_do_nothing()))
    ward.bench.write(lambda c: c.execute(insert(tables.association).values(where)))


@pytest.mark.parametrize("next_one", ["p-2", None])
def test_whoever_lies_there_after_a_restart_inherits_nothing(ward: Ward, next_one: str | None) -> None:
    ward.lie(2 * HOUR + 120)
    bind(ward, "p-1", NOW, ward.bench.now + SECOND)
    if next_one is not None:
        bind(ward, next_one, ward.bench.now + SECOND)
    ward.bench.now += MINUTE
    ward.bench.restart()
    ward.bench.step()
    assert "turn-overdue" not in ward.alerts
    assert (ward.care.since, ward.care.dose) == (None, 0)


def test_a_restart_takes_nothing_from_whoever_still_lies_there(ward: Ward) -> None:
    """Somebody else had the bed before; they were known only a while after they lay down."""
    bind(ward, "p-1", NOW - HOUR * SECOND, NOW - SECOND)
    ward.lie(2 * HOUR + 120)
    bind(ward, "p-2", ward.bench.now - MINUTE)
    before = ward.care
    ward.bench.restart()
    ward.bench.step()
    assert "turn-overdue" in ward.alerts
    assert (ward.care.since, ward.care.dose) == (before.since, before.dose)


def test_practice_presses_on_nobody(ward: Ward) -> None:
    ward.lie(120)
    before = ward.care
    ward.lie(HOUR, test=True)
    assert (ward.care.dose, ward.care.since) == (before.dose, before.since)
    assert ward.care.mat_at == before.mat_at


def test_a_map_of_another_mat_is_kept_and_spoils_nothing(ward: Ward) -> None:
    ward.lie(120)
    ward.say("pressure-map", device="mat", rows=2, columns=2, kpa=[9.0] * 4)
    ward.lie(60)
    assert ward.bench.rows(tables.reject, "reason") == []


# ---- illegal turns --------------------------------------------------------------------------------------------------
def test_a_turn_before_they_lay_so_and_one_where_nobody_lies(ward: Ward) -> None:
    ward.lie(HOUR)
    ward.turn()
    for refusal, reason in (
        (ward.turn(ago=MINUTE * 5), Refusal.TURN_TOO_OLD),
        (ward.turn(unit=UNIT.unit), Refusal.NOT_A_BED),
        (ward.turn(unit="nowhere"), Refusal.NOT_A_BED),
    ):
        assert isinstance(refusal, CareRefused)
        assert refusal.reason is reason
    assert [row for row in ward.bench.rows(tables.audit_log, "action") if row == (TURNED,)] == [(TURNED,)]


# ---- proposals ------------------------------------------------------------------------------------------------------
def test_nothing_moves_before_somebody_confirms(ward: Ward) -> None:
    ward.until_proposed()
    ward.lie(10 * 60)
    assert ward.bench.rows(tables.command, "id") == []


def test_a_confirmed_proposal_is_a_command_like_any_other(ward: Ward) -> None:
    id = ward.until_proposed()
    taken = ward.confirm(id)
    assert isinstance(taken, RemoteCommand)
    assert ward.care.confirmed_by == "wang"
    [row] = ward.bench.rows(tables.command, "unit", "device", "name", "arguments", "state", "requested_by", "role")
    assert row == (BED.unit, "mattress", "set-mattress-mode", '{"mode": "alternate"}', "sent", "wang", "nurse")
    lines = ward.bench.rows(tables.audit_log, "actor", "action", "target")
    assert set(lines) >= {("wang", "proposal-confirmed", BED.unit), ("wang", "command-requested", "c1")}
    ward.say("mattress-state", device="mattress", mode="alternate")
    assert ward.care.proposal is None


def test_two_people_at_once_make_one_command(ward: Ward) -> None:
    id = ward.until_proposed()

    async def both() -> list[Confirmation]:
        loop = asyncio.get_running_loop()
        return [Confirmation(id, ward.wanted(n, by), loop.create_future()) for n, by in ((1, "wang"), (2, "li"))]

    first, second = moves = asyncio.run(both())
    ward.bench.step(moves=list(moves))
    second.future.exception()
    assert isinstance(first.outcome, RemoteCommand)
    assert isinstance(second.refusal, CommandConflict)
    assert len(ward.bench.rows(tables.command, "id")) == 1
    third = ward.confirm(id, 3, "zhao")
    assert isinstance(third, CareRefused)
    assert third.reason is Refusal.PROPOSAL_DONE


def test_a_command_that_was_not_carried_out_frees_the_proposal(ward: Ward) -> None:
    id = ward.until_proposed()
    ward.confirm(id)
    ward.lie(60)
    assert ward.bench.rows(tables.command, "state") == [("unanswered",)]
    ward.bench.step()
    assert (ward.care.confirmed_by, ward.care.proposal is None) == ("", False)
    taken = ward.confirm(id, 2, "li")
    assert isinstance(taken, RemoteCommand)
    assert ward.care.confirmed_by == "li"


def test_a_restart_knows_of_a_command_that_was_not_carried_out(ward: Ward) -> None:
    id = ward.until_proposed()
    ward.confirm(id)
    ward.bench.write(lambda c: c.execute(tables.command.update().values(state="refused", ended_at=ward.bench.now)))
    ward.bench.restart()
    ward.bench.step()
    assert ward.care.confirmed_by == ""
    assert isinstance(ward.confirm(id, 2, "li"), RemoteCommand)


def test_a_proposal_that_is_over_is_no_command(ward: Ward) -> None:
    id = ward.until_proposed()
    ward.turn()
    refusal = ward.confirm(id)
    assert isinstance(refusal, CareRefused)
    assert refusal.reason is Refusal.PROPOSAL_LAPSED
    assert ward.bench.rows(tables.command, "id") == []


def test_a_proposal_lapses_by_the_clock_while_the_mat_is_silent(ward: Ward) -> None:
    id = ward.until_proposed()
    ward.bench.now += LAPSES_AFTER
    refusal = ward.confirm(id)
    assert isinstance(refusal, CareRefused)
    assert refusal.reason is Refusal.PROPOSAL_LAPSED


def test_a_restart_knows_who_confirmed_what(ward: Ward) -> None:
    id = ward.until_proposed()
    ward.confirm(id)
    ward.bench.restart()
    refusal = ward.confirm(id, 2, "li")
    assert isinstance(refusal, CareRefused)
    assert refusal.reason is Refusal.PROPOSAL_DONE
    assert len(ward.bench.rows(tables.command, "id")) == 1
