"""What is known of every unit now: link, latest values. The memory behind snapshots; the database holds the same."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.admit import Clock, Greeting, RegisteredUnit
from gateway.contract.envelope import RESERVED_DEVICE, Hello, Instant, LinkMode, Presence
from gateway.contract.quantity import SECOND

GATEWAY_DEVICE: Final = RESERVED_DEVICE


class Latest(msgspec.Struct, frozen=True, gc=False):
    """The newest value of one quantity of one device."""

    value: float | None
    event_at: Instant
    received_at: Instant
    derived: bool


class Subject(msgspec.Struct, frozen=True):
    """The person a unit's devices speak for now. The feed shows as much of it as the one who looks may see."""

    id: str
    name: str
    sex: str | None
    age: int | None  # whole years


class UnitState(msgspec.Struct):
    """One unit now. ``latest``: (device, quantity) to its newest value."""

    registered: RegisteredUnit
    presence: Presence | None = None  # None = never heard
    link_mode: LinkMode = LinkMode.FULL
    epoch: str = ""
    hello_at: Instant = 0
    outbox_records: int = 0
    firmware: str = ""
    battery: float | None = None  # of the unit itself, %
    shed: int | None = None  # records declared shed, as the last hello says; None = not heard yet
    latest: dict[tuple[str, str], Latest] = {}


