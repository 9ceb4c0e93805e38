"""Two 12-lead ECGs of one person side by side: what changed in each lead.

The change is a number for the reader, beside what makes the two hard to compare; it is no verdict. Source for comparing
with the prior ECG: Fourth Universal Definition 2018 ("new, or presumed new"); 2025 ACC/AHA ACS for repeating it.
"""

from typing import Final

import msgspec

from gateway.derive.ecg.st_report import StReport

QRS_MS: Final = 20.0  # a QRS so much wider or narrower is another conduction: ST levels follow it
RATE: Final = 30.0  # /min; ST levels move with the rate
CHANGED_MV: Final = 0.05  # smallest threshold of the criteria, and about what moved electrodes can make


class LeadChange(msgspec.Struct, frozen=True):
    """ST level at the J point then and now, mV, and the sign of the T wave."""

    lead: str
    before: float
    now: float
    change: float
    t_before: str
    t_now: str

    @property
    def changed(self) -> bool:
        return abs(self.change) >= CHANGED_MV


class Comparison(msgspec.Struct, frozen=True):
    """``leads``: those both ECGs have, in the newer one's order. ``reserve``: why the two may not be comparable.

    ``missing``: leads that only one of the two has.
    """

    leads: tuple[LeadChange, ...]
    reserve: tuple[str, ...]
    missing: tuple[str, ...] = ()


def compare(now: StReport, before: StReport) -> Comparison:
    """Per-lead change from ``before`` to ``now``; no leads when either could not be measured."""
    if now.refused or before.refused:
        return Comparison((), ("not-measured",))
    earlier = {lead.lead: lead for lead in before.leads}
    changes = tuple(
        LeadChange(lead.lead, old.j, lead.j, round(lead.j - old.j, 4), old.t_wave, lead.t_wave)
        for lead in now.leads
        if (old := earlier.get(lead.lead)) is not None
    )
    both = {change.lead for change in changes}
    missing = tuple(lead.lead for lead in (*now.leads, *before.leads) if lead.lead not in both)
    return Comparison(changes, _reserve(now, before), missing)


def _reserve(now: StReport, before: StReport) -> tuple[str, ...]:
    found = []
    if now.low_cut_hz != before.low_cut_hz:
        found.append("filters-differ")
    if abs(now.qrs_ms - before.qrs_ms) >= QRS_MS or now.pacing != before.pacing:
        found.append("conduction-differs")
    if abs(now.heart_rate - before.heart_rate) >= RATE:
        found.append("rates-differ")
    return tuple(found)
