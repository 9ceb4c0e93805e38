"""LMD1: what conformance does not cover."""

from edge_agents.device import Numeric, Reading
from edge_agents.devices.defibrillator import LAYOUT
from tests.devices import drawn
from tests.devices.played import play, said, step

READINGS = drawn.readings(LAYOUT)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def test_shocks_are_counted_and_each_is_measured() -> None:
    shock = {"event": "shock-delivered", "energy_j": 200, "impedance_ohm": 72.5}
    found = play(
        "defibrillator", step(1, event="defibrillator-on"), step(10, event="cpr-started"), step(40, **shock),
        step(50, **shock, conditions=["battery-low"]),
    )  # fmt: skip
    assert [(name, details.get("shock")) for _, name, details in said(found)] == [
        ("defibrillator-on", None),
        ("cpr-started", None),
        ("shock-delivered", 1),
        ("shock-delivered", 2),
    ]
    first, second = (reading for reading in found if isinstance(reading, Numeric))
    assert first.values == {"shock-energy": 200.0, "shock-impedance": 72.5}
    assert (first.conditions, second.conditions) == (frozenset(), frozenset({"battery-low"}))
