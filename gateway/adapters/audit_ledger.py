"""Comparing what is stored with the simulators' own ledgers, reading by reading.

A reading is (device, channel, observed_at, digest of its content). What the ledger has and nothing holds must be
excused: unread by the agent, or one of the numbers that were shed, declared gone, or retired with their content.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.adapters.audit_lane import LaneBook
from gateway.adapters.audit_report import Difference, Findings

OURS: Final = ("agent", "gateway")  # what the agent itself reports and what the gateway derives: no simulator knows
LAST_WORDS: Final = 1_000_000  # us before a link went down in which a reading may have been lost with it

Keys = npt.NDArray[np.uint64]
Place = tuple[str, str]  # device, channel


class _Line(msgspec.Struct, frozen=True):
    """A line of the ledger: a reading, or a link that came or went."""

    type: str
    device: str
    channel: str = ""
    observed_at: int = 0
    digest: int = 0
    unread: bool = False
    state: str = ""


class _Readings(msgspec.Struct):
    """The ledger's readings of one device and channel."""

    observed_at: list[int] = []
    digests: list[int] = []
    excused: list[bool] = []


class _Stored(msgspec.Struct):
    keys: list[Keys] = []
    seqs: list[npt.NDArray[np.int64]] = []
    epochs: list[tuple[str, int]] = []  # epoch and how many


class UnitWitness:
    """Collects the records stored for one unit, then compares them with its ledger."""

    def __init__(self, unit: str, findings: Findings) -> None:
        self._unit = unit
        self._findings = findings
        self._stored: dict[Place, _Stored] = {}

    def stored(
        self,
        book: LaneBook,
        device: str,
        seqs: npt.NDArray[np.int64],
        observed_at: npt.NDArray[np.int64],
        digests: npt.NDArray[np.uint32],
    ) -> None:
        """Takes in records of one device and lane."""
        if device in OURS:
            return
        place = self._stored.setdefault((device, book.lane.value), _Stored())
        place.keys.append(_keys(observed_at, digests))
        place.seqs.append(seqs)
        place.epochs.append((book.epoch, len(seqs)))

    def compare(self, path: Path, contentless: dict[str, int]) -> int:
        """Names every difference between the ledger file and what was stored; returns how many readings were unread.

        ``contentless``: per lane, how many numbers are accounted for without their content (shed, gone, retired).
        """
        readings = self._read(path)
        allowed = dict(contentless)
        unread = 0
        for place in sorted(readings.keys() | self._stored.keys()):
            stored = self._stored.get(place, _Stored())
            ledger = readings.get(place, _Readings())
            times = np.array(ledger.observed_at, np.int64)
            known = _keys(times, np.array(ledger.digests, np.uint32))
            absent = self._match(place, known, stored)
            excused = absent & np.array(ledger.excused, np.bool_)
            unread += int(excused.sum())
            self._name_missing(place, times[absent & ~excused], allowed)
        return unread

    def _match(self, place: Place, known: Keys, stored: _Stored) -> npt.NDArray[np.bool_]:
        """Which of the ledger's readings are not stored; names what is stored too often or unknown."""
        found = np.concatenate([*stored.keys, np.empty(0, np.uint64)])
        unknown = ~np.isin(found, known)
        self._name_stored(place, "not-in-ledger", unknown, stored)
        surplus = _occurrence(found) >= _counts_of(found, known)
        self._name_stored(place, "ledger-double", surplus & ~unknown, stored)
        absent: npt.NDArray[np.bool_] = _occurrence(known) >= _counts_of(known, found)
        return absent

    def _name_stored(self, place: Place, kind: str, mask: npt.NDArray[np.bool_], stored: _Stored) -> None:
        if not mask.any():
            return
        seqs = np.concatenate(stored.seqs)
        epochs = np.repeat(np.arange(len(stored.epochs)), [count for _, count in stored.epochs])
        for at in np.flatnonzero(mask).tolist():
            epoch, seq = stored.epochs[epochs[at]][0], int(seqs[at])
            self._findings.add(Difference(kind, self._unit, epoch, place[1], seq, seq, place[0]))

    def _name_missing(self, place: Place, times: npt.NDArray[np.int64], allowed: dict[str, int]) -> None:
        """What no class explains. Which readings were shed cannot be known, so their number is what counts."""
        excuse = min(len(times), allowed.get(place[1], 0))
        allowed[place[1]] = allowed.get(place[1], 0) - excuse
        if len(times) > excuse:
            first, last = int(times.min()), int(times.max())
            detail = f"{place[0]}: {len(times) - excuse} readings observed in this time"
            self._findings.add(Difference("ledger-missing", self._unit, "", place[1], first, last, detail))

    def _read(self, path: Path) -> dict[Place, _Readings]:
        readings: dict[Place, _Readings] = {}
        for number, line in _lines(path):
            if line is None:
                self._findings.add(Difference("ledger-damaged", self._unit, "", "", number, number, path.name))
            elif line.type == "reading" and line.device not in OURS:
                place = readings.setdefault((line.device, line.channel), _Readings())
                place.observed_at.append(line.observed_at)
                place.digests.append(line.digest)
                place.excused.append(line.unread)
            elif line.type == "link" and line.state == "down":
                for (device, _), place in readings.items():
                    if device == line.device:
                        _excuse_last_words(place)
        return readings


def _excuse_last_words(place: _Readings) -> None:
    """Excuses the readings of the last second before the link went; by the device's own clock, which may be wrong."""
    end = place.observed_at[-1] - LAST_WORDS
    for at in range(len(place.observed_at) - 1, -1, -1):
        if place.observed_at[at] < end:
            break
        place.excused[at] = True


def _lines(path: Path) -> Iterator[tuple[int, _Line | None]]:
    """Number and content of every complete line; None for one that cannot be read. A torn last line does not count."""
    decoder = msgspec.json.Decoder(_Line)
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if not text.endswith(b"\n"):
                return
            try:
                yield number, decoder.decode(text)
            except msgspec.DecodeError:
                yield number, None


def _keys(observed_at: npt.NDArray[np.int64], digests: npt.NDArray[np.uint32]) -> Keys:
    """Time and digest mixed into 64 bits; equal readings, equal keys."""
    spread = observed_at.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # odd: one to one
    keys: Keys = spread ^ (digests.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93))
    return keys


def _occurrence(keys: Keys) -> npt.NDArray[np.int64]:
    """How many equal keys stand before each one."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(keys) else np.empty(0, int)
    lengths = np.diff(np.append(starts, len(keys)))
    rank = np.empty(len(keys), np.int64)
    rank[order] = np.arange(len(keys)) - np.repeat(starts, lengths)
    return rank


def _counts_of(keys: Keys, others: Keys) -> npt.NDArray[np.int64]:
    """How often each key occurs among the others."""
    ordered = np.sort(others)
    counts: npt.NDArray[np.int64] = np.searchsorted(ordered, keys, "right") - np.searchsorted(ordered, keys, "left")
    return counts
