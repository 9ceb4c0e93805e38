"""The child process that reads a WFDB record and writes readings to its standard output.

Times are microseconds since the recording began. A waveform's samples are the record's own digital values less the
baseline, so nothing is rounded; leads of different gain share a frame only when the finer scale fits 16 bits exactly.
Annotations are not read.
"""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import wfdb

from edge_agents.device import Numeric, Occurrence, Waveform
from edge_agents.links.replay_wire import Header, Kind, frame
from gateway.contract.quantity import LEADS
from gateway.contract.waveform import NO_SAMPLE

FRAME_SECONDS: Final = 0.2
CHUNK_SECONDS: Final = 20  # read at a time
NUMERIC_MAX_FS: Final = 5.0  # a record sampled more slowly holds numerics
_LARGEST: Final = 32767

# MIMIC names of trends; the cuff before the arterial line, because bp-* are the non-invasive quantities
QUANTITY_NAMES: Final = {
    "hr": "heart-rate",
    "pulse": "pulse-rate",
    "resp": "resp-rate",
    "rr": "resp-rate",
    "spo2": "spo2",
    "etco2": "etco2",
    "temp": "temperature",
    "nbpsys": "bp-systolic",
    "nbpdias": "bp-diastolic",
    "nbpmean": "bp-mean",
    "abpsys": "bp-systolic",
    "abpdias": "bp-diastolic",
    "abpmean": "bp-mean",
}
_LEADS_BY_NAME: Final = {name.lower(): name for name in LEADS}
_TO_MILLIVOLT: Final = {"mv": 1.0, "uv": 1000.0, "v": 0.001}  # factor on the gain


class Group(NamedTuple):
    """Signals that share one frame."""

    columns: list[int]
    leads: tuple[str, ...]
    factors: list[int]  # what each column's digital values are multiplied with
    divisor: int  # and then divided by, rounding: 1 = exact
    scale: float


def name_leads(header: Any) -> tuple[dict[int, str], dict[str, str]]:
    """Lead name by column, and why other signals are left out, by signal name."""
    named: dict[int, str] = {}
    skipped: dict[str, str] = {}
    for column, (signal_name, unit) in enumerate(zip(header.sig_name, header.units, strict=True)):
        lead = _LEADS_BY_NAME.get(signal_name.strip().lower())
        is_voltage = unit.lower() in _TO_MILLIVOLT
        if lead is None and is_voltage:
            lead = "ECG"
        if lead is None or (LEADS[lead].unit == "mV" and not is_voltage):
            skipped[signal_name] = f"no lead of that name in {unit}"
        elif lead in named.values():
            skipped[signal_name] = f"a second {lead}"
        else:
            named[column] = lead
    return named, skipped


def group_leads(header: Any, named: dict[int, str], largest: dict[int, int]) -> list[Group]:
    """Columns that share sampling rate and, after exact multiplication, scale.

    ``largest``: by column, the largest absolute value (digital less baseline). Where that does not fit 16 bits (a
    large constant offset) the step is doubled until it does, and values are rounded to it.
    """
    groups: list[Group] = []
    gains = {c: float(header.adc_gain[c]) * _TO_MILLIVOLT.get(header.units[c].lower(), 1.0) for c in named}
    for rate in dict.fromkeys(header.samps_per_frame[c] for c in named):
        columns = [c for c in named if header.samps_per_frame[c] == rate]
        finest = max(gains[c] for c in columns)
        factors = {c: finest / gains[c] for c in columns}
        if all(f == round(f) and f * largest[c] <= _LARGEST for c, f in factors.items()):
            whole = [round(factors[c]) for c in columns]
            groups.append(Group(columns, tuple(named[c] for c in columns), whole, 1, 1.0 / finest))
            continue
        for gain in dict.fromkeys(gains[c] for c in columns):
            same = [c for c in columns if gains[c] == gain]
            divisor = 1
            while max(largest[c] for c in same) > _LARGEST * divisor:
                divisor *= 2
            groups.append(Group(same, tuple(named[c] for c in same), [1] * len(same), divisor, divisor / gain))
    return groups


def bound(header: Any, column: int) -> int:
    """What no absolute value (digital less baseline) can exceed, judging by the format alone."""
    bits = {"80": 8, "212": 12, "310": 10, "311": 10, "24": 24, "32": 32}.get(header.fmt[column], 16)
    return int(2 ** (bits - 1) + abs(header.baseline[column]))


