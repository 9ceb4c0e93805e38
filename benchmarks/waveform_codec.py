"""Lossless codecs on real ECG: bits per sample and samples per second, bit-exact, in 10 s, 60 s and 10 min blocks.

Run: ``LASTMILE_DATA=... python benchmarks/waveform_codec.py [--seconds 1.0] [--json FILE]``. Decides ADR 0005.
Without the recordings nothing is measured, and it says so.

Peer: FLAC level 8 through libsndfile (``soundfile.write(..., format="FLAC", compression_level=1.0)``); every row is
also given as a ratio to it in the same run. A block is what the store writes: one compressed stream per lead, all
bytes counted. Speeds are per second of CPU of one thread, compressing and opening blocks of the set over and over.
"""

import argparse
import io
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile
import wfdb
import zstandard
from pcodec import ChunkConfig, DeltaSpec, ModeSpec, standalone
from rich.console import Console
from rich.table import Table

from benchmarks.kit.recordings import recordings_folder
from firmware_sims.condition import Condition
from firmware_sims.physiology import Patient

Samples = npt.NDArray[np.int16]  # (n,) one lead, or (leads, n)
BLOCK_SECONDS: Final = (10, 60, 600)
PEER: Final = "FLAC level 8"
MITDB: Final = ("119", "203", "207", "223")


@dataclass(frozen=True)
class Codec:
    """One lead to bytes and back."""

    name: str
    encode: Callable[[Samples], bytes]
    decode: Callable[[bytes, int], Samples]


# ---- codecs ---------------------------------------------------------------------------------------------------------


def flac(level: int) -> Codec:
    """FLAC through libsndfile; its compression_level 0..1 is FLAC level 0..8."""

    def encode(lead: Samples) -> bytes:
        out = io.BytesIO()
        soundfile.write(out, lead, 44_100, format="FLAC", subtype="PCM_16", compression_level=level / 8)
        return out.getvalue()

    def decode(data: bytes, _count: int) -> Samples:
        lead: Samples = soundfile.read(io.BytesIO(data), dtype="int16")[0]
        return lead

    return Codec(f"FLAC level {level}", encode, decode)


def pcodec(level: int, name: str, delta: DeltaSpec | None = None, mode: ModeSpec | None = None) -> Codec:
    """The pcodec library with a delta and mode of its own choosing, or given ones."""
    config = ChunkConfig(
        compression_level=level, delta_spec=delta or DeltaSpec.auto(), mode_spec=mode or ModeSpec.auto()
    )

    def encode(lead: Samples) -> bytes:
        return bytes(standalone.simple_compress(lead, config))

    def decode(data: bytes, count: int) -> Samples:
        lead = np.empty(count, np.int16)
        standalone.simple_decompress_into(data, lead)
        return lead

    return Codec(name, encode, decode)


def zigzag(values: Samples) -> npt.NDArray[np.uint16]:
    return ((values << 1) ^ (values >> 15)).view(np.uint16)


def unzigzag(values: npt.NDArray[np.uint16]) -> Samples:
    return ((values >> 1) ^ -(values & 1).astype(np.int16).view(np.uint16)).view(np.int16)


def difference(lead: Samples, order: int) -> Samples:
    for _ in range(order):
        lead = np.diff(lead, prepend=lead.dtype.type(0))  # wraps, so it is exact for every int16
    return lead


def integrate(lead: Samples, order: int) -> Samples:
    for _ in range(order):
        lead = np.cumsum(lead, dtype=np.int16)
    return lead


def shuffle_bits(values: npt.NDArray[np.uint16]) -> bytes:
    bits = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)
    return np.packbits(bits.T).tobytes()


def unshuffle_bits(data: bytes, count: int) -> npt.NDArray[np.uint16]:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=16 * count).reshape(16, count)
    return np.ascontiguousarray(np.packbits(bits.T, axis=1)).view(">u2").reshape(-1).astype(np.uint16)


def shuffle_bytes(values: npt.NDArray[np.uint16]) -> bytes:
    return values.view(np.uint8).reshape(-1, 2).T.tobytes()


def unshuffle_bytes(data: bytes, count: int) -> npt.NDArray[np.uint16]:
    planes = np.frombuffer(data, np.uint8).reshape(2, count)
    return np.ascontiguousarray(planes.T).view(np.uint16).reshape(-1)


