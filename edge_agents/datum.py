"""Geodetic datums of position sources: WGS-84, and the two that maps in China are drawn in. Pure.

GCJ-02 moves every place in China by some hundred metres, smoothly but not linearly; BD-09 turns and moves GCJ-02 once
more. Positions are kept in WGS-84. There is no published definition: the formulas are those that public libraries agree
on (eviltransform, coordtransform; their test vectors are in our tests), exact to a metre against them. Going back is by
iteration, to better than a millimetre.
"""

import math
from typing import Final

WGS_84: Final = "wgs-84"
GCJ_02: Final = "gcj-02"
BD_09: Final = "bd-09"
DATUMS: Final = (WGS_84, GCJ_02, BD_09)

_A: Final = 6_378_245.0  # semi-major axis of Krasovsky 1940, m
_E2: Final = 0.00669342162296594323  # its first eccentricity squared
_BD_TURN: Final = math.pi * 3000.0 / 180.0
_BD_LATITUDE: Final = 0.006
_BD_LONGITUDE: Final = 0.0065
_ENOUGH: Final = 1e-9  # deg: a tenth of a millimetre
_ROUNDS: Final = 20


def to_wgs84(latitude: float, longitude: float, datum: str) -> tuple[float, float]:
    """Latitude and longitude in WGS-84 of a place given in a datum.

    Raises:
        ValueError: there is no such datum.
    """
    if datum not in DATUMS:
        raise ValueError(f"datum {datum!r}: expected one of {', '.join(DATUMS)}")
    if datum == WGS_84:
        return latitude, longitude
    if datum == BD_09:
        latitude, longitude = bd09_to_gcj02(latitude, longitude)
    return gcj02_to_wgs84(latitude, longitude)


def wgs84_to_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """A place in GCJ-02; outside China the two are the same."""
    if _outside_china(latitude, longitude):
        return latitude, longitude
    north, east = _shift(longitude - 105.0, latitude - 35.0)
    phi = math.radians(latitude)
    w2 = 1 - _E2 * math.sin(phi) ** 2
    w = math.sqrt(w2)
    return (
        latitude + math.degrees(north * w2 * w / (_A * (1 - _E2))),
        longitude + math.degrees(east * w / (_A * math.cos(phi))),
    )


def gcj02_to_wgs84(latitude: float, longitude: float) -> tuple[float, float]:
    """The place in WGS-84 whose GCJ-02 is this."""
    guess = latitude, longitude
    for _ in range(_ROUNDS):
        there = wgs84_to_gcj02(*guess)
        north, east = latitude - there[0], longitude - there[1]
        guess = guess[0] + north, guess[1] + east
        if abs(north) < _ENOUGH and abs(east) < _ENOUGH:
            break
    return guess


def gcj02_to_bd09(latitude: float, longitude: float) -> tuple[float, float]:
    """A place in BD-09."""
    radius = math.hypot(latitude, longitude) + 0.00002 * math.sin(latitude * _BD_TURN)
    angle = math.atan2(latitude, longitude) + 0.000003 * math.cos(longitude * _BD_TURN)
    return radius * math.sin(angle) + _BD_LATITUDE, radius * math.cos(angle) + _BD_LONGITUDE


def bd09_to_gcj02(latitude: float, longitude: float) -> tuple[float, float]:
    """The place in GCJ-02 whose BD-09 is this."""
    guess = latitude - _BD_LATITUDE, longitude - _BD_LONGITUDE
    for _ in range(_ROUNDS):
        there = gcj02_to_bd09(*guess)
        north, east = latitude - there[0], longitude - there[1]
        guess = guess[0] + north, guess[1] + east
        if abs(north) < _ENOUGH and abs(east) < _ENOUGH:
            break
    return guess


def _outside_china(latitude: float, longitude: float) -> bool:
    """The rectangle the public formulas use."""
    return not (72.004 <= longitude <= 137.8347 and 0.8293 <= latitude <= 55.8271)


def _shift(x: float, y: float) -> tuple[float, float]:
    """Metres north and east for degrees east of 105 E and north of 35 N."""
    waves = 20.0 * (math.sin(6.0 * x * math.pi) + math.sin(2.0 * x * math.pi))
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    north += (waves + 20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    east += (waves + 20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    return north, east
