"""Blocks of a pressure mat: what conformance does not cover."""

import pytest
from hypothesis import strategies as st

from edge_agents.device import FrameError, Numeric, Occurrence, Reading
from edge_agents.devices.pressure_map import COLUMNS, EVENT, PEAK, ROWS, Decoder, encode
from tests.devices.drawn import INSTANTS
from tests.devices.played import measured, play, said, step

CELLS = ROWS * COLUMNS


@st.composite
def maps(draw: st.DrawFn) -> Occurrence:
    counts = draw(st.lists(st.none() | st.integers(0, 10_000), min_size=CELLS, max_size=CELLS))
    over = sorted(draw(st.sets(st.integers(0, CELLS - 1), max_size=3)))
    kpa = [None if n is None or place in over else n / 100 for place, n in enumerate(counts)]
    details = {"rows": ROWS, "columns": COLUMNS, "kpa": kpa} | ({"over": over} if over else {})
    return Occurrence(observed_at=draw(INSTANTS), name=EVENT, details=details, test=draw(st.booleans()))


READINGS = maps()


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


def one_map(**cells: object) -> Occurrence:
    return Occurrence(observed_at=5, name=EVENT, details={"rows": ROWS, "columns": COLUMNS, **cells})


def test_a_cell_beyond_its_range_leaves_no_peak() -> None:
    kpa = [1.0] * CELLS
    _, peak = Decoder().feed(encode(one_map(kpa=kpa, over=[17])), 0)
    assert isinstance(peak, Numeric)
    assert (peak.values, peak.invalid) == ({PEAK: None}, {PEAK: "out-of-range"})
    assert peak.conditions == frozenset({"pressure-high"})


def test_a_broken_cell_is_a_condition_and_the_others_still_have_a_peak() -> None:
    _, peak = Decoder().feed(encode(one_map(kpa=[None, 3.5] + [0.0] * (CELLS - 2))), 0)
    assert isinstance(peak, Numeric)
    assert (peak.values, peak.conditions) == ({PEAK: 3.5}, frozenset({"sensor-fault"}))


def test_a_mat_without_a_cell_has_no_peak() -> None:
    _, peak = Decoder().feed(encode(one_map(kpa=[None] * CELLS)), 0)
    assert isinstance(peak, Numeric)
    assert peak.invalid == {PEAK: "sensor-fault"}


@pytest.mark.parametrize(
    "reading",
    [
        Numeric(observed_at=0, values={PEAK: 1.0}),
        one_map(kpa=[1.0] * 127),
        one_map(kpa=[-1.0] * CELLS),
        one_map(kpa=[1e6] * CELLS),
    ],
    ids=["numeric", "short", "negative", "too much"],
)
def test_what_is_no_map_is_not_sent(reading: Reading) -> None:
    with pytest.raises(ValueError, match=r"."):
        encode(reading)


def test_no_flipped_bit_gets_through() -> None:
    frame = encode(one_map(kpa=[2.0] * CELLS))
    for bit in range(0, 8 * len(frame), 7):
        damaged = bytearray(frame)
        damaged[bit // 8] ^= 1 << bit % 8
        items = Decoder().feed(bytes(damaged) + frame, 0)
        assert len([item for item in items if not isinstance(item, FrameError)]) == 2


def test_a_simulated_person_presses_where_they_lie() -> None:
    found = play(
        "pressure_map", step(10, posture="left"), step(20, posture="right"), step(30, in_bed=False), seconds=36
    )
    maps = {at: details["kpa"] for at, _, details in said(found)}
    assert _columns(maps[12]) < COLUMNS / 2 - 1 < COLUMNS / 2 + 1 < _columns(maps[24])
    assert measured(found, 9).values[PEAK] == pytest.approx(8, abs=1.5)
    assert (measured(found, 33).values[PEAK] or 0) < 0.5


def _columns(kpa: list[float]) -> float:
    """Where the middle of the load is, in columns."""
    return sum(value * (place % COLUMNS) for place, value in enumerate(kpa)) / sum(kpa)
