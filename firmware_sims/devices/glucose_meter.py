"""Simulated glucose meter: a memory of records that are asked for (Record Access Control Point).

Measures when its button is pressed. Steps: ``measure`` (each new value is a press), ``glucose`` (mmol/L, moves over
``over`` seconds), ``control = true`` (control solution instead of blood), ``strip = "sample-too-small"`` or another
strip error, ``meal = "fasting"`` and so on (a context follows the record), ``clock = "unset"``.
"""

import random
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from edge_agents.device import Numeric, Occurrence, Reading
from edge_agents.devices import glucose_meter
from edge_agents.devices._racp import (
    BY_SEQUENCE,
    RACP,
    Opcode,
    Operator,
    Outcome,
    pack_count,
    pack_response,
)
from edge_agents.devices.glucose_meter import CONTEXT_EVENT, Decoder
from edge_agents.protocol import GATT_HEAD, gatt_frame
from firmware_sims.devices._spot import moments, stores, whole_second
from firmware_sims.world import Timed, World

__all__ = ["VALUES", "Decoder", "control", "encode", "readings", "stores"]

VALUES: Final = {glucose_meter.FEATURE: bytes.fromhex("ff03")}  # notices everything but a wrong clock
USUAL: Final = 5.6  # mmol/L
_CONTROL_SOLUTION: Final = 6.1


def encode(reading: Reading, number: int) -> bytes:
    """A record, numbered from 1; a context belongs to the record before it."""
    if isinstance(reading, Occurrence) and reading.name == CONTEXT_EVENT:
        about = {**reading.details, "sequence": number & 0xFFFF}
        reading = msgspec.structs.replace(reading, details=about)
    return glucose_meter.encode_record(reading, number + 1 & 0xFFFF)


def readings(world: World) -> Iterator[Timed]:
    """A record, perhaps with its context, at each press of the button."""
    noise = random.Random(world.device_seed)
    for due in moments(world, 0, 0):
        told = world.told(due)
        at = whole_second(world.start_at + due)
        yield Timed(due, _record(at, told, noise))
        if meal := told.get("meal"):
            yield Timed(due, Occurrence(observed_at=at, name=CONTEXT_EVENT, details={"sequence": 0, "meal": meal}))


def _record(at: int, told: dict[str, Any], noise: random.Random) -> Numeric:
    is_control = bool(told.get("control"))
    true = _CONTROL_SOLUTION if is_control else told.get("glucose", USUAL)
    value = round(true * noise.gauss(1, 0.02), 2)
    conditions = {"clock-unset"} if told.get("clock") == "unset" else set[str]()
    if strip := told.get("strip"):
        return Numeric(
            observed_at=at, values={"glucose": None}, invalid={"glucose": "no-measurement"},
            conditions=frozenset(conditions | {f"strip-error/{strip}"}), test=is_control,
        )  # fmt: skip
    return Numeric(observed_at=at, values={"glucose": value}, conditions=frozenset(conditions), test=is_control)


def control(world: World, _elapsed: int, frame: bytes) -> tuple[bytes, ...]:
    """Carries a record access procedure out: the records asked for, then the response."""
    characteristic: int = GATT_HEAD.unpack_from(frame)[0]
    request = frame[GATT_HEAD.size :]
    if characteristic != RACP or len(request) < 2:
        return (_answer(pack_response(request[0] if request else 0, Outcome.OPERAND_INVALID)),)
    opcode, operator, operand = request[0], request[1], request[2:]
    if opcode not in {Opcode.REPORT, Opcode.COUNT}:
        return (_answer(pack_response(opcode, Outcome.OPCODE_UNKNOWN)),)
    wanted = _select(world.state.get("records", []), operator, operand)
    if isinstance(wanted, Outcome):
        return (_answer(pack_response(opcode, wanted)),)
    if opcode == Opcode.COUNT:
        return (_answer(pack_count(sum(_is_record(record) for record in wanted))),)
    outcome = Outcome.SUCCESS if wanted else Outcome.NO_RECORDS
    return (*wanted, _answer(pack_response(opcode, outcome)))


def _select(records: list[bytes], operator: int, operand: bytes) -> list[bytes] | Outcome:
    if operator == Operator.ALL:
        return Outcome.OPERAND_INVALID if operand else records
    if operator in {Operator.FIRST, Operator.LAST}:
        numbers = sorted({_number(record) for record in records})[: 1 if operator == Operator.FIRST else None]
        return [record for record in records if numbers and _number(record) == numbers[-1]]
    if operator != Operator.FROM:
        return Outcome.OPERATOR_UNKNOWN
    if len(operand) != 3 or operand[0] != BY_SEQUENCE:
        return Outcome.OPERAND_UNKNOWN
    first = int.from_bytes(operand[1:], "little")
    return [record for record in records if _number(record) >= first]


def _number(record: bytes) -> int:
    """Of a measurement or its context: behind UUID and flags in both."""
    return int.from_bytes(record[3:5], "little")


def _is_record(frame: bytes) -> bool:
    return bool(GATT_HEAD.unpack_from(frame)[0] == glucose_meter.MEASUREMENT)


def _answer(value: bytes) -> bytes:
    return gatt_frame(RACP, value)
