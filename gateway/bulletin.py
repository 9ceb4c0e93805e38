"""What screens are told of a record or a command: JSON-ready bodies of the live feed's messages."""

from typing import Any

import msgspec

from gateway.admit import Admitted
from gateway.commands.command import RemoteCommand
from gateway.contract.observation import Event, Observation
from gateway.ports import RecordFlag


def observations(record: Admitted, body: Observation, *, derived: bool) -> dict[str, Any]:
    """What a device measured, or what was derived from it."""
    return {
        "device": body.device,
        "at": record.event_at,
        "received_at": record.received_at,
        "late": bool(record.flags & RecordFlag.LATE),
        "derived": derived,
        "test": bool(record.flags & RecordFlag.TEST),
        "service": bool(record.flags & RecordFlag.SERVICE),
        "values": body.values,
    }


def event(record: Admitted, body: Event) -> dict[str, Any]:
    """Something that happened."""
    return {
        "device": body.device,
        "at": record.event_at,
        "name": body.name,
        "details": body.details,
        "test": bool(record.flags & RecordFlag.TEST),
        "service": bool(record.flags & RecordFlag.SERVICE),
    }


def command(command: RemoteCommand) -> dict[str, Any]:
    """As every screen may see it: what the person typed as the reason may name somebody and stays with the API."""
    body: dict[str, Any] = msgspec.to_builtins(command)
    del body["reason"]
    return body
