"""CPU of the streaming ECG: everything the gateway derives of 12 leads, and the beats alone against two peers.

    [LASTMILE_DATA=...] python benchmarks/ecg.py [--records 106,119,...] [--minutes 5]

First `EcgAnalyser`, with nothing switched off, on frames of simulated people as a monitor sends them: 12 leads at
500 Hz, 200 ms a frame. What ails some of them must be told, or it fails: an analyser that sees nothing is fast. No
peer does the same.

Then our beat detector in 200 ms frames against sleepecg (C) and wfdb's XQRS, on real recordings. All three get the same
signal of the same lead, and are scored on the same reference beats (EC57, 150 ms). The peers get the whole signal at
once, which streaming cannot; ours is fed as a gateway feeds it and measures each beat besides (width, shape,
prematurity). Floor of both: 200 real-time streams on one core.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import reduce
from operator import add
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table
from sleepecg import detect_heartbeats
from wfdb.processing import xqrs_detect

from benchmarks.kit import machine
from firmware_sims.condition import Condition, Rhythm
from firmware_sims.dipole import FS, STEP_MV
from firmware_sims.physiology import STEP_US, Patient
from gateway.contract.quantity import ECG_LEADS_12, SECOND
from gateway.contract.waveform import WaveFrame
from gateway.derive.ecg.analyser import EcgAnalyser, Found
from gateway.evaluate.ec57 import MATCH_SECONDS, Score, compare, outside
from gateway.evaluate.qrs import FRAME_SECONDS, Marked, detect, mark
from gateway.evaluate.records import Samples, Signal, read_folder

FLOOR: Final = 200
SIMULATED: Final = 120 * SECOND  # of each person
WELL: Final = (Condition(), Condition(unrest=0.6))
ILL: Final = {  # and what has to be told of them
    "irregular-rhythm": Condition(rhythm=Rhythm.ATRIAL_FIBRILLATION, heart_rate=95),
    "extreme-tachycardia": Condition(heart_rate=178),
    "st-criteria": Condition(st_inferior=0.3),
}
Detector = Callable[[Signal, float], Samples]


def ours(signal: Signal, fs: float) -> Samples:
    """The product's, fed frame by frame."""
    return np.array([beat.sample for beat in detect(signal, fs)], np.int64)


def sleepecg(signal: Signal, fs: float) -> Samples:
    """SleepECG's Pan-Tompkins variant, C backend, the whole signal at once."""
    return np.asarray(detect_heartbeats(signal, fs, backend="c"), np.int64)


def xqrs(signal: Signal, fs: float) -> Samples:
    """WFDB's XQRS, the whole signal at once."""
    return np.asarray(xqrs_detect(sig=signal, fs=fs, verbose=False), np.int64)


DETECTORS: Final[dict[str, Detector]] = {
    "ours, streaming": ours,
    "sleepecg C, whole": sleepecg,
    "wfdb XQRS, whole": xqrs,
}


def measure(detector: Detector, records: list[Marked], minutes: float) -> tuple[float, float, Score]:
    """CPU seconds, seconds of signal, and the score on the reference beats of those minutes."""
    cpu, seconds, scores = 0.0, 0.0, []
    for record in records:
        end = min(record.signal.size, round(60 * minutes * record.fs))
        signal = record.signal[:end]
        began = time.process_time()
        found = detector(signal, record.fs)
        cpu += time.process_time() - began
        seconds += end / record.fs
        window = round(MATCH_SECONDS * record.fs)
        scores.append(compare(record.beats[record.beats < end], outside(found, record.flutter), window))
    return cpu, seconds, reduce(add, scores, Score())


