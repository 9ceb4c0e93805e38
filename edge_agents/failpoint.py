"""Named places where a test may kill this process, to prove what survives.

``LASTMILE_FAILPOINT=name`` or ``name:count`` sends SIGKILL to the process at the count-th pass of that place
(first by default). Unset, a pass costs one comparison.
"""

import os
import signal
from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "LASTMILE_FAILPOINT"

NAMES: Final = (
    "after-decode",
    "before-append-commit",
    "after-append-commit",
    "before-publish",
    "after-publish",
    "after-puback",
    "ack-received",
    "before-ack-delete",
    "after-ack-delete",
    "in-migration",
    "before-shed-commit",
    "after-shed-commit",
    "command-begun",
    "command-done",
)


class Failpoint:
    """Counts passes of the armed place."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        name, _, count = environment.get(VARIABLE, "").partition(":")
        self._name = name
        self._left = int(count) if count else 1

    def reached(self, name: str) -> bool:
        """Whether this pass is the one to die at."""
        if name != self._name:
            return False
        self._left -= 1
        return self._left == 0


_armed = Failpoint(os.environ)


def hit(name: str) -> None:
    """Pass the place ``name``; does not return when it is the armed one and its count is reached."""
    if _armed.reached(name):
        os.kill(os.getpid(), signal.SIGKILL)
