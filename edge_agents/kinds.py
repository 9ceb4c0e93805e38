"""Every kind of device there is, read off the device files themselves."""

import importlib
import pkgutil
from typing import Any, cast

import msgspec

import edge_agents.devices
from edge_agents.device import DeviceKind
from edge_agents.protocol import Advert, Gatt, Modbus, Protocol
from gateway.contract.quantity import LEADS, QUANTITIES


class Kind(msgspec.Struct, frozen=True):
    """One row of ``lastmile devices``."""

    kind: str
    title: str  # the first sentence of the device file
    protocol: str
    quantities: dict[str, str]  # name to UCUM unit
    leads: dict[str, str]
    events: tuple[str, ...]
    conditions: tuple[str, ...]
    commands: tuple[str, ...]


def names() -> list[str]:
    """All kinds, sorted."""
    found = pkgutil.iter_modules(edge_agents.devices.__path__)
    return sorted(row.name for row in found if not row.name.startswith("_"))


def load(name: str) -> DeviceKind:
    """The module of a kind.

    Raises:
        ModuleNotFoundError: there is none.
    """
    return cast("DeviceKind", importlib.import_module(f"edge_agents.devices.{name}"))


def all_kinds() -> list[Kind]:
    """The whole table."""
    return [_row(name, load(name)) for name in names()]


def _row(name: str, module: DeviceKind) -> Kind:
    said = module.YIELDS
    return Kind(
        kind=name,
        title=(module.__doc__ or "").strip().partition("\n")[0].rstrip("."),
        protocol=_describe(module.PROTOCOL),
        quantities={quantity: QUANTITIES[quantity].unit for quantity in said.quantities},
        leads={lead: LEADS[lead].unit for lead in said.leads},
        events=said.events,
        conditions=said.conditions,
        commands=said.commands,
    )


def _describe(protocol: Protocol) -> str:
    if isinstance(protocol, Gatt):
        return f"Bluetooth GATT, service {protocol.service:04X}"
    if isinstance(protocol, Modbus):
        return "Modbus TCP or RTU"
    if isinstance(protocol, Advert):
        return "Bluetooth advertisements"
    return f"serial ({protocol.baud} baud) or TCP"


def as_json() -> str:
    """The table for programs."""
    return msgspec.json.format(msgspec.json.encode(all_kinds())).decode()


def as_table() -> str:
    """The table for people, as Markdown: ``docs/devices.md`` holds the same."""
    head = [
        "| kind | protocol | quantities (unit), leads | events and conditions | commands |",
        "|---|---|---|---|---|",
    ]
    return "\n".join(head + [_markdown(kind) for kind in all_kinds()])


def _markdown(kind: Kind) -> str:
    numbers = [f"{name} ({unit})" for name, unit in kind.quantities.items()] + _leads(kind.leads)
    words = [*kind.events, *(f"*{code}*" for code in kind.conditions)]
    cells: list[Any] = [f"`{kind.kind}` {kind.title}", kind.protocol, ", ".join(numbers), ", ".join(words)]
    return "| " + " | ".join([*cells, ", ".join(kind.commands)]) + " |"


def _leads(leads: dict[str, str]) -> list[str]:
    by_unit: dict[str, list[str]] = {}
    for lead, unit in leads.items():
        by_unit.setdefault(unit, []).append(lead)
    return [f"{' '.join(names)} ({unit})" for unit, names in by_unit.items()]
