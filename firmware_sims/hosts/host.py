"""What plays a simulated device on the wire."""

import importlib
from dataclasses import replace
from types import ModuleType
from typing import Any, Final, NamedTuple, Protocol, cast

from edge_agents.device import DeviceKind, Reading
from edge_agents.protocol import Advert, Gatt, Modbus, Stream
from firmware_sims.ledger import Ledger, MoreLine
from firmware_sims.pace import Pace
from firmware_sims.world import DeviceSim, World
from gateway.contract.topic import Channel

MODULES: Final[dict[type, str]] = {
    Stream: "stream",
    Modbus: "modbus_server",
    Gatt: "gatt_peripheral",
    Advert: "advertiser",
}


class Cast(NamedTuple):
    """One simulated device of a unit: who plays it, and what its profile calls it."""

    name: str
    kind: str
    world: World  # its own
    sim: DeviceSim
    device: DeviceKind


class Stage(NamedTuple):
    """What the hosts of a unit share."""

    listen_host: str
    ledger: Ledger
    pace: Pace
    air: dict[str, Any]  # the unit's virtual radio and whatever else its hosts share


class Host(Protocol):
    """A device on the wire, from `listen` to `close`."""

    name: str
    address: str  # once listening: as ``lastmile agent --link`` takes it

    async def listen(self, port: int) -> None:
        """Comes up; ``port`` 0 takes a free one. Raises OSError when it is taken."""
        ...

    async def hand(self, reading: Reading) -> None:
        """The device has measured something, now."""
        ...

    async def close(self) -> None:
        """Goes away in good order; then its part of the ledger is complete."""
        ...


def make_cast(name: str, kind: str, world: World) -> Cast:
    """The modules of a device kind.

    Raises:
        ModuleNotFoundError: nothing simulates this kind.
    """
    sim = cast("DeviceSim", importlib.import_module(f"firmware_sims.devices.{kind}"))
    device = cast("DeviceKind", importlib.import_module(f"edge_agents.devices.{kind}"))
    return Cast(name, kind, replace(world, device=name, state={}), sim, device)


def make_host(role: Cast, stage: Stage) -> Host:
    """The host that speaks the device's protocol: each module of hosts has a class ``Host`` of this form."""
    module: ModuleType = importlib.import_module(f"firmware_sims.hosts.{MODULES[type(role.device.PROTOCOL)]}")
    host: Host = module.Host(role, stage)
    for channel in _open_channels(role.device):
        stage.ledger.add(MoreLine(device=role.name, channel=channel))
    return host


def _open_channels(device: DeviceKind) -> list[Channel]:
    """Where an agent makes records that no reading of the simulator stands behind."""
    if isinstance(device.PROTOCOL, Modbus | Advert):  # it decides itself when to look, and what to make of many reports
        return [Channel.OBS, Channel.EVENT]
    if isinstance(device.PROTOCOL, Stream) and not device.PROTOCOL.clock:  # the agent's clock says when it was
        return [Channel.OBS, Channel.EVENT, Channel.WAVE]
    return [Channel.EVENT] if device.YIELDS.conditions else []  # changes of conditions are the agent's conclusions
