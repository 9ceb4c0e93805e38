"""The commands that are open: taking requests and replies, sending again until answered, giving up. Pure but for pace.

A request, a reply and the end of waiting take their place in the path and commit with it. After the commit ``due``
says what to publish: at once, then after 1 s, 2 s, 4 s ... at most 10 s, never at or after the expiry.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from gateway.commands.command import (
    CommandChange,
    CommandConflict,
    Conflict,
    Move,
    RemoteCommand,
    ReplyReason,
    State,
    next_state,
)
from gateway.contract.envelope import Instant
from gateway.contract.observation import Command, Reply
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel, UnitAddress
from gateway.contract.wire import encode

FIRST_PAUSE: Final = SECOND
LONGEST_PAUSE: Final = 10 * SECOND
GRACE: Final = 3 * SECOND  # a reply given just before the expiry may be this long on its way
MAX_OPEN: Final = 16  # of one unit
REMEMBERED: Final = 1024  # ended commands, so that a repeated reply is known from a stray one
MAX_REFUSAL: Final = 200  # characters
MAX_RESULT: Final = 4096  # bytes of JSON
MAX_DEPTH: Final = 4
GATEWAY: Final = "gateway"  # who ends a command nobody answered


class _Pace(msgspec.Struct):
    """When a command was last published by this process, and how long to wait before doing it again."""

    published_at: Instant | None = None
    pause: int = FIRST_PAUSE


class CommandDesk:
    """Owned by one pipeline; nothing else changes a command."""

    def __init__(
        self,
        known: Iterable[RemoteCommand],
        addresses: Callable[[str], UnitAddress | None],
        clock: Callable[[], Instant],
    ) -> None:
        """``known``: the open commands and the newest ended ones, oldest first."""
        self._open: dict[str, RemoteCommand] = {}
        self._ended: OrderedDict[str, RemoteCommand] = OrderedDict()
        self._paces: dict[str, _Pace] = {}
        self._changes: list[CommandChange] = []
        self._addresses = addresses
        self._clock = clock
        for command in known:
            self._keep(command)

    @property
    def open(self) -> list[RemoteCommand]:
        return list(self._open.values())

    def failed(self, id: str) -> bool:
        """Whether it has ended and was not carried out, as far as anybody knows; of one long ago nobody does."""
        ended = self._ended.get(id)
        return ended is not None and ended.state is not State.ACCEPTED

    def request(self, wanted: RemoteCommand) -> RemoteCommand:
        """Takes what a person asks for.

        Raises:
            CommandConflict: not now; the reason says why.
        """
        if self._addresses(wanted.unit) is None:
            raise CommandConflict(Conflict.UNIT_REVOKED, f"unit {wanted.unit} is revoked")
        mine = [command for command in self._open.values() if command.unit == wanted.unit]
        for other in mine:
            if (other.device, other.name) == (wanted.device, wanted.name):
                raise CommandConflict(Conflict.COMMAND_OPEN, f"{other.requested_by} has asked for {other.name} already")
        if len(mine) >= MAX_OPEN:
            raise CommandConflict(Conflict.TOO_MANY_OPEN, f"{MAX_OPEN} commands of this unit are open")
        self._note(wanted, wanted.requested_at, wanted.requested_by)
        return wanted

    def answer(self, unit: str, reply: Reply, at: Instant) -> ReplyReason | None:
        """Takes a unit's reply; the reason when it changes nothing. The same reply again is no news and no fault."""
        command = self._open.get(reply.id) or self._ended.get(reply.id)
        if command is None:
            return ReplyReason.UNKNOWN_COMMAND
        if command.unit != unit:
            return ReplyReason.FOREIGN_COMMAND
        if command.state is State.REQUESTED:
            return ReplyReason.UNEXPECTED_REPLY
        if command.state in {State.EXPIRED, State.UNANSWERED}:
            return ReplyReason.LATE_REPLY
        outcome = _outcome(reply)
        if command.state is State.SENT:
            move = Move.ACCEPT if reply.accepted else Move.REFUSE
            self._move(command, move, at, f"unit/{unit}", **outcome)
            return None
        known = {"refusal": command.refusal, "result": command.result}
        return None if outcome == known else ReplyReason.CONFLICTING_REPLY

    def advance(self, now: Instant, reachable: Callable[[str], bool], *, read_to_end: bool) -> None:
        """Marks for sending what can be sent, ends what has expired.

        ``read_to_end``: the log holds no message that has not been looked at. Until then a reply may be in it, so
        nobody may say that there is none.
        """
        for command in self.open:
            if command.state is State.REQUESTED:
                if now >= command.expires_at:
                    self._move(command, Move.EXPIRE, now, GATEWAY)
                elif reachable(command.unit):
                    self._move(command, Move.SEND, now, GATEWAY, sent_at=now)
            elif read_to_end and now >= command.expires_at + GRACE:
                self._move(command, Move.EXPIRE, now, GATEWAY)

    def hurry(self, unit: str) -> None:
        """The unit has just connected: what it may have missed goes out at once."""
        for command in self._open.values():
            if command.unit == unit:
                self._paces[command.id] = _Pace()

    def due(self) -> list[tuple[str, bytes]]:
        """(NATS subject, payload) of the commands to publish now; call it after the commit."""
        if not self._open:
            return []
        now = self._clock()
        messages = []
        for command in self._open.values():
            address = self._addresses(command.unit)
            if command.state is State.SENT and now < command.expires_at and address and self._is_due(command.id, now):
                messages.append((address.subject(Channel.CMD), _message(command)))
        return messages

    def take_changes(self) -> list[CommandChange]:
        """What the next commit must write."""
        changes, self._changes = self._changes, []
        return changes

    def _is_due(self, id: str, now: Instant) -> bool:
        pace = self._paces[id]
        if pace.published_at is None:
            pace.published_at = now
            return True
        if 0 <= now - pace.published_at < pace.pause:  # else due, also after the clock was set back
            return False
        pace.published_at, pace.pause = now, min(2 * pace.pause, LONGEST_PAUSE)
        return True

    def _move(self, command: RemoteCommand, move: Move, at: Instant, actor: str, **changes: Any) -> None:
        state = next_state(command.state, move)
        if not state.open:
            changes["ended_at"] = at
        self._note(msgspec.structs.replace(command, state=state, **changes), at, actor)

    def _note(self, command: RemoteCommand, at: Instant, actor: str) -> None:
        self._keep(command)
        self._changes.append(CommandChange(command, at, actor))

    def _keep(self, command: RemoteCommand) -> None:
        if command.state.open:
            self._open[command.id] = command
            self._paces.setdefault(command.id, _Pace())
            return
        self._open.pop(command.id, None)
        self._paces.pop(command.id, None)
        self._ended[command.id] = command
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)


def _outcome(reply: Reply) -> dict[str, Any]:
    """What is kept of a reply, whatever a unit puts into it."""
    refusal = None if reply.accepted else reply.reason[:MAX_REFUSAL] or "unspecified"
    small = _is_flat(reply.result, MAX_DEPTH) and len(msgspec.json.encode(reply.result)) <= MAX_RESULT
    return {"refusal": refusal, "result": reply.result if small else {"omitted": "too large"}}


def _is_flat(value: object, depth: int) -> bool:
    """Whether it nests at most so deep."""
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_flat(part, depth - 1) for part in parts)


def _message(command: RemoteCommand) -> bytes:
    return encode(
        Command(
            id=command.id,
            name=command.name,
            arguments=command.arguments,
            expires_at=command.expires_at,
            device=command.device,
        )
    )
