"""The reader of the log against a real nats-server: what happens when a number is missing in the sequence."""

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.adapters import clock
from gateway.adapters.broker import server_binary
from gateway.adapters.jetstream import STREAM, BrokerAddress, Inbox, StreamLimits
from gateway.changes import Batch
from tests.acceptance.process import eventually
from tests.free_port import free_port

SUBJECT = "lm.v1.city.ambulance.amb-001.obs"
CONFIG = """
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{store}" }}
authorization {{ users: [ {{ user: gateway, password: "secret" }} ] }}
"""


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerAddress]:
    port = free_port()
    config = tmp_path / "nats.conf"
    config.write_text(CONFIG.format(port=port, store=tmp_path / "store"))
    with (tmp_path / "nats.log").open("wb") as log:
        server = subprocess.Popen([server_binary(), "-c", str(config)], stdout=log, stderr=log)
    eventually(lambda: answers(port), "nats-server listens", 20)
    yield BrokerAddress("127.0.0.1", port, "gateway", "secret")
    server.terminate()
    server.wait(10)


@pytest.fixture
async def inbox(broker: BrokerAddress) -> AsyncIterator[Inbox]:
    """Open, and at the beginning of an empty log."""
    made = Inbox(lambda: broker, StreamLimits(1, 1 << 24), clock.now)
    async with asyncio.timeout(20):
        await made.connect()
        await made.open(None)
    yield made
    await made.close()


async def publish(inbox: Inbox, *bodies: bytes) -> None:
    """Stored when it returns."""
    for body in bodies:
        await inbox.client.request(SUBJECT, body, timeout=5)


async def read(inbox: Inbox, last: bytes) -> list[Batch]:
    """Batches until the one that brings ``last``."""
    batches: list[Batch] = []
    async with asyncio.timeout(20):
        while not (batches and [message.payload for message in batches[-1].messages][-1:] == [last]):
            batches.append(await inbox.batch())
    return batches


def payloads(batches: list[Batch]) -> list[bytes]:
    return [message.payload for batch in batches for message in batch.messages]


def notes(batches: list[Batch]) -> list[tuple[str, str]]:
    return [note for batch in batches for note in batch.notes]


async def delete(inbox: Inbox, sequence: int) -> None:
    answer = await inbox.client.request(
        f"$JS.API.STREAM.MSG.DELETE.{STREAM}", json.dumps({"seq": sequence}).encode(), timeout=5
    )
    assert json.loads(answer.data)["success"]


async def test_a_message_deleted_from_the_log_is_noted_and_reading_goes_on(inbox: Inbox) -> None:
    await inbox.batch()
    await publish(inbox, b"1", b"2")
    await read(inbox, b"2")
    await publish_with_a_hole(inbox)
    batches = await read(inbox, b"5")
    assert payloads(batches) == [b"4", b"5"]
    assert notes(batches) == [("broker-log-lost", "log jumps from 2 to 4")]
    assert batches[-1].position is not None
    assert batches[-1].position.sequence == 5
    await publish(inbox, b"6")
    after = await read(inbox, b"6")
    assert (payloads(after), notes(after)) == ([b"6"], []), "said once"


async def publish_with_a_hole(inbox: Inbox) -> None:
    """Numbers 3 to 5, of which 3 is gone before the reader has asked for it."""
    assert inbox._reader is not None
    inbox._reader.close()
    while inbox._reader.lost is None:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    await publish(inbox, b"3", b"4", b"5")
    await delete(inbox, 3)


async def test_a_message_lost_on_its_way_is_read_again(inbox: Inbox) -> None:
    """The log has it, the delivery did not bring it: the reader is opened anew, and nothing is skipped or doubled."""
    await inbox.batch()
    await publish(inbox, b"1", b"2", b"3", b"4")
    reader = inbox._reader
    assert reader is not None
    async with asyncio.timeout(10):
        while len(reader._messages) < 4:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
    del reader._messages[1]
    batches = await read(inbox, b"4")
    assert payloads(batches) == [b"1", b"2", b"3", b"4"]
    assert notes(batches) == []
    assert inbox._reader is not reader
    assert batches[0].trouble is None
    assert not batches[0].caught_up, "what the new reader will bring has not been looked at"
