"""Cold-chain logger: every record once, also those made while nobody asked."""

from hypothesis import strategies as st

from edge_agents.device import FrameError, FrameReason, Numeric, Occurrence, Reading
from edge_agents.devices.cold_chain_logger import HEAD, MAP, PROTOCOL, RECORD, Decoder, encode, registers
from tests.devices import modbus

SECOND = 1_000_000
START = 1_767_225_600 * SECOND


def _dated(reading: Numeric, second: int) -> Numeric:
    if "clock-unset" in (reading.conditions or ()):
        return reading
    return Numeric(
        observed_at=second * SECOND, values=reading.values, invalid=reading.invalid, conditions=reading.conditions
    )


READINGS: st.SearchStrategy[Reading] = st.builds(_dated, modbus.numerics(MAP), st.integers(1, 2**32 - 1))
agrees = modbus.agrees


def record(number: int) -> Numeric:
    values: dict[str, float | None] = {"cargo-temperature-1": number / 10, "battery": 90.0}
    return Numeric(observed_at=START + number * 10 * SECOND, values=values, conditions=frozenset())


class Logger:
    """Its registers, as records are added."""

    def __init__(self) -> None:
        self.held: dict[int, int] = {}
        self.made = 0

    def make(self, count: int, **conditions: bool) -> "Logger":
        for _ in range(count):
            self.made += 1
            self.held |= registers(record(self.made), self.made)
        return self

    def answer(self) -> bytes:
        return modbus.answer(PROTOCOL, self.held)


def told(items: list[Reading | FrameError]) -> list[float | None]:
    return [item.values["cargo-temperature-1"] for item in items if isinstance(item, Numeric) and item.values]


def test_one_poll_brings_everything() -> None:
    assert modbus.is_in_one_poll(PROTOCOL, MAP)


def test_every_record_is_told_once_with_the_time_it_was_made_at() -> None:
    logger, decoder = Logger().make(1), Decoder()
    assert decoder.feed(logger.answer(), 7) == [record(1)]
    assert decoder.feed(logger.answer(), 8) == []
    assert decoder.feed(logger.make(1).answer(), 9) == [record(2)]


def test_what_was_made_while_nobody_asked_is_told_afterwards() -> None:
    logger, decoder = Logger().make(3), Decoder()
    decoder.feed(logger.answer(), 0)
    items = decoder.feed(logger.make(8).answer(), 0)
    assert told(items) == [number / 10 for number in range(4, 12)]
    assert [item.observed_at for item in items if isinstance(item, Numeric)] == [
        START + number * 10 * SECOND for number in range(4, 12)
    ]


def test_what_it_could_not_keep_is_an_event() -> None:
    logger, decoder = Logger().make(3), Decoder()
    decoder.feed(logger.answer(), 0)
    missed, *items = decoder.feed(logger.make(11).answer(), 5)
    assert missed == Occurrence(observed_at=5, name="records-missed", details={"first": 4, "last": 6})
    assert told(items) == [number / 10 for number in range(7, 15)]


def test_an_agent_that_starts_again_tells_only_what_was_made_meanwhile() -> None:
    logger, before = Logger().make(10), Decoder()
    assert len(told(before.feed(logger.answer(), 7))) == 8
    before.feed(logger.make(1).answer(), 8)
    after = Decoder()
    after.recall(before.had())
    items = after.feed(logger.make(2).answer(), 9)
    assert items == [_without_battery(record(12)), record(13)]
    another = Decoder()
    another.recall(before.had())
    assert len(told(another.feed(Logger().make(3).answer(), 9))) == 3, "of another logger all is new"


def restarted(before: Decoder) -> Decoder:
    after = Decoder()
    after.recall(before.had())
    return after


def test_what_was_missed_while_the_agent_was_down_is_an_event_too() -> None:
    logger, before = Logger().make(12), Decoder()
    before.feed(logger.answer(), 7)
    missed, *items = restarted(before).feed(logger.make(18).answer(), 9)
    assert missed == Occurrence(observed_at=9, name="records-missed", details={"first": 13, "last": 22})
    assert told(items) == [number / 10 for number in range(23, 31)]


