"""The endpoints of signals on the real history and the real tables."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sqlalchemy import insert

from gateway.adapters import history, tables
from gateway.contract import wire
from gateway.contract.observation import Event, Observation
from gateway.contract.waveform import WaveFrame
from tests.unit.api.conftest import SECOND, T0, Hospital

EPOCH = "0" * 16
SAMPLES = np.arange(200, dtype="<i2").reshape(2, 100)


def frame(seq: int) -> WaveFrame:
    return WaveFrame(
        epoch=EPOCH, seq=seq, device="monitor", observed_at=T0 + seq * 200_000, n0=100 * seq, fs=500.0,
        leads=["I", "II"], scale=0.005, samples=(SAMPLES + seq).tobytes(),
    )  # fmt: skip


def store(hospital: Hospital, lane: str, lane_id: int, *messages: Any) -> None:
    def job(db: Any) -> None:
        db.execute(
            insert(tables.lane).values(id=lane_id, unit="amb-001", epoch="1" * 16, lane=lane, next=9, seen_at=T0)
        )
        for message in messages:
            at = message.observed_at
            db.execute(
                insert(tables.record).values(
                    lane_id=lane_id, seq=message.seq, device=message.device, observed_at=at, event_at=at,
                    received_at=at + 5, flags=0, payload=wire.encode(message),
                )
            )  # fmt: skip

    hospital.database.submit(job).result()


async def test_the_real_history_answers_every_signal(build: Callable[..., Hospital]) -> None:
    hospital = build(history=history)
    store(hospital, "wave", 11, frame(0), frame(1), frame(3))
    beats = [
        Observation(epoch=EPOCH, seq=n, device="monitor", observed_at=T0 + n * SECOND, values={"heart-rate": 70.0 + n})
        for n in range(4)
    ]
    store(hospital, "obs", 12, *beats)
    store(hospital, "event", 13, Event(epoch=EPOCH, seq=0, device="crew", observed_at=T0, name="boarded"))
    window = {"from": T0, "to": T0 + 10 * SECOND}
    async with hospital.client("doctor", base_url="http://localhost/api/v1/units/amb-001") as client:
        series = (await client.get("/series", params={"quantity": "heart-rate", "step": 60 * SECOND, **window})).json()
        raw = (await client.get("/series", params={"quantity": "heart-rate", **window})).json()
        segments = (await client.get("/waveform", params={"device": "monitor", "leads": "II", **window})).json()
        octets = await client.get(
            "/waveform", params={"device": "monitor", **window}, headers={"accept": "application/octet-stream"}
        )
        events = (await client.get("/events", params=window)).json()
        latest = (await client.get("/latest")).json()
    assert [(point["n"], point["min"], point["max"], point["mean"]) for point in series["points"]] == [
        (4, 70.0, 73.0, 71.5)
    ]
    assert [point["value"] for point in raw["points"]] == [70.0, 71.0, 72.0, 73.0]
    first, second = segments["segments"]
    assert (first["leads"], first["n0"], len(first["samples"][0]), second["n0"]) == (["II"], 0, 200, 300)
    assert np.array_equal(
        np.frombuffer(octets.content, "<i2").reshape(2, -1), np.concatenate([SAMPLES, SAMPLES + 1], axis=1)
    )
    assert octets.headers["waveform-next-at"] == str(T0 + 600_000)
    assert [event["name"] for event in events["items"]] == ["boarded"]
    assert latest["items"][0]["quantity"] == "heart-rate"
    frames = await hospital.services.read(lambda db: hospital.services.history.recent_frames(db, "amb-001", T0))
    assert list(frames) == [wire.encode(frame(seq)) for seq in (0, 1, 3)]
