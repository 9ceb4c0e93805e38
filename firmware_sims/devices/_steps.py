"""What a scenario's steps make a device do, in every cycle again.

A simulator is asked for its next reading until there is none: what is silent must either end or come to something.
"""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from edge_agents.device import Occurrence
from firmware_sims.scenario import SECOND, Step
from firmware_sims.world import Timed, World


def steps(world: World, *names: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Elapsed us and what is set, of each step of this device that sets one of these names, in order of time."""
    mine = [step for step in _mine(world) if not step.set.keys().isdisjoint(names)]
    for lap in _laps(world) if mine else ():
        for step in mine:
            yield lap + round(step.at * SECOND), step.set


def changes(world: World, first: Mapping[str, Any]) -> Iterator[tuple[int, str, Any]]:
    """Elapsed us, name and new value whenever one of these names changes; every cycle begins with the first values."""
    state = dict(first)
    for lap in _laps(world):
        said = False
        for at, told in [(0, dict(first)), *((round(step.at * SECOND), step.set) for step in _mine(world))]:
            for name in first:
                if told.get(name, state[name]) != state[name]:
                    state[name] = told[name]
                    said = True
                    yield lap + at, name, state[name]
        if not said:
            return


def while_on(world: World, every: float, name: str) -> Iterator[int]:
    """Elapsed us at every so many seconds, as long as the steps have made this name true."""
    due, step, idle = round(every * SECOND), round(every * SECOND), 0
    turns = sorted({0, *(round(one.at * SECOND) for one in _mine(world))})
    while idle <= len(turns):
        if world.told(due).get(name):
            yield due
            due, idle = due + step, 0
        elif (turn := _next_turn(world, turns, due)) is not None:
            due, idle = max(due + step, -(-turn // step) * step), idle + 1
        else:
            return


def ticks(every: float) -> Iterator[int]:
    """Elapsed us at every so many seconds, for ever."""
    step = round(every * SECOND)
    return (step * n for n in count(1))


def occurrence(world: World, due: int, name: str, details: dict[str, Any]) -> Timed:
    """Something that happens at an elapsed time, by the device's own clock."""
    return Timed(due, Occurrence(observed_at=world.start_at + due, name=name, details=details))


def told_events(world: World) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Elapsed us, name and details of the events that steps name: ``set = { event = "...", <detail> = ... }``."""
    for due, told in steps(world, "event"):
        yield due, str(told["event"]), {key: value for key, value in told.items() if key != "event"}


def _mine(world: World) -> list[Step]:
    return sorted((step for step in world.scenario.step if step.device == world.device), key=lambda step: step.at)


def _laps(world: World) -> Iterator[int]:
    """Elapsed us at which the scenario begins."""
    cycle = round(world.scenario.cycle * SECOND)
    return (cycle * lap for lap in count()) if cycle else iter((0,))


def _next_turn(world: World, turns: list[int], due: int) -> int | None:
    """When a step comes next, in this cycle or the one after it."""
    cycle = round(world.scenario.cycle * SECOND)
    lap = due // cycle * cycle if cycle else 0
    later = [turn for start in ((lap, lap + cycle) if cycle else (0,)) for turn in (start + at for at in turns)]
    return next((turn for turn in later if turn > due), None)
