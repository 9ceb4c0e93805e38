"""BCC of a pump in a rack: what conformance does not cover."""

from typing import Any

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices.infusion_pump import ACK, ALARMS, NAK, NUMBERS, Decoder, encode
from firmware_sims.devices import infusion_pump as simulator
from firmware_sims.scenario import Timeline, parse
from firmware_sims.world import World
from tests.devices import golden

SECOND = 1_000_000
HIGHEST = {"infusion-rate": 1800, "infused-volume": 9999, "volume-remaining": 60, "battery-time-left": 1440}


@st.composite
def numerics(draw: st.DrawFn) -> Numeric:
    values: dict[str, float | None] = {}
    for _, quantity, digits in draw(st.lists(st.sampled_from(NUMBERS), unique=True, min_size=1)):
        raw = draw(st.none() | st.integers(0, HIGHEST[quantity] * 10**digits))
        values[quantity] = None if raw is None else raw / 10**digits
    invalid = {quantity: "no-measurement" for quantity, value in values.items() if value is None}
    conditions = draw(st.none() | st.frozensets(st.sampled_from([alarm.condition for alarm in ALARMS])))
    return Numeric(observed_at=golden.ARRIVES_AT, values=values, invalid=invalid, conditions=conditions)


def occurrence(name: str, **details: st.SearchStrategy[Any]) -> st.SearchStrategy[Occurrence]:
    all_of_them = st.fixed_dictionaries(details)
    return st.builds(Occurrence, observed_at=st.just(golden.ARRIVES_AT), name=st.just(name), details=all_of_them)


READINGS = st.one_of(
    numerics(),
    occurrence("infusion-state", running=st.booleans(), bolus=st.booleans(), standby=st.booleans()),
    occurrence("bolus", count=st.integers(1, 9), volume=st.integers(1, 50_000).map(lambda raw: raw / 100)),
)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def rate(value: float) -> bytes:
    return encode(Numeric(observed_at=0, values={"infusion-rate": value}))


def state(*, running: bool = True, bolus: bool = False) -> bytes:
    details = {"running": running, "bolus": bolus, "standby": False}
    return encode(Occurrence(observed_at=0, name="infusion-state", details=details))


def bolus(second: int, volume: float) -> bytes:
    return encode(Occurrence(observed_at=second * SECOND, name="bolus", details={"count": 1, "volume": volume}))


def events(decoder: Decoder, *blocks: bytes) -> list[str]:
    items = [item for block in blocks for item in decoder.feed(block, 0)]
    assert not any(isinstance(item, FrameError) for item in items)
    return [item.name for item in items if isinstance(item, Occurrence) and item.name != "infusion-state"]


def refusals(items: list[Reading | FrameError]) -> list[FrameReason]:
    return [item.reason for item in items if isinstance(item, FrameError)]


def of_pump(slot: bytes, block: bytes) -> bytes:
    """The block of a pump in another slot."""
    moved = block[:-6].replace(b",50111,", b",501%s," % slot)
    return b"%s%05d\x04" % (moved, sum(moved) % 256)


# ---- events ----------------------------------------------------------------------------------------------------------
def test_a_pump_found_running_has_not_just_been_started() -> None:
    assert events(Decoder(), state(running=True), rate(5.0)) == []


def test_start_and_stop_are_told_and_their_rates_are_no_change_of_rate() -> None:
    blocks = [state(running=False), rate(0.0), state(running=True), rate(5.0), state(running=False), rate(0.0)]
    assert events(Decoder(), *blocks) == ["infusion-started", "infusion-stopped"]


def test_another_rate_of_a_running_pump_is_told_with_both() -> None:
    decoder = Decoder()
    assert events(decoder, state(), rate(5.0), rate(5.0)) == []
    change, numeric = decoder.feed(rate(7.5), 9)
    assert change == Occurrence(observed_at=9, name="rate-changed", details={"from": 5.0, "to": 7.5})
    assert numeric == Numeric(observed_at=9, values={"infusion-rate": 7.5})


def test_the_rate_of_a_bolus_is_no_change_of_rate() -> None:
    decoder = Decoder()
    blocks = [state(), rate(5.0), state(bolus=True), rate(800.0), state(), rate(5.0)]
    assert events(decoder, *blocks) == []
    assert events(decoder, rate(6.0)) == ["rate-changed"]


def test_a_block_sent_again_is_not_another_bolus() -> None:
    decoder = Decoder()
    assert events(decoder, bolus(10, 2.0), bolus(10, 2.0)) == ["bolus"]
    assert events(decoder, bolus(15, 2.0)) == ["bolus"]


# ---- conditions ------------------------------------------------------------------------------------------------------
def test_a_block_without_alarms_says_nothing_about_them() -> None:
    (numeric,) = Decoder().feed(rate(5.0), 0)
    assert isinstance(numeric, Numeric)
    assert numeric.conditions is None


