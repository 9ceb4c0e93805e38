"""Real recordings through the real path: what is stored is what was recorded, and the derived rate is right."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import wfdb

from tests.acceptance.faults import Proof, in_database
from tests.acceptance.harness import Stack, Vehicle
from tests.acceptance.process import FULL, eventually

DATA = os.environ.get("LASTMILE_DATA")
pytestmark = [
    pytest.mark.data,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(DATA is None, reason="LASTMILE_DATA is not set"),
]

UNIT = "amb-007"
WINDOW = 100_000_000  # us of waveform asked for at once
EXCERPT = 30  # s: at speed 20 no sample is older than its clinical validity when it arrives
SKIPPED = 8  # s until the first heart rate can have come from a full window


def record_of(folder: str, name: str) -> Path:
    path = Path(str(DATA)) / folder / f"{name}.hea"
    assert path.exists(), f"{path} is missing"
    return path


def replay(stack: Stack, record: Path, speed: float) -> None:
    """Plays a record to its end: the command comes back when every number has been acknowledged."""
    done = stack.start(
        f"replay-{record.stem}", "replay", str(record), "--unit", UNIT, "--site", stack.site, "--speed", str(speed),
        "--data", str(stack.data),
    )  # fmt: skip
    assert done.wait(600) == 0, done.tail()
    stack.vehicles[UNIT] = Vehicle(UNIT, stack.data, stack.data / "outbox" / f"{UNIT}.db", 0)


def span_of(stack: Stack) -> tuple[int, int]:
    """Event times of the first and behind the last stored record."""
    first, last = in_database(
        stack, "SELECT min(event_at), max(event_at) FROM record JOIN lane ON lane.id = lane_id WHERE lane.lane = 'wave'"
    )[0]
    return first, last + 1_000_000


def stored_samples(stack: Stack, lead: str) -> tuple[npt.NDArray[np.int64], float]:
    """All samples of a lead in order, and the millivolts of one step, as the API gives them."""
    start, end = span_of(stack)
    segments: list[dict[str, Any]] = []
    with stack.api("doctor") as api:
        for at in range(start, end, WINDOW):
            query: dict[str, str | int] = {"device": "monitor", "from": at, "to": min(at + WINDOW, end), "leads": lead}
            answer = api.get(f"/units/{UNIT}/waveform", params=query)
            assert answer.is_success, answer.text
            segments += answer.json()["segments"]
    assert segments, f"nothing stored of {lead}"
    segments.sort(key=lambda segment: segment["n0"])
    samples: list[int] = []
    for segment in segments:  # neighbouring windows may share a frame
        assert segment["leads"] == [lead]
        assert segment["n0"] <= len(samples), f"samples {len(samples)} to {segment['n0']} of {lead} are missing"
        samples += segment["samples"][0][len(samples) - segment["n0"] :]
    return np.array(samples, np.int64), segments[0]["scale"]


def check_leads(stack: Stack, record: Path) -> int:
    """Compares every lead with the record's own digital values, exactly; how many samples."""
    whole = wfdb.rdrecord(str(record.with_suffix("")), physical=False)
    compared = 0
    for column, lead in enumerate(whole.sig_name):
        samples, scale = stored_samples(stack, lead)
        steps = whole.d_signal[:, column].astype(np.int64) - whole.baseline[column]
        assert scale == pytest.approx(1 / whole.adc_gain[column])
        np.testing.assert_array_equal(samples, steps, err_msg=lead)
        compared += len(samples)
    return compared


def test_twelve_leads_are_stored_as_recorded(stack: Stack, proof: Proof) -> None:
    record = record_of("ecg-12lead", "E07501")
    replay(stack, record, 20)
    proof.note(samples=check_leads(stack, record))
    proof.audit(stack)


@pytest.mark.faults
def test_long_record_is_stored_as_recorded(stack: Stack, proof: Proof, tmp_path: Path) -> None:
    """Half an hour of MIT-BIH record 220 (its first five minutes in the short run), as fast as the outbox takes it."""
    record = record_of("ecg-mitdb", "220")
    if not FULL:
        record = excerpt(record, tmp_path, 0, 300)
    replay(stack, record, 0)
    eventually(lambda: stack.metrics()["lastmile_gaps_open"] == 0, "no gap", 20)
    proof.note(samples=check_leads(stack, record))
    proof.audit(stack)


def excerpt(record: Path, folder: Path, start: float, length: float) -> Path:
    """A part of a record, with the same digital values, as a record of its own."""
    header = wfdb.rdheader(str(record.with_suffix("")))
    first, last = round(start * header.fs), round((start + length) * header.fs)
    part = wfdb.rdrecord(str(record.with_suffix("")), sampfrom=first, sampto=last, physical=False)
    wfdb.wrsamp(
        "part", fs=part.fs, units=part.units, sig_name=part.sig_name, d_signal=part.d_signal, fmt=part.fmt,
        adc_gain=part.adc_gain, baseline=part.baseline, write_dir=str(folder),
    )  # fmt: skip
    return folder / "part.hea"


@pytest.mark.parametrize("name", ["220", "124"])
def test_derived_rate_agrees_with_the_reference_beats(stack: Stack, proof: Proof, tmp_path: Path, name: str) -> None:
    record = record_of("ecg-mitdb", name)
    start = 300.0
    replay(stack, excerpt(record, tmp_path, start, EXCERPT), 20)
    first, last = span_of(stack)
    with stack.api("doctor") as api:
        query: dict[str, str | int] = {"quantity": "heart-rate", "from": first, "to": last + 1_000_000, "step": 0}
        points = api.get(f"/units/{UNIT}/series", params=query).json()["points"]
    rates = [point["value"] for point in points if point["at"] >= first + SKIPPED * 1_000_000]
    assert len(rates) > EXCERPT - SKIPPED - 5, f"only {len(rates)} rates derived"
    reference = reference_rate(record, start, start + EXCERPT)
    assert np.mean(rates) == pytest.approx(reference, abs=5)
    proof.note(derived=round(float(np.mean(rates)), 1), reference=round(reference, 1))
    proof.audit(stack)


def reference_rate(record: Path, start: float, end: float) -> float:
    """Mean rate of the annotated beats in a span of seconds, 1/min."""
    annotation = wfdb.rdann(str(record.with_suffix("")), "atr")
    fs = wfdb.rdheader(str(record.with_suffix(""))).fs
    marks = zip(annotation.sample, annotation.symbol, strict=True)
    beats = [sample / fs for sample, symbol in marks if symbol in "NLRBAaJSVrFejnE/fQ?"]
    inside = [beat for beat in beats if start <= beat <= end]
    return float(60 * (len(inside) - 1) / (inside[-1] - inside[0]))
