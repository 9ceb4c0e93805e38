"""Simulated load cells on their terminal: ``load`` (kg), ``faults`` and ``overload`` (lists of cells, from 1).

The terminal weighs every 10 s and says so once it was told to repeat. ``restarted``, true, at a step: its power comes
back just then, so it says its serial number and has forgotten what it was told.
"""

import heapq
import random
from collections.abc import Iterator

from edge_agents.device import Numeric, Occurrence, Reading
from edge_agents.devices import load_cells
from edge_agents.devices.load_cells import FAULT, LOAD, RANGE, REPEAT, SWITCHED_ON, Decoder
from firmware_sims.devices._steps import occurrence, steps, ticks
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "control", "encode", "opening", "readings"]

_EVERY = 10.0  # s
_LOAD = 0.0  # kg, when the scenario says nothing
_NOISE = 0.4  # kg
_ASKED = "told to repeat"
_RESTARTED = "restarted"
_GREETING = SWITCHED_ON + b' "B021002593"\r\n'


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return _GREETING if isinstance(reading, Occurrence) else load_cells.encode(reading)


def opening(world: World, frame: bytes) -> bytes:
    """Nothing, until it was told to repeat; its greeting in any case."""
    if frame == _GREETING:
        world.state[_ASKED] = False
        return frame
    return frame if world.state.get(_ASKED) else b""


def control(world: World, _elapsed: int, data: bytes) -> tuple[bytes, ...]:
    """Takes the command to repeat; a command it does not have is an error of syntax."""
    if REPEAT in data:
        world.state[_ASKED] = True
        return ()
    return (b"ES\r\n",) if data else ()


def readings(world: World) -> Iterator[Timed]:
    """The load every 10 s, for ever, and every return of its power."""
    return heapq.merge(_starts(world), _weighings(world), key=lambda timed: timed.due)


def _starts(world: World) -> Iterator[Timed]:
    for due, told in steps(world, _RESTARTED):
        if told[_RESTARTED]:
            yield occurrence(world, due, _RESTARTED, {})


def _weighings(world: World) -> Iterator[Timed]:
    noise = random.Random(world.device_seed)
    for due in ticks(_EVERY):
        told = world.told(due)
        load = round(float(told.get("load", _LOAD)) + noise.gauss(0, _NOISE), 1)
        at = world.start_at + due
        yield Timed(due, _reading(at, load, faulty=bool(told.get("faults")), over=bool(told.get("overload"))))


def _reading(at: int, load: float, *, faulty: bool, over: bool) -> Numeric:
    if not faulty and not over:
        return Numeric(observed_at=at, values={LOAD: load}, conditions=frozenset())
    reason, condition = (FAULT, FAULT) if faulty else ("out-of-range", RANGE)
    return Numeric(observed_at=at, values={LOAD: None}, invalid={LOAD: reason}, conditions=frozenset({condition}))