def frames(seed: int, condition: Condition) -> list[WaveFrame]:
    """What a monitor sends of a simulated person."""
    patient = Patient(seed, lambda _elapsed: condition)
    steps = (patient.advance() for _ in range(SIMULATED // STEP_US))
    return [
        WaveFrame(
            epoch="0" * 16, seq=number, device="monitor", observed_at=number * STEP_US, n0=number * step.ecg.shape[1],
            fs=float(FS), leads=list(ECG_LEADS_12), scale=STEP_MV, samples=step.ecg.astype("<i2").tobytes(),
            filter="0.05-150 Hz",
        )
        for number, step in enumerate(steps) if step is not None
    ]  # fmt: skip


def analyse(sent: list[WaveFrame]) -> list[Found]:
    """What the gateway derives of one stream, with nothing switched off."""
    analyser = EcgAnalyser("monitor", phase=0)
    return [found for frame in sent for found in analyser.feed(frame, frame.observed_at, lambda: ("female", 60.0))]


def measure_analyser() -> float:
    """Measures and prints the analyser; its streams per core, 0 when it did not see what ails somebody."""
    people = [frames(seed, condition) for seed, condition in enumerate((*WELL, *ILL.values()))]
    analyse(people[0])  # first calls are not measured
    began = time.process_time()
    found = [analyse(sent) for sent in people]
    cpu, seconds = time.process_time() - began, len(people) * SIMULATED / SECOND
    told = [{str(one.details.get("code", one.event)) for one in each if one.event} for each in found]
    unseen = [code for code, codes in zip(ILL, told[len(WELL) :], strict=True) if code not in codes]
    rates = sum(one.rate is not None for each in found for one in each)
    print(f"{seconds:.0f} s of {len(people)} simulated people, 12 leads, everything on: {rates} heart rates, "
          f"{', '.join(sorted(set().union(*told)))}; {1e6 * cpu / seconds:,.0f} us a second of stream")  # fmt: skip
    for code in unseen:
        print(f"not told: {code}")
    return 0.0 if unseen else seconds / cpu


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", default="", help="names, comma between; all when empty")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each record")
    arguments = parser.parse_args()
    print(machine.describe(Path(tempfile.gettempdir())))
    streams = {"12 leads, everything on": measure_analyser()}
    if "LASTMILE_DATA" in os.environ:
        streams["beats of one lead"] = compare_detectors(arguments.records, arguments.minutes)
    else:
        print("no recordings: LASTMILE_DATA is not set, the beat detectors are not measured")
    for name, number in streams.items():
        print(f"{name}: {number:,.0f} real-time streams on one core (floor {FLOOR})")
    sys.exit(0 if min(streams.values()) >= FLOOR else 1)


def compare_detectors(names: str, minutes: float) -> float:
    """Ours and its peers on the same records; the streams per core of ours."""
    folder, wanted = Path(os.environ["LASTMILE_DATA"]) / "ecg-mitdb", set(filter(None, names.split(",")))
    records = [
        mark(record, record.annotations)
        for record in read_folder(folder)
        if record.annotations is not None and (not wanted or record.name in wanted)
    ]
    print(f"{len(records)} records of {folder.name}, one lead each; ours in frames of {1000 * FRAME_SECONDS:.0f} ms")
    for detector in DETECTORS.values():
        detector(records[0].signal[:7200], records[0].fs)  # imports and first calls are not measured
    return show(records, minutes)


def show(records: list[Marked], minutes: float) -> float:
    """Measures and prints every detector; the streams per core of the first."""
    table = Table("detector", "signal s", "beats", "missed", "false", "Se %", "+P %", "us/s of signal", "streams/core")
    streams = []
    for name, detector in DETECTORS.items():
        cpu, seconds, score = measure(detector, records, minutes)
        streams.append(seconds / cpu)
        beats = score.true_positives + score.false_negatives
        table.add_row(
            name, f"{seconds:,.0f}", f"{beats:,}", str(score.false_negatives), str(score.false_positives),
            f"{100 * (score.sensitivity or 0):.2f}", f"{100 * (score.positive_predictivity or 0):.2f}",
            f"{1e6 * cpu / seconds:,.0f}", f"{streams[-1]:,.0f}",
        )  # fmt: skip
    Console(width=120).print(table)
    return streams[0]


if __name__ == "__main__":
    main()
