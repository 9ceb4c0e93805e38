"""Rows of table record, made the way the gateway makes them."""

from pathlib import Path

import numpy as np
from sqlalchemy import Connection, Engine, insert

from gateway.adapters import tables
from gateway.adapters.migrate import migrate
from gateway.adapters.sql import DATABASE_NAME, connect
from gateway.contract import wire
from gateway.contract.envelope import Lane
from gateway.contract.observation import Event, Observation
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import WaveFrame
from gateway.ports import RecordRow

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
EPOCH = "00000000000000ab"
FS = 500
FRAME = 100  # samples per lead


def row(lane_id: int, message: wire.Numbered, *, received_at: int | None = None, flags: int = 0) -> RecordRow:
    """The row admission makes of a message whose clock is right."""
    came = message.observed_at + 5_000 if received_at is None else received_at
    at = message.observed_at
    return RecordRow(lane_id, message.seq, message.device, at, at, came, flags, wire.encode(message))


def observation(seq: int, at: int | None = None, device: str = "monitor", **values: float | None) -> Observation:
    given = {name.replace("_", "-"): value for name, value in values.items()}
    return Observation(
        epoch=EPOCH,
        seq=seq,
        device=device,
        observed_at=START + seq * SECOND if at is None else at,
        values=given or {"heart-rate": 60.0 + seq % 40, "spo2": 97.5, "temperature": None},
    )


def event(seq: int, name: str = "boarded", at: int | None = None, device: str = "crew") -> Event:
    return Event(epoch=EPOCH, seq=seq, device=device, observed_at=START + seq * SECOND if at is None else at, name=name)


def ecg(seed: int = 1, seconds: int = 10) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """(12, n) int16 with the redundancy of real leads: a noisy rhythm in I, II and V1 to V6."""
    random = np.random.default_rng(seed)
    time = np.arange(seconds * FS) / FS
    beat = np.exp(-(((time % 0.8) - 0.3) ** 2) / 0.0005)
    free = [
        (gain * 900 * beat + random.normal(0, 4, time.size)).round() for gain in (0.7, 1, -0.4, -0.2, 0.3, 0.8, 1, 0.6)
    ]
    one, two, *chest = free
    limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2]
    return np.array([lead.round() for lead in limbs + chest]).astype(np.int16)


def frames(count: int, first_seq: int = 0, first_frame: int | None = None, seed: int = 1) -> list[WaveFrame]:
    """``count`` frames of 200 ms of a 12-lead ECG."""
    at = first_seq if first_frame is None else first_frame
    samples = ecg(seed, seconds=(at + count) // 5 + 1)
    return [
        WaveFrame(
            epoch=EPOCH,
            seq=first_seq + number,
            device="monitor",
            observed_at=START + (at + number) * SECOND // 5,
            n0=(at + number) * FRAME,
            fs=float(FS),
            leads=list(ECG_LEADS_12),
            scale=0.005,
            samples=samples[:, (at + number) * FRAME : (at + number + 1) * FRAME].astype("<i2").tobytes(),
        )
        for number in range(count)
    ]


def add_lane(
    connection: Connection, lane_id: int, lane: Lane, next_seq: int, *, unit: str = "amb-001", epoch: str = EPOCH
) -> int:
    """A row of table lane; returns its id."""
    connection.execute(
        insert(tables.lane).values(id=lane_id, unit=unit, epoch=epoch, lane=lane.value, next=next_seq, seen_at=START)
    )
    return lane_id


def add_rows(connection: Connection, rows: list[RecordRow]) -> None:
    names = RecordRow.__struct_fields__
    connection.execute(insert(tables.record), [{name: getattr(row, name) for name in names} for row in rows])


def open_database(folder: Path) -> Engine:
    """A migrated database with one site and one unit."""
    engine = connect(folder / DATABASE_NAME)
    migrate(engine)
    unit = {"id": "amb-001", "site": "city", "kind": "ambulance", "name": "1", "provenance": "simulated"}
    with engine.begin() as connection:
        connection.execute(insert(tables.site).values(id="city", name="City"))
        connection.execute(insert(tables.unit).values(**unit, token_hash="0" * 64, registered_at=0))
    return engine
