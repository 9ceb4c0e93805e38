"""What the simulated devices of one unit share, and the form in which they say what they measured."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from edge_agents.device import Decoder, Reading
from firmware_sims.scenario import Scenario, Timeline
from gateway.contract.envelope import Instant


class World(NamedTuple):
    """One vehicle: its scenario, its seed and the instant at which elapsed time was 0."""

    scenario: Scenario
    timeline: Timeline
    seed: int
    start_at: Instant


class Timed(NamedTuple):
    """A reading and when the device sends it."""

    due: int  # elapsed us
    reading: Reading


class DeviceSim(Protocol):
    """What a module of firmware_sims.devices provides."""

    NAME: str  # of the device in the profile
    Decoder: type[Decoder]  # the agent's, to read back what was sent

    readings: Callable[[World], Iterator[Timed]]  # in order of ``due``, without end or until nothing more happens
    encode: Callable[[Reading, int], bytes]  # the second is the number of the frame, from 0
