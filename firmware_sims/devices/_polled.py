"""What simulated Modbus devices share: they measure at intervals, the scenario overrides, a write may be refused.

Every one of them understands, in ``[[step]] set``: the name of one of its quantities with a number, or with ``"fault"``
for a broken sensor; ``conditions``, a list of codes its alarm bits state; and ``answering = false``: it is dead.
"""

import math
import struct
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final, NamedTuple

from edge_agents.device import Numeric, Occurrence
from edge_agents.devices._registers import RegisterMap
from edge_agents.protocol import MODBUS_HEAD, modbus_frame
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
DEVICE_FAILURE: Final = 4


class Measured(NamedTuple):
    """What a device finds at one instant."""

    values: dict[str, float]
    states: dict[str, dict[str, Any]]  # by event
    conditions: frozenset[str] | None = frozenset()  # of its alarm bits; None = they stand in a state


def readings(
    world: World, table: RegisterMap, every: float, measure: Callable[[World, int], Measured]
) -> Iterator[Timed]:
    """Its numbers at every interval, for ever, each preceded by the states that have changed."""
    told_last: dict[str, dict[str, Any]] = {}
    for number in count():
        due = round(number * every * SECOND)
        at = world.start_at + due
        found = measure(world, due)
        for event, details in found.states.items():
            if told_last.get(event) != details:
                told_last[event] = details
                yield Timed(due, Occurrence(observed_at=at, name=event, details=details))
        yield Timed(due, _numeric(world.told(due), table, at, found))


def _numeric(told: dict[str, Any], table: RegisterMap, at: int, found: Measured) -> Numeric:
    values: dict[str, float | None] = dict(found.values)
    invalid: dict[str, str] = {}
    faults: set[str] = set()
    for row in table.numbers:
        if told.get(row.quantity) == "fault":
            values[row.quantity] = None
            invalid[row.quantity] = row.fault
            faults.add(row.condition)
        elif row.quantity in told:
            values[row.quantity] = told[row.quantity]
    if found.conditions is None:
        return Numeric(observed_at=at, values=values, invalid=invalid)
    conditions = found.conditions | faults | set(told.get("conditions", ()))
    return Numeric(observed_at=at, values=values, invalid=invalid, conditions=conditions)


def wander(world: World, elapsed: int, which: int, amplitude: float) -> float:
    """A slow movement about 0 that differs by unit, device and ``which``; the same seed gives the same."""
    phase = (world.device_seed >> which % 16) % 6283 / 1000 + which
    minutes = elapsed / SECOND / 60
    return amplitude * (0.7 * math.sin(0.9 * minutes + phase) + 0.3 * math.sin(4.1 * minutes + 2 * phase))


def written(frame: bytes) -> dict[int, int]:
    """Registers by address that a write sets."""
    _, _, address, size = MODBUS_HEAD.unpack_from(frame)
    return dict(enumerate(struct.unpack(f">{size}H", frame[MODBUS_HEAD.size :]), address))


def refuse(frame: bytes, code: int) -> tuple[bytes, ...]:
    """The exception that answers a write."""
    unit, function, address, size = MODBUS_HEAD.unpack_from(frame)
    return (modbus_frame(unit, function | 0x80, address, size, bytes((code,))),)
