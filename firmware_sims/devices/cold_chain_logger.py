"""Simulated cold-chain logger: four probes in the cargo, one record every ten seconds.

Understands what every polled device does (`_polled`): ``cargo-temperature-N`` as a number or ``"fault"``, ``battery``,
and as ``conditions`` ``clock-unset``, ``battery-low`` and ``device-fault``.
"""

import struct
from collections.abc import Iterator
from itertools import groupby
from typing import Final

from edge_agents.device import Reading
from edge_agents.devices.cold_chain_logger import MAP, Decoder, registers
from edge_agents.protocol import modbus_frame
from firmware_sims.devices._polled import Measured, wander
from firmware_sims.devices._polled import readings as polled
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]

INTERVAL: Final = 10
PROBES: Final = 4
CARGO: Final = 4.5  # degC


def encode(reading: Reading, number: int) -> bytes:
    """Frames of the registers that one more record changes; ``number`` counts from 0."""
    held = sorted(registers(reading, number + 1, INTERVAL).items())
    frames = []
    for _, run in groupby(enumerate(held), key=lambda item: item[1][0] - item[0]):
        rows = [row for _, row in run]
        words = [word for _, word in rows]
        frames.append(modbus_frame(1, 4, rows[0][0], len(words), struct.pack(f">{len(words)}H", *words)))
    return b"".join(frames)


def readings(world: World) -> Iterator[Timed]:
    """A record every ten seconds."""
    return polled(world, MAP, INTERVAL, _measure)


def _measure(world: World, elapsed: int) -> Measured:
    values = {
        f"cargo-temperature-{probe}": round(CARGO + wander(world, elapsed, probe, 0.4), 1)
        for probe in range(1, PROBES + 1)
    }
    return Measured(values | {"battery": max(0.0, 96 - elapsed // (3600 * SECOND))}, {})
