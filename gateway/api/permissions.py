"""Who may do what: one table, role by action."""

from enum import StrEnum
from typing import Final

from gateway.api.ports import Role


class Action(StrEnum):
    """Something a request does; every endpoint names one."""

    VIEW_UNITS = "view-units"  # sites, units, devices, gaps, the live feed
    VIEW_SIGNALS = "view-signals"  # latest values, series, waveforms
    VIEW_ALERTS = "view-alerts"
    ACKNOWLEDGE = "acknowledge"
    COMMAND_DEVICES = "command-devices"  # a patient's bed, mattress, alarm limits
    COMMAND_UNITS = "command-units"  # the agent itself: link mode
    VIEW_PEOPLE = "view-people"  # how much of a person is shown: see `Sight`
    ASSOCIATE = "associate"  # register a person, bind a device to one
    SERVICE_DEVICES = "service-devices"  # service mode, swaps, calibration
    TRAIN = "train"  # put a unit into training
    VIEW_REJECTS = "view-rejects"  # refused input with its payload
    MANAGE_ACCOUNTS = "manage-accounts"


class Sight(StrEnum):
    """How much of a person a role sees."""

    FULL = "full"  # name, sex, age, identifier: mistaking one patient for another kills
    MASKED = "masked"  # first character of the name, sex, age
    PSEUDONYM = "pseudonym"  # the id only


_COMMON: Final = frozenset({Action.VIEW_UNITS, Action.VIEW_SIGNALS, Action.VIEW_ALERTS, Action.VIEW_PEOPLE})

ALLOWED: Final[dict[Role, frozenset[Action]]] = {
    Role.DOCTOR: _COMMON | {Action.ACKNOWLEDGE, Action.COMMAND_DEVICES, Action.ASSOCIATE},
    Role.NURSE: _COMMON | {Action.ACKNOWLEDGE, Action.COMMAND_DEVICES, Action.ASSOCIATE, Action.SERVICE_DEVICES},
    Role.DISPATCHER: _COMMON | {Action.ACKNOWLEDGE},
    Role.OPS: _COMMON | {Action.COMMAND_UNITS, Action.SERVICE_DEVICES, Action.TRAIN, Action.VIEW_REJECTS},
    Role.ADMIN: _COMMON | {Action.COMMAND_UNITS, Action.TRAIN, Action.VIEW_REJECTS, Action.MANAGE_ACCOUNTS},
}

SIGHT: Final[dict[Role, Sight]] = {
    Role.DOCTOR: Sight.FULL,
    Role.NURSE: Sight.FULL,
    Role.DISPATCHER: Sight.MASKED,
    Role.OPS: Sight.PSEUDONYM,
    Role.ADMIN: Sight.PSEUDONYM,
}


def mask_name(name: str) -> str:
    """First character and two stars; empty stays empty."""
    return f"{name[0]}**" if name else ""


def see_person(person: dict[str, object], sight: Sight) -> dict[str, object]:
    """The same person as far as ``sight`` goes; keys stay, what may not be seen becomes empty."""
    if sight is Sight.FULL:
        return person
    seen: dict[str, object] = {**person, "name": ""}
    if sight is Sight.MASKED:
        seen["name"] = mask_name(str(person["name"]))
    else:
        seen |= {key: None for key in ("sex", "age") if key in person}
    return seen | {key: None for key in ("birth_date", "identifier") if key in person}
