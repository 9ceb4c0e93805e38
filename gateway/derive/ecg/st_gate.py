"""When ST measurements may speak, and what lowers their confidence.

An ST level is only as true as the low frequencies of the recording: it is read from a 10 s 12-lead ECG with a low cut
of 0.05 Hz or lower (AHA/ACC/HRS, Circulation 2007;115:1306) and from nothing else. What makes a true level a doubtful
sign of infarction (fast rates, wide QRS, pacing, hypertrophy, artefact, swapped electrodes) is named and lowers the
confidence; it never suppresses, since a strict gate of such filters left a sensitivity of 14 % (PMC10922545).
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gateway.derive.ecg.st_report import INDEPENDENT, LIMB, LeadSt, StReport

SECONDS: Final = 10.0
LOW_CUT_HZ: Final = 0.05
SLOWEST_FS: Final = 250.0  # Hz; diagnostic recordings have 500
FAST: Final = 130.0  # /min
WIDE_MS: Final = 120.0
SOKOLOW_LYON_MV: Final = 3.5  # S V1 + R V5 or V6 (Sokolow and Lyon 1949)
CORNELL_MV: Final = {"male": 2.8, "female": 2.0}  # R aVL + S V3 (Casale et al. 1985), unknown sex: the lower
UNSURE_MV: Final = 0.025  # standard error: half of the smallest threshold
UNLIKE_SHARE: Final = 0.5  # fewer beats alike than this: the median may not be the patient's usual beat
EINTHOVEN_MV: Final = 0.05  # III further than this from II - I: not one recording
BASELINE_MV: Final = 0.05  # TP further than this from PR: the reference level is in doubt
FLAT_MV: Final = 0.10  # a limb lead with a smaller QRS: right leg and an arm are swapped

Confidence = Literal["usual", "lowered"]


class Caution(msgspec.Struct, frozen=True):
    """Why the confidence is lowered. ``value`` against ``limit`` where there is a number, the ``leads`` concerned."""

    code: str
    value: float | None = None
    limit: float | None = None
    leads: tuple[str, ...] = ()


def low_cut_hz(filter_text: str) -> float | None:
    """Lower edge of a frame's ``filter``, such as "0.05-150 Hz"; 0 for "DC-150 Hz"; None when it does not say."""
    found = re.match(r"\s*(?P<low>dc|\d+(?:\.\d+)?)\s*(?:hz)?\s*(?:-|–|to)\s*\d", filter_text, re.IGNORECASE)
    if found is None:
        return None
    return 0.0 if found["low"].lower() == "dc" else float(found["low"])


def refusals(given: Mapping[str, NDArray[Any]], seconds: float, fs: float, low_cut: float | None) -> tuple[str, ...]:
    """Why nothing may be said from this stretch; empty when it may. An unknown low cut is a caution, no refusal."""
    reasons = []
    if not set(INDEPENDENT) <= set(given):
        reasons.append("not-12-lead")
    if seconds < SECONDS:
        reasons.append("shorter-than-10-s")
    if fs < SLOWEST_FS:
        reasons.append("sampled-too-slowly")
    if low_cut is not None and low_cut > LOW_CUT_HZ:
        reasons.append("filter-not-fit-for-st")
    if not all(np.isfinite(row).all() for row in given.values()):
        reasons.append("lead-off")
    return tuple(reasons)


def cautions(report: StReport, sex: str | None = None) -> tuple[Caution, ...]:
    """Everything that lowers the confidence in what was measured."""
    return tuple(_of_the_recording(report) + _of_the_heart(report, sex) + _of_the_electrodes(report))


def confidence(found: tuple[Caution, ...]) -> Confidence:
    return "lowered" if found else "usual"


def _of_the_recording(report: StReport) -> list[Caution]:
    found = []
    if report.low_cut_hz is None:
        found.append(Caution("filter-unknown", limit=LOW_CUT_HZ))
    if unsure := tuple(lead for lead in report.leads if lead.error > UNSURE_MV):
        worst = max(lead.error for lead in unsure)
        found.append(Caution("artefact", worst, UNSURE_MV, tuple(lead.lead for lead in unsure)))
    if report.beats_used < UNLIKE_SHARE * report.beats:
        found.append(Caution("beats-differ", report.beats_used / report.beats, UNLIKE_SHARE))
    if moved := tuple(lead for lead in report.leads if lead.tp is not None and abs(lead.tp) > BASELINE_MV):
        worst = max((lead.tp for lead in moved if lead.tp is not None), key=abs)
        found.append(Caution("baseline", worst, BASELINE_MV, tuple(lead.lead for lead in moved)))
    return found


def _of_the_heart(report: StReport, sex: str | None) -> list[Caution]:
    found = []
    if report.heart_rate >= FAST:
        found.append(Caution("fast-heart-rate", report.heart_rate, FAST))
    if report.qrs_ms >= WIDE_MS:
        found.append(Caution("wide-qrs", report.qrs_ms, WIDE_MS))
    if report.pacing:
        found.append(Caution("pacing"))
    found.extend(_hypertrophy(_by_name(report), sex))
    return found


def _hypertrophy(leads: dict[str, LeadSt], sex: str | None) -> list[Caution]:
    """The voltage pattern of left ventricular hypertrophy, each published index that is met."""
    if not leads:
        return []
    found = []
    left = max("V5", "V6", key=lambda name: leads[name].r)
    sokolow = leads[left].r - leads["V1"].s
    if sokolow >= SOKOLOW_LYON_MV:
        found.append(Caution("lvh-sokolow-lyon", round(sokolow, 3), SOKOLOW_LYON_MV, ("V1", left)))
    cornell, limit = leads["aVL"].r - leads["V3"].s, CORNELL_MV.get(sex or "", min(CORNELL_MV.values()))
    if cornell > limit:
        found.append(Caution("lvh-cornell", round(cornell, 3), limit, ("aVL", "V3")))
    return found


def _of_the_electrodes(report: StReport) -> list[Caution]:
    """Swapped limb electrodes as far as one ECG shows them: left arm against left leg needs a prior one."""
    leads = _by_name(report)
    if not leads:
        return []
    found = []
    if report.einthoven_mv > EINTHOVEN_MV:
        found.append(Caution("limb-leads-disagree", report.einthoven_mv, EINTHOVEN_MV, ("I", "II", *LIMB)))
    if _upside_down(leads["I"]) and not _upside_down(leads["V6"]) and leads["V6"].r > -leads["V6"].s:
        found.append(Caution("lead-reversal", leads=("I", "aVR")))  # the arms; dextrocardia turns V6 as well
    if _upside_down(leads["II"]) and not _upside_down(leads["I"]):
        found.append(Caution("lead-reversal", leads=("II", "aVR", "aVF")))  # right arm and a leg
    flat = tuple(name for name in ("I", "II", "III") if leads[name].r - leads[name].s < FLAT_MV)
    if flat and max(leads[name].r - leads[name].s for name in ("I", "II", "III")) >= 3 * FLAT_MV:
        found.append(Caution("lead-reversal", FLAT_MV, FLAT_MV, flat))
    return found


def _upside_down(lead: LeadSt) -> bool:
    """P, QRS and T all point down."""
    return lead.p < 0 and -lead.s > lead.r and lead.t < 0


def _by_name(report: StReport) -> dict[str, LeadSt]:
    return {lead.lead: lead for lead in report.leads}
