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
    SILENCE = "silence"  # notices of an alert, for a while; never a device
    JUDGE_ALERTS = "judge-alerts"  # whether an alert was useful
    KEEP_ROSTER = "keep-roster"  # who is on duty
    RETRY_NOTIFICATIONS = "retry-notifications"  # dead letters
    COMMAND_DEVICES = "command-devices"  # a patient's bed, mattress, alarm limits
    RECORD_TURN = "record-turn"  # that somebody has been turned in bed
    COMMAND_UNITS = "command-units"  # the agent itself: link mode
    VIEW_PEOPLE = "view-people"  # how much of a person is shown: see `Sight`
    ASSOCIATE = "associate"  # register a person, bind a device to one
    SERVICE_DEVICES = "service-devices"  # service mode, swaps, calibration
    TRAIN = "train"  # put a unit into training
    SET_LIMITS = "set-limits"  # of one patient, and the clinical facts that decide which limits count
    VIEW_REJECTS = "view-rejects"  # refused input with its payload
    MANAGE_ACCOUNTS = "manage-accounts"


class Sight(StrEnum):
    """How much of a person a role sees."""

    FULL = "full"  # name, sex, age, identifier: mistaking one patient for another kills
    MASKED = "masked"  # first character of the name, sex, age
    PSEUDONYM = "pseudonym"  # the id only


_COMMON: Final = frozenset({Action.VIEW_UNITS, Action.VIEW_SIGNALS, Action.VIEW_ALERTS, Action.VIEW_PEOPLE})
_CARE: Final = frozenset(
    {
        Action.ACKNOWLEDGE, Action.SILENCE, Action.JUDGE_ALERTS, Action.COMMAND_DEVICES, Action.ASSOCIATE,
        Action.SET_LIMITS, Action.RECORD_TURN,
    }
)  # fmt: skip
_KEEP: Final = frozenset(
    {
        Action.COMMAND_UNITS, Action.TRAIN, Action.VIEW_REJECTS, Action.KEEP_ROSTER, Action.RETRY_NOTIFICATIONS,
    }
)  # fmt: skip

ALLOWED: Final[dict[Role, frozenset[Action]]] = {
    Role.DOCTOR: _COMMON | _CARE,
    Role.NURSE: _COMMON | _CARE | {Action.SERVICE_DEVICES},
    Role.DISPATCHER: _COMMON | {Action.ACKNOWLEDGE},
    Role.OPS: _COMMON | _KEEP | {Action.SERVICE_DEVICES},
    Role.ADMIN: _COMMON | _KEEP | {Action.MANAGE_ACCOUNTS},
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
