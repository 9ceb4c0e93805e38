"""Datums against the published test vectors, and a receiver that speaks one of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agents import datum
from edge_agents.device import Numeric, Occurrence
from edge_agents.devices.gnss import Decoder, encode

METRE = 1 / 111_000  # deg of latitude
PLACES = st.tuples(st.floats(18, 53), st.floats(74, 134))
# googollee/eviltransform, go/transform_test.go: WGS-84, GCJ-02
VECTORS = [
    ((31.1774276, 121.5272106), (31.17530398364597, 121.531541859215)),  # Shanghai
    ((22.543847, 113.912316), (22.540796131694766, 113.9171764808363)),  # Shenzhen
    ((39.911954, 116.377817), (39.91334545536069, 116.38404722455657)),  # Beijing
]


def metres(a: tuple[float, float], b: tuple[float, float]) -> float:
    return math.hypot(a[0] - b[0], (a[1] - b[1]) * math.cos(math.radians(a[0]))) / METRE


@pytest.mark.parametrize(("wgs", "gcj"), VECTORS)
def test_gcj_02_is_that_of_the_published_vectors(wgs: tuple[float, float], gcj: tuple[float, float]) -> None:
    assert metres(datum.wgs84_to_gcj02(*wgs), gcj) < 1e-6
    assert metres(datum.to_wgs84(*gcj, datum.GCJ_02), wgs) < 0.001


def test_bd_09_is_that_of_the_published_vectors() -> None:
    """wandergis/coordtransform, test/app.js; its way back is good to 4 cm only."""
    assert metres(datum.gcj02_to_bd09(39.915, 116.404), (39.92133699351021, 116.41036949371029)) < 1e-6
    assert metres(datum.bd09_to_gcj02(39.915, 116.404), (39.90865673957631, 116.39762729119315)) < 0.1


@given(place=PLACES)
def test_every_place_comes_back_to_a_millimetre(place: tuple[float, float]) -> None:
    gcj = datum.wgs84_to_gcj02(*place)
    assert 20 < metres(gcj, place) < 1500
    assert metres(datum.to_wgs84(*gcj, datum.GCJ_02), place) < 0.001
    assert metres(datum.to_wgs84(*datum.gcj02_to_bd09(*gcj), datum.BD_09), place) < 0.001


@pytest.mark.parametrize("place", [(48.85, 2.35), (0.0, 110.0), (39.9, 140.0), (-33.9, 151.2)])
def test_outside_china_nothing_is_moved(place: tuple[float, float]) -> None:
    assert datum.to_wgs84(*place, datum.GCJ_02) == place


def fix(second: int, place: tuple[float, float]) -> bytes:
    at = 1_767_225_600_000_000 + second * 1_000_000
    return encode(Numeric(observed_at=at, values={"latitude": place[0], "longitude": place[1], "hdop": 0.9}))


@pytest.mark.parametrize(("wgs", "gcj"), VECTORS)
def test_a_declared_source_is_kept_in_wgs_84_and_says_once_what_it_was(
    wgs: tuple[float, float], gcj: tuple[float, float]
) -> None:
    event, *fixes = Decoder(datum.GCJ_02).feed(fix(1, gcj) + fix(2, gcj), 0)
    assert isinstance(event, Occurrence)
    assert (event.name, event.details) == ("position-datum", {"declared": "gcj-02", "kept": "wgs-84"})
    assert len(fixes) == 2
    for one in fixes:
        assert isinstance(one, Numeric)
        assert metres((one.values["latitude"] or 0, one.values["longitude"] or 0), wgs) < 0.05  # steps of a sentence


def test_a_datum_nobody_knows_is_refused() -> None:
    for name in ("", "WGS84", "cgcs-2000"):
        with pytest.raises(ValueError, match="expected one of wgs-84, gcj-02, bd-09"):
            Decoder(name)
