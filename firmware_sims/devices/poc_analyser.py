"""Simulated point-of-care analyser: each step with ``measure`` ("blood-gas" or "troponin") is a result 1 s later.

Values are those of the quantities named in the scenario's steps (``troponin-i``, ``blood-ph``, ``pco2``, ``po2``,
``lactate``, ``potassium``, ``sodium``, ``glucose``), with the analyser's imprecision; ``below`` lists quantities that
lie below its range. ``sample = "control"`` is a quality control. The analyser speaks LIS01: it asks, sends a frame,
waits for the answer, sends it again after a NAK (six times at most), and keeps a message until all is acknowledged.
"""

import random
from collections.abc import Iterator
from typing import Any

from edge_agents.device import Numeric, Reading
from edge_agents.devices import poc_analyser
from edge_agents.devices._astm import ACK, ENQ, EOT, NAK
from edge_agents.devices.poc_analyser import Decoder
from firmware_sims.devices._steps import steps
from firmware_sims.scenario import SECOND
from firmware_sims.world import Timed, World

__all__ = ["Decoder", "control", "encode", "opening", "readings"]

_USUAL = {
    "troponin-i": 8.0, "blood-ph": 7.40, "pco2": 40.0, "po2": 90.0, "lactate": 1.1, "potassium": 4.1, "sodium": 140.0,
    "glucose": 5.6,
}  # fmt: skip
_IMPRECISION = 0.01  # share of the value
_PANELS = {
    "troponin": ("troponin-i",),
    "blood-gas": ("blood-ph", "pco2", "po2", "lactate", "potassium", "sodium", "glucose"),
}
_ATTEMPTS = 6


def encode(reading: Reading, _number: int) -> bytes:
    """The whole transmission; its frames are handed out one by one, see `control`."""
    return poc_analyser.encode(reading)


def readings(world: World) -> Iterator[Timed]:
    """The results in order."""
    noise = random.Random(world.device_seed)
    for due, told in steps(world, "measure"):
        ready = due + SECOND
        yield Timed(ready, _result(world.start_at + ready, world.told(due) | told, noise))


def _result(at: int, told: dict[str, Any], noise: random.Random) -> Numeric:
    values: dict[str, float | None] = {}
    below = set(told.get("below", ()))
    for name in _PANELS[told["measure"]]:
        value = float(told.get(name, _USUAL[name]))
        spread = 0.002 * value if name == "blood-ph" else _IMPRECISION * value
        values[name] = None if name in below else max(0.0, value + noise.gauss(0, spread))
    invalid = {name: "below-range" for name in values if values[name] is None}
    return Numeric(observed_at=at, values=values, invalid=invalid, test=told.get("sample") == "control")


class _Line:
    """What the analyser has still to send: transmissions, each as the pieces that are answered one by one."""

    def __init__(self) -> None:
        self.waiting: list[list[bytes]] = []
        self._place = 0  # of the piece that was sent last
        self._attempts = 0

    def begin(self) -> tuple[bytes, ...]:
        """Asks to send the first transmission that waits, from its start."""
        self._place = self._attempts = 0
        return (self.waiting[0][0],) if self.waiting else ()

    def hear(self, answer: int) -> tuple[bytes, ...]:
        """Goes on after an answer."""
        if not self.waiting or answer not in (ACK, NAK):
            return ()
        self._place, self._attempts = (self._place + 1, 0) if answer == ACK else (self._place, self._attempts + 1)
        if self._attempts >= _ATTEMPTS:  # given up; all of it is sent again
            return (bytes([EOT]), *self.begin())
        pieces = self.waiting[0]
        if self._place < len(pieces):
            return (pieces[self._place],)
        self.waiting.pop(0)
        return (bytes([EOT]), *self.begin())


def opening(world: World, frame: bytes) -> bytes:
    """ENQ when the line is free; a transmission that is on goes first."""
    line = _line(world)
    enquiry, body = frame[:1], frame[1:].rstrip(bytes([EOT]))
    assert enquiry == bytes([ENQ])
    line.waiting.append([enquiry, *(piece + b"\r\n" for piece in body.split(b"\r\n") if piece)])
    return b"".join(line.begin()) if len(line.waiting) == 1 else b""


def control(world: World, _elapsed: int, data: bytes) -> tuple[bytes, ...]:
    """The next piece after each answer; b"" is a reader that has just connected."""
    line = _line(world)
    if not data:
        return line.begin()
    return tuple(piece for byte in data for piece in line.hear(byte))


def _line(world: World) -> _Line:
    line = world.state.setdefault("line", _Line())
    assert isinstance(line, _Line)
    return line
