"""What the bridge makes of the foreign broker's answer and of its silence. Broker and log are scripted."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.adapters import clock
from gateway.bridge import bridge as module
from gateway.bridge.bridge import Bridge
from gateway.bridge.config import load_config
from gateway.bridge.foreign import ForeignConnection, ForeignMessage
from gateway.bridge.sink import Published, Sink
from gateway.bridge.store import Waiting
from gateway.contract import wire
from gateway.contract.observation import Observation
from gateway.contract.quantity import SECOND
from gateway.contract.topic import Channel

SKEW = 90 * SECOND
MAP = """
name = "bridge-1"
[broker]
host = "mqtt.ward.example"
{share}
[[map]]
topic = "wards/{{unit}}/v"
site = "site-a"
kind = "homecare-bed"
device = "monitor"
[map.codec]
name = "flat-json"
timestamp = {{ key = "ts", unit = "us" }}
quantities = {{ hr = "heart-rate" }}
"""


class Ward:
    """The foreign broker and our log: readings go in by ``measure``, what is published comes out."""

    def __init__(self) -> None:
        self.session_present = True
        self.published: asyncio.Queue[Waiting] = asyncio.Queue()
        self._inbox: asyncio.Queue[ForeignMessage] = asyncio.Queue()

    async def batch(self) -> list[ForeignMessage]:
        return [await self._inbox.get()]

    async def publish(self, rows: Sequence[Waiting]) -> Published:
        for row in rows:
            self.published.put_nowait(row)
        return Published([], [], [])

    async def measure(self) -> bool:
        """One reading of a monitor 90 s behind: whether it is marked as one that waited."""
        payload = json.dumps({"ts": clock.now() - SKEW, "hr": 72}).encode()
        self._inbox.put_nowait(ForeignMessage("wards/bed-1/v", payload, 0, 1))
        record = wire.decode(Channel.OBS, (await self.published.get()).payload)
        assert isinstance(record, Observation)
        return record.backfill


@pytest.fixture
def ward(monkeypatch: pytest.MonkeyPatch) -> Ward:
    it = Ward()

    async def opened(connection: ForeignConnection) -> None:
        connection.session_present = it.session_present

    monkeypatch.setattr(ForeignConnection, "open", opened)
    monkeypatch.setattr(ForeignConnection, "batch", it.batch)
    monkeypatch.setattr(Sink, "connect", lambda _sink, _heed: asyncio.sleep(0))
    monkeypatch.setattr(Sink, "publish", it.publish)
    monkeypatch.setattr(Sink, "close", lambda _sink: asyncio.sleep(0))
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.2, raising=False)
    return it


@pytest.fixture
def bridge(ward: Ward, tmp_path: Path, request: pytest.FixtureRequest) -> Bridge:
    (tmp_path / "bridge.toml").write_text(MAP.format(share=getattr(request, "param", "")))
    return Bridge(load_config(tmp_path / "bridge.toml"), tmp_path, tmp_path / "bridge.db")


async def _pause(seconds: float) -> None:
    """Time itself is what is tested here: how long nothing comes."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


async def readings(bridge: Bridge, ward: Ward, pauses: Sequence[float]) -> list[bool]:
    """Which of the readings with these pauses between them are marked."""
    async with asyncio.timeout(20):
        running = asyncio.create_task(bridge.run())
        marked = [await ward.measure()]
        for pause in pauses:
            await _pause(pause)
            marked.append(await ward.measure())
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    return marked


async def test_after_silence_nothing_waits(bridge: Bridge, ward: Ward) -> None:
    assert await readings(bridge, ward, [0, 0, 0.5, 0]) == [True, True, True, False, False]


async def test_a_new_session_has_no_queue(bridge: Bridge, ward: Ward) -> None:
    ward.session_present = False
    assert await readings(bridge, ward, [0]) == [False, False]


@pytest.mark.parametrize("bridge", ['share = "lastmile"'], indirect=True)
async def test_the_queue_of_a_share_is_older_than_its_newest_session(bridge: Bridge, ward: Ward) -> None:
    ward.session_present = False
    assert await readings(bridge, ward, [0]) == [True, True]
