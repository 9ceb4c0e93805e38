"""Simulated card reader of a kiosk.

A step with ``card`` (a number; demonstration cards have 18 characters and begin with 99) or ``qr`` (a number, or the id
of a subject) identifies somebody and begins a session; ``end`` (done, card-removed, timeout) ends it. The next person
ends an open session.
"""

import re
from collections.abc import Iterator
from typing import Any

from edge_agents.device import Reading
from edge_agents.devices import card_reader
from edge_agents.devices.card_reader import IDENTIFIED, Decoder
from firmware_sims.devices._steps import occurrence, steps
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_SUBJECT = re.compile(r"(p|demo)-.+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # printed by the hospital: no number
_READ = 200_000  # us from the card to the session's begin


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return card_reader.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """Persons and sessions."""
    session, is_open = 0, False
    for due, told in steps(world, "card", "qr", "end"):
        source = next((source for source in ("card", "qr") if source in told), None)
        if is_open and (source or "end" in told):
            yield occurrence(world, due, "session-end", {"session": session, "reason": told.get("end", "next-person")})
            is_open = False
        if source:
            session, is_open = session + 1, True
            yield occurrence(world, due, IDENTIFIED, _who(source, str(told[source]), session))
            yield occurrence(world, due + _READ, "session-start", {"session": session})


def _who(source: str, read: str, session: int) -> dict[str, Any]:
    key = "subject" if _SUBJECT.fullmatch(read) else "number"
    return {"source": source, "session": session, key: read}
