"""What the HTTP API speaks about alerts, silences, feedback, ladders and shifts. Times are us since 1970, UTC."""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from gateway.alerts.ladder import Setting
from gateway.alerts.notice import Means
from gateway.alerts.roster import Duty
from gateway.alerts.silence import LONGEST
from gateway.api.notification_schemas import NotificationState
from gateway.api.ports import Role
from gateway.api.schemas import AccountName, AlertState, Answer, GivenTime, Id, Request, Time

LONGEST_MINUTES = LONGEST // 60_000_000
Why = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    Field(min_length=3, max_length=500, description="why; kept with the act", examples=["known since the morning"]),
]
_ALERT = "2b1b7c36-8d5e-5a0a-9b1c-1a2b3c4d5e6f"
_SILENCE = "5f0c4a52-7f3b-4f0d-9a55-2c4b8a1e9d10"


class Which(StrEnum):
    """Which alerts are listed."""

    OPEN = "open"  # firing, acknowledged or latched
    ALL = "all"
    PENDING = "pending"  # beyond a limit, not yet for long enough; never stored
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    LATCHED = "latched"
    RESOLVED = "resolved"


class Priority(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class ListedAlert(AlertState):
    """An alert with what happens to it."""

    group_key: str = Field(
        description="whose alerts stand together: person/<pseudonym>, or unit/<id>", examples=["unit/amb-001"]
    )
    reopened: int = Field(description="how often it came again within 5 minutes of its end", examples=[0])
    ladder: str = Field(description="the one it climbs; empty: nobody is told", examples=["ambulance-high"])
    step: int = Field(description="how many of its steps have been taken", examples=[1])
    next_step_at: Time | None = Field(
        description="us since 1970; null: acknowledged, muted, over, or nobody is told",
        examples=[1_767_225_660_000_000],
    )
    silenced_by: str | None = Field(description="id of the silence that mutes it", examples=[_SILENCE])
    inhibited_by: str | None = Field(description="id of the alert that mutes it", examples=[_ALERT])


class HistoryLine(Answer):
    """A move of the alert, or something that left its state as it was."""

    at: Time
    event: str = Field(
        description="raise, happen, acknowledge, clear, latch, reopen; "
        "notify, silence, unsilence, inhibit, release, join",
        examples=["raise"],
    )
    state: str = Field(description="after it", examples=["firing"])
    actor: str | None = Field(description="null: the gateway", examples=["dr.li"])
    details: dict[str, Any] = Field(
        description="what explains it: values, limits, window, stretch of signal; or whom it told",
        examples=[{"value": 141.0, "limit": 130.0, "since": 1_767_225_590_000_000}],
    )


class Judgement(Answer):
    """What somebody thinks of an alert."""

    author: str = Field(examples=["dr.li"])
    useful: bool = Field(examples=[False])
    reason: str = Field(
        description="empty for roles that may not see people, as it may name one", examples=["artefact"]
    )
    at: Time


class LadderStep(Answer):
    """One step of a ladder."""

    delay: int = Field(description="s since the alert was raised", examples=[60])
    duty: Duty = Field(description="whom it asks", examples=["ed-lead"])
    means: Means = Field(description="how strongly", examples=["strong"])
    whole_site: bool = Field(description="everybody of the duty, not only who looks after the unit", examples=[False])


class LadderState(Answer):
    """Who is told, one after the other, of an alert that nobody acknowledges."""

    name: str = Field(examples=["ambulance-high"])
    steps: list[LadderStep]
    remind: int = Field(description="s between reminders of the last step", examples=[300])


class HoursState(Answer):
    """When somebody sits there."""

    setting: Setting
    opens: int = Field(description="minutes after midnight, local time", examples=[480])
    closes: int = Field(description="minutes after midnight, local time", examples=[1080])
    days: list[int] = Field(description="0 = Monday", examples=[[0, 1, 2, 3, 4]])
    utc_offset: int = Field(description="minutes", examples=[480])


class Ladders(Answer):
    """All ladders, and the service hours outside which those named -closed count."""

    ladders: list[LadderState]
    hours: list[HoursState]


class AlertDetail(ListedAlert):
    """An alert with all that explains it."""

    explanation: dict[str, Any] = Field(
        description="of its latest occurrence: values, limits, window, stretch of signal",
        examples=[{"quantity": "heart-rate", "since": 1_767_225_590_000_000, "value": 141.0, "limit": 130.0}],
    )
    history: list[HistoryLine] = Field(description="oldest first")
    climbs: LadderState | None = Field(description="its ladder; null: nobody is told of it")
    notifications: list[NotificationState] = Field(description="whom it told, oldest first, and what became of it")
    feedback: list[Judgement]
    notice: str = Field(
        description="always shown with it", examples=["Assists, does not diagnose. Acknowledging silences no device."]
    )


class NewJudgement(Request):
    """Said again it replaces what the same person said before."""

    useful: bool = Field(examples=[False])
    reason: Why


class NewSilence(Request):
    """Silences an alert's rule at its subject, or all but lethal alerts of its unit."""

    minutes: int = Field(ge=1, le=LONGEST_MINUTES, examples=[30], description="it ends by itself")
    reason: Why
    every_rule: bool = Field(
        False, description="all alerts of the unit that are not lethal, and those to come", examples=[False]
    )


class SilenceState(Answer):
    """What it covers stays visible and tells nobody. No sound at a bedside is switched off."""

    id: str = Field(examples=[_SILENCE])
    unit: str = Field(examples=["amb-001"])
    subject: str = Field(description="empty: everything of the unit", examples=["unit/amb-001"])
    rule: str = Field(description="empty: every rule that is not lethal", examples=["heart-rate-high"])
    reason: str = Field(
        description="empty for roles that may not see people, as it may name one", examples=["known since the morning"]
    )
    author: str = Field(examples=["nurse.wang"])
    role: Role
    created_at: Time
    expires_at: Time
    ended_at: Time | None
    ended_by: str | None = Field(description="gateway = it ran out", examples=["nurse.wang"])


class ShiftState(Answer):
    """Somebody answers for a duty from then to then."""

    id: str = Field(examples=["9a1c5c1e-0c57-4a53-8f1d-6a0a7a2b3c4d"])
    account: str = Field(examples=["nurse.wang"])
    duty: Duty
    site: str = Field(examples=["city"])
    unit: str = Field(description="empty: the whole site", examples=["bed-007"])
    start_at: Time
    end_at: Time
    entered_by: str = Field(examples=["ops.li"])


class NewShift(Request):
    """A shift, of 36 hours at most."""

    account: AccountName
    duty: Duty
    site: Id = Field(examples=["city"])
    unit: Id | None = Field(None, description="the bed or vehicle this person looks after; left out: the whole site")
    start_at: GivenTime = Field(description="us since 1970")
    end_at: GivenTime = Field(description="us since 1970", examples=[1_767_254_400_000_000])
