"""What simulated devices share that measure now and then: when they do, and on whom."""

import heapq
from collections.abc import Iterator
from itertools import count
from typing import Final

from firmware_sims.physiology import STEP_US, Patient
from firmware_sims.scenario import SECOND
from firmware_sims.world import World
from gateway.contract.envelope import Instant

BUTTON: Final = "measure"  # each new value that a step gives it is a press


def moments(world: World, first: float, every: float) -> Iterator[int]:
    """Elapsed us of each measurement, in order: the regular ones (every 0 = none) and presses of the button."""
    last = -1
    for due in heapq.merge(_regular(first, every), _presses(world)):
        if due > last:  # two at one instant are one
            yield due
            last = due


def _regular(first: float, every: float) -> Iterator[int]:
    return (round((first + every * number) * SECOND) for number in count()) if every else iter(())


def _presses(world: World) -> Iterator[int]:
    """Every lap of a scenario that comes again."""
    steps = [step for step in world.scenario.step if step.device == world.device and BUTTON in step.set]
    if not steps:
        return
    for lap in count() if world.scenario.cycle else (0,):
        for step in sorted(steps, key=lambda step: step.at):
            yield round((step.at + lap * world.scenario.cycle) * SECOND)


def patient_at(patient: Patient, elapsed: int) -> None:
    """Lets the patient live on until then."""
    while patient.elapsed + STEP_US <= elapsed:
        patient.advance(render=False)


def whole_second(at: Instant) -> Instant:
    """What a clock shows that has no fractions."""
    return at // 1_000_000 * 1_000_000


def stores(_world: World) -> bool:
    """What it measures is kept until somebody fetches it."""
    return True
