"""The holds of every (subject, rule): one for each device that measures, so that no device resets another's (ADR 0029).

What the alert says is what all of them say: it stands while any device holds.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import msgspec

from gateway.contract.envelope import Instant
from gateway.fleet import GATEWAY_DEVICE
from gateway.rules.hold import Hold, Holds

Key: TypeAlias = tuple[str, str]  # subject, code of the row (or of its clock on late values)
_IDLE: Final = Hold()


class Clocks:
    """Owned by the thresholds. What has changed since the last commit is told once."""

    def __init__(self) -> None:
        self._holds: dict[Key, dict[str, Hold]] = {}
        self._dirty: set[Key] = set()

    def __iter__(self) -> Iterator[tuple[Key, Mapping[str, Hold]]]:
        return iter(list(self._holds.items()))

    def at(self, key: Key) -> Mapping[str, Hold]:
        """The hold of each device."""
        return self._holds.get(key, {})

    def of(self, key: Key, device: str) -> Hold:
        """The hold of one device; an idle one where it has none."""
        devices = self._holds.get(key)
        return _IDLE if devices is None else devices.get(device, _IDLE)

    def is_idle(self, key: Key) -> bool:
        """Whether nothing has begun at any device."""
        return all(state.idle for state in self.at(key).values())

    def has_others(self, key: Key, device: str) -> bool:
        """Whether any other device has a hold."""
        devices = self._holds.get(key)
        return devices is not None and len(devices) > (device in devices)

    def fires(self, key: Key, *, beside: str = "") -> bool:
        """Whether the condition is true at a device, ``beside`` a certain one."""
        return any(state.firing for device, state in self.at(key).items() if device != beside)

    def keep(self, key: Key, device: str, state: Hold) -> None:
        """The hold after a value. That a value came at all is not worth a write: the newest values are stored."""
        devices = self._holds.setdefault(key, {})
        before = devices.get(device, _IDLE)
        devices[device] = state
        if _stored(state) != _stored(before):
            self._dirty.add(key)

    def touch(self, key: Key, device: str, at: Instant) -> None:
        """The device had given a value by then."""
        state = self.of(key, device)
        if device in self.at(key) and at > state.last_at:
            self._holds[key][device] = msgspec.structs.replace(state, last_at=at)

    def hand_over(self, key: Key, device: str, at: Instant, patience: int) -> None:
        """Whoever measures now goes on with the clock of who does not any more: it can neither stand nor hide anything.

        A derived value stands in for the devices' own, and never beside it: its clock is theirs. Of a device that has
        only gone silent what it had declared is taken over; half a duration of another instrument is none. The alert
        still names who has gone, whose loose electrodes may mute it: whoever goes on with it tells it (``untold``).
        """
        for other, state in list(self.at(key).items()):
            stands_in = (other == GATEWAY_DEVICE) is not (device == GATEWAY_DEVICE)
            if other == device or state.idle or not (stands_in or at - state.last_at > patience):
                continue
            mine, untold = self.of(key, device), state.firing and device != GATEWAY_DEVICE
            if stands_in and mine.idle:
                mine = msgspec.structs.replace(state, untold=untold)
            elif state.firing and not mine.firing:
                mine = Hold(firing=True, last_at=mine.last_at, memory=mine.memory, untold=untold)
            self.keep(key, device, mine)
            self.keep(key, other, Hold(last_at=state.last_at))

    def reset(self, key: Key) -> None:
        """Everything half elapsed or raised begins anew."""
        self._holds[key] = {}
        self._dirty.add(key)

    def restore(self, key: Key, devices: Mapping[str, Hold]) -> None:
        """As it was stored."""
        self._holds[key] = dict(devices)

    def take_dirty(self) -> list[tuple[str, str, Holds]]:
        """What has changed since the last call."""
        changed = [(*key, Holds(dict(self.at(key)))) for key in sorted(self._dirty)]
        self._dirty.clear()
        return changed


def _stored(state: Hold) -> tuple[Any, ...]:
    return state.since, state.firing, state.memory, state.untold
