"""Ambulances as load: 12 leads at 500 Hz in 200 ms frames, vitals and position once a second, hello every ten.

The ECG is the simulator's (firmware_sims.physiology), ten seconds of each of a few patients, rendered once and played
in a loop; per frame only the numbers, the times and the packet id are written into a prepared packet.
"""

import json
import secrets
import struct
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from benchmarks.kit.mqtt import Connection, packet_id_at, publish
from firmware_sims.condition import Condition
from firmware_sims.dipole import STEP_MV
from firmware_sims.physiology import STEP_US, Patient
from gateway.contract.quantity import ECG_LEADS_12
from gateway.contract.waveform import WaveFrame

FRAMES: Final = 50  # of the loop: ten seconds
FRAME_SAMPLES: Final = 100
PER_SECOND: Final = 1_000_000 // STEP_US
HELLO_FRAMES: Final = 10 * PER_SECOND
_WIDE: Final = 0x7FFF_FFFF  # makes the encoder take four bytes; any smaller number fits in, too
_MARKS: Final = {"seq": _WIDE, "n0": _WIDE - 1}

Loop = list[bytes]  # samples of each frame, int16 little-endian, lead after lead


def render(patients: int) -> list[Loop]:
    """Ten seconds of each patient."""
    loops = []
    for seed in range(patients):
        patient = Patient(seed, lambda _: Condition())
        frames = [patient.advance() for _ in range(FRAMES)]
        loops.append([frame.ecg.astype("<i2").tobytes() for frame in frames if frame is not None])
    return loops


class Ambulance:
    """One unit: what it sends, and how far it is. ``phase``: which frame of a second vitals and position go with."""

    def __init__(self, connection: Connection, base: str, loop: Sequence[bytes], phase: int) -> None:
        self.connection = connection
        self.base = base
        self.epoch = secrets.token_hex(8)
        self.frame = 0
        self.seconds = 0  # of vitals and positions
        self._phase = phase
        self._loop = loop
        self._head, self._tail, self._at = self._template()

    def _template(self) -> tuple[bytearray, bytes, dict[str, int]]:
        """The packet before and after the samples, and where its fields are."""
        now = time.time_ns() // 1000
        frame = WaveFrame(
            epoch=self.epoch, seq=_MARKS["seq"], device="monitor", observed_at=now, n0=_MARKS["n0"], fs=500.0,
            leads=list(ECG_LEADS_12), scale=STEP_MV, samples=self._loop[0], filter="0.05-150 Hz",
        )  # fmt: skip
        payload = msgspec.msgpack.encode(frame)
        topic = f"{self.base}/wave"
        whole = publish(topic, payload)
        head, _, tail = whole.partition(self._loop[0])
        at = {name: head.index(struct.pack(">I", mark)) for name, mark in _MARKS.items()}
        at["observed_at"] = head.index(struct.pack(">Q", now))
        at["id"] = packet_id_at(topic, len(payload))
        return bytearray(head), tail, at

    def send_frame(self, ended_at: int) -> None:
        """The next frame, which ends at ``ended_at`` (us); once a second vitals and position with it."""
        head, at, number = self._head, self._at, self.frame
        struct.pack_into(">H", head, at["id"], number % 65_000 + 1)
        struct.pack_into(">I", head, at["seq"], number)
        struct.pack_into(">I", head, at["n0"], number * FRAME_SAMPLES)
        struct.pack_into(">Q", head, at["observed_at"], ended_at - STEP_US)
        parts: list[bytes | bytearray | memoryview] = [head, self._loop[number % FRAMES], self._tail]
        messages = 1
        if number % PER_SECOND == self._phase:
            parts += [self._numerics(ended_at), self._position(ended_at)]
            messages += 2
            self.seconds += 1
        if number % HELLO_FRAMES == 0:
            parts.append(self._hello(ended_at))
            messages += 1
        self.frame = number + 1
        self.connection.send(parts, messages)

    def _numerics(self, at: int) -> bytes:
        values = '{"heart-rate":72,"pulse-rate":72,"spo2":97.5,"perfusion-index":2.9,"resp-rate":14,"temperature":36.9}'
        return self._observation(2 * self.seconds, "monitor", at, values)

    def _position(self, at: int) -> bytes:
        values = '{"latitude":35.051,"longitude":118.347,"speed":42.1,"course":271.5,"altitude":68.2,"hdop":0.9}'
        return self._observation(2 * self.seconds + 1, "gnss", at, values)

    def _observation(self, seq: int, device: str, at: int, values: str) -> bytes:
        body = f'{{"epoch":"{self.epoch}","seq":{seq},"device":"{device}","observed_at":{at},"values":{values}}}'
        return publish(f"{self.base}/obs", body.encode(), 65_100)

    def _hello(self, at: int) -> bytes:
        nexts = {"obs": 2 * self.seconds, "wave": self.frame}
        lanes = [{"epoch": self.epoch, "lane": lane, "first": 0, "next": next_} for lane, next_ in nexts.items()]
        body = {"presence": "online", "epoch": self.epoch, "sent_at": at, "lanes": lanes}
        return publish(f"{self.base}/hello", json.dumps(body).encode(), 65_200)
