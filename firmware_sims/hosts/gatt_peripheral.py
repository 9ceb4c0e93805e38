"""A simulated device on the unit's virtual radio, with a memory and a ledger.

::

    reading -> encode -> (decode own bytes -> ledger line) -> store -> indicate or notify -> ledger

A device that measures now and then (its simulator has ``stores(world)``, which says so) stores what it measures,
advertises only while it has something, hands it over to whoever subscribes, each value confirmed, and disconnects. One
whose records are asked for (its simulator also has ``control``: a record access procedure) keeps them in
``world.state["records"]`` and sends what the answer holds. All others speak as they measure, and what nobody hears is
lost, as on the real thing. ``VALUES`` of a simulator are further characteristics that can be read.

Steps: ``link = "off"`` takes the device out of reach, ``battery`` is its level in %.
"""

import asyncio
import contextlib
from collections import deque
from hashlib import sha256
from typing import Final, NamedTuple

from edge_agents.device import Reading
from edge_agents.protocol import GATT_HEAD, Gatt, gatt_frame
from firmware_sims.hosts.air import Air, Port
from firmware_sims.hosts.gatt_server import Busy, Peripheral
from firmware_sims.hosts.host import Cast, Stage
from firmware_sims.ledger import LinkLine, MoreLine, ReadingLine, is_recorded, line_of
from gateway.contract.topic import Channel

MAX_STORED: Final = 500  # measurements kept while nobody fetches them; then the oldest is lost
LAST_WORDS: Final = 30.0  # s to hand over what is stored when the simulator ends and an agent is there
LOOK_EVERY: Final = 0.2  # s between looks at what the scenario has set on the device


class Stored(NamedTuple):
    """A measurement nobody has taken yet."""

    frame: bytes
    lines: list[ReadingLine]


