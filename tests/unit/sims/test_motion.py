"""Motion against published lengths of a degree and against its own integral."""

import math
from itertools import pairwise

import pytest

from firmware_sims.motion import Motion, Place, metres_per_degree

EAST = [(35.0, 118.0), (35.0, 118.01), (35.0, 118.02)]
CORNER = [(35.0, 118.0), (35.01, 118.0), (35.01, 118.01)]


def metres(a: Place, b: Place) -> float:
    north, east = metres_per_degree((a.latitude + b.latitude) / 2)
    return math.hypot((b.latitude - a.latitude) * north, (b.longitude - a.longitude) * east)


@pytest.mark.parametrize(
    ("latitude", "north", "east"),
    [
        (0, 110_574, 111_320),
        (15, 110_649, 107_550),
        (30, 110_852, 96_486),
        (45, 111_132, 78_847),
        (60, 111_412, 55_800),
    ],
)
def test_length_of_a_degree(latitude: float, north: float, east: float) -> None:
    """Source: table of the WGS-84 degree lengths in Wikipedia, "Geographic coordinate system"."""
    assert metres_per_degree(latitude) == pytest.approx((north, east), abs=1.0)


@pytest.mark.parametrize("profile", [[(0, 36), (100, 36)], [(0, 0), (10, 72), (50, 72), (60, 0), (90, 0), (100, 30)]])
def test_the_way_made_is_the_integral_of_the_speed(profile: list[tuple[float, float]]) -> None:
    motion = Motion(EAST, profile)
    places = [motion.at(n / 10) for n in range(900)]
    way = sum(metres(a, b) for a, b in pairwise(places) if abs(a.course - b.course) < 1)
    integral = sum((a.speed + b.speed) / 2 / 3.6 * 0.1 for a, b in pairwise(places) if abs(a.course - b.course) < 1)
    assert way == pytest.approx(integral, rel=1e-3)
    assert way > 100


def test_course_and_place_on_each_leg() -> None:
    motion = Motion(CORNER, [(0, 36), (1000, 36)])  # 10 m/s
    first, second = motion.at(50), motion.at(150)
    assert [first.course, second.course] == pytest.approx([0.0, 90.0])
    assert first.longitude == 118.0
    assert (first.latitude - 35.0) * metres_per_degree(35.0)[0] == pytest.approx(500, abs=0.5)
    assert second.latitude == 35.01


def test_turns_back_at_the_end_and_again_at_the_start() -> None:
    motion = Motion(EAST, [(0, 36), (10_000, 36)])
    end = motion.length / 10
    there, back, again = motion.at(end - 5), motion.at(end + 5), motion.at(2 * end + 5)
    assert there[:2] == pytest.approx(back[:2])
    assert [there.course, back.course, again.course] == pytest.approx([90, 270, 90])
    assert again[:2] == pytest.approx(motion.at(5)[:2])


def test_the_profile_repeats_without_a_jump() -> None:
    motion = Motion(EAST, [(0, 0), (10, 50), (20, 0)])
    places = [motion.at(n / 10) for n in range(2000)]
    assert max(metres(a, b) for a, b in pairwise(places)) < 50 / 3.6 * 0.1 + 0.01


def test_keeps_its_course_while_standing() -> None:
    motion = Motion(EAST, [(0, 36), (10, 0), (20, 0)])
    assert motion.at(15) == motion.at(19)
    assert motion.at(15).speed == 0
    assert motion.at(15).course == pytest.approx(90)


@pytest.mark.parametrize(
    ("route", "profile"),
    [
        (EAST[:1], [(0, 1), (1, 1)]),
        (EAST, [(0, 1)]),
        (EAST, [(1, 1), (2, 1)]),
        (EAST, [(0, 1), (0, 2)]),
        (EAST, [(0, 1), (1, -2)]),
        ([EAST[0], EAST[0]], [(0, 1), (1, 1)]),
    ],
)
def test_refuses_what_is_no_motion(route: list[tuple[float, float]], profile: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match=r"point|speed"):
        Motion(route, profile)
