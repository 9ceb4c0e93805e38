"""Technical conditions that came or went; what is present is kept in a small file.

The file is for what is mended while the agent is away: that is reported gone with the device's first word. What is
still present then is reported once more, so nothing depends on how far the last process got.
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from edge_agents.device import Numeric, Occurrence
from gateway.contract.condition import EVENT, split
from gateway.contract.envelope import Instant

_kept: Final = msgspec.json.Decoder(dict[str, list[str]])


class ConditionWatch:
    """Remembers what each device last said is wrong with it; a device is believed to be well at first."""

    def __init__(self, path: Path | None = None) -> None:
        """Reads the file; what cannot be read (it is never half written) is as good as nothing. None: no file."""
        self._path = path
        self._present: dict[str, frozenset[str]] = {}
        self._fresh: set[str] = set()  # devices this process has heard
        if path is not None:
            with suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
                kept = _kept.decode(path.read_bytes())
                self._present = {device: frozenset(conditions) for device, conditions in kept.items()}

    def changes(self, device: str, reading: Numeric, now: Instant) -> list[Occurrence]:
        """Events for what this reading's conditions change; none when it says nothing about them, or is a test.

        They bear ``now``, the agent's clock, and not the reading's time: it is the device's state as it is heard.
        """
        if reading.conditions is None or reading.test:
            return []
        before = self._present.get(device, frozenset())
        known = before if device in self._fresh else frozenset()
        self._fresh.add(device)
        self._present[device] = reading.conditions
        if reading.conditions != before:
            self._write()
        gone = [_event(condition, "off", now) for condition in sorted(before - reading.conditions)]
        return gone + [_event(condition, "on", now) for condition in sorted(reading.conditions - known)]

    def _write(self) -> None:
        if self._path is None:
            return
        present = {device: sorted(conditions) for device, conditions in self._present.items() if conditions}
        fresh = self._path.with_name(self._path.name + ".new")
        with suppress(OSError):  # this process remembers all the same
            fresh.write_bytes(msgspec.json.encode(present))
            fresh.replace(self._path)


def _event(condition: str, state: str, now: Instant) -> Occurrence:
    code, part = split(condition)
    details = {"code": code, "state": state} | ({"part": part} if part else {})
    return Occurrence(observed_at=now, name=EVENT, details=details)
