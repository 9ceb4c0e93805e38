"""Which part of the path has stopped, from when each was last seen at work. Pure: times come in, in seconds."""

from enum import StrEnum
from typing import Final

import msgspec

REMIND_SECONDS: Final = 600.0  # what still stands is told again


class Part(StrEnum):
    """What a canary passes on its way, and what must run beside it."""

    GATEWAY = "gateway"  # it answers
    BROKER = "broker"  # it takes our canary
    PATH = "path"  # the canary is admitted, judged by the rules and committed
    NOTIFIER = "notifier"  # it makes its rounds


class Verdict(msgspec.Struct, frozen=True):
    """A part has stopped (``down``), or works again."""

    part: Part
    down: bool
    seconds: float  # since it was last seen at work; of one that works again: how long it was not
    why: str


class _State(msgspec.Struct):
    seen_at: float
    down: bool = False
    told_at: float = 0.0
    why: str = ""


class Judge:
    """Remembers when each part was last seen at work."""

    def __init__(self, started_at: float, patience: float, start_grace: float) -> None:
        """A part may be silent for ``patience`` s; the first time, until it has started, for ``start_grace`` s."""
        self._patience = patience
        self._states = {part: _State(started_at + max(0.0, start_grace - patience)) for part in Part}
        self._recovered: list[Verdict] = []

    def saw(self, part: Part, now: float) -> None:
        """It was at work then; what was known already says nothing new."""
        state = self._states[part]
        if now <= state.seen_at:
            return
        if state.down:
            self._recovered.append(Verdict(part, down=False, seconds=now - state.seen_at, why=""))
        state.seen_at, state.down, state.why = now, False, ""

    def failed(self, part: Part, why: str) -> None:
        """It did not, for this reason; patience decides whether that is worth a word."""
        self._states[part].why = why

    def check(self, now: float) -> list[Verdict]:
        """What is to be told now: what stopped, what still stands still after a while, what works again."""
        told, self._recovered = self._recovered, []
        for part, state in self._states.items():
            silent = now - state.seen_at
            if silent <= self._patience or (state.down and now - state.told_at < REMIND_SECONDS):
                continue
            state.down, state.told_at = True, now
            told.append(Verdict(part, down=True, seconds=silent, why=state.why or "nothing was heard of it"))
        return told

    @property
    def down(self) -> list[Part]:
        """What stands still now."""
        return [part for part, state in self._states.items() if state.down]
