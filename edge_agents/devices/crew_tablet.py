"""Tablet of an ambulance crew: what they see and do, one JSON line each.

The line is that of _json_lines.py under the tag LMB2; the button box (crew_panel) stays for gloved hands. The events
and their details::

    boarded              perhaps by, complaint
    handed-over          perhaps by, to (the department)
    person-identified    source = tablet, subject: the pseudonymous id, never an identity number
    avpu                 level: alert, confused, voice, pain or unresponsive (confused is new confusion, as NEWS2 asks)
    oxygen               state: air or oxygen; perhaps flow, L/min
    gcs                  eye 1-4, verbal 1-5, motor 1-6
    capillary-refill     seconds
    respiratory-effort   level: normal, mild, moderate or severe
    fast                 face, arm, speech: true when abnormal
    be-fast              balance, eyes, face, arm, speech
    last-known-well      time: when the person was last seen without the signs, us since 1970
    symptoms-discovered  time: when somebody noticed them; another fact than the one before

An entry that corrects another one is a new entry: nothing is overwritten. Source: layout of this project; FAST and
BE-FAST as the stroke screens of the same name.
"""

from typing import Final

from edge_agents.device import Reading, Yields
from edge_agents.devices import _json_lines
from edge_agents.devices._details import Event, Flag, Moment, Number, Subject, Text, Word
from edge_agents.protocol import Stream

KIND: Final = "crew_tablet"
PROTOCOL: Final = Stream()
TAG: Final = "LMB2"
LEVELS: Final = ("alert", "confused", "voice", "pain", "unresponsive")
EFFORTS: Final = ("normal", "mild", "moderate", "severe")
_BY: Final = {"by": Subject()}
_FAST: Final = {"face": Flag(), "arm": Flag(), "speech": Flag()}
EVENTS: Final = _json_lines.table_of(
    Event("boarded", {}, {**_BY, "complaint": Text(60)}),
    Event("handed-over", {}, {**_BY, "to": Text(60)}),
    Event("person-identified", {"source": Word(("tablet",)), "subject": Subject()}, _BY),
    Event("avpu", {"level": Word(LEVELS)}, _BY),
    Event("oxygen", {"state": Word(("air", "oxygen"))}, {**_BY, "flow": Number(0, 60, 1)}),
    Event("gcs", {"eye": Number(1, 4), "verbal": Number(1, 5), "motor": Number(1, 6)}, _BY),
    Event("capillary-refill", {"seconds": Number(0, 60, 1)}, _BY),
    Event("respiratory-effort", {"level": Word(EFFORTS)}, _BY),
    Event("fast", dict(_FAST), _BY),
    Event("be-fast", {"balance": Flag(), "eyes": Flag(), **_FAST}, _BY),
    Event("last-known-well", {"time": Moment()}, _BY),
    Event("symptoms-discovered", {"time": Moment()}, _BY),
)
YIELDS: Final = Yields(events=tuple(EVENTS))


def encode(reading: Reading) -> bytes:
    """The line of an entry; raises ValueError for anything else."""
    return _json_lines.write(TAG, reading, EVENTS)


class Decoder(_json_lines.JsonLineDecoder):
    """Lines of the tablet to occurrences."""

    def __init__(self) -> None:
        super().__init__(TAG, EVENTS)
