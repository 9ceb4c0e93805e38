"""Simulated satellite receiver: true motion plus slow position noise; no fix where the scenario says gnss is off.

Its GST tells the noise it has: the position error is that of the noise, not that of the fix.
"""

import math
import random
from collections.abc import Iterator
from typing import Final

from edge_agents.device import Numeric, Reading
from edge_agents.devices import gnss
from edge_agents.devices.gnss import Decoder
from firmware_sims.motion import Motion, metres_per_degree
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

_WANDER: Final = 0.95  # how much of the error stays from one fix to the next
_NOISE: Final = 0.4  # m, what is added to it (about 1.3 m in all)
_ERROR: Final = round(_NOISE * math.sqrt(2 / (1 - _WANDER**2)), 3)  # m, north and east together


def encode(reading: Reading, _number: int) -> bytes:
    """GST, RMC and GGA; sentences carry no number."""
    return gnss.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """A fix per period, for ever; none at all when the rate is 0."""
    course = world.scenario.motion
    if not world.scenario.rates.gnss_hz:
        return
    every = round(1_000_000 / world.scenario.rates.gnss_hz)
    noise = random.Random(world.seed ^ 0x6E55)
    motion = Motion(course.route, course.profile)
    late = noise.uniform(0, course.profile[-1][0]) if course.spread else 0.0
    north = east = 0.0
    due = every
    while True:
        north = _WANDER * north + noise.gauss(0, _NOISE)
        east = _WANDER * east + noise.gauss(0, _NOISE)
        if "gnss" in world.timeline.off_at(due):
            values: dict[str, float | None] = {}
        else:
            place = motion.at(due / 1_000_000 + late)
            per_north, per_east = metres_per_degree(place.latitude)
            values = {
                "latitude": place.latitude + north / per_north,
                "longitude": place.longitude + east / per_east,
                "speed": place.speed,
                "course": place.course,
                "altitude": course.altitude + 0.3 * north,
                "hdop": 0.9,
                "position-error": _ERROR,
                "altitude-error": round(0.3 * _ERROR / math.sqrt(2), 3),
            }
        yield Timed(due, Numeric(observed_at=world.start_at + due, values=values))
        due += every
