"""Follows the registry beside the path: who may connect, who is cut off, whom each unit's devices speak for."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import nats
import structlog
from nats.aio.client import Client
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from gateway.adapters import care, clock, limits, rosters, tables
from gateway.adapters.auth_callout import Credential, kick
from gateway.adapters.load import load_subjects, load_units
from gateway.admit import RegisteredUnit
from gateway.alerts.roster import Roster
from gateway.care.calibration import Due
from gateway.fleet import Subject
from gateway.ports import LiveFeed
from gateway.rules.patient import Patient
from gateway.stages import Stages

log = structlog.get_logger("registry")

INTERVAL: Final = 1.0  # s; a revoked unit is cut off within about twice that


class RegistryWatch:
    """Reads the registry every second and when told that it changed. ``credentials`` are the auth callout's."""

    def __init__(
        self, engine: Engine, stages: Stages, credentials: dict[str, Credential], live: LiveFeed,
        connect_system: Callable[[], Any],
    ) -> None:  # fmt: skip
        self._engine = engine
        self._stages = stages
        self._credentials = credentials
        self._live = live
        self._connect_system = connect_system
        self._system: Client | None = None
        self._to_kick: set[str] = set()
        self.changed = asyncio.Event()

    async def run(self, observe: Callable[[], None]) -> None:
        """Until cancelled; ``observe`` is called after every round."""
        while True:
            try:
                await self.refresh()
            except SQLAlchemyError as error:
                log.warning("registry not read, trying again", error=str(error).splitlines()[0])
            self._system = self._system or await self._connect_system()
            await self._kick_pending()
            observe()
            try:
                async with asyncio.timeout(INTERVAL):
                    await self.changed.wait()
            except TimeoutError:
                continue
            self.changed.clear()

    async def refresh(self) -> None:
        """One round: new units may connect, revoked ones lose their place, screens learn whom units speak for."""
        units, hashes, subjects, dues, roster, patients = await asyncio.to_thread(self._read)
        for unit in set(self._stages.fleet.units) - set(units):
            self._bar(unit)
        for unit, entry in units.items():
            self._admit(unit, entry, hashes[unit])
        changed = set(self._stages.fleet.set_subjects(subjects))
        bound = self._stages.rules.set_patients(patients)
        self._stages.derivation.set_people({unit: (one.id, one.person) for unit, one in patients.items()})
        changed.update(bound)
        for unit in sorted(changed & self._stages.fleet.states.keys()):
            self._live.notify("unit", unit, {"unit": self._stages.describe(unit)})
        self._stages.standing.calibrations.set_dues(dues)
        self._stages.lifecycle.set_roster(roster)

    def _read(
        self,
    ) -> tuple[dict[str, RegisteredUnit], dict[str, str], dict[str, Subject], list[Due], Roster, dict[str, Patient]]:
        now = clock.now()
        with self._engine.connect() as connection:
            subjects = load_subjects(connection, now)
            dues, roster = care.dues(connection, now), rosters.load(connection, now)
            return load_units(connection), _hashes(connection), subjects, dues, roster, limits.patients(connection, now)

    def _bar(self, unit: str) -> None:
        log.warning("unit revoked", unit=unit)
        self._credentials.pop(unit, None)
        self._stages.fleet.revoke(unit)
        self._stages.silence.forget(unit)
        self._to_kick.add(unit)

    def _admit(self, unit: str, entry: RegisteredUnit, token_hash: str) -> None:
        fleet = self._stages.fleet
        if fleet.units.get(unit) != entry:
            fleet.register(unit, entry)
        credential = Credential(entry.address, token_hash)
        if self._credentials.get(unit, credential) != credential:
            self._to_kick.add(unit)  # a new token: whoever holds the old one is out
        self._credentials[unit] = credential

    async def _kick_pending(self) -> None:
        """Cuts the sessions of units that may not be connected any more; asked again until the broker has answered."""
        for unit in sorted(self._to_kick):
            assert self._system is not None
            try:
                count = await kick(self._system, unit)
            except (nats.errors.Error, OSError, TimeoutError) as error:
                log.warning("could not cut a session, trying again", unit=unit, error=repr(error))
            else:
                log.warning("cut the sessions of a unit", unit=unit, sessions=count)
                self._to_kick.discard(unit)


def _hashes(connection: Connection) -> dict[str, str]:
    return {row.id: row.token_hash for row in connection.execute(select(tables.unit.c.id, tables.unit.c.token_hash))}
