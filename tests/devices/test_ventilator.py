"""Ventilator on MEDIBUS: what conformance does not cover."""

import math
from typing import Any

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameError, Numeric, Occurrence, Reading
from edge_agents.devices._medibus import IDENTIFY, IDLE, INITIALISE, Frame, FrameBuffer, command, response
from edge_agents.devices.ventilator import (
    ALARMS,
    MEASURED,
    NUMBERS,
    PAGE_1,
    PAGE_2,
    PRIORITIES,
    YIELDS,
    Decoder,
    alarms,
    encode,
    measured,
)
from firmware_sims.devices import ventilator as sim
from firmware_sims.scenario import SECOND, Timeline, parse
from firmware_sims.world import World
from gateway.contract.quantity import QUANTITIES
from tests.devices import golden
from tests.devices.played import NEW_YEAR, play, said, step

AT = golden.ARRIVES_AT
WRITTEN = {number.quantity: number for number in reversed(NUMBERS)}


@st.composite
def values(draw: st.DrawFn) -> Numeric:
    rows = draw(st.lists(st.sampled_from(list(WRITTEN.values())), unique=True, min_size=1))
    found: dict[str, float | None] = {}
    for row in rows:
        steps, limits = 10 if row.form.endswith(".1f}") else 1, QUANTITIES[row.quantity]
        low, high = math.ceil(limits.low / row.factor * steps), math.floor(limits.high / row.factor * steps)
        raw = draw(st.integers(max(low, -99), min(high, 999))) / steps
        found[row.quantity] = round(raw * row.factor, row.digits)
    return Numeric(observed_at=AT, values=found)


READINGS = st.one_of(
    values(),
    st.sets(st.sampled_from(YIELDS.conditions)).map(
        lambda some: Numeric(observed_at=AT, values={}, conditions=frozenset(some))
    ),
    st.builds(
        lambda alarm, priority: Occurrence(
            observed_at=AT, name="device-alarm-on", details={"alarm": alarm, "priority": priority}
        ),
        st.sampled_from([alarm.means for alarm in ALARMS]),
        st.sampled_from(list(PRIORITIES)),
    ),
)


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def numerics(found: list[Any]) -> list[Numeric]:
    return [item for item in found if isinstance(item, Numeric)]


# ---- the conversation ------------------------------------------------------------------------------------------------
def test_it_begins_answers_and_asks_one_question_after_the_other() -> None:
    decoder = Decoder()
    assert decoder.greet(0) == (bytes.fromhex("1b 51 36 43 0d"),)
    decoder.feed(response(INITIALISE), 0)
    assert decoder.answers() == command(MEASURED)
    decoder.feed(command(IDENTIFY), 0)
    assert decoder.answers() == response(IDENTIFY, b"0161'Lastmile'01.00:04.00")
    for asked, following in ((MEASURED, PAGE_1), (PAGE_1, PAGE_2), (PAGE_2, MEASURED)):
        decoder.feed(response(asked), 0)
        assert decoder.answers() == command(following)
    assert decoder.answers() == b"", "said once"


def test_a_ventilator_that_begins_itself_or_is_idle_is_asked_from_the_start() -> None:
    for said_by_it in (INITIALISE, IDLE):
        decoder = Decoder()
        decoder.feed(command(said_by_it), 0)
        assert decoder.answers() == response(said_by_it) + command(MEASURED)


def asked(decoder: Decoder) -> list[int]:
    """Codes of the questions it writes now."""
    frames = [item for item in FrameBuffer().feed(decoder.answers()) if isinstance(item, Frame)]
    return [frame.code for frame in frames if frame.is_command]


def begun() -> Decoder:
    """One whose first question is open since 0 s."""
    decoder = Decoder()
    decoder.greet(0)
    decoder.feed(response(INITIALISE), 0)
    assert asked(decoder) == [MEASURED]
    return decoder


def test_both_sides_begin_and_one_question_is_asked() -> None:
    decoder = Decoder()
    decoder.greet(0)
    decoder.feed(command(INITIALISE) + response(INITIALISE) + command(IDENTIFY), 100_000)
    assert asked(decoder) == [MEASURED]
    late = Decoder()
    late.greet(0)
    late.feed(command(INITIALISE), 5 * SECOND)  # it was off when it was greeted
    assert asked(late) == [MEASURED]
    late.feed(response(INITIALISE), 5 * SECOND)
    assert asked(late) == []


def test_questions_do_not_multiply() -> None:
    decoder = begun()
    decoder.feed(command(IDLE) + command(IDLE), 0)
    assert asked(decoder) == []
    decoder.feed(response(MEASURED), 0)
    assert asked(decoder) == [PAGE_1]
    decoder.feed(response(MEASURED) + response(PAGE_2), 0)  # of before the connection broke
    assert asked(decoder) == []
    for code, following in ((PAGE_1, PAGE_2), (PAGE_2, MEASURED), (MEASURED, PAGE_1)):
        decoder.feed(response(code), 0)
        assert asked(decoder) == [following]


