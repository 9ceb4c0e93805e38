"""Where a vehicle is: motion along a polyline with a speed profile, on elapsed time. WGS-84 degrees."""

import math
from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

_A: Final = 6_378_137.0  # WGS-84 semi-major axis, m
_E2: Final = 6.694379990141e-3  # WGS-84 first eccentricity squared


class Place(NamedTuple):
    """A fix without error."""

    latitude: float  # deg
    longitude: float  # deg
    speed: float  # km/h
    course: float  # deg from north, clockwise; while standing, the one it came with


def metres_per_degree(latitude: float) -> tuple[float, float]:
    """Length of one degree north and one degree east at a latitude, m (radii of curvature of the ellipsoid)."""
    phi = math.radians(latitude)
    w = 1 - _E2 * math.sin(phi) ** 2
    north = _A * (1 - _E2) / w**1.5
    east = _A / math.sqrt(w) * math.cos(phi)
    return math.radians(north), math.radians(east)


class Motion:
    """Follows ``route`` ((lat, lon) points); at its end turns back, so it can go on for ever.

    ``profile``: (elapsed s, km/h) corners, linear between; after the last corner it starts again from the first.
    """

    def __init__(self, route: list[tuple[float, float]], profile: list[tuple[float, float]]) -> None:
        if len(route) < 2 or len(profile) < 2 or profile[0][0] != 0:
            raise ValueError("a motion needs two points and a speed profile that starts at 0 s")
        if any(b[0] <= a[0] for a, b in pairwise(profile)) or any(v < 0 for _, v in profile):
            raise ValueError("times of a speed profile must rise and speeds must not be negative")
        self._route = route
        self._profile = profile
        self._times = [time for time, _ in profile]
        self._marks = [0.0, *accumulate(_length(a, b) for a, b in pairwise(route))]
        travelled = ((a[1] + b[1]) / 7.2 * (b[0] - a[0]) for a, b in pairwise(profile))  # m: mean km/h / 3.6 x s
        self._travelled = [0.0, *accumulate(travelled)]

    @property
    def length(self) -> float:
        """Of the route, m."""
        return self._marks[-1]

    def at(self, elapsed_s: float) -> Place:
        """Position, speed and course at an elapsed time."""
        distance, speed = self._progress(elapsed_s)
        lap, along = divmod(distance, self.length)
        returning = bool(int(lap) % 2)
        if returning:
            along = self.length - along
        i = min(bisect_right(self._marks, along), len(self._marks) - 1)
        a, b = self._route[i - 1], self._route[i]
        share = (along - self._marks[i - 1]) / (self._marks[i] - self._marks[i - 1])
        course = _course(b, a) if returning else _course(a, b)
        return Place(a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]), speed, course)

    def _progress(self, elapsed_s: float) -> tuple[float, float]:
        """Metres since the start and km/h now."""
        rounds, t = divmod(elapsed_s, self._times[-1])
        i = bisect_right(self._times, t) - 1
        (t0, v0), (t1, v1) = self._profile[i], self._profile[i + 1]
        speed = v0 + (v1 - v0) * (t - t0) / (t1 - t0)
        return rounds * self._travelled[-1] + self._travelled[i] + (v0 + speed) / 7.2 * (t - t0), speed


def _delta(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    """Metres north and east from a to b; good to a few cm on segments of kilometres."""
    north, east = metres_per_degree((a[0] + b[0]) / 2)
    return (b[0] - a[0]) * north, (b[1] - a[1]) * east


def _length(a: tuple[float, float], b: tuple[float, float]) -> float:
    length = math.hypot(*_delta(a, b))
    if not length:
        raise ValueError(f"two equal points in a row: {a}")
    return length


def _course(a: tuple[float, float], b: tuple[float, float]) -> float:
    north, east = _delta(a, b)
    return math.degrees(math.atan2(east, north)) % 360.0
