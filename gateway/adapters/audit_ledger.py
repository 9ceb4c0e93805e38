"""Comparing what is stored with the simulators' own ledgers, reading by reading.

A reading is (device, channel, observed_at, digest of its content). What the ledger has and nothing holds must be
excused: unread by the agent, or one of the numbers that were shed, declared gone, or retired with their content.
Two records that a weak link made of one reading are put together first (audit_halves).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from gateway.adapters import audit_halves
from gateway.adapters.audit_lane import LaneBook
from gateway.adapters.audit_report import Difference, Findings, Mask
from gateway.contract.envelope import Lane

OURS: Final = ("agent", "gateway")  # what the agent itself reports and what the gateway derives: no simulator knows
LAST_WORDS: Final = 1_000_000  # us before a link went down in which a reading may have been lost with it

Keys = npt.NDArray[np.uint64]
Place = tuple[str, str]  # device, channel


class _Line(msgspec.Struct, frozen=True):
    """A line of the ledger: a reading, a link that came or went, or a channel that holds more than readings."""

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
    """Records of one device and channel; all arrays are of one length."""

    keys: Keys = np.empty(0, np.uint64)
    observed_at: npt.NDArray[np.int64] = np.empty(0, np.int64)
    seqs: npt.NDArray[np.int64] = np.empty(0, np.int64)
    epochs: npt.NDArray[np.int64] = np.empty(0, np.int64)  # index into the witness's list

    def only(self, mask: Mask) -> "_Stored":
        return _Stored(self.keys[mask], self.observed_at[mask], self.seqs[mask], self.epochs[mask])


class UnitWitness:
    """Collects the records stored for one unit, then compares them with its ledger."""

    def __init__(self, unit: str, findings: Findings, load: audit_halves.LoadFrame) -> None:
        """``load`` opens one of the waveform records that are shown to the witness."""
        self._unit = unit
        self._findings = findings
        self._load = load
        self._epochs: list[str] = []
        self._parts: dict[Place, list[_Stored]] = {}

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
        if book.epoch not in self._epochs:
            self._epochs.append(book.epoch)
        epochs = np.full(len(seqs), self._epochs.index(book.epoch), np.int64)
        part = _Stored(_keys(observed_at, digests), observed_at, seqs, epochs)
        self._parts.setdefault((device, book.lane.value), []).append(part)

    def compare(self, path: Path, contentless: dict[str, int]) -> int:
        """Names every difference between the ledger file and what was stored; returns how many readings were unread.

        ``contentless``: per lane, how many numbers are accounted for without their content (shed, gone, retired).
        """
        readings, open_places = self._read(path)
        allowed = dict(contentless)
        unread = 0
        for place in sorted(readings.keys() | self._parts.keys()):
            stored = _merged(self._parts.get(place, []))
            ledger = readings.get(place, _Readings())
            times, digests = np.array(ledger.observed_at, np.int64), np.array(ledger.digests, np.uint32)
            known = _keys(times, digests)
            if place[1] == Lane.WAVE.value:
                stored = self._rejoin(stored, known, times, digests)
            absent = _occurrence(known) >= _counts_of(known, stored.keys)
            excused = absent & np.array(ledger.excused, np.bool_)
            if place[1] == Lane.WAVE.value:
                stored = self._without_lone(stored, known, times[absent & ~excused], times[excused], allowed)
            if place not in open_places:
                self._name_strange(place, known, stored)
            unread += int(excused.sum())
            self._name_missing(place, times[absent & ~excused], allowed)
        return unread

    def _rejoin(
        self, stored: _Stored, known: Keys, times: npt.NDArray[np.int64], digests: npt.NDArray[np.uint32]
    ) -> _Stored:
        """The records with every two that are halves of one reading as one, by the first one's number."""
        unknown = _by_time(stored, np.flatnonzero(~np.isin(stored.keys, known)))
        here = np.isin(times, list(unknown))
        wanted: dict[int, set[int]] = {}
        for at, digest in zip(times[here].tolist(), digests[here].tolist(), strict=True):
            wanted.setdefault(at, set()).add(digest)
        keys, kept = stored.keys.copy(), np.ones(len(stored.keys), np.bool_)
        for at, indices in unknown.items():
            if len(indices) < 2 or at not in wanted:
                continue
            for one, other, digest in audit_halves.pairs(map(self._named(stored), indices), wanted[at], self._load):
                keys[one] = _keys(np.array([at], np.int64), np.array([digest], np.uint32))[0]
                kept[other] = False
        return msgspec.structs.replace(stored, keys=keys).only(kept)

    def _without_lone(
        self,
        stored: _Stored,
        known: Keys,
        missing: npt.NDArray[np.int64],
        excused: npt.NDArray[np.int64],
        allowed: dict[str, int],
    ) -> _Stored:
        """Leaves out halves whose other half is excused, or may be one of the numbers without content.

        Whether such a half is intact nobody can say; no more of them are let pass than there are such numbers.
        """
        kept, free, may = np.ones(len(stored.keys), np.bool_), set(excused.tolist()), set(missing.tolist())
        left = allowed.get(Lane.WAVE.value, 0)
        for at, indices in _by_time(stored, np.flatnonzero(~np.isin(stored.keys, known))).items():
            if len(indices) != 1 or not (at in free or (at in may and left > 0)):
                continue
            record = self._named(stored)(indices[0])
            if audit_halves.is_half(self._load(record.epoch, record.seq)):
                kept[indices[0]] = False
                left -= at not in free
        return stored.only(kept)

    def _named(self, stored: _Stored) -> Callable[[int], audit_halves.Candidate]:
        return lambda at: audit_halves.Candidate(at, self._epochs[stored.epochs[at]], int(stored.seqs[at]))

    def _name_strange(self, place: Place, known: Keys, stored: _Stored) -> None:
        """Names what is stored too often, or unknown to the ledger."""
        unknown = ~np.isin(stored.keys, known)
        surplus = _occurrence(stored.keys) >= _counts_of(stored.keys, known)
        for kind, mask in (("not-in-ledger", unknown), ("ledger-double", surplus & ~unknown)):
            for at in np.flatnonzero(mask).tolist():
                epoch, seq = self._epochs[stored.epochs[at]], int(stored.seqs[at])
                self._findings.add(Difference(kind, self._unit, epoch, place[1], seq, seq, place[0]))

    def _name_missing(self, place: Place, times: npt.NDArray[np.int64], allowed: dict[str, int]) -> None:
        """What no class explains. Which readings were shed cannot be known, so their number is what counts."""
        excuse = min(len(times), allowed.get(place[1], 0))
        allowed[place[1]] = allowed.get(place[1], 0) - excuse
        if len(times) > excuse:
            first, last = int(times.min()), int(times.max())
            detail = f"{place[0]}: {len(times) - excuse} readings observed in this time"
            self._findings.add(Difference("ledger-missing", self._unit, "", place[1], first, last, detail))

    def _read(self, path: Path) -> tuple[dict[Place, _Readings], set[Place]]:
        """The ledger's readings, and the places of which agents make records that are no readings."""
        readings: dict[Place, _Readings] = {}
        open_places: set[Place] = set()
        for number, line in _lines(path):
            if line is None:
                self._findings.add(Difference("ledger-damaged", self._unit, "", "", number, number, path.name))
            elif line.type == "reading" and line.device not in OURS:
                place = readings.setdefault((line.device, line.channel), _Readings())
                place.observed_at.append(line.observed_at)
                place.digests.append(line.digest)
                place.excused.append(line.unread)
            elif line.type == "more":
                open_places.add((line.device, line.channel))
            elif line.type == "link" and line.state == "down":
                for (device, _), place in readings.items():
                    if device == line.device:
                        _excuse_last_words(place)
        return readings, open_places


def _merged(parts: Sequence[_Stored]) -> _Stored:
    if not parts:
        return _Stored()
    return _Stored(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Stored.__struct_fields__))


def _by_time(stored: _Stored, indices: npt.NDArray[np.int64]) -> dict[int, list[int]]:
    """The records at ``indices`` by when they were observed, in order of time and then of epoch and number."""
    found: dict[int, list[int]] = {}
    order = np.lexsort((stored.seqs[indices], stored.epochs[indices], stored.observed_at[indices]))
    for at in indices[order].tolist():
        found.setdefault(int(stored.observed_at[at]), []).append(at)
    return found


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
