"""The bridge's side of JetStream: publish and wait for the log's word; hear what the gateway has committed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import nats
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import Header, PubAck
from nats.js.client import JetStreamContext

from gateway.adapters.broker import load_secrets, read_ports
from gateway.adapters.jetstream import STREAM
from gateway.bridge.store import Waiting
from gateway.bridge.translate import same_record

ACK_SUBJECT: Final = "lm.v1.*.*.*.ack"
MSG_ID: Final = Header.MSG_ID.value
ANSWER_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.5
TROUBLE: Final = (OSError, TimeoutError, nats.errors.Error, nats.js.errors.Error)  # the broker is away, or full

log = structlog.get_logger("bridge")


class Published(NamedTuple):
    """What the log said, where it was not simply yes."""

    failed: list[Waiting]  # no word: perhaps it has them
    carried: list[Waiting]  # it has their messages under other numbers, from another bridge
    known: list[Waiting]  # it has them, under these numbers


class Sink:
    """One connection to the broker of a data directory, kept for ever."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._client = Client()
        self.returned = asyncio.Event()  # the broker was away and is back: what it had may be gone

    async def connect(self, on_ack: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Waits for the broker as long as it takes; ``on_ack``: (unit, payload) of every ack of the gateway."""

        async def heard(message: Msg) -> None:
            await on_ack(message.subject.split(".")[4], message.data)

        while True:
            try:
                ports = read_ports(self._data)
                self._client = await nats.connect(
                    f"nats://{ports.host}:{ports.nats}", user="gateway",
                    password=load_secrets(self._data).gateway_password, max_reconnect_attempts=-1,
                    reconnect_time_wait=0.25, error_cb=_note_error, disconnected_cb=_went_away,
                    reconnected_cb=self._came_back,
                    name="lastmile-bridge",
                )  # fmt: skip
                await self._client.subscribe(ACK_SUBJECT, cb=heard)
            except (OSError, nats.errors.Error) as error:
                log.warning("our own broker is not there yet", error=repr(error))
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return

    async def publish(self, rows: Sequence[Waiting]) -> Published:
        """Publishes them in order and waits for the log's word on each."""
        outcome = Published([], [], [])
        answers = await asyncio.gather(*map(self._publish, rows), return_exceptions=True)
        for row, answer in zip(rows, answers, strict=True):
            if isinstance(answer, TROUBLE):
                outcome.failed.append(row)
            elif isinstance(answer, BaseException):
                raise answer
            elif answer.duplicate:
                await self._judge(row, answer.seq, outcome)
        if outcome.failed:
            log.warning("the log did not take records, trying again", records=len(outcome.failed))
        return outcome

    async def _publish(self, row: Waiting) -> PubAck:
        headers = {MSG_ID: row.once} if row.once else None
        return await self._jetstream.publish(row.subject, row.payload, stream=STREAM, headers=headers)

    async def _judge(self, row: Waiting, sequence: int, outcome: Published) -> None:
        """The log has had this message within its window: from us, under the same number, or from another bridge?"""
        try:
            found = await self._jetstream.get_msg(STREAM, sequence)
        except nats.js.errors.NotFoundError:  # dropped since: then the number must tell
            outcome.failed.append(row._replace(once=""))
        except TROUBLE:
            outcome.failed.append(row)
        else:
            (outcome.known if same_record(row, found.data or b"") else outcome.carried).append(row)

    @property
    def _jetstream(self) -> JetStreamContext:
        return self._client.jetstream(timeout=ANSWER_SECONDS)

    async def close(self) -> None:
        await self._client.close()

    async def _came_back(self) -> None:
        log.info("our own broker is back")
        self.returned.set()


async def _went_away() -> None:
    log.warning("our own broker is away")


async def _note_error(error: Exception) -> None:
    log.debug("our own broker", error=repr(error))
