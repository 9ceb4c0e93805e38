"""Simulated thermometer in a cold box: BTHome v2, every two seconds, from an address of its own.

A scenario's steps set ``temperature`` (Cel), ``humidity``, ``battery`` (%) and ``silent``.
"""

import random
from collections.abc import Iterator
from typing import Final

from edge_agents.device import Numeric, Reading
from edge_agents.devices import _adverts, temperature_tag
from edge_agents.devices.temperature_tag import Decoder
from firmware_sims.devices._path_loss import nothing
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings", "who"]

EVERY: Final = 2 * SECOND
MEASURES_EVERY: Final = 5  # advertisements with the same values
COLD: Final = 4.6  # Cel
_RSSI: Final = -62  # dBm inside the van


def who(world: World) -> str:
    """See firmware_sims.hosts.advertiser."""
    return _adverts.address_of(f"{world.seed}:{world.device}")


def encode(reading: Reading, _number: int) -> bytes:
    """One report; reports carry no number. Of silence there is none."""
    return temperature_tag.encode(reading) if isinstance(reading, Numeric) and reading.values else b""


def readings(world: World) -> Iterator[Timed]:
    """An advertisement every two seconds, with a new measurement every ten, for ever."""
    noise = random.Random(world.device_seed)
    due = noise.randrange(EVERY)
    while True:
        told = world.told(due)
        measured = {
            "cargo-temperature-1": round(told.get("temperature", COLD) + noise.gauss(0, 0.04), 2),
            "humidity": round(told.get("humidity", 55.0) + noise.gauss(0, 0.3), 2),
            "battery": round(told.get("battery", 96)),
        }
        for _ in range(MEASURES_EVERY):
            values = measured | {"rssi": round(_RSSI + noise.gauss(0, 2))}
            sent = Numeric(observed_at=world.start_at + due, values=values)
            yield Timed(due, nothing(world, due) if world.told(due).get("silent") else sent)
            due += EVERY
