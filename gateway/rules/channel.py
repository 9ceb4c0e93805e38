"""One quantity of one unit, and the rows that wait for it."""

from typing import Final

import msgspec

from gateway.contract.envelope import Instant
from gateway.contract.quantity import QUANTITIES
from gateway.rules.clocks import Key
from gateway.rules.condition import EVERY_PROBE, Change, Combined, Condition, Threshold
from gateway.rules.hold import MAX_PAUSE
from gateway.rules.row import Row

BLIND_PREFIX: Final = "blind/"  # before a row's code: its clock on values that came too late to page


class Slot(msgspec.Struct, frozen=True):
    """One row that waits for a channel."""

    row: Row
    condition: Condition
    subject: str
    blind_code: str  # of its clock on late values
    decides: bool  # whether who measures the channel's quantity can raise it, see `decides`
    patience: int  # after how long without a value a device has gone


class Channel(msgspec.Struct):
    """One quantity of one unit."""

    slots: tuple[Slot, ...]
    low: float  # from here ...
    high: float  # ... to here no slot minds while none is ``busy``
    busy: set[Key]  # of slots for which something has begun
    marks: dict[str, Instant]  # device: event time up to which it has been judged
    own_at: Instant  # when a device last gave its own value


def slots_of(row: Row, unit: str, quantity: str) -> list[Slot]:
    """The row once, or once for each of its probes that the quantity has to do with."""
    if row.condition is None:
        return []
    subject, conditions = f"unit/{unit}", {"": row.condition}
    if row.probes:
        named = next(name for name in row.condition.quantities if EVERY_PROBE in name)
        conditions = {f"/{named.replace(EVERY_PROBE, probe)}": row.condition.of(probe) for probe in row.probes}
    return [
        Slot(
            row, condition, subject + probe, BLIND_PREFIX + row.code, decides(condition, quantity), patience(condition)
        )
        for probe, condition in conditions.items()
        if quantity in condition.quantities
    ]


def stands(condition: Condition) -> bool:
    return isinstance(condition, Threshold) and condition.stands


def decides(condition: Condition, quantity: str) -> bool:
    """Whether who measures the quantity can raise the alert: of an AND only what it is about, its first part."""
    return not (isinstance(condition, Combined) and condition.every) or quantity == condition.quantities[0]


def patience(condition: Condition) -> int:
    """After how long without a value a device has gone: it is not between two readings, and the last counts no more."""
    validity = max(QUANTITIES[name].clinical_validity for name in condition.quantities)
    return max(MAX_PAUSE, validity, condition.within if isinstance(condition, Change) else 0)
