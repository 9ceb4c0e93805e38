"""A simulated device played without a wire: what an agent would get of it."""

import importlib
from typing import Any

from edge_agents.device import FrameError, Numeric, Occurrence, Reading
from firmware_sims.scenario import Timeline, parse
from firmware_sims.world import World

NEW_YEAR = 1_767_225_600_000_000
SECOND = 1_000_000


def step(at: float, /, **told: Any) -> dict[str, Any]:
    return {"at": at, "set": told}


def play(kind: str, *steps: dict[str, Any], seconds: float = 60.0, seed: int = 7, **more: Any) -> list[Reading]:
    """What its decoder makes of its frames up to then; frames come in order of time and none is refused."""
    told = [{"device": "d", **one} for one in steps]
    scenario = parse({"title": "a test", "step": told, **more})
    world = World(scenario, Timeline(scenario), seed, NEW_YEAR, "d")
    simulator = importlib.import_module(f"firmware_sims.devices.{kind}")
    decoder, last, found = simulator.Decoder(), 0, []
    for number, (due, reading) in enumerate(simulator.readings(world)):
        if due > seconds * SECOND:
            break
        assert due >= last
        last = due
        items = decoder.feed(simulator.encode(reading, number), reading.observed_at)
        assert not [item for item in items if isinstance(item, FrameError)]
        found += items
    return found


def said(found: list[Reading]) -> list[tuple[float, str, dict[str, Any]]]:
    """Seconds, name and details of what happened."""
    events = [reading for reading in found if isinstance(reading, Occurrence)]
    return [((event.observed_at - NEW_YEAR) / SECOND, event.name, event.details) for event in events]


def measured(found: list[Reading], second: float) -> Numeric:
    """The measurement of that second."""
    at = NEW_YEAR + round(second * SECOND)
    return next(reading for reading in found if isinstance(reading, Numeric) and reading.observed_at == at)
