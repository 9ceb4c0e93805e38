"""LML1: what conformance does not cover."""

import pytest

from edge_agents.device import Reading
from edge_agents.devices.load_cells import LAYOUT
from tests.devices import drawn
from tests.devices.played import measured, play, step

READINGS = drawn.readings(LAYOUT)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def test_a_load_without_one_of_its_cells_is_no_load() -> None:
    found = play("load_cells", step(0, load=600), step(15, faults=[2, 4]), step(25, faults=[]), seconds=40)
    assert measured(found, 10).values["load"] == pytest.approx(600, abs=3)
    broken = measured(found, 20)
    assert (broken.values, broken.invalid) == ({"load": None}, {"load": "sensor-fault"})
    assert broken.conditions == frozenset({"sensor-fault/2", "sensor-fault/4"})
    assert measured(found, 30).conditions == frozenset()


def test_an_overloaded_cell_is_named() -> None:
    found = play("load_cells", step(0, load=2500, overload=[1]), seconds=10)
    assert measured(found, 10).conditions == frozenset({"out-of-measuring-range/1"})
    assert measured(found, 10).invalid == {"load": "out-of-range"}
