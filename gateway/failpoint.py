"""Places where a test may kill the process.

``LASTMILE_FAILPOINT=name:count`` in the environment is SIGKILL at the count-th pass of ``name``.
"""

import os
import signal
from itertools import count

_NAME, _, _PASS = os.environ.get("LASTMILE_FAILPOINT", "").partition(":")
_passes = count(1)
_KILL_AT = int(_PASS or 1)


def failpoint(name: str) -> None:
    """Kills this process, as a power cut would, when the environment says so; otherwise does nothing."""
    if name == _NAME and next(_passes) == _KILL_AT:
        os.kill(os.getpid(), signal.SIGKILL)
