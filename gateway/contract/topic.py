"""Topics: ``lm/v1/{site}/{kind}/{unit}/{channel}``, and the same with dots on NATS."""

import re
from enum import StrEnum
from typing import Final

import msgspec

ROOT: Final = "lm"
VERSION: Final = "v1"
ID_PATTERN: Final = r"[a-z0-9-]{1,48}"
_ID = re.compile(ID_PATTERN)


class Channel(StrEnum):
    """What a topic carries; the last level of every topic."""

    OBS = "obs"
    WAVE = "wave"
    EVENT = "event"
    HELLO = "hello"
    ACK = "ack"
    CMD = "cmd"
    REPLY = "reply"


UPLINK: Final = (Channel.EVENT, Channel.OBS, Channel.WAVE, Channel.HELLO, Channel.REPLY)
DOWNLINK: Final = (Channel.ACK, Channel.CMD)


class UnitKind(StrEnum):
    """The family a unit belongs to; the edge profile of the same name says which devices it has."""

    AMBULANCE = "ambulance"
    HEALTH_KIOSK = "health-kiosk"
    HOMECARE_BED = "homecare-bed"
    BEACON_SITE = "beacon-site"
    DELIVERY_VAN = "delivery-van"
    WATCH = "watch"  # no family: the canary that shows that the path is alive


class TopicError(ValueError):
    """The text is not a Lastmile topic."""


class UnitAddress(msgspec.Struct, frozen=True, order=True):
    """Where a unit lives: the middle of its topics."""

    site: str
    kind: UnitKind
    unit: str

    def topic(self, channel: Channel) -> str:
        """MQTT topic of one channel of this unit."""
        return f"{ROOT}/{VERSION}/{self.site}/{self.kind}/{self.unit}/{channel}"

    def subject(self, channel: Channel) -> str:
        """NATS subject of one channel of this unit (what the broker makes of the topic)."""
        return self.topic(channel).replace("/", ".")


def is_id(text: str) -> bool:
    """Whether the text may name a site, a unit or a device."""
    return _ID.fullmatch(text) is not None


def parse_topic(text: str, separator: str = "/") -> tuple[UnitAddress, Channel]:
    """The unit and channel a topic (or, with ``separator="."``, a subject) names.

    Raises:
        TopicError: wrong number of levels, root, version, kind, channel or id.
    """
    levels = text.split(separator)
    if len(levels) != 6 or levels[0] != ROOT or levels[1] != VERSION:
        raise TopicError(f"expected {ROOT}/{VERSION}/site/kind/unit/channel, got {text!r}")
    _, _, site, kind, unit, channel = levels
    if not (is_id(site) and is_id(unit)):
        raise TopicError(f"ids must match {ID_PATTERN}: {text!r}")
    try:
        return UnitAddress(site, UnitKind(kind), unit), Channel(channel)
    except ValueError as error:
        raise TopicError(f"{error} in {text!r}") from error
