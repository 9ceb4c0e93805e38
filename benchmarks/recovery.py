"""Recovery: the gateway is killed (SIGKILL) under load; how long until its successor commits the first new message?

    python benchmarks/recovery.py [--quick] [--ambulances N] [--kills N]

`lastmile serve` starts the gateway again; the load (benchmarks/kit/fleet.py, open loop) never stops, so what comes
meanwhile waits in the broker's log. Measured from the kill to the first moment another connection sees a newer
position in the database; then to the moment the newest commit lies less than a second behind. Floor 5 s, aim 1 s
(median). Afterwards every number sent must be stored once.
"""

import argparse
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.ambulances import count_missing, settle
from benchmarks.kit import machine
from benchmarks.kit.fleet import FleetProcess
from benchmarks.kit.stack import Lastmile, wait_until

FLOOR, AIM = 5.0, 1.0
BETWEEN: Final = 12.0  # s of load between two kills


def position(stack: Lastmile) -> tuple[int, int]:
    """Sequence and log time of the newest commit."""
    rows = stack.query("SELECT sequence, logged_at FROM position")
    return (rows[0][0], rows[0][1]) if rows else (0, 0)


def kill(stack: Lastmile) -> tuple[float, float]:
    """Kills the gateway; seconds to the first new commit, and until caught up."""
    pid = stack.gateway_pid
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: not Path(f"/proc/{pid}").exists() or machine.rss_bytes([pid]) == 0, "the gateway is dead", 5, 0.001
    )
    before, _ = position(stack)
    wait_until(lambda: position(stack)[0] > before, "a new commit", 60, 0.005)
    first = time.monotonic() - began
    wait_until(lambda: time.time() - position(stack)[1] / 1e6 < 1, "caught up", 120, 0.02)
    return first, time.monotonic() - began


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two kills at 50 ambulances")
    parser.add_argument("--ambulances", type=int, default=320, help="80 %% of what this machine carries")
    parser.add_argument("--kills", type=int, default=7)
    arguments = parser.parse_args()
    fleet_size, kills = (50, 2) if arguments.quick else (arguments.ambulances, arguments.kills)
    print(machine.describe(Path(tempfile.gettempdir())))
    print(f"peer: none; load: {fleet_size} ambulances, {7.1 * fleet_size:,.0f} messages/s, open loop")
    with tempfile.TemporaryDirectory(prefix="lastmile-bench-") as folder:
        stack = Lastmile(Path(folder))
        stack.register([f"amb-{number:04}" for number in range(fleet_size)])
        with stack, FleetProcess(stack.mqtt, stack.tokens, Path(folder)) as fleet:
            fleet.drive(fleet_size)
            found = []
            for number in range(kills):
                time.sleep(BETWEEN)
                found.append(kill(stack))
                print(
                    f"  kill {number + 1}: first commit {found[-1][0]:.2f} s, caught up {found[-1][1]:.2f} s",
                    flush=True,
                )
            missing = count_missing(stack, settle(stack, fleet))
    firsts = [first for first, _ in found]
    print(f"kill to first new commit: {machine.spread(firsts, ' s', 2)}; to caught up: "
          f"{machine.spread([caught for _, caught in found], ' s', 2)} (floor {FLOOR:.0f} s, "
          f"aim {AIM:.0f} s)")  # fmt: skip
    print(f"read back: {missing} missing or doubled")
    sys.exit(0 if statistics.median(firsts) <= FLOOR and not missing else 1)


if __name__ == "__main__":
    main()
