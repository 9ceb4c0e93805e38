"""Two ECGs of one person: the change of every lead, and why they may not be comparable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sims.condition import Condition
from firmware_sims.dipole import FS
from gateway.derive.ecg.st import measure
from gateway.derive.ecg.st_report import LIMB, TWELVE, StReport
from gateway.derive.ecg.st_serial import compare
from tests.unit.ecg.st_builders import lead, report, with_injury


def test_the_change_of_every_lead() -> None:
    before = measure(with_injury(Condition(), {"II": 0.05}), FS, 0.05)
    now = measure(with_injury(Condition(heart_rate=90), {"II": 0.30}, seed=2), FS, 0.05)
    found = compare(now, before)
    change = {row.lead: row.change for row in found.leads}
    assert tuple(change) == TWELVE
    assert change["II"] == pytest.approx(0.25, abs=0.03)
    assert change["III"] == pytest.approx(0.25, abs=0.03)
    assert change["aVL"] == pytest.approx(-0.125, abs=0.03)
    assert {row.lead for row in found.leads if row.changed} == {"II", *LIMB}
    assert found.reserve == ()


@pytest.mark.parametrize(
    ("now", "before", "reserve"),
    [
        (report(), report(low_cut_hz=None), "filters-differ"),
        (report(qrs_ms=110.0), report(qrs_ms=90.0), "conduction-differs"),
        (report(pacing=True), report(), "conduction-differs"),
        (report(heart_rate=105.0), report(heart_rate=75.0), "rates-differ"),
    ],
)
def test_why_two_may_not_be_comparable(now: StReport, before: StReport, reserve: str) -> None:
    assert compare(now, before).reserve == (reserve,)
    assert compare(before, now).reserve == (reserve,)
    assert len(compare(now, before).leads) == 12, "shown all the same"


def test_nothing_to_compare_with() -> None:
    silent = StReport(500.0, 10.0, 0.05, ("no-clear-beats",))
    for found in (compare(report(), silent), compare(silent, report())):
        assert (found.leads, found.reserve, found.missing) == ((), ("not-measured",), ())


def test_only_leads_both_have_are_compared_and_t_is_named() -> None:
    now = report(None, lead("V7", j=0.1), lead("V2", t_wave="inverted"))
    found = {row.lead: row for row in compare(now, report()).leads}
    assert "V7" not in found
    assert compare(now, report()).missing == compare(report(), now).missing == ("V7",)
    assert compare(report(), report()).missing == ()
    assert (found["V2"].t_before, found["V2"].t_now) == ("upright", "inverted")


LEVELS = st.fixed_dictionaries({name: st.floats(-0.5, 0.5) for name in TWELVE})


@given(LEVELS, LEVELS)
def test_back_is_forth_turned_round(one: dict[str, float], other: dict[str, float]) -> None:
    forth = compare(report(one), report(other)).leads
    back = compare(report(other), report(one)).leads
    assert [row.change for row in forth] == [-row.change for row in back]
    assert all(row.change == 0 for row in compare(report(one), report(one)).leads)
