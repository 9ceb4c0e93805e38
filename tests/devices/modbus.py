"""What the tests of polled devices share: readings drawn from a register map, and what is the same as what."""

import math
from typing import Any

from hypothesis import strategies as st

from edge_agents.device import Numeric, Occurrence, Reading
from edge_agents.devices._register_fields import Choice, Flag, Level, Number, State, Type
from edge_agents.devices._registers import RegisterMap
from edge_agents.protocol import Modbus, modbus_frame
from tests.devices import golden

_HIGHEST = {Type.U16: 0xFFFD, Type.S16: 0x7FFE, Type.U32: 0xFFFF_FFFD, Type.S32: 0x7FFF_FFFE}


def _can_be_out_of_range(row: Number) -> bool:
    try:
        row.write(None, "out-of-range")
    except ValueError:
        return False
    return True


@st.composite
def numerics(draw: st.DrawFn, table: RegisterMap) -> Numeric:
    values: dict[str, float | None] = {}
    invalid: dict[str, str] = {}
    faults: set[str] = set()
    for row in draw(st.lists(st.sampled_from(table.numbers), unique=True, min_size=1)):
        low, high = row.range
        raws = st.integers(math.ceil(low * row.divisor), min(math.floor(high * row.divisor), _HIGHEST[row.type]))
        raw = draw(st.sampled_from([row.fault] + ["out-of-range"] * _can_be_out_of_range(row)) | raws)
        values[row.quantity] = raw / row.divisor if isinstance(raw, int) else None
        if isinstance(raw, str):
            invalid[row.quantity] = raw
            faults.add(row.condition)
    stated: frozenset[str] | None = frozenset()
    if table.alarms:
        bits = [alarm.condition for alarm in table.alarms if alarm.mask != 0xFFFF]
        codes = [alarm.condition for alarm in table.alarms if alarm.mask == 0xFFFF]
        one_code = st.sets(st.sampled_from(codes), max_size=1) if codes else st.just(set())
        some_bits = st.sets(st.sampled_from(bits)) if bits else st.just(set())
        stated = draw(st.none() | st.builds(lambda a, b: frozenset(a | b), some_bits, one_code))
    conditions = None if stated is None else stated | faults
    return Numeric(observed_at=golden.ARRIVES_AT, values=values, invalid=invalid, conditions=conditions)


def _contents(field: Flag | Choice | Level) -> st.SearchStrategy[Any]:
    match field:
        case Flag():
            return st.booleans()
        case Choice():
            return st.sampled_from(list(field.words.values()))
        case Level():
            return st.integers(0, 0xFFFF).map(lambda raw: raw / field.divisor)


def occurrences(state: State) -> st.SearchStrategy[Occurrence]:
    details = st.fixed_dictionaries({field.key: _contents(field) for field in state.fields})
    return st.builds(Occurrence, observed_at=st.just(golden.ARRIVES_AT), name=st.just(state.event), details=details)


def readings(table: RegisterMap) -> st.SearchStrategy[Reading]:
    return st.one_of(numerics(table), *(occurrences(state) for state in table.states))


def agrees(sent: Reading, got: Reading) -> bool:
    if isinstance(sent, Numeric) and isinstance(got, Numeric):
        same = (sent.values, sent.invalid) == (got.values, got.invalid)
        return same and (sent.conditions is None or sent.conditions == got.conditions)
    return sent == got


def answer(protocol: Modbus, words: dict[int, int], unit: int = 5) -> bytes:
    """The answer to the first poll of a device whose registers hold these words, and 0 elsewhere."""
    poll = protocol.polls[0]
    data = b"".join(words.get(poll.address + at, 0).to_bytes(2, "big") for at in range(poll.count))
    return modbus_frame(unit, poll.function, poll.address, poll.count, data)


def is_in_one_poll(protocol: Modbus, table: RegisterMap) -> bool:
    """Whether one poll brings everything that conditions come from."""
    used = {row.address + at for row in table.numbers for at in range(row.size)} | {a.address for a in table.alarms}
    return any(used <= set(range(poll.address, poll.address + poll.count)) for poll in protocol.polls)
