"""What an agent with a full ambulance costs: CPU and memory with every device of the profile speaking.

    python benchmarks/agent_cost.py [--quick] [--seconds S]

The devices are simulated in a process of their own; the agent is the real one: links, decoders, outbox with its fsync,
uplink to the real broker, acks of the real gateway. What happens is benchmarks/kit/full_ambulance.toml: a device of the
profile of which nothing is stored while it is measured fails the benchmark. CPU and memory are the agent process's own,
from /proc, after a minute in which buffers fill. Aim: under 10 % of one core and 80 MB.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.kit import machine
from benchmarks.kit.stack import LASTMILE, SITE, Lastmile, stop, wait_until

UNIT: Final = "amb-9000"
AIM_CPU, AIM_MB = 0.10, 80.0
SCENARIO: Final = Path(__file__).parent / "kit" / "full_ambulance.toml"
_SPOKEN: Final = "SELECT DISTINCT device FROM record WHERE received_at > ?"
_NUMBERED: Final = "SELECT coalesce(sum(next), 0) FROM lane"


def start_vehicle(stack: Lastmile, folder: Path) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes], list[str]]:
    """Simulator and agent; and the names of the devices."""
    ports, token = folder / "ports.json", folder / "token"
    token.write_text(stack.tokens[UNIT])
    simulate = [str(LASTMILE), "simulate", str(SCENARIO), "--unit", UNIT, "--ledger", str(folder / "ledger"),
                "--port-file", str(ports)]  # fmt: skip
    with (folder / "vehicle.log").open("ab") as log:
        simulator = subprocess.Popen(simulate, stdout=log, stderr=log)
        wait_until(ports.exists, "the simulated devices listen")
        links = json.loads(ports.read_text())["listening"][UNIT]
        agent = [
            *(str(LASTMILE), "agent", "--unit", UNIT, "--site", SITE, "--profile", "ambulance"),
            *("--broker", f"127.0.0.1:{stack.mqtt}", "--token-file", str(token)),
            *("--outbox", str(folder / "outbox.db")),
        ]
        agent += [f"--link={name}={address}" for name, address in links.items()]
        return simulator, subprocess.Popen(agent, stdout=log, stderr=log), list(links)


class Cost(NamedTuple):
    """What the agent needed while it was watched, and what came of it."""

    cpu: float  # of one core
    megabytes: float
    records: float  # stored a second, derived ones included
    silent: list[str]  # devices of which nothing was stored


def watch(stack: Lastmile, agent: int, devices: list[str], seconds: float) -> Cost:
    """The agent with this process id, for so long."""
    cpu, began, at = machine.cpu_seconds([agent]), time.monotonic(), time.time_ns() // 1000
    numbered = stack.query(_NUMBERED)[0][0]
    time.sleep(seconds)
    passed = time.monotonic() - began
    spoken = {row[0] for row in stack.query(_SPOKEN, at)}
    return Cost(
        cpu=(machine.cpu_seconds([agent]) - cpu) / passed,
        megabytes=machine.rss_bytes([agent]) / 1e6,
        records=(stack.query(_NUMBERED)[0][0] - numbered) / passed,
        silent=[name for name in devices if name not in spoken],
    )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="30 s")
    parser.add_argument("--seconds", type=float, default=120.0)
    arguments = parser.parse_args()
    settle, seconds = (15.0, 30.0) if arguments.quick else (60.0, arguments.seconds)
    print(machine.describe(Path(tempfile.gettempdir())))
    with tempfile.TemporaryDirectory(prefix="lastmile-bench-") as name:
        folder = Path(name)
        stack = Lastmile(folder)
        stack.register([UNIT])
        with stack:
            simulator, agent, devices = start_vehicle(stack, folder)
            try:
                time.sleep(settle)
                cost = watch(stack, agent.pid, devices, seconds)
            finally:
                stop(agent)
                stop(simulator)
    print(f"devices: {', '.join(devices)}; {cost.records:.1f} records/s stored (derived ones included)")
    print(f"agent: {cost.cpu:.1%} of one core (aim under {AIM_CPU:.0%}), "
          f"{cost.megabytes:.0f} MB resident (aim under {AIM_MB:.0f})")  # fmt: skip
    if cost.silent:
        sys.exit(f"nothing was stored of: {', '.join(cost.silent)}")
    sys.exit(0 if cost.cpu <= AIM_CPU and cost.megabytes <= AIM_MB else 1)


if __name__ == "__main__":
    main()
