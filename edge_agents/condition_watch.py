"""Technical conditions that came or went. Pure."""

from edge_agents.device import Numeric, Occurrence
from gateway.contract.condition import EVENT, split


class ConditionWatch:
    """Remembers what each device last said is wrong with it; a device is believed to be well at first."""

    def __init__(self) -> None:
        self._present: dict[str, frozenset[str]] = {}

    def changes(self, device: str, reading: Numeric) -> list[Occurrence]:
        """Events for what this reading's conditions change; none when it says nothing about them."""
        if reading.conditions is None:
            return []
        before = self._present.get(device, frozenset())
        self._present[device] = reading.conditions
        gone = [_event(reading, condition, "off") for condition in sorted(before - reading.conditions)]
        return gone + [_event(reading, condition, "on") for condition in sorted(reading.conditions - before)]


def _event(reading: Numeric, condition: str, state: str) -> Occurrence:
    code, part = split(condition)
    details = {"code": code, "state": state} | ({"part": part} if part else {})
    return Occurrence(observed_at=reading.observed_at, name=EVENT, details=details, test=reading.test)