def test_a_question_asked_twice_becomes_one_again() -> None:
    decoder = begun()
    decoder.feed(response(MEASURED)[:-3] + b"00\r", 0)
    assert asked(decoder) == [MEASURED]
    decoder.feed(response(MEASURED) + response(MEASURED), 0)  # the damaged one counted for it too
    assert asked(decoder) == [PAGE_1]


@pytest.mark.parametrize("word", [IDLE, INITIALISE])
def test_an_answer_that_was_lost_is_asked_for_when_it_is_idle_or_begins_anew(word: int) -> None:
    decoder = begun()
    decoder.feed(response(MEASURED), 0)
    assert asked(decoder) == [PAGE_1]
    decoder.feed(command(word), SECOND - 1)
    assert asked(decoder) == [], "it may have been sent before the question came"
    decoder.feed(command(word), SECOND)
    assert asked(decoder) == [MEASURED]
    decoder.feed(command(word), SECOND)
    assert asked(decoder) == []
    decoder.feed(command(word), 0)
    assert asked(decoder) == [MEASURED], "a clock that was set back"


def test_an_answer_that_does_not_come_is_given_up_after_ten_seconds() -> None:
    decoder, time_changed = begun(), command(0x49)
    decoder.feed(time_changed, 10 * SECOND - 1)
    assert asked(decoder) == []
    decoder.feed(time_changed, 10 * SECOND)
    assert asked(decoder) == [MEASURED]


def test_what_was_damaged_is_asked_for_again() -> None:
    decoder = begun()
    decoder.feed(response(MEASURED), 0)
    decoder.answers()
    (error,) = decoder.feed(response(PAGE_1)[:-3] + b"00\r", 0)
    assert isinstance(error, FrameError)
    assert decoder.answers() == command(PAGE_1)
    decoder.feed(bytes.fromhex("01 15 31 36 0d"), 0)  # the question came damaged: NAK
    assert decoder.answers() == command(PAGE_1)


def test_a_command_and_curves_within_a_response() -> None:
    decoder = Decoder()
    answer = measured({"resp-rate": 14.0}, {})
    (numeric,) = decoder.feed(answer[:4] + b"\xd3\x91" + command(IDENTIFY) + b"\x81\x11" + answer[4:], 0)
    assert numerics([numeric])[0].values == {"resp-rate": 14.0}
    assert decoder.answers().startswith(response(IDENTIFY, b"0161'Lastmile'01.00:04.00"))


def test_what_was_broken_off_is_not_waited_for() -> None:
    decoder = Decoder()
    answer = measured({"resp-rate": 14.0}, {})
    assert len(numerics(decoder.feed(answer[:6] + b"\x18" + answer, 0))) == 1


def test_answers_nobody_fetches_are_not_hoarded() -> None:
    decoder = Decoder()
    for _ in range(1000):
        decoder.feed(command(IDLE), 0)
    assert len(decoder.answers()) < 100


# ---- what it says ----------------------------------------------------------------------------------------------------
def test_a_value_that_is_not_there_any_more_is_no_measurement() -> None:
    decoder = Decoder()
    decoder.feed(measured({"resp-rate": 14.0, "fio2": 40.0}, {}), 0)
    (numeric,) = numerics(decoder.feed(measured({"fio2": 40.0}, {}), 1))
    assert numeric.values == {"resp-rate": None, "fio2": 40.0}
    assert numeric.invalid == {"resp-rate": "no-measurement"}


def test_of_one_that_answers_fast_one_value_a_second_is_taken_and_every_change_of_what_is_missing() -> None:
    decoder = Decoder()
    feeds = [(0.0, {"fio2": 40.0, "resp-rate": 14.0}), (0.3, {"fio2": 41.0, "resp-rate": 14.0}), (0.6, {"fio2": 40.0})]
    told = [len(decoder.feed(measured(values, {}), round(at * SECOND))) for at, values in feeds]
    assert told == [1, 0, 1]
    assert len(decoder.feed(measured({"fio2": 40.0}, {}), round(1.6 * SECOND))) == 1


@pytest.mark.parametrize(
    ("record", "quantity", "value"),
    [
        (b"820.45", "tidal-volume", 450.0),
        (b"B80.75", "minute-volume", 0.75),
        (b"E3 5.3", "etco2", 39.8),
        (b"7D 20 ", "peak-airway-pressure", 20.4),
        (b"78 -2 ", "peep", -2.0),
    ],
)
def test_units_of_the_ventilator(record: bytes, quantity: str, value: float) -> None:
    (numeric,) = numerics(Decoder().feed(response(MEASURED, record), 0))
    assert numeric.values == {quantity: value}


def test_conditions_are_told_when_both_pages_are_known_and_when_they_change() -> None:
    decoder = Decoder()
    feeds = [alarms([]), alarms(["occlusion", "mains-lost"]), alarms(["occlusion", "mains-lost"]), alarms([])]
    told = [[numeric.conditions for numeric in numerics(decoder.feed(data, 0))] for data in feeds]
    # a page at a time: what stands on the other one still holds
    assert told == [[frozenset()], [frozenset({"occlusion", "mains-lost"})], [], [frozenset()]]


