"""Remote commands: written with the batch that changes them, listed for the API, loaded when the gateway starts.

Implements `gateway.api.ports.CommandReads`. Each request and each outcome is a line of the audit log, in the same
transaction as the row.
"""

import json
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, Select, insert, select, update

from gateway.adapters import audit_log, tables
from gateway.adapters.paging import newest_first
from gateway.api.ports import PageRequest
from gateway.commands.command import CommandChange, RemoteCommand, State
from gateway.commands.desk import REMEMBERED

_command = tables.command
_OPEN: Final = [str(state) for state in State if state.open]
_JSON: Final = ("arguments", "result")


def write(connection: Connection, changes: list[CommandChange]) -> None:
    """Runs inside the commit's transaction."""
    for change in changes:
        command = change.command
        row = _to_row(command)
        if command.state is State.REQUESTED:
            connection.execute(insert(_command).values(row))
        else:
            connection.execute(update(_command).where(_command.c.id == command.id).values(row))
        if command.state is not State.SENT:
            action = f"command-{command.state}"
            audit_log.append(connection, change.at, change.actor, action, command.id, _details(command))


def _to_row(command: RemoteCommand) -> dict[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(command)
    return row | {name: None if row[name] is None else json.dumps(row[name]) for name in _JSON}


def _details(command: RemoteCommand) -> dict[str, Any]:
    about = {"unit": command.unit, "device": command.device, "name": command.name}
    if command.state is State.REQUESTED:
        return about | {"arguments": command.arguments, "reason": command.reason, "role": command.role}
    return about | {"refusal": command.refusal, "result": command.result}


def load(connection: Connection) -> list[RemoteCommand]:
    """The newest ended commands, oldest first, then the open ones."""
    ended = select(_command).where(_command.c.state.not_in(_OPEN)).order_by(_command.c.ended_at.desc())
    unfinished = select(_command).where(_command.c.state.in_(_OPEN)).order_by(_command.c.requested_at)
    newest = [_from_row(row) for row in connection.execute(ended.limit(REMEMBERED)).mappings()]
    return newest[::-1] + [_from_row(row) for row in connection.execute(unfinished).mappings()]


def _from_row(row: RowMapping) -> RemoteCommand:
    opened = _opened(row)
    return msgspec.convert({name: opened[name] for name in RemoteCommand.__struct_fields__}, RemoteCommand)


def _opened(row: RowMapping) -> dict[str, Any]:
    return {**row, **{name: None if row[name] is None else json.loads(row[name]) for name in _JSON}}


def commands(connection: Connection, unit: str, page: PageRequest, *, open_only: bool) -> list[dict[str, Any]]:
    """Commands to a unit, newest first, after the position (requested_at, id)."""
    query = newest_first(_of(unit), _command.c.requested_at, _command.c.id, page)
    if open_only:
        query = query.where(_command.c.state.in_(_OPEN))
    return [_opened(row) for row in connection.execute(query).mappings()]


def command(connection: Connection, unit: str, command_id: str) -> dict[str, Any] | None:
    """One command to a unit, none when there is no such."""
    row = connection.execute(_of(unit).where(_command.c.id == command_id)).mappings().first()
    return _opened(row) if row else None


def _of(unit: str) -> Select[Any]:
    return select(_command).where(_command.c.unit == unit)
