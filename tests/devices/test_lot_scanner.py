"""LMS1 and GS1 element strings: what conformance does not cover."""

from datetime import date

import pytest
from hypothesis import strategies as st

from edge_agents.device import Occurrence, Reading
from edge_agents.devices import _gs1
from edge_agents.devices.lot_scanner import encode, scanned
from tests.devices.played import play, said, step

CODES = st.text("ABCXYZabc0189!\"%&'()*+,-./:;<=>?_", min_size=1, max_size=20)
NEW_YEAR = 1_767_225_600_000_000


@st.composite
def scans(draw: st.DrawFn) -> Occurrence:
    digits = draw(st.from_regex(r"\A[0-9]{13}\Z"))
    details = {
        "gtin": digits + _gs1.check_digit(digits),
        "lot": draw(CODES),
        "symbology": draw(st.sampled_from(list(_gs1.CARRIERS.values()))),
    }
    if draw(st.booleans()):
        details["expires"] = draw(st.dates(date(2010, 1, 1), date(2060, 12, 31))).isoformat()
    if draw(st.booleans()):
        details["serial"] = draw(CODES)
    at = NEW_YEAR + draw(st.integers(0, 4 * 31_556_952_000_000))
    return Occurrence(observed_at=at, name="lot-scanned", details=details, test=draw(st.booleans()))


READINGS = scans()


def agrees(sent: Reading, got: Reading) -> bool:
    return sent == got


@pytest.mark.parametrize("gtin", ["09506000134352", "98898765432106", "12312312312333", "04006381333931"])
def test_check_digits_are_those_of_gs1s_examples(gtin: str) -> None:
    assert _gs1.check_digit(gtin[:13]) == gtin[13]


@pytest.mark.parametrize(
    ("text", "now", "day"),
    [
        ("261231", 2026, "2026-12-31"),
        ("760101", 2026, "2076-01-01"),
        ("770101", 2026, "1977-01-01"),
        ("010101", 2099, "2101-01-01"),
        ("480101", 2099, "2148-01-01"),
        ("500101", 2099, "2050-01-01"),
        ("260200", 2026, "2026-02-28"),
        ("280200", 2026, "2028-02-29"),
    ],
)
def test_centuries_and_ends_of_months_are_as_in_section_7_12(text: str, now: int, day: str) -> None:
    assert _gs1.day(text, now).isoformat() == day


@pytest.mark.parametrize("text", ["261301", "260230", "26123", "2612311", "ab1231", "26-231"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        _gs1.day(text, 2026)


def test_values_of_predefined_length_need_no_separator() -> None:
    assert _gs1.elements("01095060001343523202012345159912311010L7") == {
        "01": "09506000134352", "3202": "012345", "15": "991231", "10": "10L7",
    }  # fmt: skip


@pytest.mark.parametrize(
    "scan", ["", "]", "]d2", "]d2\x1d", "0109506000134352", "]d201", "]d2010950600013435210", "]d2X"]
)
def test_what_is_no_traceable_package_is_refused(scan: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        scanned(scan, NEW_YEAR)


def test_any_instant_has_a_century() -> None:
    for at in (-(2**62), 0, 2**62):
        assert scanned("]d2010950600013435217260101" + "10A", at)["expires"]


def test_only_scans_are_sent() -> None:
    with pytest.raises(ValueError, match="cannot say"):
        encode(Occurrence(observed_at=0, name="coffee"))


def test_the_simulated_scanner_reads_the_scenarios_packages() -> None:
    found = play("lot_scanner", step(3, scan="]d201095060001343521726123110LOT7{gs}21S1"))
    assert said(found) == [
        (3, "lot-scanned", {
            "gtin": "09506000134352", "lot": "LOT7", "symbology": "datamatrix", "expires": "2026-12-31", "serial": "S1",
        }),
    ]  # fmt: skip