def test_an_alarm_whose_priority_rises_is_not_a_new_one() -> None:
    decoder = Decoder()
    lists = [b"?98APNEA SAVINA", b"M98APNEA SAVINA", b""]
    found = [item for data in lists for item in decoder.feed(response(PAGE_1, data), 0)]
    details = {"alarm": "apnoea", "priority": "medium"}
    assert [(item.name, item.details) for item in found if isinstance(item, Occurrence)] == [
        ("device-alarm-on", details),
        ("device-alarm-off", details),
    ]


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={"speed": 1.0}),
        Numeric(observed_at=0, values={"resp-rate": None}, invalid={"resp-rate": "no-measurement"}),
        Numeric(observed_at=0, values={"fio2": 40.0, "resp-rate": None}, invalid={"resp-rate": "bored"}),
        Numeric(observed_at=0, values={"tidal-volume": 12_000.0}),
        Numeric(observed_at=0, values={"fio2": 40.0}, conditions=frozenset()),
        Numeric(observed_at=0, values={}, conditions=frozenset({"paper-out"})),
        Occurrence(observed_at=0, name="device-alarm-on", details={"alarm": "boredom", "priority": "high"}),
        Occurrence(observed_at=0, name="coffee"),
    ],
    ids=repr,
)
def test_what_a_ventilator_cannot_say_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"cannot say|no code|no word|no alarm|does not fit"):
        encode(reading)


# ---- the simulated one -----------------------------------------------------------------------------------------------
def at(found: list[Reading], second: float) -> Numeric:
    """The measured values of that second."""
    rows = [item for item in numerics(found) if item.values]
    return next(item for item in rows if item.observed_at == NEW_YEAR + round(second * SECOND))


def conditions(found: list[Reading]) -> list[frozenset[str] | None]:
    return [item.conditions for item in numerics(found) if not item.values]


def test_it_supports_the_breaths_of_the_patient() -> None:
    found = play("ventilator", step(0, on=True), seconds=20, patient={"resp_rate": 24})
    told = at(found, 10).values
    assert told["resp-rate"] == pytest.approx(24, abs=2)
    assert told["minute-volume"] == pytest.approx(
        (told["tidal-volume"] or 0) * (told["resp-rate"] or 0) / 1000, abs=0.3
    )


def test_an_open_circuit_is_a_condition_and_its_values_are_none() -> None:
    found = play("ventilator", step(0, on=True), step(5, disconnected=True), step(10, disconnected=False), seconds=12)
    assert at(found, 7).values["tidal-volume"] is None
    assert at(found, 7).values["peak-airway-pressure"] == 0
    assert at(found, 11).values["tidal-volume"] is not None
    assert conditions(found) == [frozenset(), frozenset({"disconnected-circuit"}), frozenset()]


def test_apnoea_is_an_alarm_that_ends() -> None:
    breathless = [{"at": 5, "set": {"resp_rate": 0}}, {"at": 15, "set": {"resp_rate": 14}}]
    found = play("ventilator", step(0, on=True), seconds=20, episode=breathless)
    alarm = {"alarm": "apnoea", "priority": "high"}
    names = [(name, details) for _, name, details in said(found)]
    assert names[0] == ("device-alarm-on", alarm)
    assert names[-1] == ("device-alarm-off", alarm)


def test_one_that_is_switched_off_says_nothing() -> None:
    assert play("ventilator", seconds=10) == []


def world(**told: Any) -> World:
    scenario = parse({"title": "a test", "step": [{"at": 0, "device": "d", "set": told}]})
    return World(scenario, Timeline(scenario), 7, 0, "d")


def test_the_two_of_them_talk() -> None:
    """Decoder and simulated ventilator, without a wire: it wants to talk, and every second is measured once."""
    here, decoder, found = world(on=True), Decoder(), list[Any]()
    assert sim.control(here, 0, b"") == ()
    for number, timed in zip(range(10), sim.readings(here), strict=False):
        to_agent = sim.opening(here, sim.encode(timed.reading, number))
        while to_agent:
            found += decoder.feed(to_agent, timed.due)
            to_agent = b"".join(sim.control(here, timed.due, decoder.answers()))
    assert not [item for item in found if isinstance(item, FrameError)]
    assert [item.observed_at // SECOND for item in numerics(found) if item.values] == list(range(2, 11))
    assert conditions(found) == [frozenset()]


def test_one_that_is_off_does_not_answer_and_one_that_is_not_asked_says_that_it_is_idle() -> None:
    off, on = world(on=False), world(on=True)
    assert sim.control(off, 0, command(INITIALISE)) == ()
    sim.control(on, 0, command(INITIALISE))
    second = sim.encode(next(sim.readings(world(on=True))).reading, 0)
    said_by_it = [[frame.code for frame in FrameBuffer().feed(sim.opening(on, second))] for _ in range(4)]  # type: ignore[union-attr]
    assert said_by_it == [[], [IDLE], [], [IDLE]]
