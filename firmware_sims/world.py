"""What the simulated devices of one unit share, and the form in which they say what they measured."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from zlib import crc32

from edge_agents.device import Decoder, Reading
from firmware_sims.scenario import Scenario, Timeline
from gateway.contract.envelope import Instant


@dataclass
class World:
    """What one device of a unit sees: the unit's scenario and seed, and the instant at which elapsed time was 0.

    That instant may be moved until the first reading is asked for: a simulator can be made to wait for its readers.
    """

    scenario: Scenario
    timeline: Timeline
    seed: int  # the same for all devices of a unit, so that they agree on the patient
    start_at: Instant
    device: str = ""  # its name in the profile
    state: dict[str, Any] = field(default_factory=dict)  # of each device: what was written to it

    @property
    def device_seed(self) -> int:
        """A seed of this device alone, for its noise."""
        return self.seed ^ crc32(self.device.encode())

    def told(self, elapsed: int) -> dict[str, Any]:
        """What the scenario's steps have set on this device by then."""
        return self.timeline.device_at(self.device, elapsed)


class Timed(NamedTuple):
    """A reading and when the device sends it."""

    due: int  # elapsed us
    reading: Reading


class DeviceSim(Protocol):
    """What a module of firmware_sims.devices provides.

    Also, where the device can be written to, ``control(world, elapsed, frame) -> tuple[bytes, ...]``: takes a frame
    written to it (see edge_agents.protocol) and gives the frames it answers with; what it must remember goes into
    ``world.state``, where ``readings`` finds it. On Bluetooth also ``stores(world) -> bool`` (it keeps what it measures
    until somebody has fetched it) and ``VALUES`` (further characteristics that can be read); on a byte stream also
    ``opening(world, frame) -> bytes`` (it waits for answers, see firmware_sims.hosts.stream).
    """

    Decoder: type[Decoder]  # the agent's, to read back what was sent

    readings: Callable[[World], Iterator[Timed]]  # in order of ``due``, without end or until nothing more happens
    encode: Callable[[Reading, int], bytes]  # the second is the number of the frame, from 0
