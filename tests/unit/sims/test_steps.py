"""Steps of a scenario as simulators take them; and that no simulator keeps the others waiting."""

import importlib
from itertools import islice
from typing import Any

import pytest

from edge_agents import kinds
from edge_agents.protocol import Stream
from firmware_sims.devices._steps import changes, steps, while_on
from firmware_sims.scenario import Timeline, parse
from firmware_sims.world import World

SECOND = 1_000_000
STREAMS = [kind for kind in kinds.names() if isinstance(kinds.load(kind).PROTOCOL, Stream)]


def world(*told: tuple[float, dict[str, Any]], cycle: float = 0.0) -> World:
    rows = [{"at": at, "device": "d", "set": what} for at, what in told]
    scenario = parse({"title": "a test", "cycle": cycle, "step": [*rows, {"at": 1, "device": "e", "set": {"on": 1}}]})
    return World(scenario, Timeline(scenario), 1, 0, "d")


def seconds(rows: Any, upto: float = 100.0) -> list[Any]:
    """What happens until then, elapsed time in seconds."""
    found = []
    for row in rows:
        due, *rest = row if isinstance(row, tuple) else (row,)
        if due > upto * SECOND:
            break
        found.append((due / SECOND, *rest) if rest else due / SECOND)
    return found


def test_steps_come_in_order_in_every_cycle_and_only_those_that_matter() -> None:
    w = world((8, {"b": 1}), (3, {"a": 1}), (5, {"a": 2}), cycle=10)
    assert [at for at, _ in seconds(steps(w, "a"), 30)] == [3, 5, 13, 15, 23, 25]
    assert list(steps(w, "c")) == []
    assert [at for at, _ in seconds(steps(world((8, {"b": 1})), "b"))] == [8]


def test_only_changes_are_told_and_a_cycle_begins_as_the_first_one_did() -> None:
    w = world((3, {"a": True}), (4, {"a": True}), (5, {"a": False}), (7, {"a": True}), cycle=10)
    assert seconds(changes(w, {"a": False}), 14) == [
        (3, "a", True), (5, "a", False), (7, "a", True), (10, "a", False), (13, "a", True),
    ]  # fmt: skip


def test_nothing_that_changes_is_an_end() -> None:
    assert list(changes(world((3, {"a": False}), cycle=10), {"a": False})) == []
    assert list(changes(world(), {"a": False})) == []


def test_ticks_come_while_it_is_on() -> None:
    w = world((2.5, {"on": True}), (5.5, {"on": False}), (8, {"on": True}), (9, {"on": False}))
    assert list(seconds(while_on(w, 1.0, "on"))) == [3, 4, 5, 8]


def test_ticks_come_again_in_every_cycle() -> None:
    w = world((2.5, {"on": True}), (4.5, {"on": False}), cycle=10)
    assert seconds(while_on(w, 1.0, "on"), 35) == [3, 4, 13, 14, 23, 24, 33, 34]


@pytest.mark.parametrize("cycle", [0.0, 10.0])
def test_what_is_never_on_is_an_end(cycle: float) -> None:
    assert list(while_on(world((2, {"other": 1}), (4, {"on": False}), cycle=cycle), 1.0, "on")) == []
    assert list(while_on(world((2.1, {"on": True}), (2.9, {"on": False}), cycle=cycle), 1.0, "on")) == []


@pytest.mark.timeout(20)
@pytest.mark.parametrize("cycle", [0.0, 10.0])
@pytest.mark.parametrize("kind", STREAMS)
def test_no_simulator_looks_for_ever_for_what_to_say_next(kind: str, cycle: float) -> None:
    """The devices of a unit are merged by time: one that never answers would stop them all."""
    simulator = importlib.import_module(f"firmware_sims.devices.{kind}")
    for w in (world(cycle=cycle), world((2, {"nonsense": True}), cycle=cycle)):
        dues = [timed.due for timed in islice(simulator.readings(w), 20)]
        assert dues == sorted(dues)
