"""Card and QR reader of a health kiosk: who stands there, and when their session begins and ends.

The line is that of _checked_line.py under the tag LMC1. What it says::

    01 somebody identified themselves
       s = card | qr          where the number was read
       session                number of the kiosk's session
       n = number of the card or content of the code (resident identity card, health card, hospital card), or
       p = subject id, when the code was issued by this hospital and holds a pseudonym already
    02 a session began        session
    03 a session ended        session, reason = done | card-removed | timeout | next-person

**No number leaves this file.** What ``n`` holds becomes a pseudonym under the site's key (_privacy.py), and of a
refused line only its length is kept. The key is the secret ``site_key`` of the profile's row, at least 32 characters,
the same for all kiosks of a site; a new key means new pseudonyms. Without a key only demonstration cards are taken:
numbers of 18 digits that begin with 99, a region that does not exist; a real card is refused as ``encrypted``. The
subjects of demonstration cards begin with ``demo-``, with or without a key. A resident identity number with a wrong
check character is refused.

Source: layout of this project; GB 11643-1999 for identity numbers.
"""

import re
from typing import Final

from edge_agents.device import FrameError, FrameReason, Occurrence, Reading
from edge_agents.devices._checked_line import Layout, Line, LineDecoder, write
from edge_agents.devices._details import Count, Event, Subject, Word
from edge_agents.devices._privacy import MIN_KEY, has_identity_number, is_identity_number, pseudonym
from edge_agents.protocol import Stream

KIND: Final = "card_reader"
PROTOCOL: Final = Stream(baud=9600)
IDENTIFIED: Final = "person-identified"
LAYOUT: Final = Layout(
    tag="LMC1",
    events={
        "01": Event(IDENTIFIED, {"source": Word(("card", "qr")), "session": Count(), "subject": Subject()}),
        "02": Event("session-start", {"session": Count()}),
        "03": Event(
            "session-end", {"session": Count(), "reason": Word(("done", "card-removed", "timeout", "next-person"))}
        ),
    },
    private=True,
)
YIELDS: Final = LAYOUT.yields()
_DEMONSTRATION: Final = re.compile(r"99[0-9]{15}[0-9X]")
_DEMONSTRATION_KEY: Final = "for cards that belong to nobody"
_MAX_NUMBER: Final = 120  # characters: a line has room for them, URL-encoded


def encode(reading: Reading) -> bytes:
    """The line of an event. Who is identified has a ``subject``, or a ``number`` as only a simulated reader knows it.

    Raises:
        ValueError: not an event of a reader.
    """
    if isinstance(reading, Occurrence) and "number" in reading.details:
        details = reading.details
        texts = {"s": str(details["source"]), "session": str(details["session"]), "n": str(details["number"])}
    elif isinstance(reading, Occurrence) and reading.name == IDENTIFIED:
        LAYOUT.encode(reading)  # all details are there and allowed
        details = reading.details
        texts = {"s": details["source"], "session": str(details["session"]), "p": details["subject"]}
    else:
        return LAYOUT.encode(reading)
    return write(LAYOUT.tag, Line(reading.observed_at, reading.test, "01", texts))


class Decoder(LineDecoder):
    """Lines of the reader to occurrences without a number in them."""

    def __init__(self, site_key: str = "") -> None:
        """``site_key``: what makes pseudonyms of numbers; empty = only demonstration cards are taken."""
        if site_key and len(site_key) < MIN_KEY:
            raise ValueError(f"site_key: expected at least {MIN_KEY} characters")
        super().__init__(LAYOUT)
        self._key = site_key

    def _decode(self, line: Line, raw: bytes) -> Reading:
        if line.code == "01":
            fields = {"source": line.fields.get("s", ""), "session": line.fields.get("session", "")}
            line = line._replace(fields=fields | {"subject": self._subject(line.fields, raw)})
        return super()._decode(line, raw)

    def _subject(self, fields: dict[str, str], raw: bytes) -> str:
        if "p" in fields:
            return fields["p"]
        number = fields.get("n", "").strip().upper()
        if not 4 <= len(number) <= _MAX_NUMBER:
            raise FrameError(FrameReason.SYNTAX, raw)
        if has_identity_number(number) and len(number) == 18 and not is_identity_number(number):
            raise FrameError(FrameReason.CHECKSUM, raw)
        if _DEMONSTRATION.fullmatch(number):
            return pseudonym(number, _DEMONSTRATION_KEY, "demo")
        if not self._key:
            raise FrameError(FrameReason.ENCRYPTED, raw)
        return pseudonym(number, self._key)
