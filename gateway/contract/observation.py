"""Numeric observations, events, commands: the JSON bodies."""

from typing import Annotated, Any

import msgspec

from gateway.contract.envelope import Epoch, Instant, Record

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Observation(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What one device measured at one instant: quantity name to value in that quantity's unit (see quantity.py).

    A quantity the device has but cannot measure now is ``null`` (never 0); ``invalid`` says why, per quantity.
    """

    values: dict[Name, float | None]
    invalid: dict[Name, Name] = {}


class Event(Record, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something that happened: ``name`` is a word of the device's profile (boarded, lead-off, shed ...)."""

    name: Name
    details: dict[str, Any] = {}


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Asks a unit to do something; repeated until replied to or expired, so executing it must be idempotent."""

    id: Name
    name: Name
    arguments: dict[str, Any] = {}
    expires_at: Instant


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one command."""

    id: Name
    epoch: Epoch
    accepted: bool
    reason: str = ""
    result: dict[str, Any] = {}