def test_a_logger_swapped_while_the_agent_was_down_has_missed_nothing() -> None:
    before = Decoder()
    before.feed(Logger().make(12).answer(), 7)
    other = Logger().make(5)
    other.held |= registers(_warmer(record(6)), 6)
    other.made = 6
    assert told(restarted(before).feed(other.answer(), 9)) == [0.1, 0.2, 0.3, 0.4, 0.5, 9.9], "fewer records"
    for number in range(7, 15):
        other.held |= registers(_warmer(record(number)), number)
    assert told(restarted(_fed(12)).feed(other.answer(), 9)) == [9.9] * 8, "more, and record 12 is not the one told"


def test_only_the_logger_told_last_is_compared_with() -> None:
    """Told: 3 to 10 of one, then 1 and 2 of another, which is at 12 when the agent starts again."""
    before = _fed(10)
    other = Logger().make(2)
    before.feed(other.answer(), 8)
    for number in range(3, 13):
        other.held |= registers(_warmer(record(number)), number)
    missed, *items = restarted(before).feed(other.answer(), 9)
    assert missed == Occurrence(observed_at=9, name="records-missed", details={"first": 3, "last": 4})
    assert told(items) == [9.9] * 8


def test_a_logger_without_a_clock_that_counts_anew_after_a_restart_is_believed() -> None:
    """Number, time and temperature of its records are those of records told before."""
    before, logger = Decoder(), _clockless(8)
    assert len(told(before.feed(logger, START))) == 8
    after = restarted(before)
    assert after.feed(logger, START) == [Numeric(observed_at=START, values={}, conditions=frozenset({"clock-unset"}))]
    assert len(told(after.feed(_clockless(20), START))) == 8
    assert told(after.feed(_clockless(5), START)) == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert told(restarted(before).feed(_clockless(5), START)) == [0.1, 0.2, 0.3, 0.4, 0.5]


def _fed(count: int) -> Decoder:
    decoder = Decoder()
    decoder.feed(Logger().make(count).answer(), 7)
    return decoder


def _warmer(reading: Numeric) -> Numeric:
    return Numeric(observed_at=reading.observed_at, values={"cargo-temperature-1": 9.9}, conditions=frozenset())


def _clockless(count: int) -> bytes:
    """What a logger holds that has never been told the time."""
    held: dict[int, int] = {}
    for number in range(1, count + 1):
        values: dict[str, float | None] = {"cargo-temperature-1": number / 10, "battery": 90.0}
        held |= registers(Numeric(observed_at=0, values=values, conditions=frozenset({"clock-unset"})), number)
    return modbus.answer(PROTOCOL, held)


def _without_battery(reading: Numeric) -> Numeric:
    """An older record: battery and conditions are those of now."""
    values = {name: value for name, value in reading.values.items() if name != "battery"}
    return Numeric(observed_at=reading.observed_at, values=values, conditions=None)


def test_a_logger_that_begins_again_is_believed() -> None:
    decoder = Decoder()
    decoder.feed(Logger().make(20).answer(), 0)
    assert told(decoder.feed(Logger().make(2).answer(), 0)) == [0.1, 0.2]


def test_a_condition_does_not_wait_for_the_next_record() -> None:
    logger, decoder = Logger().make(1), Decoder()
    decoder.feed(logger.answer(), 0)
    logger.held[0] = 2
    assert decoder.feed(logger.answer(), 3) == [
        Numeric(observed_at=3, values={}, conditions=frozenset({"battery-low"}))
    ]
    assert decoder.feed(logger.answer(), 4) == []


def test_records_of_a_logger_without_a_clock_are_dated_back_from_their_arrival() -> None:
    logger = Logger().make(3)
    logger.held[0] = 1
    items = Decoder().feed(logger.answer(), START)
    assert [item.observed_at for item in items if isinstance(item, Numeric)] == [
        START - 20 * SECOND,
        START - 10 * SECOND,
        START,
    ]


def test_a_record_in_another_ones_place_is_refused() -> None:
    logger = Logger().make(3)
    logger.held[HEAD + RECORD + 1] = 3  # record 3 in place 2
    (error,) = Decoder().feed(logger.answer(), 0)
    assert isinstance(error, FrameError)
    assert error.reason is FrameReason.OUT_OF_RANGE


def test_an_old_record_in_the_ring_is_not_of_another_logger() -> None:
    frame = encode(record(1))
    assert told(Decoder().feed(frame, 0)) == [0.1]
