"""Load cells on MT-SICS: what conformance does not cover."""

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameError, Numeric, Reading
from edge_agents.devices.load_cells import REPEAT, Decoder, encode
from firmware_sims.devices import load_cells as sim
from firmware_sims.scenario import Timeline, parse
from firmware_sims.world import World
from tests.devices import golden
from tests.devices.played import SECOND, measured, play, step


def load(kg: float | None, reason: str = "", *conditions: str, at: int = golden.ARRIVES_AT) -> Numeric:
    invalid = {"load": reason} if kg is None else {}
    return Numeric(observed_at=at, values={"load": kg}, invalid=invalid, conditions=frozenset(conditions))


READINGS = st.integers(-10_000, 2_000_000).map(lambda hundredths: load(hundredths / 100)) | st.sampled_from(
    [
        load(None, "out-of-range", "out-of-measuring-range"),
        load(None, "no-measurement"),
        load(None, "sensor-fault", "sensor-fault"),
    ]
)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def test_a_load_without_one_of_its_cells_is_no_load() -> None:
    found = play("load_cells", step(0, load=600), step(15, faults=[2, 4]), step(25, faults=[]), seconds=40)
    assert measured(found, 10).values["load"] == pytest.approx(600, abs=3)
    broken = measured(found, 20)
    assert (broken.values, broken.invalid) == ({"load": None}, {"load": "sensor-fault"})
    assert broken.conditions == frozenset({"sensor-fault"})
    assert measured(found, 30).conditions == frozenset()


def test_an_overloaded_cell_is_a_condition() -> None:
    found = play("load_cells", step(0, load=2500, overload=[1]), seconds=10)
    assert measured(found, 10).conditions == frozenset({"out-of-measuring-range"})
    assert measured(found, 10).invalid == {"load": "out-of-range"}


def test_of_a_terminal_that_repeats_fast_one_weight_a_second_is_taken_and_every_change_of_its_state() -> None:
    decoder = Decoder()
    lines = [b"S D      10.00 kg\r\n", b"S D      20.00 kg\r\n", b"S +\r\n", b"S +\r\n", b"S S      30.00 kg\r\n"]
    at = [0.0, 0.1, 0.2, 0.3, 0.4]
    found = [decoder.feed(line, round(second * SECOND)) for line, second in zip(lines, at, strict=True)]
    assert [len(items) for items in found] == [1, 0, 1, 0, 1]
    assert len(decoder.feed(lines[0], round(1.4 * SECOND))) == 1
    assert len(decoder.feed(lines[0], 0)) == 1, "a clock that was set back"


def test_the_terminal_sends_nothing_until_it_is_told_to() -> None:
    scenario = parse({"title": "a test"})
    world = World(scenario, Timeline(scenario), 7, 0, "d")
    line = encode(load(5.0))
    assert sim.opening(world, line) == b""
    assert sim.control(world, 0, b"S\r\n") == (b"ES\r\n",)
    assert sim.opening(world, line) == b""
    assert (sim.control(world, 0, b"".join(Decoder().greet(0))), REPEAT) == ((), b"SIR\r\n")
    assert sim.opening(world, line) == line


GREETING = b'I4 A "B021002593"\r\n'


@pytest.mark.parametrize("line", [GREETING, b"S I\r\n"])
def test_a_terminal_that_does_not_repeat_is_told_again(line: bytes) -> None:
    decoder = Decoder()
    assert (decoder.greet(0), decoder.answers()) == ((REPEAT,), b"")
    for _ in range(3):  # each may be its answer to the last one, and then it says nothing more
        assert not [item for item in decoder.feed(2 * line, 0) if isinstance(item, FrameError)]
        assert (decoder.answers(), decoder.answers()) == (REPEAT, b"")
    assert decoder.feed(encode(load(5.0)), 9 * SECOND) == [load(5.0, at=9 * SECOND)]
    assert decoder.answers() == b"", "it repeats"


def test_what_waited_to_be_written_does_not_follow_a_new_greeting() -> None:
    decoder = Decoder()
    decoder.feed(GREETING, 0)
    assert (decoder.greet(0), decoder.answers()) == ((REPEAT,), b"")


def test_the_simulated_terminal_weighs_again_after_its_power_was_gone() -> None:
    scenario = parse({"title": "a test", "step": [{"device": "d"} | step(15, restarted=True)]})
    world = World(scenario, Timeline(scenario), 7, 0, "d")
    decoder = Decoder()
    sim.control(world, 0, b"".join(decoder.greet(0)))
    found = list[Reading | FrameError]()
    for number, timed in zip(range(4), sim.readings(world), strict=False):
        found += decoder.feed(sim.opening(world, sim.encode(timed.reading, number)), timed.due)
        assert sim.control(world, timed.due, decoder.answers()) == ()
    weighed = [item.observed_at // SECOND for item in found if isinstance(item, Numeric)]
    assert (weighed, len(found)) == ([10, 20, 30], 3)


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"speed": 1.0}),
        Numeric(observed_at=0, values={"load": 1.0}, test=True),
        Numeric(observed_at=0, values={"load": 1.0}, conditions=frozenset({"sensor-fault"})),
        Numeric(observed_at=0, values={"load": None}, invalid={"load": "bored"}),
    ],
    ids=repr,
)
def test_what_a_terminal_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"cannot say|no line"):
        encode(reading)