class Fleet:
    """All registered units. ``dirty_*`` collect what the next commit must write."""

    def __init__(self) -> None:
        self.units: dict[str, RegisteredUnit] = {}
        self.states: dict[str, UnitState] = {}
        self.clocks: dict[str, Clock] = {}
        self.superseded: dict[str, set[str]] = {}  # earlier epochs of a unit: none of them may greet again
        self.subjects: dict[str, Subject] = {}
        self.devices: set[tuple[str, str]] = set()
        self.dirty_latest: dict[str, set[tuple[str, str]]] = {}  # unit: (device, quantity)

    def register(self, unit: str, entry: RegisteredUnit) -> None:
        self.units[unit] = entry
        state = self.states.get(unit)
        if state is None:
            self.states[unit] = UnitState(entry)
        else:
            state.registered = entry

    def revoke(self, unit: str) -> None:
        self.units.pop(unit, None)
        self.states.pop(unit, None)

    def set_subjects(self, subjects: dict[str, Subject]) -> list[str]:
        """Takes in who each unit speaks for; returns the units for which that changed."""
        changed = [unit for unit in self.units if subjects.get(unit) != self.subjects.get(unit)]
        self.subjects = subjects
        return changed

    def greet(self, unit: str, hello: Hello, at: Instant) -> bool:
        """Takes in a hello; False when its epoch had been superseded: a second device answers to this name."""
        state = self.states[unit]
        if hello.presence is Presence.OFFLINE:
            if hello.epoch == state.epoch:
                state.presence = Presence.OFFLINE
            return True
        earlier = self.superseded.setdefault(unit, set())
        legitimate = hello.epoch not in earlier
        if state.epoch and state.epoch != hello.epoch:
            earlier.add(state.epoch)
        earlier.discard(hello.epoch)
        state.presence, state.epoch, state.hello_at = Presence.ONLINE, hello.epoch, at
        state.link_mode, state.outbox_records = hello.link_mode, hello.outbox_records
        state.firmware, state.battery = hello.firmware, hello.battery
        return legitimate

    def meet(self, greeting: Greeting) -> list[tuple[str, str, Instant]]:
        """Unit, device and time of those a unit names that nobody had heard of: they are listed before they speak."""
        unit = greeting.route.address.unit
        new = {(unit, state.device) for state in greeting.body.devices} - self.devices
        self.devices |= new
        return [(*key, greeting.received_at) for key in sorted(new)]

    def observe(self, unit: str, device: str, quantity: str, latest: Latest) -> None:
        """Keeps the value unless a newer one is known."""
        times = {"event_at": latest.event_at, "received_at": latest.received_at}
        self.observe_all(unit, device, {quantity: latest.value}, derived=latest.derived, **times)

    def observe_wave(self, unit: str, device: str, channel: str, latest: Latest) -> None:
        """A frame of a sampled signal: once a second is enough to know after a restart when it was last heard."""
        known = self.states[unit].latest.get((device, channel))
        if known is None or latest.received_at - known.received_at >= SECOND:
            self.observe(unit, device, channel, latest)

    def observe_all(
        self,
        unit: str,
        device: str,
        values: Mapping[str, float | None],
        *,
        event_at: Instant,
        received_at: Instant,
        derived: bool,
    ) -> None:
        """The same for all values of one record."""
        known = self.states[unit].latest
        dirty = self.dirty_latest.setdefault(unit, set())
        for quantity, value in values.items():
            key = (device, quantity)
            before = known.get(key)
            if before is None or event_at >= before.event_at:
                known[key] = Latest(value, event_at, received_at, derived)
                dirty.add(key)

    def forget_values(self, unit: str, start: Instant, end: Instant) -> None:
        """Values of a training that is over are nobody's newest."""
        known = self.states[unit].latest if unit in self.states else {}
        for key in [key for key, value in known.items() if start <= value.event_at < end]:
            del known[key]

    def take_latest(self) -> list[tuple[str, str, str, Latest]]:
        """The values changed since the last call."""
        rows = [
            (unit, device, quantity, self.states[unit].latest[device, quantity])
            for unit, dirty in self.dirty_latest.items()
            if unit in self.states
            for device, quantity in dirty
            if (device, quantity) in self.states[unit].latest
        ]
        self.dirty_latest.clear()
        return rows

    def describe(self, unit: str, gaps_open: int) -> dict[str, Any]:
        """The unit as the live feed shows it; the device's own value goes before a derived one while it is fresher."""
        state = self.states[unit]
        entry, clock = state.registered, self.clocks.get(unit, Clock())
        return {
            "id": unit,
            "site": entry.address.site,
            "kind": str(entry.address.kind),
            "name": entry.name,
            "provenance": str(entry.provenance),
            "link": str(state.presence) if state.presence else "never",
            "link_mode": str(state.link_mode),
            "hello_at": state.hello_at,
            "firmware": state.firmware,
            "battery": state.battery,
            "clock": {"quality": str(clock.quality), "offset": clock.offset, "error": clock.error},
            "outbox_records": state.outbox_records,
            "gaps_open": gaps_open,
            "subject": msgspec.to_builtins(self.subjects.get(unit)),
            "latest": _newest(state.latest),
            "by_device": _by_device(state.latest),
        }


DERIVED_YIELDS: Final = 5_000_000  # a device's own value this much older than a derived one still goes first


def _newest(latest: dict[tuple[str, str], Latest]) -> dict[str, dict[str, Any]]:
    best: dict[str, tuple[Instant, str, Latest]] = {}
    for (device, quantity), value in latest.items():
        rank = value.event_at - (DERIVED_YIELDS if value.derived else 0)
        if quantity not in best or rank > best[quantity][0]:
            best[quantity] = (rank, device, value)
    return {quantity: _shown(device, value) for quantity, (_, device, value) in best.items() if "/" not in quantity}


def _by_device(latest: dict[tuple[str, str], Latest]) -> dict[str, dict[str, dict[str, Any]]]:
    """Each device's own values: two devices of a unit may measure the same."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (device, quantity), value in latest.items():
        if "/" not in quantity and not value.derived:
            found.setdefault(device, {})[quantity] = _shown(device, value)
    return found


def _shown(device: str, value: Latest) -> dict[str, Any]:
    return {
        "value": value.value,
        "at": value.event_at,
        "received_at": value.received_at,
        "device": device,
        "derived": value.derived,
    }