def zstd(level: int, order: int, shuffle: str) -> Codec:
    """Differences of the given order, zigzag, bit or byte planes, zstd."""
    pack, unpack = (shuffle_bits, unshuffle_bits) if shuffle == "bit" else (shuffle_bytes, unshuffle_bytes)
    compressor, decompressor = zstandard.ZstdCompressor(level=level), zstandard.ZstdDecompressor()

    def encode(lead: Samples) -> bytes:
        return compressor.compress(pack(zigzag(difference(lead, order))))

    def decode(data: bytes, count: int) -> Samples:
        return integrate(unzigzag(unpack(decompressor.decompress(data), count)), order)

    return Codec(f"delta{order} {shuffle}shuffle zstd-{level}", encode, decode)


def codecs() -> Iterator[Codec]:
    yield from (flac(0), flac(5), flac(8))
    yield pcodec(8, "pcodec level 8")
    yield from (pcodec(8, f"pcodec level 8, delta order {n}", DeltaSpec.try_consecutive(n)) for n in (1, 2, 3))
    yield from (pcodec(8, f"pcodec level 8, conv1 order {n}", DeltaSpec.try_conv1(n)) for n in (4, 8, 16))
    yield pcodec(4, "pcodec level 4, delta order 1", DeltaSpec.try_consecutive(1))
    yield pcodec(4, "pcodec level 4, delta order 2", DeltaSpec.try_consecutive(2))
    yield from (
        zstd(3, 1, "bit"),
        zstd(3, 1, "byte"),
        zstd(9, 1, "byte"),
        zstd(19, 1, "byte"),
        zstd(3, 2, "bit"),
        zstd(19, 2, "byte"),
    )


# ---- data -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recording:
    fs: float
    leads: Samples  # (leads, n)


def read(path: Path) -> Recording:
    """A WFDB record's signals as stored; leads stored in another sampling format are as wide as int16 allows."""
    record = wfdb.rdrecord(str(path), physical=False)
    return Recording(float(record.fs), np.ascontiguousarray(record.d_signal.T.astype(np.int16)))


def sets(data: Path) -> Iterator[tuple[str, list[Recording]]]:
    """The recordings by set. The 12-lead set holds 10 s a person, so longer blocks of it do not exist."""
    twelve = sorted((data / "ecg-12lead").glob("*.mat"))
    yield "ecg-12lead (25 people, 500 Hz, 12 leads)", [read(path.with_suffix("")) for path in twelve]
    yield "ecg-mitdb (4 records, 360 Hz, 2 leads)", [read(data / "ecg-mitdb" / name) for name in MITDB]
    yield "icu-alarms (1 record, 250 Hz, 2 ECG leads + PPG)", [read(data / "icu-alarms" / "a103l")]
    yield "synthetic (firmware_sims, 500 Hz, 12 leads)", [simulated(600)]


def simulated(seconds: int, seed: int = 1) -> Recording:
    """A simulated patient's 12-lead ECG."""
    patient = Patient(seed, lambda _: Condition())
    steps = [signals.ecg for _ in range(5 * seconds) if (signals := patient.advance()) is not None]
    return Recording(500.0, np.ascontiguousarray(np.concatenate(steps, axis=1)))


def blocks(recordings: list[Recording], seconds: int) -> list[Samples]:
    """Whole blocks of (leads, n); the last, shorter piece of a recording is left out."""
    found = []
    for recording in recordings:
        size = round(recording.fs * seconds)
        found += [recording.leads[:, at : at + size] for at in range(0, recording.leads.shape[1] - size + 1, size)]
    return found


def residuals(block: Samples) -> Samples:
    """Rows 2 to 5 of a 12-lead block (III, aVR, aVL, aVF) less what Einthoven and Goldberger predict from I and II."""
    one, two = block[0].astype(np.int32), block[1].astype(np.int32)
    predicted = (two - one, -((one + two) >> 1), one - (two >> 1), two - (one >> 1))
    out = block.copy()
    for row, prediction in enumerate(predicted, start=2):
        out[row] = (block[row].astype(np.int32) - prediction).astype(np.int16)
    return out


# ---- measurement ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    bits_per_sample: float
    encode_rate: float  # samples/s
    decode_rate: float


