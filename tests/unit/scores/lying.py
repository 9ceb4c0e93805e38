"""A bed for the tests of pressure care."""

from typing import Any

from gateway.contract.observation import Event
from gateway.contract.quantity import MINUTE, SECOND
from gateway.derive.pressure import Care, PressureWatch, Told
from gateway.derive.scores.pressure_dose import COLUMNS, ROWS, ZONES
from gateway.derive.scores.turn_clock import TURN_EVERY
from tests.unit.gateway.builders import EPOCH
from tests.unit.scores.tables import NOW

UNIT = "bed-1"
SACRUM = "pelvis-middle"
EVERY = 3 * SECOND


class Bed:
    """A bed whose mat speaks every three seconds."""

    def __init__(self, watch: PressureWatch | None = None, at: int = NOW) -> None:
        self.watch = watch or PressureWatch()
        self.at = at
        self.told: list[Told] = []

    def say(self, name: str, *, device: str = "bed", at: int | None = None, **details: Any) -> list[Told]:
        event = Event(epoch=EPOCH, seq=0, device=device, observed_at=self.at, name=name, details=details)
        found = self.watch.take(UNIT, event, self.at if at is None else at)
        self.told += found
        return found

    def lie(self, span: int, kpa: float = 8.0, zone: str = SACRUM) -> None:
        """For so long, one map after the other."""
        cells = [kpa if place in ZONES[zone] else 0.0 for place in range(ROWS * COLUMNS)]
        for _ in range(span // EVERY):
            self.at += EVERY
            self.say("pressure-map", device="mat", rows=ROWS, columns=COLUMNS, kpa=cells)

    def until_exceeded(self) -> None:
        """A mattress that lies still, and pressure that lasts."""
        self.say("mattress-state", device="mattress", mode="static")
        self.lie(TURN_EVERY + MINUTE, kpa=25.0)

    @property
    def care(self) -> Care:
        return self.told[-1].care
