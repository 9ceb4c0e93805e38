"""``lastmile evaluate st``: the published ST criteria on every 10 s 12-lead ECG of a folder.

A record is positive when its diagnosis names ST elevation or an infarction that is not old, negative when it names
neither, and left out of the counts when it names an old infarction alone (a scar may keep its elevation). Such labels
are a reader's diagnosis of the whole ECG, often of an infarct without ST elevation: sensitivity against them is no
sensitivity for ST elevation. Recordings do not say their low cut, so every finding carries "filter-unknown".
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from gateway.contract.quantity import SECOND
from gateway.contract.waveform import NO_SAMPLE, WaveFrame
from gateway.derive.ecg.st import measure
from gateway.derive.ecg.st_criteria import StFinding, criteria, why_silent
from gateway.derive.ecg.st_gate import cautions
from gateway.derive.ecg.st_report import StReport, canonical
from gateway.derive.ecg.twelve_lead_window import TwelveLeads, TwelveLeadWindow
from gateway.evaluate.records import Recording, Skipped, read_folder
from gateway.evaluate.wilson import wilson

FRAME_SECONDS: Final = 0.2
SCALE_MV: Final = 0.001
# SNOMED CT as in the PhysioNet/CinC Challenge 2021
POSITIVE: Final = {
    "164931005": "ST elevation",
    "164865005": "myocardial infarction",
    "57054005": "acute myocardial infarction",
    "54329005": "acute anterior myocardial infarction",
}
OLD: Final = {"164867002": "old myocardial infarction"}
PTB_INFARCTION: Final = re.compile(r"reason for admission:\s*myocardial infarction", re.IGNORECASE)  # PTB's headers
NOTE: Final = (
    "Negative: no diagnosis of ST elevation or infarction in the record's header. Meeting the criteria is a reason to "
    "have the ECG read, not a diagnosis."
)


class Label(StrEnum):
    POSITIVE = "positive"
    NEGATIVE = "negative"
    EXCLUDED = "excluded"  # an old infarction and nothing acute


class Record(msgspec.Struct, frozen=True):
    """One recording's first window. ``met`` None: not measured, ``silent`` says why."""

    name: str
    label: Label
    sex: str | None
    age: float | None
    met: bool | None
    silent: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()
    requests: tuple[tuple[str, ...], ...] = ()
    cautions: tuple[str, ...] = ()
    heart_rate: float = 0.0
    qrs_ms: float = 0.0
    levels: dict[str, float] = {}


class Gross(msgspec.Struct, frozen=True):
    """Over all measured records; intervals are Wilson's 95 %. Fractions are None where there is nothing to count."""

    sensitivity: float | None
    specificity: float | None
    positive_predictivity: float | None
    sensitivity_interval: tuple[float, float] | None
    specificity_interval: tuple[float, float] | None
    true_positives: int
    false_negatives: int
    true_negatives: int
    false_positives: int
    not_measured: int
    excluded: int


class Report(msgspec.Struct, frozen=True):
    gross: Gross
    records: tuple[Record, ...]
    skipped: list[Skipped] = []
    task: str = "st"
    note: str = NOTE


def evaluate(directory: Path) -> Report:
    """Runs the product's window, measurement and criteria over every recording of a folder."""
    folder = read_folder(directory)
    records = tuple(judged(recording) for recording in folder)
    return Report(gross(records), records, folder.skipped)


def judged(recording: Recording) -> Record:
    """The first 10 s of a recording that are whole, measured and held against the criteria."""
    sex, age, label = _sex(recording.comments), _age(recording.comments), label_of(recording.comments)
    window = _first_window(recording)
    if window is None:
        return Record(recording.name, label, sex, age, None, ("no-whole-10-s-12-lead",))
    report = measure(window.leads, window.fs, window.low_cut_hz)
    finding = criteria(report, sex, age)
    if silent := why_silent(report, age):
        return Record(recording.name, label, sex, age, None, silent)
    return _record(recording, (label, sex, age), report, finding)


