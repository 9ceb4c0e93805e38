"""Numeric observations, events, commands: the JSON bodies."""

from typing import Annotated, Any, Final

import msgspec

from gateway.contract.envelope import END, Epoch, Instant, Record
from gateway.contract.topic import ID_PATTERN

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Target = Annotated[str, msgspec.Meta(pattern=f"^({ID_PATTERN})?{END}")]  # a device of the unit; "" = the agent itself


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


SUSTAINED: Final = frozenset({"bed-motion"})  # moves as long as somebody holds a button, so each order is short
SUSTAINED_SECONDS: Final = 1


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Asks a unit, or a device behind it, to do something; repeated until replied to or expired.

    An agent carries one id out at most once, and never after ``expires_at`` (the gateway's clock). A command of
    ``SUSTAINED`` lasts one second and must be given again, under a new id, for as long as it is wanted.
    """

    id: Name
    name: Name
    arguments: dict[str, Any] = {}
    expires_at: Instant
    device: Target = ""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one command: carried out and read back (``result``), or refused with a ``reason``."""

    id: Name
    epoch: Epoch
    accepted: bool
    reason: str = ""
    result: dict[str, Any] = {}
