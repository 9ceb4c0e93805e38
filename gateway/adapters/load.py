"""Reads back, when the gateway starts, the state the last commit left."""

from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, or_, select

from gateway.adapters import commands, fetal, limits, pressure_care, rosters, sessions, silences, tables, windows
from gateway.admit import Admitted, Clock, RegisteredUnit
from gateway.alerts.alert import Alert, State
from gateway.alerts.book import REOPEN_WITHIN, AlertBook
from gateway.alerts.lifecycle import Lifecycle
from gateway.alerts.place import group_in, person_of, place_in
from gateway.alerts.silence import SilenceDesk
from gateway.care.calibration import CODE as CALIBRATION
from gateway.care.calibration import CalibrationWatch
from gateway.care.desk import ServiceDesk
from gateway.care.missed import UploadWatch
from gateway.care.sessions import DEFAULT_IDLE, SessionWatch
from gateway.changes import Position
from gateway.commands.command import RemoteCommand
from gateway.contract.envelope import Hello, Instant, Lane, Presence
from gateway.contract.identity import Provenance
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import MINUTE, SECOND
from gateway.contract.topic import UnitAddress, UnitKind
from gateway.contract.waveform import WaveFrame
from gateway.contract.wire import decode
from gateway.derive.derivation import DERIVED_EPOCH, LAIN_IN
from gateway.derive.fetal_watch import Sound
from gateway.derive.pressure import DOSE, UNTURNED, Limits, PressureWatch
from gateway.derive.silence import SilenceWatch
from gateway.fleet import Fleet, Latest, Subject
from gateway.ledger import Absence, Fate, IdSource, LaneLedger, Ledger
from gateway.ports import RecordFlag
from gateway.rules.catalogue import THRESHOLDS
from gateway.rules.engine import Rules
from gateway.rules.hold import Hold, Holds
from gateway.rules.ruleset import Ruleset
from gateway.rules.threshold import Thresholds
from gateway.sequence import MAX_HELD, PATIENCE, Sequencer
from gateway.standing import Standing, silence_of
from gateway.unpack import Route

_hello: Final = msgspec.json.Decoder(Hello)


class Restored(msgspec.Struct):
    """Everything the pipeline keeps in memory."""

    position: Position | None
    ledger: Ledger
    fleet: Fleet
    rules: Rules
    open_alerts: list[Alert]
    silence: SilenceWatch
    sequencer: Sequencer
    commands: list[RemoteCommand]
    standing: Standing
    lifecycle: Lifecycle
    pressure: PressureWatch
    traces: dict[str, list[Sound]]  # what was heard lately of each unit's fetal heart


def load(
    connection: Connection,
    started_at: Instant,
    session_idle: int = DEFAULT_IDLE,
    ruleset: Ruleset | None = None,
) -> Restored:
    """The state as of the last commit. ``ruleset``: the site's own; the default is the catalogue as it comes."""
    fleet = Fleet()
    for unit, entry in load_units(connection).items():
        fleet.register(unit, entry)
    ledger = _load_ledger(connection)
    sequencer = Sequencer()
    position = _load_position(connection)
    for lane in ledger.lanes.values():
        _restore_order(connection, sequencer, lane, fleet, position)
    alerts = [_alert(row) for row in connection.execute(select(tables.alert).where(tables.alert.c.state != "resolved"))]
    silence = SilenceWatch(started_at)
    _load_links(connection, fleet, silence, ledger)
    rules = _load_rules(connection, fleet, alerts, ruleset)
    rules.set_patients(limits.patients(connection, started_at))
    _load_latest(connection, fleet, silence, rules)
    _restore_silences(silence, alerts)
    standing = Standing(
        service=ServiceDesk(windows.load(connection, started_at)),
        sessions=SessionWatch(session_idle, sessions.deadlines(connection)),
        calibrations=CalibrationWatch(alert.subject for alert in alerts if alert.rule == CALIBRATION),
        uploads=UploadWatch({(alert.unit, alert.rule): person_of(alert) for alert in alerts}),
    )
    remote = commands.load(connection)
    lifecycle = _load_lifecycle(connection, fleet, alerts, started_at)
    pressure = _load_pressure(connection, fleet, rules, started_at)
    traces = fetal.traces(connection, fleet, started_at)
    return Restored(
        position, ledger, fleet, rules, alerts, silence, sequencer, remote, standing, lifecycle, pressure, traces
    )


