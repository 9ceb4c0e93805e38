"""Numbered observations of 200 bytes, made in blocks: a template, numbers patched into fixed-width fields by numpy."""

import json
import secrets
import time
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.kit.mqtt import Connection, packet_id_at, publish

PAYLOAD_BYTES: Final = 200
BLOCK: Final = 64  # messages made and sent at once
_SEQ_WIDTH: Final = 10
_TIME_WIDTH: Final = 16
_POWERS: Final = 10 ** np.arange(_SEQ_WIDTH - 1, -1, -1, dtype=np.int64)


class ObservationUnit:
    """One unit's observations, as its patient monitor would number them (one epoch, lane ``obs``, from 0)."""

    def __init__(self, connection: Connection, base: str) -> None:
        self.connection = connection
        self.base = base
        self.epoch = secrets.token_hex(8)
        self.next = 0
        self.committed = 0  # watermark of the gateway's last ack
        self._fields, self._block = self._template()
        connection.on_message = self._heed

    def _template(self) -> tuple[dict[str, slice], npt.NDArray[np.uint8]]:
        body = (
            f'{{"epoch":"{self.epoch}","seq":{"#" * _SEQ_WIDTH},"device":"monitor","observed_at":{"@" * _TIME_WIDTH},'
            '"values":{"heart-rate":%%,"pulse-rate":71,"spo2":97.5,"resp-rate":14,"temperature":36.9}}'
        ).encode()
        body = body[:-1] + b" " * (PAYLOAD_BYTES - len(body)) + b"}"
        assert len(body) == PAYLOAD_BYTES
        topic = f"{self.base}/obs"
        whole = publish(topic, body)
        at = packet_id_at(topic, len(body))
        fields = {mark: slice(whole.index(mark.encode()), whole.rindex(mark.encode()) + 1) for mark in "#@%"}
        fields["id"] = slice(at, at + 2)
        return fields, np.tile(np.frombuffer(whole, np.uint8), (BLOCK, 1))

    def produce(self, count: int = BLOCK) -> None:
        """Sends the next ``count`` (at most a block) observations."""
        numbers = np.arange(self.next, self.next + count)
        digits = numbers[:, None] // _POWERS
        block = self._block[:count]
        block[:, self._fields["#"]] = np.where(digits > 0, digits % 10 + 48, 32)
        block[numbers == 0, self._fields["#"].stop - 1] = 48  # the number 0 has a digit, too
        now = str(time.time_ns() // 1000).encode()
        block[:, self._fields["@"]] = np.frombuffer(now, np.uint8)
        block[:, self._fields["%"]] = (numbers[:, None] % 40 + 60) // (10, 1) % 10 + 48
        ids = (numbers % 65_535 + 1).astype(">u2")
        block[:, self._fields["id"]] = ids.view(np.uint8).reshape(-1, 2)
        self.connection.send([block.tobytes()], count)
        self.next += count

    def hello(self) -> None:
        """Says what has been produced; the gateway answers with an ack after its commit."""
        lane = {"epoch": self.epoch, "lane": "obs", "first": self.committed, "next": self.next}
        body = {"presence": "online", "epoch": self.epoch, "sent_at": time.time_ns() // 1000, "lanes": [lane]}
        self.connection.send([publish(f"{self.base}/hello", json.dumps(body).encode(), 65_535)], 1)

    def _heed(self, topic: str, payload: bytes) -> None:
        if topic.endswith("/ack"):
            marks = [lane["watermark"] for lane in json.loads(payload)["lanes"] if lane["epoch"] == self.epoch]
            self.committed = max([self.committed, *marks])
