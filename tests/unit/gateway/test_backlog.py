"""ECG frames that wait: so many a batch, one unit after another, each in its order, and nothing is lost."""

from collections.abc import Iterator

import msgspec
import pytest

from gateway.admit import Admitted
from gateway.contract.envelope import Lane
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel
from gateway.contract.waveform import WaveFrame
from gateway.derive.backlog import LOOKS_A_BATCH, Backlog
from gateway.derive.derivation import Derivation
from gateway.derive.ecg.analyser import EcgAnalyser
from gateway.fleet import Fleet
from gateway.ledger import IdSource, LaneLedger, Ledger
from gateway.unpack import Route
from tests.unit.gateway.builders import EPOCH, NOW, UNIT


def frame(seq: int) -> WaveFrame:
    return WaveFrame(
        epoch=EPOCH, seq=seq, device="monitor", observed_at=NOW + seq * SECOND // 5, n0=100 * seq, fs=500.0,
        leads=["II"], scale=0.005, samples=bytes(200),
    )  # fmt: skip


def record(seq: int, unit: str = UNIT.unit) -> Admitted:
    address = msgspec.structs.replace(UNIT, unit=unit)
    body, lane = frame(seq), LaneLedger(1, unit, EPOCH, Lane.WAVE)
    return Admitted(Route(address, Channel.WAVE, Lane.WAVE), lane, body, body.observed_at, body.end_at, 0, b"")


def taken(backlog: Backlog) -> list[tuple[str, int]]:
    """(unit, number) of each frame of one batch."""
    found = []
    for unit, waiting in backlog.take():
        body = waiting.body if isinstance(waiting, Admitted) else waiting
        assert isinstance(body, WaveFrame)
        found.append((unit, body.seq))
    return found


def batches(backlog: Backlog) -> Iterator[list[tuple[str, int]]]:
    while batch := taken(backlog):
        yield batch


def test_each_unit_in_its_order_and_one_after_another() -> None:
    backlog, units = Backlog(), ["a", "b", "c", "d"]
    for seq in range(45):
        for unit in units:
            backlog.keep(unit, frame(seq))
    for seq in range(45, 60):
        for unit in reversed(units):
            backlog.add(record(seq, unit))
    found = list(batches(backlog))
    assert [len(batch) for batch in found] == [LOOKS_A_BATCH, LOOKS_A_BATCH, 4 * 60 - 2 * LOOKS_A_BATCH]
    assert [one for batch in found for one in batch] == [(unit, seq) for unit in reversed(units) for seq in range(60)]
    assert not any(backlog.waits(unit) for unit in units)


def test_what_comes_while_others_wait_goes_behind_them() -> None:
    backlog = Backlog()
    for seq in range(LOOKS_A_BATCH + 1):
        backlog.add(record(seq))
    assert len(taken(backlog)) == LOOKS_A_BATCH
    assert backlog.waits(UNIT.unit)
    backlog.add(record(LOOKS_A_BATCH + 1))
    assert taken(backlog) == [(UNIT.unit, LOOKS_A_BATCH), (UNIT.unit, LOOKS_A_BATCH + 1)]


def test_a_unit_that_says_nothing_costs_nothing() -> None:
    backlog = Backlog()
    backlog.keep("silent", frame(0))
    backlog.add(record(0, "speaks"))
    assert list(batches(backlog)) == [[("speaks", 0)]]
    backlog.add(record(1, "silent"))
    assert taken(backlog) == [("silent", 0), ("silent", 1)]


def test_a_frame_that_spoils_the_window_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was refused by name when it came, before the restart."""
    filled: list[int] = []

    def fill(_: EcgAnalyser, given: WaveFrame, _at: int) -> None:
        filled.append(given.seq)
        if given.seq == 0:
            raise ZeroDivisionError("planted")

    monkeypatch.setattr(EcgAnalyser, "fill", fill)
    derivation = Derivation(Ledger(IdSource(0), IdSource(0)), Fleet())
    for seq in (0, 1):
        derivation.fill(UNIT.unit, frame(seq))
    assert derivation.derive(record(2)) == [], "it waits behind them"
    assert [found.body.seq for found in derivation.catch_up()] == [2]
    assert filled == [0, 1]