def load_units(connection: Connection) -> dict[str, RegisteredUnit]:
    """The registry: units that may speak."""
    rows = connection.execute(select(tables.unit).where(tables.unit.c.revoked_at.is_(None)))
    return {
        row.id: RegisteredUnit(UnitAddress(row.site, UnitKind(row.kind), row.id), row.name, Provenance(row.provenance))
        for row in rows
    }


def load_subjects(connection: Connection, now: Instant) -> dict[str, Subject]:
    """Who each unit speaks for now: the person of its newest association that has begun and not ended."""
    who, person = tables.association.c, tables.person.c
    query = (
        select(who.unit, person.id, person.name, person.sex, person.birth_date)
        .join_from(tables.association, tables.person, person.id == who.subject)
        .where(who.start_at <= now, or_(who.end_at.is_(None), who.end_at > now), who.voided_at.is_(None))
        .order_by(who.start_at, who.id)
    )
    return {
        row.unit: Subject(row.id, row.name, row.sex, age_in_years(row.birth_date, now))
        for row in connection.execute(query)
    }


def age_in_years(birth_date: str | None, now: Instant) -> int | None:
    """Whole years lived on the day of ``now`` (UTC); None when the date is not known or not a date."""
    try:
        born = date.fromisoformat(birth_date or "")
    except ValueError:
        return None
    today = datetime.fromtimestamp(now / SECOND, UTC).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _restore_order(
    connection: Connection, sequencer: Sequencer, lane: LaneLedger, fleet: Fleet, position: Position | None
) -> None:
    """Records that waited behind a young hole were stored but not evaluated: they wait again."""
    holes = [a for a in lane.absences if a.fate is Fate.OPEN and position and a.seen_at > position.logged_at - PATIENCE]
    unit = fleet.units.get(lane.unit)
    held = _records_from(connection, lane, unit, holes[0].last + 1) if holes and unit is not None else []
    if held:
        sequencer.hold(lane.id, holes[0].first, held)
    else:
        sequencer.restore(lane.id, lane.next)


def _records_from(connection: Connection, lane: LaneLedger, unit: RegisteredUnit, first: int) -> list[Admitted]:
    table, route = tables.record, Route(unit.address, lane.lane.channel, lane.lane)
    query = select(table).where(table.c.lane_id == lane.id, table.c.seq >= first).order_by(table.c.seq).limit(MAX_HELD)
    simulated = unit.provenance is not Provenance.LIVE
    held = []
    for row in connection.execute(query):
        body = decode(route.channel, row.payload)
        assert isinstance(body, Observation | Event | WaveFrame)
        if not body.backfill:
            times = row.event_at, row.received_at, row.flags
            practised = bool(row.flags & RecordFlag.TEST)
            held.append(Admitted(route, lane, body, *times, row.payload, simulated or practised))
    return held


def _load_position(connection: Connection) -> Position | None:
    row = connection.execute(select(tables.position)).first()
    return Position(row.stream_created, row.sequence, row.logged_at) if row else None


def _load_ledger(connection: Connection) -> Ledger:
    last_lane = connection.execute(select(func.max(tables.lane.c.id))).scalar() or 0
    last_gap = connection.execute(select(func.max(tables.gap.c.id))).scalar() or 0
    ledger = Ledger(IdSource(last_lane), IdSource(last_gap))
    lanes: dict[int, LaneLedger] = {}
    for row in connection.execute(select(tables.lane)):
        lane = LaneLedger(row.id, row.unit, row.epoch, Lane(row.lane), row.next, row.seen_at)
        lanes[row.id] = ledger.add(lane)
    gap = tables.gap.c
    for row in connection.execute(select(tables.gap).where(gap.healed_at.is_(None)).order_by(gap.lane_id, gap.first)):
        lanes[row.lane_id].absences.append(_absence(row))
    return ledger


def _absence(row: Any) -> Absence:
    fate = Fate.LOST if row.lost_at else Fate.SHED if row.shed_at else Fate.OPEN
    absence = Absence(row.id, row.first, row.last, row.seen_at, row.first, row.last, fate)
    absence.fated_at = row.lost_at or row.shed_at
    return absence


def _alert(row: Any) -> Alert:
    return msgspec.convert({name: getattr(row, name) for name in Alert.__struct_fields__}, Alert)


