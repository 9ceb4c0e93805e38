"""When somebody in bed is due to be turned, and the change of a mattress that is proposed to a nurse.

Source: every two hours by custom (domain facts 10.1); the international guideline (EPUAP/NPIAP/PPPIA 2019) asks for an
interval of the person's own, so it is an argument. A proposal moves nothing: a nurse confirms it or it lapses.
"""

from typing import Any, Final, Literal

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import HOUR, MINUTE
from gateway.derive.scores.pressure_dose import LIMIT, Dose

NAME: Final = "turn-clock"
TURN_EVERY: Final = 2 * HOUR
DUE_SOON: Final = 15 * MINUTE
LAPSES_AFTER: Final = 30 * MINUTE


class TurnClock(msgspec.Struct, frozen=True):
    """Since when somebody lies as they lie, as recorded by a person; ``every`` in us."""

    since: Instant
    every: int = TURN_EVERY

    def turned(self, at: Instant) -> "TurnClock":
        """Somebody records a turn; one from before the last one changes nothing."""
        return TurnClock(max(at, self.since), self.every)

    @property
    def due_at(self) -> Instant:
        return self.since + self.every

    def state(self, now: Instant) -> Literal["resting", "due-soon", "overdue"]:
        """Where the clock stands."""
        if now >= self.due_at:
            return "overdue"
        return "due-soon" if now >= self.due_at - DUE_SOON else "resting"


class Proposal(msgspec.Struct, frozen=True):
    """A command for the mattress that somebody may give; see edge_agents/devices/mattress.py for what it takes."""

    command: str
    arguments: dict[str, Any]
    reason: str
    zone: str
    dose: float  # kPa min
    proposed_at: Instant
    lapses_at: Instant


class Confirmed(msgspec.Struct, frozen=True):
    """A proposal that a nurse has taken on."""

    proposal: Proposal
    by: str
    at: Instant


class NotConfirmable(ValueError):
    """Nobody confirmed it, or too late."""


def propose(
    zone: str, dose: Dose, clock: TurnClock, mode: str | None, now: Instant, limit: float = LIMIT
) -> Proposal | None:
    """To let the mattress alternate, when a zone has had too much or a turn is overdue; None when it does already.

    ``mode``: the mattress' own word. Off and CPR are for whoever stands at the bed, and an unknown one is not judged.
    """
    exceeded, overdue = dose.value >= limit, clock.state(now) == "overdue"
    if mode != "static" or not (exceeded or (overdue and dose.value > 0)):
        return None
    reason = "dose" if exceeded else "turn-overdue"
    return Proposal("set-mattress-mode", {"mode": "alternate"}, reason, zone, dose.value, now, now + LAPSES_AFTER)


def confirm(proposal: Proposal, by: str, at: Instant) -> Confirmed:
    """A nurse's yes. Only what this returns may become a command.

    Raises:
        NotConfirmable: no name, or the proposal has lapsed: what it was based on is over.
    """
    if not by:
        raise NotConfirmable("nobody confirmed it")
    if not proposal.proposed_at <= at < proposal.lapses_at:
        raise NotConfirmable("the proposal has lapsed")
    return Confirmed(proposal, by, at)
