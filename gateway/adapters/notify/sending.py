"""What every channel is given and says: one seam."""

import re
from typing import Final, Protocol

import msgspec

from gateway.alerts.notice import Notice
from gateway.contract.envelope import Instant

_PROVIDER_KEYS: Final = ("id", "message_id", "messageId", "msgid", "sid")  # how services call what they took
_NOT_AN_ID: Final = re.compile(r"[^\w.:@-]")


class NotSent(Exception):
    """The channel did not take the message. The text is shown to people: no secret and no address is in it."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message for one recipient; of a group's digest, several notices in one."""

    key: str  # of idempotency: the same over every attempt
    notices: tuple[Notice, ...]
    title: str
    text: str
    address: str = ""  # phone number, mail address ...; "" for groups and systems


class Sender(Protocol):
    """A channel. Called in a thread of its own; may block until its own timeout."""

    def send(self, message: Message, now: Instant) -> str | None:
        """Hands the message over; the id the provider gave it, if any.

        Raises:
            NotSent: it is not handed over, or nobody knows.
        """
        ...


def provider_id(answer: bytes) -> str | None:
    """The id a service's JSON answer gives the message; none when it says none."""
    try:
        fields = msgspec.json.decode(answer, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    found = next((fields[key] for key in _PROVIDER_KEYS if isinstance(fields.get(key), str | int)), None)
    return None if found is None else _NOT_AN_ID.sub("", str(found))[:100]
