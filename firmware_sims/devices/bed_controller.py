"""Simulated bed: somebody lies in it, and it moves while it is allowed to.

Understands, beside what every polled device does (`_polled`): the flags of ``bed-state`` (``occupied``, ``exit_alarm``,
``rail_left_up``, ``rail_right_up``, ``brake_set``, ``cpr``, ``fault``, ``remote_motion``, ``hold_to_run``). Like the
real one it judges a motion once more, and stops 500 ms after its watchdog was last written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from edge_agents.device import Reading
from edge_agents.devices.bed_controller import (
    LONGEST_MS,
    MAP,
    MOTION,
    PARTS,
    SAFE_ANGLES,
    WATCHDOG,
    WATCHDOG_MS,
    Decoder,
)
from firmware_sims.devices._polled import (
    DEVICE_FAILURE,
    ILLEGAL_ADDRESS,
    ILLEGAL_VALUE,
    Measured,
    refuse,
    wander,
    written,
)
from firmware_sims.devices._polled import readings as polled
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "control", "encode", "readings"]

EVERY: Final = 0.25
SPEED: Final = 3.0  # degrees per second
LOAD: Final = 74.0  # kg of whoever lies in it
_FLAGS: Final = {
    "occupied": True,
    "exit_alarm": False,
    "rail_left_up": True,
    "rail_right_up": True,
    "brake_set": True,
    "cpr": False,
    "fault": False,
    "remote_motion": False,
    "hold_to_run": False,
}
_QUANTITIES: Final = {"head": "head-angle", "knee": "knee-angle", "tilt": "bed-tilt"}
_MILLISECOND: Final = 1000


@dataclass
class _Motion:
    """What a part does; times are elapsed us."""

    part: str
    target: float
    ends: int  # at the latest
    watched: int  # the watchdog lets it move until then
    moved_to: int  # up to when its way is already in the angle


def encode(reading: Reading, _number: int) -> bytes:
    """Frames of the registers that the reading changes."""
    return MAP.pieces(reading)


def readings(world: World) -> Iterator[Timed]:
    """Four times a second."""
    return polled(world, MAP, EVERY, _measure)


def control(world: World, elapsed: int, frame: bytes) -> tuple[bytes, ...]:
    """Starts a motion, or refreshes the watchdog of one; refuses what is not safe."""
    words = written(frame)
    motion = world.state.get("motion")
    if set(words) == {WATCHDOG} and isinstance(motion, _Motion) and elapsed <= motion.watched:
        motion.watched = elapsed + WATCHDOG_MS * _MILLISECOND
        return ()
    if set(words) != set(range(MOTION, WATCHDOG + 1)):
        return refuse(frame, ILLEGAL_ADDRESS)
    code, raw, longest, _ = (words[at] for at in range(MOTION, WATCHDOG + 1))
    target = (raw - 0x10000 if raw & 0x8000 else raw) / 10
    part = next((name for name, number in PARTS.items() if number == code), "")
    if not part or longest > LONGEST_MS or not SAFE_ANGLES[part][0] <= target <= SAFE_ANGLES[part][1]:
        return refuse(frame, ILLEGAL_VALUE)
    if not _may_move(_flags(world, elapsed)):
        return refuse(frame, DEVICE_FAILURE)
    _advance(world, elapsed)
    ends, watched = elapsed + longest * _MILLISECOND, elapsed + WATCHDOG_MS * _MILLISECOND
    world.state["motion"] = _Motion(part, target, ends, watched, elapsed)
    return ()


def _flags(world: World, elapsed: int) -> dict[str, bool]:
    told = world.told(elapsed)
    return {name: bool(told.get(name, first)) for name, first in _FLAGS.items()}


def _may_move(flags: dict[str, bool]) -> bool:
    allowed = flags["remote_motion"] and flags["hold_to_run"] and flags["brake_set"]
    safe = not flags["occupied"] or (flags["rail_left_up"] and flags["rail_right_up"])
    return allowed and safe and not flags["cpr"] and not flags["fault"]


def _advance(world: World, elapsed: int) -> bool:
    """Moves the part as far as it has come by now; whether it still moves."""
    angles = world.state.setdefault("angles", {"head": 20.0, "knee": 0.0, "tilt": 0.0})
    motion = world.state.get("motion")
    if not isinstance(motion, _Motion):
        return False
    if not _may_move(_flags(world, elapsed)):
        del world.state["motion"]
        return False
    until = min(elapsed, motion.ends, motion.watched)
    way = SPEED * max(0, until - motion.moved_to) / SECOND
    motion.moved_to = max(until, motion.moved_to)
    left = motion.target - angles[motion.part]
    angles[motion.part] += max(-way, min(way, left))
    if elapsed >= motion.ends or angles[motion.part] == motion.target:
        del world.state["motion"]
        return False
    return elapsed < motion.watched


def _measure(world: World, elapsed: int) -> Measured:
    moving = _advance(world, elapsed)
    angles: dict[str, float] = world.state["angles"]
    flags: dict[str, Any] = _flags(world, elapsed)
    load = LOAD + wander(world, elapsed, 1, 0.6) if flags["occupied"] else 0.0
    values = {
        "bed-load": round(load, 1),
        "bed-height": 420.0,
        "battery": 100.0,
        **{_QUANTITIES[part]: round(angle, 1) for part, angle in angles.items()},
    }
    return Measured(values, {"bed-state": flags | {"moving": moving}}, None)
