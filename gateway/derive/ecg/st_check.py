"""What the reader of the ECG is asked to check besides the criteria, each with the leads whose values fit.

The software states measurements only: an item without leads is still an item. Sources: ACC Expert Consensus Decision
Pathway 2022, table 1 (JACC 2022;80:1925) for de Winter, aVR, Wellens and the modified Sgarbossa criteria (Smith et al.,
Ann Emerg Med 2012;60:766); Fourth Universal Definition 2018 for aVR with depression in six or more leads.
"""

from typing import Final

import msgspec

from gateway.derive.ecg.st_gate import WIDE_MS
from gateway.derive.ecg.st_report import LeadSt, StReport

DE_WINTER_MV: Final = -0.10  # J point of an ST depression that climbs into a tall T
TALL_T_MV: Final = 0.50  # what counts as tall here: a proposal of this project, the source gives no number
AVR_MV: Final = 0.10
DEPRESSED_MV: Final = -0.10
DEPRESSED_LEADS: Final = 6
SGARBOSSA_MV: Final = 0.10
SGARBOSSA_RATIO: Final = -0.25  # ST to S wave
DEEP_T_MV: Final = -0.20  # deeply inverted T of Wellens type B: a proposal of this project, the source gives no number
_CHEST: Final = frozenset({"V1", "V2", "V3", "V4", "V5", "V6"})
_SEPTAL: Final = frozenset({"V1", "V2", "V3"})


class CheckItem(msgspec.Struct, frozen=True):
    """``leads``: those whose measured values fit the pattern's numbers; empty when none do."""

    code: str
    leads: tuple[str, ...]


def reader_checks(report: StReport) -> tuple[CheckItem, ...]:
    """All four items, always, in the same order. Modified Sgarbossa is judged only where QRS is wide or paced."""
    standard = tuple(lead for lead in report.leads if lead.lead != "aVR")
    wide = report.qrs_ms >= WIDE_MS or report.pacing
    return (
        CheckItem("de-winter", tuple(lead.lead for lead in standard if _de_winter(lead))),
        CheckItem("wellens", tuple(lead.lead for lead in standard if _wellens(lead))),
        CheckItem("avr-elevation", _avr(report, standard)),
        CheckItem("modified-sgarbossa", tuple(lead.lead for lead in standard if wide and _sgarbossa(lead))),
    )


def _de_winter(lead: LeadSt) -> bool:
    return lead.lead in _CHEST and lead.j <= DE_WINTER_MV and lead.j60 > lead.j and lead.t >= TALL_T_MV


def _wellens(lead: LeadSt) -> bool:
    """Biphasic with a downward end (type A) or deeply inverted (type B) T in V2 or V3 without ST elevation."""
    if lead.lead not in {"V2", "V3"} or lead.j >= SGARBOSSA_MV:
        return False
    return (lead.t_wave == "biphasic" and lead.t_terminal < 0) or lead.t <= DEEP_T_MV


def _avr(report: StReport, standard: tuple[LeadSt, ...]) -> tuple[str, ...]:
    """Elevation in aVR with depression in at least six leads; all of them."""
    level = report.level("aVR")
    depressed = tuple(lead.lead for lead in standard if lead.j <= DEPRESSED_MV)
    if level is None or level < AVR_MV or len(depressed) < DEPRESSED_LEADS:
        return ()
    return ("aVR", *depressed)


def _sgarbossa(lead: LeadSt) -> bool:
    """Concordant elevation, concordant depression in V1-V3, or elevation of a quarter of the S wave before it."""
    if lead.j >= SGARBOSSA_MV:
        return lead.r > -lead.s or lead.j / lead.s <= SGARBOSSA_RATIO
    return lead.lead in _SEPTAL and lead.j <= -SGARBOSSA_MV and -lead.s > lead.r
