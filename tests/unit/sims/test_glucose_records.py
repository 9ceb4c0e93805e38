"""The simulated meter's record access procedure, request by request."""

import pytest

from edge_agents.device import Numeric, Occurrence
from edge_agents.devices.glucose_meter import encode_record
from firmware_sims.devices.glucose_meter import control
from firmware_sims.scenario import Timeline, parse
from firmware_sims.world import World


@pytest.fixture
def meter() -> World:
    """Records 1, 2 and 3; the second has a context."""
    scenario = parse({"title": "test"})
    world = World(scenario, Timeline(scenario), 1, 0)
    value = Numeric(observed_at=0, values={"glucose": 5.5})
    context = Occurrence(observed_at=0, name="glucose-context", details={"sequence": 2, "meal": "fasting"})
    records = [encode_record(value, 1), encode_record(value, 2), encode_record(context, 0), encode_record(value, 3)]
    world.state["records"] = records
    return world


def ask(meter: World, request: str) -> tuple[list[int], str]:
    """Numbers of the records answered, and the response."""
    *found, last = control(meter, 0, bytes.fromhex(f"522a{request}"))
    assert last[:2] == bytes.fromhex("522a")
    return [int.from_bytes(frame[3:5], "little") for frame in found], last[2:].hex()


@pytest.mark.parametrize(
    ("request_hex", "records", "response"),
    [
        ("0101", [1, 2, 2, 3], "06000101"),
        ("0103010200", [2, 2, 3], "06000101"),
        ("0105", [1], "06000101"),
        ("0106", [3], "06000101"),
        ("0103010900", [], "06000106"),  # no records
        ("0401", [], "05000300"),  # there are three
        ("0201", [], "06000202"),  # a meter lets nobody delete
        ("0104010000", [], "06000104"),  # no ranges
        ("0103020000", [], "06000109"),  # no filter by time
        ("010100", [], "06000105"),  # an operand where none belongs
        ("", [], "06000005"),
    ],
)
def test_requests(meter: World, request_hex: str, records: list[int], response: str) -> None:
    assert ask(meter, request_hex) == (records, response)


def test_an_empty_meter_has_no_records(meter: World) -> None:
    meter.state.clear()
    assert ask(meter, "0101") == ([], "06000106")
    assert ask(meter, "0106") == ([], "06000106")
