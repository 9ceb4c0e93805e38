"""CPU of finding heart beats: our streaming detector in 200 ms frames against sleepecg (C) and wfdb's XQRS.

    LASTMILE_DATA=... python benchmarks/ecg.py [--records 106,119,...] [--minutes 5]

All three get the same signal of the same lead, and are scored on the same reference beats (EC57, 150 ms): a detector
that finds no beats is fast. The peers get the whole signal at once, which streaming cannot; ours is fed as a gateway
feeds it and measures each beat besides (width, shape, prematurity). Floor: 200 real-time streams on one core.
"""

import argparse
import os
import sys
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
from gateway.evaluate.ec57 import MATCH_SECONDS, Score, compare, outside
from gateway.evaluate.qrs import FRAME_SECONDS, Marked, detect, mark
from gateway.evaluate.records import Samples, Signal, read_folder

FLOOR: Final = 200
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


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", default="", help="names, comma between; all when empty")
    parser.add_argument("--minutes", type=float, default=5.0, help="of each record")
    arguments = parser.parse_args()
    if "LASTMILE_DATA" not in os.environ:
        print("no recordings: LASTMILE_DATA is not set, nothing measured")
        return
    folder, wanted = Path(os.environ["LASTMILE_DATA"]) / "ecg-mitdb", set(filter(None, arguments.records.split(",")))
    records = [
        mark(record, record.annotations)
        for record in read_folder(folder)
        if record.annotations is not None and (not wanted or record.name in wanted)
    ]
    print(machine.describe(folder))
    print(f"{len(records)} records of {folder.name}, one lead each; ours in frames of {1000 * FRAME_SECONDS:.0f} ms")
    for detector in DETECTORS.values():
        detector(records[0].signal[:7200], records[0].fs)  # imports and first calls are not measured
    streams = show(records, arguments.minutes)
    print(f"ours: {streams:,.0f} real-time streams on one core (floor {FLOOR})")
    sys.exit(0 if streams >= FLOOR else 1)


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
