"""The published ST elevation criteria, applied to a measured 12-lead ECG.

Source: Fourth Universal Definition of Myocardial Infarction (Thygesen et al., JACC 2018;72:2231, ECG section and table
2): new ST elevation at the J point in two contiguous leads. Cabrera's order of the limb leads and V4 beside V5 are
contiguous as in AHA/ACCF/HRS part VI (Wagner et al., JACC 2009;53:1003). "New" cannot be told from one ECG: the finding
opens an ECG-read task, a physician reads. Whatever lowers the confidence is named beside it, never used to stay silent.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from gateway.derive.ecg.st_check import CheckItem, reader_checks
from gateway.derive.ecg.st_gate import Caution, Confidence, cautions, confidence
from gateway.derive.ecg.st_report import StReport

STATEMENT: Final = {
    "en": "meets published ST criteria, needs physician reading",
    "zh": "符合已发表的 ST 段标准，需医师阅图",
}
REQUEST_STATEMENT: Final = {
    "en": "record additional ECG leads, needs physician reading",
    "zh": "请加做附加导联心电图，需医师阅图",
}
ADULT_FROM: Final = 18  # years; the definition's thresholds are those of adults
POSTERIOR_MV: Final = -0.05  # ST depression in V1-V3 of at least so much, with an upright T


class Threshold(msgspec.Struct, frozen=True):
    """One row of the published table. ``sex`` None: any; the age is [from_age, to_age) in years."""

    leads: frozenset[str]
    mv: float
    sex: str | None = None
    from_age: float = 0
    to_age: float = 200

    def fits(self, lead: str, sex: str | None, age: float | None) -> bool:
        """Whether the row may hold for such a person; what is unknown excludes no row."""
        return (
            lead in self.leads
            and (sex is None or self.sex in {None, sex})
            and (age is None or self.from_age <= age < self.to_age)
        )


_V2_V3: Final = frozenset({"V2", "V3"})
_POSTERIOR: Final = frozenset({"V7", "V8", "V9"})
_RIGHT: Final = frozenset({"V3R", "V4R"})
_OTHER: Final = frozenset({"I", "II", "III", "-aVR", "aVL", "aVF", "V1", "V4", "V5", "V6"})

THRESHOLDS: Final = (
    Threshold(_V2_V3, 0.25, "male", to_age=40),
    Threshold(_V2_V3, 0.20, "male", from_age=40),
    Threshold(_V2_V3, 0.15, "female"),
    Threshold(_OTHER, 0.10),
    Threshold(_POSTERIOR, 0.10, "male", to_age=40),
    Threshold(_POSTERIOR, 0.05, "male", from_age=40),
    Threshold(_POSTERIOR, 0.05, "female"),
    Threshold(_RIGHT, 0.10, "male", to_age=30),
    Threshold(_RIGHT, 0.05, "male", from_age=30),
    Threshold(_RIGHT, 0.05, "female"),
)

GROUPS: Final = {
    "inferior": ("II", "III", "aVF"),
    "lateral": ("I", "aVL", "V5", "V6"),
    "anterior": ("V1", "V2", "V3", "V4"),
    "posterior": ("V7", "V8", "V9"),
    "right": ("V3R", "V4R"),
}
CABRERA: Final = ("aVL", "I", "-aVR", "II", "aVF", "III")
CHEST: Final = ("V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V9")


class Judged(msgspec.Struct, frozen=True):
    """One lead against its threshold, mV at the J point. ``-aVR`` is aVR upside down, as Cabrera draws it."""

    lead: str
    mv: float
    threshold: float

    @property
    def met(self) -> bool:
        return self.mv >= self.threshold


class Contiguous(msgspec.Struct, frozen=True):
    """Leads that met together. ``name``: a group, or ``cabrera`` or ``chest`` for neighbours that no group holds."""

    name: str
    leads: tuple[str, ...]


class Request(msgspec.Struct, frozen=True):
    """Leads to record now, and those that made us ask."""

    leads: tuple[str, ...]
    reason: str
    because: tuple[str, ...]


class StFinding(msgspec.Struct, frozen=True):
    """What the reader of this ECG is told. Without ``groups`` the criteria are not met and only ``requests`` stand."""

    groups: tuple[Contiguous, ...]
    judged: tuple[Judged, ...]
    requests: tuple[Request, ...]
    checks: tuple[CheckItem, ...]
    cautions: tuple[Caution, ...]
    confidence: Confidence
    assumed: tuple[str, ...]  # "sex-unknown", "age-unknown": the lowest threshold was used
    j_sample: int
    code: str = "st-criteria"

    @property
    def criteria_met(self) -> bool:
        return bool(self.groups)

    @property
    def statement(self) -> dict[str, str]:
        return STATEMENT if self.groups else REQUEST_STATEMENT


def criteria(report: StReport, sex: str | None, age: float | None) -> StFinding | None:
    """What the published criteria make of a report; None when nothing is met, or `why_silent` forbids to speak.

    ``sex``: "female", "male", anything else is unknown; ``age``: years or None.
    """
    if why_silent(report, age):
        return None
    known = sex if sex in {"female", "male"} else None
    judged = judge(report, known, age)
    groups = contiguous([row.lead for row in judged if row.met])
    requests = _requests(report, groups)
    if not groups and not requests:
        return None
    named = cautions(report, known)
    return StFinding(
        groups, judged, requests, reader_checks(report), named, confidence(named), _assumed(known, age), report.j_sample
    )


def why_silent(report: StReport, age: float | None) -> tuple[str, ...]:
    """Why nothing may be said: the gate's reasons, or a person the criteria are not published for."""
    outside = ("outside-population",) if age is not None and age < ADULT_FROM else ()
    return report.refused + outside


