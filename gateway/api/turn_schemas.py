"""What the HTTP API speaks about how somebody lies. Times are us since 1970, UTC."""

from typing import Any, Literal

from pydantic import Field

from gateway.api.care_schemas import Why
from gateway.api.schemas import Answer, GivenTime, Request, Time

_ZONE = Field(description="length-width from the head, as seen by the person; empty = none", examples=["pelvis-middle"])
_DOSE = Field(description="kPa min, of the zone with the largest", examples=[2412.5])


class TurnRecord(Request):
    """Somebody has turned the person."""

    at: GivenTime | None = Field(None, description="us, at most a day ago; left out = now")


class ProposalState(Answer):
    """A change of the mattress that a nurse or a doctor may confirm; until then nothing moves."""

    proposed_at: Time
    lapses_at: Time
    command: str = Field(examples=["set-mattress-mode"])
    arguments: dict[str, Any] = Field(examples=[{"mode": "alternate"}])
    reason: Literal["dose", "turn-overdue"] = Field(examples=["dose"])
    zone: str = _ZONE
    dose: float = _DOSE


class PressureCareState(Answer):
    """How somebody lies, as it was last told. It ranks zones and reminds of turns; it foretells no injury."""

    at: Time | None = Field(description="null: nothing is known of anybody there")
    since: Time | None = Field(description="they have lain like this; null: nobody is known to lie there")
    stopped: Literal["exit", "empty", "unheard"] | None = Field(
        None, description="why the clock stands: the bed says so, nobody lies on the mat, nothing was heard for long",
        examples=[None],
    )  # fmt: skip
    turn_every: int = Field(description="us; 0 = the site has no turn clock", examples=[7_200_000_000])
    due_at: Time | None
    state: Literal["resting", "due-soon", "overdue"] | None = Field(examples=["due-soon"])
    zone: str = _ZONE
    dose: float = _DOSE
    limit: float = Field(description="kPa min; from here on there is an alert", examples=[2400.0])
    unknown: int = Field(description="us within the dose of which nothing is known", examples=[0])
    mat_at: Time | None = Field(description="of the newest map; from then on nothing is known of the dose")
    mattress: str = Field(description="the device; empty = none has spoken", examples=["mattress"])
    mode: str | None = Field(description="the mattress' own word", examples=["static"])
    proposal: ProposalState | None
    confirmed_by: str = Field(description="who has taken the proposal on; empty = nobody", examples=["nurse.wang"])


class ProposalConfirmation(Request):
    """A yes to what was proposed; it becomes a command like any other."""

    reason: Why
