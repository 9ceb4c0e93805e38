"""App of a delivery driver: what became of each delivery, one JSON line each.

The line is that of _json_lines.py under the tag LMF1. The events and their details::

    shift-started, shift-ended      driver
    loaded                          delivery, perhaps items
    delivered                       delivery, code (what the recipient tells the driver), perhaps items
    delivery-failed                 delivery, reason, perhaps note
    break-started, break-ended      driver

A delivery is named by its number, a driver by the id of the account; the recipient is not named at all. Source: layout
of this project.
"""

from typing import Final

from edge_agents.device import Reading, Yields
from edge_agents.devices import _json_lines
from edge_agents.devices._details import Count, Event, Subject, Text, Word
from edge_agents.protocol import Stream

KIND: Final = "driver_app"
PROTOCOL: Final = Stream()
TAG: Final = "LMF1"
FAILURES: Final = ("not-home", "refused", "no-access", "address-unknown", "damaged", "too-warm", "wrong-items", "other")
_DELIVERY: Final = Text(40)
_DRIVER: Final = Subject()
_ITEMS: Final = Count(10_000)
EVENTS: Final = _json_lines.table_of(
    Event("shift-started", {"driver": _DRIVER}),
    Event("shift-ended", {"driver": _DRIVER}),
    Event("loaded", {"delivery": _DELIVERY}, {"items": _ITEMS}),
    Event("delivered", {"delivery": _DELIVERY, "code": Text(12)}, {"items": _ITEMS}),
    Event("delivery-failed", {"delivery": _DELIVERY, "reason": Word(FAILURES)}, {"note": Text(80)}),
    Event("break-started", {"driver": _DRIVER}),
    Event("break-ended", {"driver": _DRIVER}),
)
YIELDS: Final = Yields(events=tuple(EVENTS))


def encode(reading: Reading) -> bytes:
    """The line of an event; raises ValueError for anything else."""
    return _json_lines.write(TAG, reading, EVENTS)


class Decoder(_json_lines.JsonLineDecoder):
    """Lines of the app to occurrences."""

    def __init__(self) -> None:
        super().__init__(TAG, EVENTS)
