"""Notices and deliveries as rows."""

import json
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import RowMapping

from gateway.alerts.notice import Notice
from gateway.contract.envelope import Instant
from gateway.rules.catalogue import Priority

RANK: Final = {Priority.HIGH: 0, Priority.MEDIUM: 1, Priority.LOW: 2}  # what goes first


class DeliveryState(StrEnum):
    """What became of one recipient's message by one channel."""

    PENDING = "pending"  # waits for its time
    SENDING = "sending"  # an attempt is under way, or was when the process was killed
    SENT = "sent"  # the provider took it; whether somebody read it nobody can know
    OBSOLETE = "obsolete"  # somebody took the alert, or it was muted or over, before this went out
    DEAD = "dead"  # given up: somebody has to look at it


class Delivery(msgspec.Struct, frozen=True):
    """One attempt that is due."""

    notice: Notice
    recipient: str
    channel: str
    attempts: int  # with this one
    due_at: Instant

    @property
    def key(self) -> tuple[str, str, str]:
        """The primary key."""
        return self.notice.id, self.recipient, self.channel


def to_row(notice: Notice) -> dict[str, Any]:
    """A notice as a row of its table."""
    row: dict[str, Any] = msgspec.to_builtins(notice)
    return row | {"recipients": json.dumps(row["recipients"])}


def from_row(row: RowMapping) -> Notice:
    """The notice a row was made of."""
    fields = {name: row[name] for name in Notice.__struct_fields__}
    return msgspec.convert(fields | {"recipients": json.loads(row["recipients"])}, Notice)
