"""What the API asks about how somebody lies, and what people do about it.

As `gateway.api.ports`: adapters implement these; the API imports none of them.
"""

from typing import Protocol

from sqlalchemy import Connection

from gateway.commands.command import RemoteCommand
from gateway.contract.envelope import Instant
from gateway.derive.pressure import Care


class Turns(Protocol):
    """The one place where turns are recorded and proposals confirmed."""

    async def turned(self, unit: str, at: Instant, actor: str) -> None:
        """Committed and audited.

        Raises:
            CareRefused: it cannot be recorded.
        """
        ...

    async def confirm(self, proposed_at: Instant, wanted: RemoteCommand) -> RemoteCommand:
        """The proposal as a command of the one who confirms it, committed; it is sent and answered later.

        Raises:
            CareRefused: it is done, or over.
            CommandConflict: no such command can be taken now.
        """
        ...


class TurnReads(Protocol):
    """How people lie, as it was last told."""

    def newest(self, connection: Connection, unit: str, now: Instant, /) -> Care | None: ...
