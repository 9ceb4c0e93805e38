"""Record Access Control Point (0x2A52): asking a device for its stored records, and what it answers.

opcode, operator, operand. Source: GATT Specification Supplement 3.182 and the Glucose Profile 1.0.1.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from edge_agents.device import FrameError, FrameReason
from edge_agents.devices._gatt import Fields

RACP: Final = 0x2A52
BY_SEQUENCE: Final = 1  # filter type of an operand; 2 = by user-facing time


class Opcode(IntEnum):
    """First byte."""

    REPORT = 1
    DELETE = 2
    ABORT = 3
    COUNT = 4
    COUNT_RESPONSE = 5
    RESPONSE = 6


class Operator(IntEnum):
    """Second byte: which records."""

    NULL = 0
    ALL = 1
    UP_TO = 2
    FROM = 3
    RANGE = 4
    FIRST = 5
    LAST = 6


class Outcome(IntEnum):
    """Last byte of a response."""

    SUCCESS = 1
    OPCODE_UNKNOWN = 2
    OPERATOR_INVALID = 3
    OPERATOR_UNKNOWN = 4
    OPERAND_INVALID = 5
    NO_RECORDS = 6
    ABORT_FAILED = 7
    NOT_COMPLETED = 8
    OPERAND_UNKNOWN = 9


class Response(NamedTuple):
    """How a procedure ended, or how many records there are."""

    request: int  # opcode asked for; COUNT for a number of records
    outcome: int
    records: int | None = None


def report_all() -> bytes:
    """Ask for every record."""
    return bytes([Opcode.REPORT, Operator.ALL])


def report_from(sequence: int) -> bytes:
    """Ask for the records from a sequence number on."""
    return bytes([Opcode.REPORT, Operator.FROM, BY_SEQUENCE]) + sequence.to_bytes(2, "little")


def read_response(fields: Fields) -> Response:
    """What the device indicated.

    Raises:
        FrameError: no answer, or not laid out as one.
    """
    opcode, operator = fields.uint(1), fields.uint(1)
    if opcode not in {Opcode.RESPONSE, Opcode.COUNT_RESPONSE}:
        raise FrameError(FrameReason.UNKNOWN_TYPE, fields.frame, f"opcode {opcode} is no answer")
    if operator != Operator.NULL:
        raise FrameError(FrameReason.SYNTAX, fields.frame, f"an answer with operator {operator}")
    if opcode == Opcode.COUNT_RESPONSE:
        if fields.left not in {1, 2, 4}:
            raise FrameError(FrameReason.LENGTH, fields.frame)
        return Response(Opcode.COUNT, Outcome.SUCCESS, fields.uint(fields.left))
    return Response(fields.uint(1), fields.uint(1))


def pack_response(request: int, outcome: int) -> bytes:
    """The answer that ends a procedure."""
    return bytes([Opcode.RESPONSE, Operator.NULL, request, outcome])


def pack_count(count: int) -> bytes:
    """The answer to how many there are."""
    return bytes([Opcode.COUNT_RESPONSE, Operator.NULL]) + count.to_bytes(2, "little")