def measure(codec: Codec, found: list[Samples], seconds: float) -> Figure:
    """Compresses every lead of every block; asserts that it opens to the same samples."""
    leads = [np.ascontiguousarray(lead) for block in found for lead in block]
    coded = [codec.encode(lead) for lead in leads]
    for lead, data in zip(leads, coded, strict=True):
        assert np.array_equal(codec.decode(data, len(lead)), lead), f"{codec.name} is not bit-exact"
    count = sum(len(lead) for lead in leads)
    jobs = list(zip(coded, leads, strict=True))
    encode = _rate(lambda job: codec.encode(job[1]), jobs, seconds)
    decode = _rate(lambda job: codec.decode(job[0], len(job[1])), jobs, seconds)
    return Figure(8 * sum(map(len, coded)) / count, encode, decode)


def _rate(work: Callable[[tuple[bytes, Samples]], object], jobs: list[tuple[bytes, Samples]], seconds: float) -> float:
    """Samples per CPU second of ``work`` over the jobs, repeated for at least the given time."""
    done, start = 0, time.thread_time()
    while True:
        for job in jobs:
            work(job)
            done += len(job[1])
            if (elapsed := time.thread_time() - start) >= seconds:
                return done / elapsed


def machine() -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    libraries = ", ".join(f"{name} {version(name)}" for name in ("pcodec", "soundfile", "zstandard", "numpy"))
    flac_by = f"libsndfile {soundfile.__libsndfile_version__}"
    return f"{model}, {os.cpu_count()} CPUs, Python {platform.python_version()}, {libraries}, {flac_by}"


def run(data: Path, seconds: float, console: Console) -> list[dict[str, Any]]:
    """Measures and prints one table for every set and block length."""
    console.print(f"Machine: {machine()}. One thread, {seconds:g} CPU s a figure. Peer of the ratios: {PEER}.")
    report = []
    for name, recordings in sets(data):
        for length in BLOCK_SECONDS:
            if found := blocks(recordings, length):
                figures = {codec.name: measure(codec, found, seconds) for codec in codecs()}
                _print(console, f"{name}, {len(found)} blocks of {length} s", figures)
                report += [{"set": name, "seconds": length, "codec": key, **vars(f)} for key, f in figures.items()]
    return report + redundancy(data, console)


def redundancy(data: Path, console: Console) -> list[dict[str, Any]]:
    """What coding the four derived leads as residuals would save."""
    report = []
    for name, recordings in sets(data):
        found = [block for block in blocks(recordings, 10) if block.shape[0] == 12]
        for codec in (flac(8), pcodec(8, "pcodec level 8"), _conv1()) if found else ():
            plain, derived = measure(codec, found, 0.01), measure(codec, [residuals(b) for b in found], 0.01)
            bits = {"plain": plain.bits_per_sample, "residual": derived.bits_per_sample}
            console.print(
                f"derived leads as residuals, {name}, {codec.name}: {bits['plain']:.2f} -> {bits['residual']:.2f}"
            )
            report.append({"set": name, "codec": codec.name, **bits})
    return report


def _conv1() -> Codec:
    return pcodec(8, "pcodec level 8, conv1 order 16", DeltaSpec.try_conv1(16), ModeSpec.classic())


def _print(console: Console, title: str, figures: dict[str, Figure]) -> None:
    table = Table(title=title)
    for heading in ("codec", "bits/sample", "x peer", "encode M/s", "x peer", "decode M/s", "x peer"):
        table.add_column(heading, justify="left" if heading == "codec" else "right")
    peer = figures[PEER]
    for name, figure in figures.items():
        cells = []
        for key, scale in (("bits_per_sample", 1.0), ("encode_rate", 1e6), ("decode_rate", 1e6)):
            value, reference = getattr(figure, key), getattr(peer, key)
            cells += [f"{value / scale:.2f}", f"{value / reference:.2f}"]
        table.add_row(name, *cells)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="time spent on each figure")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    console = Console(width=120)
    data = recordings_folder()
    if data is None:
        console.print("not measured: this figure needs the public recordings, and LASTMILE_DATA is not set")
        return
    report = run(data, arguments.seconds, console)
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "figures": report}, indent=1))


if __name__ == "__main__":
    main()
