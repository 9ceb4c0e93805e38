"""Simulated button box: presses the scenario's buttons, in every cycle again."""

from collections.abc import Iterator
from itertools import count

from edge_agents.device import Occurrence, Reading
from edge_agents.devices import crew_panel
from edge_agents.devices.crew_panel import Decoder
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "encode", "readings"]


def encode(reading: Reading, _number: int) -> bytes:
    """One line; lines carry no number."""
    return crew_panel.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """The presses in order; ends when there is no cycle."""
    presses = sorted(world.scenario.button, key=lambda press: press.at)
    if not presses:
        return
    for lap in count():
        for press in presses:
            due = round((press.at + lap * world.scenario.cycle) * SECOND)
            at = world.start_at + due
            yield Timed(due, Occurrence(observed_at=at, name=press.button, details=dict(press.details)))
        if not world.scenario.cycle:
            return