class Player:
    """Writes one record as frames."""

    def __init__(self, path: Path, out: BinaryIO) -> None:
        self._record = str(path.with_suffix(""))
        self._out = out
        self._header = wfdb.rdheader(self._record)

    @property
    def duration(self) -> int:
        """Microseconds of one pass."""
        duration: float = self._header.sig_len * 1e6 / self._header.fs
        return round(duration)

    def play(self, loop: bool) -> None:
        """Write everything once, or for ever."""
        self._write(Kind.HEADER, Header(self.duration))
        passes = 0
        while loop or not passes:
            if self._header.fs <= NUMERIC_MAX_FS:
                self._numerics(passes)
            else:
                self._waveforms(passes)
            passes += 1

    def _write(self, kind: Kind, message: Any) -> None:
        self._out.write(frame(kind, message))
        self._out.flush()

    def _report(self, details: dict[str, Any], at: int = 0) -> None:
        self._write(Kind.OCCURRENCE, Occurrence(observed_at=at, name="recording-skipped", details=details))

    # ---- numerics

    def _numerics(self, passes: int) -> None:
        columns, skipped = self._numeric_columns()
        if skipped and not passes:
            self._report({"signals": skipped})
        start = passes * self.duration
        step = 1e6 / self._header.fs
        for first, values in self._physical_rows():
            for row, line in enumerate(values):
                at = start + round((first + row) * step)
                numbers = {name: _number(line[column]) for name, column in columns.items()}
                self._write(Kind.NUMERIC, Numeric(observed_at=at, values=numbers))

    def _numeric_columns(self) -> tuple[dict[str, int], dict[str, str]]:
        by_name = {name.strip().lower(): column for column, name in enumerate(self._header.sig_name)}
        columns: dict[str, int] = {}
        for known, quantity in QUANTITY_NAMES.items():
            if known in by_name:
                columns.setdefault(quantity, by_name[known])
        taken = set(columns.values())
        names = [name for column, name in enumerate(self._header.sig_name) if column not in taken]
        return columns, dict.fromkeys(names, "no quantity of its own")

    def _physical_rows(self) -> Iterator[tuple[int, Any]]:
        chunk = 10_000
        for first in range(0, self._header.sig_len, chunk):
            last = min(first + chunk, self._header.sig_len)
            yield first, wfdb.rdrecord(self._record, sampfrom=first, sampto=last).p_signal

    # ---- waveforms

    def _waveforms(self, passes: int) -> None:
        named, skipped = name_leads(self._header)
        if skipped and not passes:
            self._report({"signals": skipped})
        groups = group_leads(self._header, named, self._largest(named))
        rounded = {lead: group.scale for group in groups if group.divisor > 1 for lead in group.leads}
        if rounded and not passes:
            self._write(Kind.OCCURRENCE, Occurrence(observed_at=0, name="recording-rounded", details={"step": rounded}))
        per_frame = max(1, round(FRAME_SECONDS * self._header.fs))
        chunk = per_frame * max(1, round(CHUNK_SECONDS / FRAME_SECONDS))
        for first, size, record in self._chunks(chunk):
            blocks = [self._samples(record, group) for group in groups]
            for start in range(0, size, per_frame):
                stop = min(start + per_frame, size)
                for group, block in zip(groups, blocks, strict=True):
                    self._wave_frame(group, block, first + start, start, stop, passes)

    def _wave_frame(self, group: Group, block: Any, at: int, start: int, stop: int, passes: int) -> None:
        rate = self._header.samps_per_frame[group.columns[0]]
        samples = np.ascontiguousarray(block[:, start * rate : stop * rate], dtype="<i2")
        wave = Waveform(
            observed_at=passes * self.duration + round(at * 1e6 / self._header.fs),
            n0=(passes * self._header.sig_len + at) * rate,
            fs=float(self._header.fs * rate),
            leads=group.leads,
            scale=group.scale,
            samples=samples.tobytes(),
        )
        self._write(Kind.WAVEFORM, wave)

    def _chunks(self, size: int) -> Iterator[tuple[int, int, Any]]:
        """(first sample, number of samples, record of digital values) of the whole record."""
        for first in range(0, self._header.sig_len, size):
            last = min(first + size, self._header.sig_len)
            yield (
                first,
                last - first,
                wfdb.rdrecord(
                    self._record, sampfrom=first, sampto=last, physical=False, smooth_frames=False, return_res=32
                ),
            )

    def _largest(self, named: dict[int, str]) -> dict[int, int]:
        """The largest absolute value by column; the record is read for it only where its format leaves a doubt."""
        largest = {column: bound(self._header, column) for column in named}
        doubtful = [column for column, value in largest.items() if value > _LARGEST]
        if doubtful:
            largest.update(dict.fromkeys(doubtful, 0))
            for _, _, record in self._chunks(round(60 * self._header.fs)):
                for column, (values, valid) in ((c, self._centred(record, c)) for c in doubtful):
                    largest[column] = max(largest[column], int(np.abs(values[valid]).max(initial=0)))
        return largest

    def _centred(self, record: Any, column: int) -> tuple[Any, Any]:
        """One signal's digital values less its baseline, int64, and which of them are valid."""
        digital = np.asarray(record.e_d_signal[column], dtype=np.int64)
        valid = ~np.isnan(record.dac(expanded=True)[column])
        return digital - self._header.baseline[column], valid

    def _samples(self, record: Any, group: Group) -> Any:
        """The group's samples, (leads, n) int64; invalid ones become NO_SAMPLE."""
        rows = []
        for column, factor in zip(group.columns, group.factors, strict=True):
            values, valid = self._centred(record, column)
            scaled = values * factor if group.divisor == 1 else np.rint(values / group.divisor).astype(np.int64)
            rows.append(np.where(valid, scaled, NO_SAMPLE))
        return np.stack(rows)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 6)


def main(arguments: list[str]) -> None:
    """``RECORD.hea [--loop]``."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the agent went away: so do we, silently
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the agent, which ends us
    Player(Path(arguments[0]), sys.stdout.buffer).play("--loop" in arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
