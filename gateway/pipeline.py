"""The path of every message, on one screen.

    fetch -> unpack -> admit -> push signals -> derive -> evaluate -> apply -> commit -> push alerts -> ack, command

A batch is what arrived while the batch before was being committed. Everything between ``unpack`` and ``commit`` is
synchronous and takes its times from the log. Agents get their ack after the commit, and only then; a commit that
fails is tried again until it succeeds, so nothing after it ever runs ahead of the disk.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from gateway.changes import Batch, Changes
from gateway.failpoint import failpoint
from gateway.moves import PersonsMove
from gateway.stages import Stages
from gateway.unpack import Unpacker


class Conflict(msgspec.Struct, frozen=True):
    """The writer found a number that came twice with different content."""

    unit: str
    detail: str


Commit = Callable[[Changes], Awaitable[list[Conflict]]]
Send = Callable[[str, bytes], Awaitable[None]]


class Pipeline:
    """One batch at a time, in the log's order."""

    def __init__(self, unpacker: Unpacker, stages: Stages, commit: Commit, send: Send) -> None:
        self.unpacker = unpacker
        self.stages = stages
        self.commit = commit
        self.send = send

    async def step(self, batch: Batch, moves: Sequence[PersonsMove[Any]]) -> Changes:
        """Takes one batch, and what people did meanwhile, all the way."""
        stages, now = self.stages, batch.now
        failpoint("after-fetch")
        unpacked = [self.unpacker.unpack(message) for message in batch.messages]
        failpoint("after-unpack")
        admitted = stages.admit(unpacked)
        failpoint("after-admit")
        stages.push_signals(admitted)
        entered = stages.enter(moves, now)
        evaluable = stages.derive(admitted, entered, now, caught_up=batch.caught_up)
        failpoint("after-derive")
        findings = stages.evaluate(admitted, evaluable, batch)
        failpoint("after-rules")
        transitions = stages.apply(findings, moves, batch)
        changes = stages.changes(admitted, transitions, batch.position, now)
        failpoint("before-commit")
        conflicts = await self.commit(changes)
        failpoint("after-commit")
        stages.push_outcome(changes, conflicts)
        for move in moves:
            move.settle()
        failpoint("after-live-push")
        for subject, ack in stages.desk.due():
            await self.send(subject, ack)
        failpoint("after-ack")
        for subject, command in stages.commands.due():
            failpoint("before-command-send")
            await self.send(subject, command)
            failpoint("after-command-send")
        return changes
