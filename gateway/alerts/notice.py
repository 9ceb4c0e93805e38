"""That somebody is to be told of an alert. Written in the alert's own transaction; a worker sends it afterwards."""

from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

import msgspec

from gateway.contract.envelope import Instant
from gateway.rules.catalogue import Priority

_NAMESPACE: Final = UUID("b7a1a7e3-93c5-4f0f-8a54-0b8e4b2f6a2d")


class Reason(StrEnum):
    """Why this notice, and why now."""

    RAISED = "raised"  # first step of the ladder
    ESCALATED = "escalated"  # nobody acknowledged in time: the next step
    REMINDER = "reminder"  # the last step was reached long ago and still nobody has acknowledged
    REOPENED = "reopened"  # it came again soon after it had ended
    UNMUTED = "unmuted"  # what had inhibited or silenced it ended, and it still stands


class Means(StrEnum):
    """How strongly the ladder wants to reach somebody; the notifier chooses channels for it."""

    APP = "app"  # screen and app
    STRONG = "strong"  # call, text message and app at once
    CALL = "call"  # a voice call: patient, family, or outside service hours
    TASK = "task"  # a task for the next working hours


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """One step of one alert's ladder, for everybody it tells."""

    id: str  # uuid5 of (alert, number): the same step made again is the same notice
    alert: str
    unit: str  # "" = about the gateway itself
    site: str  # "" = every site
    rule: str  # code of the catalogue row; texts are looked up by it, no name of a person is in a notice
    priority: Priority
    reason: Reason
    step: int  # of the ladder, from 0
    role: str  # whom the step asks: "nurse", "doctor", "crew", "family" ...
    means: Means
    recipients: tuple[str, ...]  # names of accounts on duty; empty for roles without accounts, or nobody on duty
    at: Instant
    simulated: bool = False  # test, training or a simulator: never leaves the house


def notice_id(alert: str, number: int) -> str:
    """The id of the alert's ``number``-th notice."""
    return str(uuid5(_NAMESPACE, f"{alert} {number}"))
