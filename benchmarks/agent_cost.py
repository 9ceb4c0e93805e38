"""What an agent with a full ambulance costs: CPU and memory with every device of the profile speaking.

    python benchmarks/agent_cost.py [--quick] [--seconds S]

The devices are simulated in a process of their own; the agent is the real one: links, decoders, outbox with its fsync,
uplink to the real broker, acks of the real gateway. CPU and memory are the agent process's own, from /proc, after a
minute in which buffers fill. Aim: under 10 % of one core and 80 MB.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.kit import machine
from benchmarks.kit.stack import LASTMILE, SITE, Lastmile, stop, wait_until

UNIT: Final = "amb-9000"
AIM_CPU, AIM_MB = 0.10, 80.0
SCENARIO: Final = 'title = "Every device of an ambulance"\n[patient]\nheart_rate = 82\n'


def start_vehicle(stack: Lastmile, folder: Path) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes], list[str]]:
    """Simulator and agent; and the names of the devices."""
    scenario, ports, token = folder / "full.toml", folder / "ports.json", folder / "token"
    scenario.write_text(SCENARIO)
    token.write_text(stack.tokens[UNIT])
    simulate = [str(LASTMILE), "simulate", str(scenario), "--unit", UNIT, "--ledger", str(folder / "ledger"),
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


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 s")
    parser.add_argument("--seconds", type=float, default=120.0)
    arguments = parser.parse_args()
    settle, seconds = (10.0, 20.0) if arguments.quick else (60.0, arguments.seconds)
    print(machine.describe(Path(tempfile.gettempdir())))
    with tempfile.TemporaryDirectory(prefix="lastmile-bench-") as name:
        folder = Path(name)
        stack = Lastmile(folder)
        stack.register([UNIT])
        with stack:
            simulator, agent, devices = start_vehicle(stack, folder)
            try:
                time.sleep(settle)
                before, began = machine.cpu_seconds([agent.pid]), time.monotonic()
                stored = stack.query("SELECT coalesce(sum(next), 0) FROM lane")[0][0]
                time.sleep(seconds)
                passed = time.monotonic() - began
                cpu = (machine.cpu_seconds([agent.pid]) - before) / passed
                memory = machine.rss_bytes([agent.pid]) / 1e6
                records = (stack.query("SELECT coalesce(sum(next), 0) FROM lane")[0][0] - stored) / passed
            finally:
                stop(agent)
                stop(simulator)
    print(f"devices: {', '.join(devices)}; {records:.1f} records/s stored (derived ones included)")
    print(f"agent: {cpu:.1%} of one core (aim under {AIM_CPU:.0%}), {memory:.0f} MB resident (aim under {AIM_MB:.0f})")
    sys.exit(0 if cpu <= AIM_CPU and memory <= AIM_MB else 1)


if __name__ == "__main__":
    main()