class Host:
    """One device."""

    def __init__(self, role: Cast, stage: Stage) -> None:
        self.name = role.name
        self.address = ""
        protocol = role.device.PROTOCOL
        assert isinstance(protocol, Gatt)
        self._protocol = protocol
        self._sim = role.sim
        self._world = role.world
        self._control = getattr(role.sim, "control", None)
        self._episodic: bool = hasattr(role.sim, "stores") and role.sim.stores(role.world)
        self._ledger = stage.ledger
        self._pace = stage.pace
        self._air = Air.of(stage)
        self._frames = 0
        self._store: deque[Stored] = deque()
        self._answers: deque[bytes] = deque()  # to what was written
        self._asked = False  # a procedure has begun and its answer is not confirmed
        self._fresh = False  # something was measured since records were last fetched
        self._in_reach = True
        self._closing = False
        self._was_connected = False
        self._news = asyncio.Event()
        self._heard = asyncio.Event()  # something changed for one who waits to be heard, at speed 0
        self._idle = asyncio.Event()  # nothing is left to hand over
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []

    async def listen(self, port: int) -> None:
        """Comes up on the unit's radio; the first device of it opens the HCI port. Raises OSError when it is taken."""
        self._port: Port = await self._air.join(port)
        address = radio_address(self._world.seed, self.name)
        self.address = f"ble://{address}?hci={self._port.spec}"
        self._peripheral = Peripheral(self.name, address, self._protocol, self._air, self._news.set)
        self._peripheral.on_write = self._written
        await self._peripheral.power_on(getattr(self._sim, "VALUES", {}))
        # the agent reads the battery when it likes, and a value without a time bears that of its arrival
        self._ledger.add(MoreLine(device=self.name, channel=Channel.OBS))
        self._tasks = [asyncio.create_task(self._serve(), name=f"{self.name} on air")]
        if any(step.device == self.name for step in self._world.scenario.step):
            self._tasks.append(asyncio.create_task(self._follow(), name=f"{self.name} as told"))
        self._news.set()

    async def hand(self, reading: Reading) -> None:
        """The device has measured. At speed 0 waits until it is taken."""
        frame = self._sim.encode(reading, self._frames)
        self._frames += 1
        self._obey()
        stored = Stored(frame, self._lines(frame))
        if not self._episodic:
            await self._say(stored)
            return
        self._store.append(stored)
        if self._control is not None:
            self._world.state.setdefault("records", []).append(frame)
        if len(self._store) > MAX_STORED:
            self._note(self._store.popleft(), unread=True)
        self._fresh = True
        self._idle.clear()
        self._news.set()
        if not self._pace.speed:
            await self._idle.wait()

    async def close(self) -> None:
        """Hands over what is stored, if an agent is there, and goes."""
        if self._in_reach and (self._port.scanning or self._peripheral.connected):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await self._idle.wait()
        self._closing = True
        for task in self._tasks:
            task.cancel()
        self._news.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._peripheral.power_off()
        await self._air.leave()
        while self._store:
            self._note(self._store.popleft(), unread=True)

    # ---- what the agent meets

    async def _serve(self) -> None:
        """Does what is to be done whenever something has changed."""
        while not self._closing:  # Bumble now and then swallows the cancelling of a task
            await self._news.wait()
            self._news.clear()
            self._heard.set()
            self._note_link()
            if not self._in_reach:
                await self._peripheral.hide()
                self._peripheral.cut()
            elif self._peripheral.connected:
                await self._hand_over()
            elif self._fresh or not self._episodic:
                self._answers.clear()
                self._asked = False
                await self._peripheral.advertise()

    async def _hand_over(self) -> None:
        """All that somebody waits for; a stored value that is not confirmed stays stored."""
        if self._control is not None:
            await self._answer()
            return
        while self._store and await self._tell(self._store[0].frame):
            self._note(self._store.popleft(), unread=False)
        if self._episodic and not self._store:
            self._all_taken()
            await self._peripheral.disconnect()

    async def _answer(self) -> None:
        sent = []
        while self._answers and await self._tell(self._answers[0]):
            sent.append(self._answers.popleft())
        if not self._asked or self._answers:
            return
        self._asked = False  # the response, which comes last, was confirmed
        kept = deque[Stored]()
        for stored in self._store:
            if stored.frame in sent:
                self._note(stored, unread=False)
            else:
                kept.append(stored)
        self._store = kept
        self._all_taken()
        await self._peripheral.disconnect()

    def _all_taken(self) -> None:
        self._fresh = False
        self._idle.set()

    def _written(self, characteristic: int, value: bytes) -> None:
        if self._asked:
            raise Busy
        assert self._control is not None
        self._asked = True
        self._answers.extend(self._control(self._world, self._pace.passed(), gatt_frame(characteristic, value)))
        self._news.set()

    async def _say(self, stored: Stored) -> None:
        characteristic = GATT_HEAD.unpack_from(stored.frame)[0]
        while not self._pace.speed and not self._peripheral.hears(characteristic):
            await self._heard.wait()
            self._heard.clear()
        self._note(stored, unread=not await self._tell(stored.frame))

    async def _tell(self, frame: bytes) -> bool:
        return await self._peripheral.tell(GATT_HEAD.unpack_from(frame)[0], frame[GATT_HEAD.size :])

    # ---- what the scenario says

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self._obey()

    def _obey(self) -> None:
        told = self._world.told(self._pace.passed())
        self._peripheral.battery = round(told.get("battery", 100))
        in_reach = told.get("link", "on") != "off"
        if in_reach is not self._in_reach:
            self._in_reach = in_reach
            self._news.set()

    # ---- ledger

    def _lines(self, frame: bytes) -> list[ReadingLine]:
        """Lines for what an agent will make of a frame; none for what bears the time of its arrival."""
        early, late = ([*self._sim.Decoder().feed(frame, at)] for at in (0, 1))
        return [line_of(self.name, item) for item in early if is_recorded(item) and item in late]

    def _note(self, stored: Stored, *, unread: bool) -> None:
        for line in stored.lines:
            self._ledger.add(
                ReadingLine(
                    device=line.device, channel=line.channel, observed_at=line.observed_at, digest=line.digest,
                    unread=unread,
                )
            )  # fmt: skip

    def _note_link(self) -> None:
        """What was said into a connection that broke may be lost; what was stored is not, so it needs no excuse."""
        connected = self._peripheral.connected
        if connected is not self._was_connected and not self._episodic:
            self._ledger.add(LinkLine(device=self.name, state="up" if connected else "down", at=self._pace.now()))
        self._was_connected = connected


def radio_address(seed: int, name: str) -> str:
    """A static random address (its two top bits are set), the same for the same unit and device."""
    digest = bytearray(sha256(f"{seed} {name}".encode()).digest()[:6])
    digest[0] |= 0xC0
    return digest.hex(":").upper()
