"""Simulated scanners of a site: fixed beacons and walking tags, as each scanner hears them.

All scanners of a unit see the same advertisements, each at its own distance. A corridor of 60 m (x) and 8 m (y):

=========  ==========================================================================================================
scanners   scanner-1 at x = 5, scanner-2 at 30, scanner-3 at 55
beacons    beacon-1, beacon-2, beacon-3, one near each scanner: Eddystone-UID with telemetry in every tenth frame
tags       tag-1 (iBeacon) walks up and down all day, tag-2 (AltBeacon) stands at x = 32
=========  ==========================================================================================================

A scenario's steps name them as devices and move or change them, and may bring further ``tag-N`` and ``beacon-N``:
``set = {x, y, battery_mv, silent, interval}``. A scanner that is ``silent`` is stuck: it hears nothing.
"""

import heapq
import math
import random
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5
from zlib import crc32

from edge_agents.device import Occurrence, Reading
from edge_agents.devices import beacon_scanner
from edge_agents.devices.beacon_scanner import SIGHTINGS, TELEMETRY, WINDOW, Decoder
from firmware_sims.devices._path_loss import Place, nothing, rssi
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["ALSO", "Decoder", "encode", "readings", "who"]

ALSO: Final = ("tag-", "beacon-")  # how things begin that steps may name beside the devices of the profile

SITE: Final = UUID("5a1c6f0e-3d0b-4f6e-9b6b-2f7f2f0c1a60")  # of this project's simulated sites
POWER: Final = -59  # dBm at 1 m
TELEMETRY_EVERY: Final = 10  # frames
WANDER: Final = 0.010  # s; advDelay, the random part of every interval (Core Vol 6 Part B 4.4.2.2)
WALK: Final = 1.2  # m/s
CORRIDOR: Final = 60.0  # m

PLACES: Final[dict[str, Place]] = {
    "scanner-1": (5.0, 4.0), "scanner-2": (30.0, 4.0), "scanner-3": (55.0, 4.0),
    "beacon-1": (8.0, 1.0), "beacon-2": (27.0, 1.0), "beacon-3": (52.0, 1.0), "tag-2": (32.0, 6.0),
}  # fmt: skip
_SOMEWHERE: Final[Place] = (30.0, 6.0)


class Beacon(NamedTuple):
    """One that advertises."""

    name: str
    kind: str
    interval: float  # s


def who(_world: World) -> str:
    """See firmware_sims.hosts.advertiser: a scanner has a radio of its own."""
    return ""


def encode(reading: Reading, _number: int) -> bytes:
    """One report; telemetry is as strong as ``rssi`` in its details says. Of what is not heard there is none."""
    if not isinstance(reading, Occurrence):
        return b""
    if reading.name != TELEMETRY:
        return beacon_scanner.encode(reading)
    details = dict(reading.details)
    strength = details.pop("rssi")
    frame = beacon_scanner.encode(Occurrence(observed_at=reading.observed_at, name=TELEMETRY, details=details))
    return frame[:-1] + int(strength).to_bytes(1, "little", signed=True)


def readings(world: World) -> Iterator[Timed]:
    """What this scanner hears, in order of time, for ever."""
    heard = [_heard(world, beacon) for beacon in roster(world)]
    yield from heapq.merge(*heard, key=lambda timed: timed.due)


def roster(world: World) -> list[Beacon]:
    """All that advertise at the site."""
    named = {step.device for step in world.scenario.step if step.device.startswith(("tag-", "beacon-"))}
    names = sorted(named | {"beacon-1", "beacon-2", "beacon-3", "tag-1", "tag-2"})
    return [_beacon(name) for name in names]


def _beacon(name: str) -> Beacon:
    if name.startswith("beacon-"):
        return Beacon(name, "eddystone-uid", 1.0)
    return Beacon(name, "altbeacon" if name == "tag-2" else "ibeacon", 0.3)


def identity(beacon: Beacon) -> str:
    """What it says it is; the same at every site, so that tests and demos know it."""
    number = int("".join(filter(str.isdigit, beacon.name)) or 0) % 65_536
    match beacon.kind:
        case "ibeacon":
            return f"{SITE}:1:{number}"
        case "altbeacon":
            return f"{SITE.hex}{number:08x}"
        case _:
            return f"{uuid5(SITE, 'namespace').hex[:20]}:{number:012x}"


def _heard(world: World, beacon: Beacon) -> Iterator[Timed]:
    """One beacon's advertisements as far as this scanner hears them."""
    sent = random.Random(world.seed ^ crc32(beacon.name.encode()))  # all scanners agree on when it sends
    noise = random.Random(world.device_seed ^ crc32(beacon.name.encode()))
    elapsed = round(sent.uniform(0, beacon.interval) * SECOND)
    frames = 0
    while True:
        state = world.timeline.device_at(beacon.name, elapsed)
        frames += 1
        strength = rssi(POWER, _distance(world, beacon.name, state, elapsed), noise)
        if strength is None or state.get("silent") or world.told(elapsed).get("silent"):
            yield Timed(elapsed, nothing(world, elapsed))
        else:
            yield Timed(elapsed, _frame(world, beacon, frames, strength, state, elapsed))
        elapsed += round((state.get("interval", beacon.interval) + sent.uniform(0, WANDER)) * SECOND)


def _distance(world: World, name: str, state: dict[str, Any], elapsed: int) -> float:
    here = place(world.device, world.told(elapsed), elapsed)
    return math.dist(here, place(name, state, elapsed))


def place(name: str, state: dict[str, Any], elapsed: int) -> Place:
    """Where it is: where the scenario has put it, else in its own place; tag-1 walks."""
    x, y = PLACES.get(name, _SOMEWHERE)
    if name == "tag-1":
        lap, along = divmod(WALK * elapsed / SECOND, CORRIDOR)
        x, y = CORRIDOR - along if int(lap) % 2 else along, 3.0
    return float(state.get("x", x)), float(state.get("y", y))


def _frame(world: World, beacon: Beacon, number: int, strength: int, state: dict[str, Any], elapsed: int) -> Occurrence:
    at = world.start_at + elapsed
    if beacon.kind == "eddystone-uid" and number % TELEMETRY_EVERY == 0:
        return Occurrence(observed_at=at, name=TELEMETRY, details={
            "id": identity(beacon), "battery_mv": round(state.get("battery_mv", 3000)), "temperature": 21.5,
            "adv_count": number, "uptime_s": elapsed / SECOND, "rssi": strength,
        })  # fmt: skip
    sighting = {
        "id": identity(beacon), "kind": beacon.kind, "rssi": strength, "rssi_max": strength, "n": 1, "power_1m": POWER,
    }  # fmt: skip
    return Occurrence(observed_at=at, name=SIGHTINGS, details={"window_ms": WINDOW // 1000, "sightings": [sighting]})
