"""Arguments of remote commands, judged: shared by the devices that take commands."""

from collections.abc import Iterable
from typing import Any, Final

from edge_agents.device import CommandRefused

UNKNOWN: Final = "unknown-command"
BAD_ARGUMENT: Final = "bad-argument"
OUTSIDE_LIMITS: Final = "outside-limits"
LOCAL_ONLY: Final = "local-only"  # somebody must stand at the device
STALE: Final = "status-too-old"  # nobody knows how the device is just now


def only(arguments: dict[str, Any], *names: str) -> None:
    """Refuses arguments that are missing or mean nothing."""
    if arguments.keys() != set(names):
        raise CommandRefused(BAD_ARGUMENT)


def word(value: Any, allowed: Iterable[str]) -> str:
    """One of several words."""
    if not isinstance(value, str) or value not in allowed:
        raise CommandRefused(BAD_ARGUMENT)
    return value


def number(value: Any, low: float, high: float) -> float:
    """A number inside safe limits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CommandRefused(BAD_ARGUMENT)
    if not low <= value <= high:  # NaN is not
        raise CommandRefused(OUTSIDE_LIMITS)
    return float(value)