def _load_rules(connection: Connection, fleet: Fleet, alerts: list[Alert], ruleset: Ruleset | None) -> Rules:
    """Half-elapsed durations: they are written when they change; how far they have come, the newest values say."""

    def kind_of(unit: str) -> UnitKind | None:
        entry = fleet.units.get(unit)
        return entry.address.kind if entry else None

    rules = Rules(Thresholds(ruleset, kind_of))
    for row in connection.execute(select(tables.rule_clock)):
        if rules.switches.owns(row.subject, row.rule):
            rules.switches.restore(row.subject, row.rule, msgspec.json.decode(row.state, type=Hold))
        else:
            rules.thresholds.restore(row.subject, row.rule, msgspec.json.decode(row.state, type=Holds).devices)
    for alert in alerts:
        lasts_at = None if alert.state is State.LATCHED else alert.device
        rules.restore(alert.subject, alert.rule, alert.raised_at, lasts_at)
    return rules


def _load_pressure(connection: Connection, fleet: Fleet, rules: Rules, now: Instant) -> PressureWatch:
    """The beds as they were last told, under the limits that count for whoever lies there: one limit, one word."""

    def limit(unit: str, quantity: str, default: float) -> float:
        rows = rules.thresholds.rows(unit, quantity)
        return next((row.threshold.limit for row in rows if row.threshold is not None), default)

    def limits_of(unit: str) -> Limits:
        usual = Limits()
        turn = limit(unit, UNTURNED, usual.turn / MINUTE)
        return Limits(limit(unit, DOSE, usual.dose), round(turn * MINUTE))

    beds = [unit for unit, entry in fleet.units.items() if entry.address.kind is LAIN_IN]
    known = pressure_care.load(connection, beds, now)
    watch = PressureWatch(known, limits_of)
    for unit, at in pressure_care.handed_over(connection, known.keys(), now).items():
        since = known[unit].since
        if since is not None and since < at:
            watch.forget(unit)
    return watch


def _load_lifecycle(connection: Connection, fleet: Fleet, alerts: list[Alert], started_at: Instant) -> Lifecycle:
    """The book with what has just ended (it may come again), the silences that are on, and who is on duty."""
    ended = select(tables.alert).where(tables.alert.c.resolved_at > started_at - REOPEN_WITHIN)
    recent = [_alert(row) for row in connection.execute(ended.order_by(tables.alert.c.resolved_at))]
    book = AlertBook(alerts, recent, group_in(fleet))
    desk = SilenceDesk(silences.load(connection))
    return Lifecycle(book, desk, place_in(fleet), rosters.load(connection, started_at))


def _load_links(connection: Connection, fleet: Fleet, silence: SilenceWatch, ledger: Ledger) -> None:
    for row in connection.execute(select(tables.unit_link)):
        state = fleet.states.get(row.unit)
        if state is None:
            continue
        hello = _hello.decode(row.hello)
        state.presence, state.epoch, state.hello_at = Presence(row.presence), row.epoch, row.hello_at
        state.link_mode, state.outbox_records, state.shed = hello.link_mode, hello.outbox_records, hello.shed
        state.firmware, state.battery = hello.firmware, hello.battery
        if row.clock_offset is not None:
            fleet.clocks[row.unit] = Clock(row.clock_offset, row.clock_error)
        epochs = {lane.epoch for lane in ledger.by_unit.get(row.unit, ())}
        fleet.superseded[row.unit] = epochs - {row.epoch, DERIVED_EPOCH}
        silence.restore(row.unit, None, None, row.hello_at)


def _load_latest(connection: Connection, fleet: Fleet, silence: SilenceWatch, rules: Rules) -> None:
    for row in connection.execute(select(tables.latest)):
        state = fleet.states.get(row.unit)
        if state is None:
            continue
        state.latest[row.device, row.quantity] = Latest(row.value, row.event_at, row.received_at, row.derived)
        if not row.derived:
            silence.restore(row.unit, row.device, row.quantity, row.received_at)
        if row.quantity in THRESHOLDS:
            rules.thresholds.heard(row.unit, row.device, row.quantity, row.event_at)
    fleet.devices = {(row.unit, row.device) for row in connection.execute(select(tables.device))}


def _restore_silences(silence: SilenceWatch, alerts: list[Alert]) -> None:
    """Units and channels whose silence has been raised stay silent until they speak."""
    for alert in alerts:
        key = silence_of(alert)
        if key is not None:
            silence.mark(*key)