def _record(
    recording: Recording,
    person: tuple[Label, str | None, float | None],
    report: StReport,
    finding: StFinding | None,
) -> Record:
    label, sex, age = person
    return Record(
        recording.name, label, sex, age,
        met=finding is not None and finding.criteria_met,
        groups=tuple(group.leads for group in finding.groups) if finding else (),
        requests=tuple(request.leads for request in finding.requests) if finding else (),
        cautions=tuple(caution.code for caution in cautions(report, sex)),
        heart_rate=report.heart_rate,
        qrs_ms=report.qrs_ms,
        levels={lead.lead: lead.j for lead in report.leads},
    )  # fmt: skip


def gross(records: tuple[Record, ...]) -> Gross:
    """Counts over all records that were measured."""

    def count(label: Label, met: bool) -> int:
        return sum(record.label is label and record.met is met for record in records)

    tp, fn = count(Label.POSITIVE, True), count(Label.POSITIVE, False)
    fp, tn = count(Label.NEGATIVE, True), count(Label.NEGATIVE, False)
    return Gross(
        sensitivity=_share(tp, tp + fn),
        specificity=_share(tn, tn + fp),
        positive_predictivity=_share(tp, tp + fp),
        sensitivity_interval=wilson(tp, tp + fn),
        specificity_interval=wilson(tn, tn + fp),
        true_positives=tp, false_negatives=fn, true_negatives=tn, false_positives=fp,
        not_measured=sum(record.met is None for record in records),
        excluded=sum(record.label is Label.EXCLUDED for record in records),
    )  # fmt: skip


def frames(recording: Recording, filter_text: str = "") -> Iterator[WaveFrame]:
    """The recording as a device would send it: 200 ms of every diagnostic lead, int16."""
    rows = {name: row for spelt, row in recording.signals.items() if (name := canonical(spelt)) is not None}
    if not rows:
        return
    length = min(row.size for row in rows.values())
    mv = np.stack([row[:length] for row in rows.values()])
    units = np.where(np.isnan(mv), NO_SAMPLE, np.rint(np.nan_to_num(mv) / SCALE_MV).clip(-32767, 32767)).astype("<i2")
    step = round(FRAME_SECONDS * recording.fs)
    for n0 in range(0, length - step + 1, step):
        yield WaveFrame(
            epoch="0" * 16, seq=n0 // step, device="record", observed_at=round(n0 * SECOND / recording.fs), n0=n0,
            fs=recording.fs, leads=list(rows), scale=SCALE_MV, samples=units[:, n0 : n0 + step].tobytes(),
            filter=filter_text,
        )  # fmt: skip


def _first_window(recording: Recording) -> TwelveLeads | None:
    window = TwelveLeadWindow()
    return next((found for frame in frames(recording) if (found := window.feed(frame, frame.observed_at))), None)


def label_of(comments: tuple[str, ...]) -> Label:
    """From the header's ``Dx:`` line (SNOMED CT codes), or PTB's reason for admission."""
    codes = set(re.findall(r"\d{6,}", _field(comments, "dx") or ""))
    if codes & POSITIVE.keys() or any(PTB_INFARCTION.search(comment) for comment in comments):
        return Label.POSITIVE
    return Label.EXCLUDED if codes & OLD.keys() else Label.NEGATIVE


def _sex(comments: tuple[str, ...]) -> str | None:
    sex = (_field(comments, "sex") or "").lower()
    return {"f": "female", "female": "female", "m": "male", "male": "male"}.get(sex)


def _age(comments: tuple[str, ...]) -> float | None:
    found = re.fullmatch(r"\d{1,3}(\.\d+)?", _field(comments, "age") or "")
    return float(found[0]) if found else None


def _field(comments: tuple[str, ...], name: str) -> str | None:
    """What follows ``name:`` in the first comment that starts with it."""
    start = f"{name}:"
    return next((text[len(start) :].strip() for text in comments if text.lower().startswith(start)), None)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
