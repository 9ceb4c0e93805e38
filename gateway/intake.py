"""A batch sorted by what each message turned out to be."""

import msgspec

from gateway.admit import Admitted, Duplicate, Greeting
from gateway.changes import Rejection
from gateway.ledger import LaneLedger


class Intake(msgspec.Struct):
    """Every message ends in exactly one list."""

    records: list[Admitted] = []
    duplicates: list[Duplicate] = []
    greetings: list[Greeting] = []
    rejections: list[Rejection] = []
    lanes: dict[int, LaneLedger] = {}
    imposters: list[str] = []  # units greeted by an epoch that had been superseded
