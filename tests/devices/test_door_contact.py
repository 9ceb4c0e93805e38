"""LMO1: what conformance does not cover."""

from edge_agents.device import Reading
from edge_agents.devices.door_contact import LAYOUT
from tests.devices import drawn
from tests.devices.played import play, said, step

READINGS = drawn.readings(LAYOUT)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def test_the_simulated_contact_says_how_long_a_door_was_open() -> None:
    found = play("door_contact", step(5, rear=True), step(20, side=True), step(95.5, rear=False), seconds=100)
    assert said(found) == [
        (5, "door-open", {"door": "rear"}),
        (20, "door-open", {"door": "side"}),
        (95.5, "door-closed", {"door": "rear", "open_s": 90.5}),
    ]


def test_a_scenario_that_comes_again_opens_the_door_again() -> None:
    found = play("door_contact", step(5, rear=True), step(8, rear=False), seconds=25, cycle=10)
    assert [at for at, name, _ in said(found) if name == "door-open"] == [5, 15, 25]