def threshold(lead: str, sex: str | None, age: float | None) -> float | None:
    """The lead's threshold, mV: the lowest of all rows that may hold. None for a lead the table does not have."""
    return min((row.mv for row in THRESHOLDS if row.fits(lead, sex, age)), default=None)


def judge(report: StReport, sex: str | None, age: float | None) -> tuple[Judged, ...]:
    """Every measured lead of the table against its threshold, those upside down included."""
    rows = []
    for name in (*CABRERA, *CHEST, "V3R", "V4R"):
        level, limit = report.level(name), threshold(name, sex, age)
        if level is not None and limit is not None:
            rows.append(Judged(name, level, limit))
    return tuple(rows)


def contiguous(met: Sequence[str]) -> tuple[Contiguous, ...]:
    """Groups in which two leads met, and pairs of neighbours that no group holds."""
    inside = [Contiguous(name, both) for name, leads in GROUPS.items() if len(both := _those(leads, met)) >= 2]
    across = [
        Contiguous(name, pair)
        for name, order in (("cabrera", CABRERA), ("chest", CHEST))
        for pair in pairwise(order)
        if set(pair) <= set(met) and not any(set(pair) <= set(leads) for leads in GROUPS.values())
    ]
    return (*inside, *across)


def _those(leads: Sequence[str], met: Sequence[str]) -> tuple[str, ...]:
    return tuple(lead for lead in leads if lead in met)


def _requests(report: StReport, groups: tuple[Contiguous, ...]) -> tuple[Request, ...]:
    """V7-V9 for a posterior, V3R and V4R for an inferior pattern, unless this recording holds them already."""
    found = []
    depressed = tuple(
        lead.lead for lead in report.leads if lead.lead in {"V1", "V2", "V3"}
        if lead.j <= POSTERIOR_MV and lead.t_terminal > 0
    )  # fmt: skip
    if any(set(pair) <= set(depressed) for pair in pairwise(("V1", "V2", "V3"))) and report.lead("V8") is None:
        found.append(Request(("V7", "V8", "V9"), "st-depression-v1-v3-upright-t", depressed))
    inferior = next((group.leads for group in groups if group.name == "inferior"), ())
    if inferior and report.lead("V4R") is None:
        found.append(Request(("V3R", "V4R"), "inferior-st-elevation", inferior))
    return tuple(found)


def _assumed(sex: str | None, age: float | None) -> tuple[str, ...]:
    return (("sex-unknown",) if sex is None else ()) + (("age-unknown",) if age is None else ())
