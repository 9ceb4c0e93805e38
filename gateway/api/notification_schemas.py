"""What the HTTP API speaks about notifications. No address, no phone number: only who and by which channel."""

from enum import StrEnum

from pydantic import Field

from gateway.alerts.notice import Means, Reason
from gateway.api.schemas import Answer, Time


class DeliveryState(StrEnum):
    """What became of one recipient's message by one channel."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    OBSOLETE = "obsolete"
    DEAD = "dead"


class DeliveryRow(Answer):
    """One recipient by one channel."""

    recipient: str = Field(description="account; role:<role>; or * = everybody there", examples=["nurse.wang"])
    channel: str = Field(description="of notify.toml, or screen; empty: none reaches the recipient", examples=["sms"])
    state: DeliveryState = Field(
        description="sent: the provider took it; obsolete: taken, muted or over before it went out; dead: given up",
        examples=["sent"],
    )
    attempts: int = Field(examples=[1])
    due_at: Time
    next_at: Time = Field(description="us; of the next attempt while it is pending", examples=[1_767_225_605_000_000])
    sent_at: Time | None = Field(description="us; handed over", examples=[1_767_225_600_200_000])
    provider_id: str | None = Field(description="what the provider calls it", examples=["7c0f2b"])
    last_error: str | None = Field(description="why the last attempt failed", examples=["HTTP 503"])


class NotificationState(Answer):
    """One step of an alert's ladder, and how everybody it asks was told."""

    id: str = Field(examples=["0f831598-50f8-5c43-ab89-650de7732d9d"])
    alert: str = Field(examples=["2b1b7c36-8d5e-5a0a-9b1c-1a2b3c4d5e6f"])
    unit: str = Field(description="empty: about the gateway itself", examples=["bed-007"])
    site: str = Field(description="empty: every site", examples=["city"])
    rule: str = Field(examples=["heart-rate-high"])
    priority: str = Field(examples=["high"])
    reason: Reason
    step: int = Field(description="of the ladder, from 0", examples=[0])
    role: str = Field(description="whom the step asks", examples=["nurse"])
    means: Means
    recipients: list[str] = Field(description="accounts on duty", examples=[["nurse.wang"]])
    at: Time
    simulated: bool = Field(description="then it is shown on screens and never sent", examples=[False])
    planned_at: Time | None = Field(description="us; when its deliveries were made", examples=[1_767_225_600_100_000])
    deliveries: list[DeliveryRow]