# ---- the rack --------------------------------------------------------------------------------------------------------
def test_every_block_is_acknowledged_once_and_a_damaged_one_asked_for_again() -> None:
    decoder = Decoder()
    decoder.feed(rate(5.0) + rate(5.0), 0)
    assert decoder.answers() == 2 * ACK
    assert decoder.answers() == b""
    decoder.feed(rate(5.0).replace(b"5.00", b"6.00"), 0)
    assert decoder.answers() == NAK
    decoder.feed(b"noise", 0)
    assert decoder.answers() == b""
    assert decoder.greet(0) == (ACK,)


def checked(inner: bytes) -> bytes:
    """A block with the right length and check, whatever is in it."""
    block = b"\x01%05d%s" % (len(inner) + 12, inner)
    return b"%s%05d\x04" % (block, sum(block) % 256)


@pytest.mark.parametrize(
    ("place", "byte"), [(2, b"x"), (6, b"x"), (8, b"\x02"), (25, b"\x03"), (-7, b"x"), (-3, b"x"), (-3, b"9")]
)
def test_a_damaged_block_is_asked_for_again_wherever_the_damage_is(place: int, byte: bytes) -> None:
    block, decoder = bytearray(rate(5.0)), Decoder()
    block[place : place + 1 or None] = byte
    assert refusals(decoder.feed(bytes(block), 0))[0] in {FrameReason.LENGTH, FrameReason.CHECKSUM}
    assert decoder.answers() == NAK


def test_an_undamaged_block_that_says_nothing_is_not_asked_for_again() -> None:
    decoder = Decoder()
    assert refusals(decoder.feed(checked(b"\x02ComSystem/1/1>nonsense\x03"), 0)) == [FrameReason.SYNTAX]
    assert decoder.answers() == ACK


@pytest.mark.parametrize("first", [True, False])
def test_an_error_of_another_slot_is_told_and_takes_nothing_away(first: bool) -> None:
    quadruples = [b"7,50113,GNERR,1013", b"7,50111,INRT,5.00"]
    text = b"\x1e".join(quadruples if first else quadruples[::-1])
    decoder = Decoder()
    items = decoder.feed(checked(b"\x02ComSystem/1/1>%s\x03" % text), 9)
    assert refusals(items) == [FrameReason.EXCEPTION]
    assert [item for item in items if isinstance(item, Numeric)] == [
        Numeric(observed_at=9, values={"infusion-rate": 5.0})
    ]
    assert decoder.answers() == ACK


def test_two_pumps_are_never_taken_for_one() -> None:
    decoder = Decoder()
    assert refusals(decoder.feed(rate(5.0), 0)) == []
    assert refusals(decoder.feed(of_pump(b"13", rate(80.0)), 0)) == [FrameReason.OUT_OF_RANGE]
    assert refusals(decoder.feed(rate(5.0), 0)) == []


def test_a_site_names_the_pump_it_means() -> None:
    decoder = Decoder(pump="13")
    assert decoder.feed(rate(5.0), 0) == []
    assert len(decoder.feed(of_pump(b"13", rate(80.0)), 0)) == 1
    with pytest.raises(ValueError, match="expected pillar"):
        Decoder(pump="4Z")


def test_nothing_of_a_refused_block_is_repeated() -> None:
    (error,) = Decoder().feed(rate(5.0).replace(b"INRT", b"PATI"), 0)
    assert isinstance(error, FrameError)
    assert b"PATI" not in error.frame
    assert "PATI" not in str(error)


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={}),
        Numeric(observed_at=0, values={"spo2": 97.0}),
        Numeric(observed_at=0, values={"infusion-rate": 5.0}, test=True),
        Numeric(observed_at=0, values={"infusion-rate": None}, invalid={"infusion-rate": "sensor-fault"}),
        Numeric(observed_at=0, values={}, conditions=frozenset({"paper-out"})),
        Occurrence(observed_at=0, name="infusion-started"),
        Occurrence(observed_at=0, name="bolus", details={"count": 10, "volume": 1.0}),
    ],
    ids=repr,
)
def test_what_has_no_parameter_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(reading)


# ---- the simulator ---------------------------------------------------------------------------------------------------
def test_a_simulated_syringe_runs_empty_and_says_so() -> None:
    steps = [
        {"at": 10, "device": "pump", "set": {"rate": 720.0}},
        {"at": 60, "device": "pump", "set": {"bolus": 2.0}},
    ]
    scenario = parse({"title": "a syringe", "step": steps})
    world = World(scenario=scenario, timeline=Timeline(scenario), seed=1, start_at=0, device="pump")
    decoder = Decoder()
    said: list[Reading | FrameError] = []
    for timed in simulator.readings(world):
        said += decoder.feed(simulator.encode(timed.reading, 0), timed.due)
        if timed.due > 300 * SECOND:
            break
    names = [item.name for item in said if isinstance(item, Occurrence) and item.name != "infusion-state"]
    assert names == ["rate-changed", "bolus", "infusion-stopped"]
    last = said[-1]
    assert isinstance(last, Numeric)
    assert (last.values["volume-remaining"], last.values["infused-volume"]) == (0.0, 50.0)
    assert last.conditions == frozenset({"infusion-ended"})
