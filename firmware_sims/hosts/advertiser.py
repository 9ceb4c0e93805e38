"""Devices that advertise, and scanners that hear many: reports on the unit's virtual radio.

::

    reading -> encode -> report (with its own signal strength) -> Port.hear -> every agent that scans there

What lies below HCI, the air itself, is the simulator's: each device module works out how strong an advertisement
arrives (firmware_sims/devices/_path_loss.py). A broadcast is heard or it is not; what an agent makes of many of them is
its own conclusion, so the ledger holds no readings of it, only who listened and when.
"""

from typing import Final, Protocol, cast

from edge_agents.device import Reading
from edge_agents.protocol import Advert
from firmware_sims.hosts.air import Air, Port
from firmware_sims.hosts.host import Cast, Stage
from firmware_sims.ledger import LinkLine
from firmware_sims.world import World

_ADDRESS: Final = slice(2, 8)  # of a report


class _Speaker(Protocol):
    """What a device module must offer beyond firmware_sims.world.DeviceSim."""

    def who(self, world: World) -> str:
        """The address it advertises from; "" for a scanner: it hears many, through a radio of its own."""
        ...


class Host:
    """One device: its port on the radio."""

    def __init__(self, role: Cast, stage: Stage) -> None:
        assert isinstance(role.device.PROTOCOL, Advert)
        self.name = role.name
        self.address = ""
        self._sim = role.sim
        self._who = cast("_Speaker", role.sim).who(role.world)
        self._air = Air.of(stage)
        self._ledger = stage.ledger
        self._pace = stage.pace
        self._port: Port
        self._heard = False
        self._frames = 0

    async def listen(self, port: int) -> None:
        """Opens the port; 0 takes a free one. Raises OSError when it is taken."""
        self._port = await self._air.join(port, "" if self._who else self.name)
        self.address = f"advert://{self._who or 'any'}?hci={self._port.spec}"

    async def hand(self, reading: Reading) -> None:
        """Sends one advertisement to whoever listens now; a broadcast waits for nobody."""
        frame = self._sim.encode(reading, self._frames)
        self._frames += 1
        if not frame:  # time passes, and nothing is on the air
            return
        if self._who:  # the radio's own address, which the device file does not know
            octets = bytearray(frame)
            octets[_ADDRESS] = bytes.fromhex(self._who.replace(":", ""))[::-1]
            frame = bytes(octets)
        self._note(heard=self._port.hear(frame))

    async def close(self) -> None:
        """Falls silent."""
        self._note(heard=False)
        await self._air.leave()

    def _note(self, *, heard: bool) -> None:
        """A line in the ledger when somebody began or ceased to listen."""
        if heard is not self._heard:
            self._heard = heard
            self._ledger.add(LinkLine(device=self.name, state="up" if heard else "down", at=self._pace.now()))
