"""Pressure-time dose, the turn clock and what is proposed; and that real mats of real sleepers make sense."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agents.devices import mattress
from gateway.contract.quantity import HOUR, MINUTE, SECOND
from gateway.derive.scores.pressure_dose import COLUMNS, LIMIT, RELIEF, ROWS, THRESHOLD, ZONES, BadMap, Dose, DoseMap
from gateway.derive.scores.turn_clock import LAPSES_AFTER, NotConfirmable, TurnClock, confirm, propose
from tests.unit.scores.tables import NOW

CELLS = ROWS * COLUMNS
Kpa = list[float | None]


def flat(kpa: float | None) -> Kpa:
    return [kpa] * CELLS


def lying(zone: str, kpa: float | None) -> Kpa:
    cells: Kpa = [0.0] * CELLS
    for cell in ZONES[zone]:
        cells[cell] = kpa
    return cells


def after(maps: list[tuple[int, Kpa]], zone: str = "pelvis-middle") -> Dose:
    dose = DoseMap()
    for seconds, kpa in maps:
        dose.feed(kpa, NOW + seconds * SECOND)
    return dose.doses[zone]


def test_every_cell_belongs_to_one_zone() -> None:
    assert sorted(cell for cells in ZONES.values() for cell in cells) == list(range(CELLS))


def test_the_first_row_is_the_head_and_the_first_column_the_right() -> None:
    assert 0 in ZONES["head-right"]
    assert CELLS - 1 in ZONES["heels-left"]


@pytest.mark.parametrize("zone", ZONES)
def test_dose_is_pressure_by_time_of_the_zone_alone(zone: str) -> None:
    dose = DoseMap()
    for second in range(0, 601, 10):
        dose.feed(lying(zone, 8.0), NOW + second * SECOND)
    assert dose.doses[zone].value == pytest.approx(80)  # kPa min
    assert {name for name, one in dose.doses.items() if one.value} == {zone}
    assert dose.worst[0] == zone


@pytest.mark.parametrize(("kpa", "grows"), [(THRESHOLD - 0.01, False), (THRESHOLD, True)])
def test_only_from_the_threshold_on(kpa: float, grows: bool) -> None:
    assert (after([(0, flat(kpa)), (30, flat(kpa))]).value > 0) == grows


def test_the_highest_cell_counts_and_one_beyond_its_range_is_the_highest() -> None:
    dose = DoseMap()
    cells = flat(5.0)
    first, second = ZONES["pelvis-middle"][:2]
    cells[first] = 9.0
    cells[second] = None
    dose.feed(cells, NOW)
    assert dose.doses["pelvis-middle"].pressure == 9.0
    dose.feed(cells, NOW + SECOND, over=[second])
    assert dose.doses["pelvis-middle"].pressure == 100.0


def test_relief_that_lasts_sets_it_back_and_a_short_one_does_not() -> None:
    loaded = [(0, flat(8.0)), (60, flat(8.0))]
    short = after([*loaded, (120, flat(1.0)), (120 + RELIEF // SECOND - 1, flat(1.0)), (430, flat(8.0))])
    assert short.value == pytest.approx(16)
    assert after([*loaded, (120, flat(1.0)), (120 + RELIEF // SECOND, flat(1.0))]).value == 0


def test_a_gap_adds_no_more_than_a_map_stands_for_and_is_counted() -> None:
    dose = after([(0, flat(8.0)), (600, flat(8.0))])
    assert dose.value == pytest.approx(8)
    assert dose.unknown == 9 * MINUTE


def test_a_zone_that_gives_nothing_is_unknown_and_keeps_its_dose() -> None:
    dose = after([(0, flat(8.0)), (60, flat(None)), (120, flat(None)), (180, flat(8.0))])
    assert dose.value == pytest.approx(8)
    assert (dose.unknown, dose.pressure) == (2 * MINUTE, 8.0)


def test_an_older_map_is_passed_over_and_another_mat_refused() -> None:
    dose = DoseMap()
    dose.feed(flat(8.0), NOW)
    dose.feed(flat(0.0), NOW - SECOND)
    assert dose.doses["head-left"].pressure == 8.0
    with pytest.raises(BadMap, match="4 cells"):
        dose.feed([1.0] * 4, NOW + SECOND)


@given(
    st.lists(st.tuples(st.integers(1, 120), st.floats(0, 30)), min_size=1, max_size=40),
    st.floats(1, 3),
)
def test_more_pressure_is_never_a_smaller_dose(steps: list[tuple[int, float]], factor: float) -> None:
    less, more, at = DoseMap(), DoseMap(), NOW
    for seconds, kpa in steps:
        at += seconds * SECOND
        less.feed(flat(kpa), at)
        more.feed(flat(kpa * factor), at)
    assert all(less.doses[zone].value <= more.doses[zone].value for zone in ZONES)


def test_the_clock_runs_from_what_a_person_records() -> None:
    clock = TurnClock(NOW)
    states = [clock.state(NOW + at) for at in (0, 105 * MINUTE - 1, 105 * MINUTE, 2 * HOUR - 1, 2 * HOUR)]
    assert states == ["resting", "resting", "due-soon", "due-soon", "overdue"]
    turned = clock.turned(NOW + HOUR)
    assert turned.due_at == NOW + 3 * HOUR
    assert turned.turned(NOW).due_at == NOW + 3 * HOUR, "a late entry of an earlier turn"
    assert TurnClock(NOW, every=HOUR).state(NOW + HOUR) == "overdue"


MUCH = Dose(value=LIMIT, since=NOW, pressure=8.0)
LITTLE = Dose(value=LIMIT - 1, since=NOW, pressure=8.0)


@pytest.mark.parametrize(
    ("dose", "later", "mode", "reason"),
    [
        (MUCH, 0, "static", "dose"),
        (LITTLE, 0, "static", None),
        (LITTLE, 2 * HOUR, "static", "turn-overdue"),
        (Dose(), 2 * HOUR, "static", None),
        (MUCH, 0, "alternate", None),
        (MUCH, 0, "cpr", None),
        (MUCH, 0, "off", None),
        (MUCH, 0, None, None),
    ],
)
def test_a_change_is_proposed(dose: Dose, later: int, mode: str | None, reason: str | None) -> None:
    found = propose("pelvis-middle", dose, TurnClock(NOW), mode, NOW + later)
    assert (None if found is None else found.reason) == reason


def test_only_a_nurse_in_time_turns_a_proposal_into_a_command_the_mattress_takes() -> None:
    proposal = propose("pelvis-middle", MUCH, TurnClock(NOW), "static", NOW)
    assert proposal is not None
    assert proposal.command in mattress.COMMANDS
    assert proposal.arguments["mode"] in mattress.REMOTE_MODES
    assert confirm(proposal, "nurse-wang", NOW + LAPSES_AFTER - 1).by == "nurse-wang"
    for by, at in (("", NOW), ("nurse-wang", NOW + LAPSES_AFTER), ("nurse-wang", NOW - 1)):
        with pytest.raises(NotConfirmable):
            confirm(proposal, by, at)


def as_mat(path: Path) -> NDArray[np.float64]:
    """The frames of a recording on our mat, (n, 8, 16): 64 x 32 sensors, each cell its highest; head first.

    The recording's counts have no unit: 1000 are taken for 100 mmHg (13.3 kPa), the sensor's nominal range.
    """
    text = gzip.decompress(path.read_bytes()).decode()
    frames = np.array(text.split(), dtype=float).reshape(-1, 64, 32)[3:]  # the first are start-up noise
    return frames.reshape(-1, ROWS, 8, COLUMNS, 2).max(axis=(2, 4)) * 13.3 / 1000  # type: ignore[no-any-return]


@pytest.mark.data
@pytest.mark.parametrize("subject", ["S1", "S5"])
def test_doses_of_real_sleepers_are_pressure_by_time(recordings: Path, subject: str) -> None:
    """Against an integral of its own, zone by zone; hips weigh more than thighs in nearly every posture."""
    heavier = 0
    postures = sorted((recordings / "bed-pressure" / subject).glob("*.txt.gz"))
    assert len(postures) == 17
    for path in postures:
        frames, dose = as_mat(path), DoseMap()
        for second, frame in enumerate(frames):
            dose.feed(frame.ravel().tolist(), NOW + second * SECOND)
        for zone, cells in ZONES.items():
            highest = frames.reshape(len(frames), -1)[:-1, list(cells)].max(axis=1)
            assert dose.doses[zone].value == pytest.approx(highest[highest >= THRESHOLD].sum() / 60), (path, zone)
        hips, thighs = frames[:, 3:5].max(axis=2).max(axis=1).mean(), frames[:, 5:7].max(axis=2).max(axis=1).mean()
        heavier += hips > thighs
    assert heavier >= 15
