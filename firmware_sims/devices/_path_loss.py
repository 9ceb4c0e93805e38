"""How strong an advertisement arrives: log-distance path loss with fading, and what a scanner misses.

RSSI(d) = P(1 m) - 10 n log10(d) + fading. n = 2.2 is a corridor with people in it; 2 would be free space.
"""

import math
import random
from typing import Final

from edge_agents.device import Numeric, Reading
from firmware_sims.world import World

EXPONENT: Final = 2.2
FADING: Final = 3.0  # dB, standard deviation from one advertisement to the next
NEAREST: Final = 0.3  # m
SENSITIVITY: Final = -95  # dBm; below it a receiver hears nothing
MISSED: Final = 0.1  # share that falls between two scan windows or collides

Place = tuple[float, float]  # m


def rssi(power_1m: float, distance: float, noise: random.Random) -> int | None:
    """DBm at the scanner; None when it hears nothing of this one."""
    strength = power_1m - 10 * EXPONENT * math.log10(max(distance, NEAREST)) + noise.gauss(0, FADING)
    missed = noise.random() < MISSED  # drawn in any case: the noise of later ones does not depend on the distance
    return None if missed or strength < SENSITIVITY else round(strength)


def nothing(world: World, elapsed: int) -> Reading:
    """An advertisement that is not sent or not heard: time goes on all the same, and other devices wait for it."""
    return Numeric(observed_at=world.start_at + elapsed, values={})
