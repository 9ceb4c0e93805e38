"""How many ambulances one gateway carries on this machine: 12 leads at 500 Hz, heart rate from one lead, all committed.

    python benchmarks/ambulances.py [--quick] [--step N] [--start N] [--most N] [--hold SECONDS]

An ambulance sends 5 frames (2.4 kB of samples) a second, vitals and position once a second, a hello every ten: 7.1
QoS 1 messages/s, 13 kB/s, on an MQTT connection of its own, open loop. Steps of N ambulances until the newest commit
lies more than a second behind the log, or the broker acknowledges more than a second late. Then 80 % of the last good
number is held, long enough for the compactor to be part of the load: memory, CPU and bytes written. Floor 200, aim
1,000; memory flat. At the end every number sent must be stored: rows and blocks are counted.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.kit import machine
from benchmarks.kit.fleet import FleetProcess
from benchmarks.kit.stack import Lastmile

FLOOR, AIM = 200, 1000
MESSAGES_A_SECOND: Final = 7.1  # of one ambulance
MAX_LAG: Final = 1.0  # s
SETTLE: Final = 3.0  # s of a step that do not count
WARM: Final = 15.0  # s at the first step before anything counts: windows fill, the compactor makes its first pass


class Watch:
    """The lag of the newest commit behind now, and the broker's behind the generator, s."""

    def __init__(self, stack: Lastmile, fleet: FleetProcess) -> None:
        self._stack = stack
        self._fleet = fleet
        self.report: dict[str, float] = {}

    def worst(self, seconds: float) -> float:
        """The largest lag seen in so many seconds."""
        self._fleet.report()
        worst, end = 0.0, time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.25)
            worst = max(worst, self.lag())
        self.report = self._fleet.report()
        unacked = self.report["outstanding"] / max(1.0, self.report["per_second"])
        return max(worst, unacked)

    def lag(self) -> float:
        """Of the gateway."""
        rows = self._stack.query("SELECT logged_at FROM position")
        return time.time() - rows[0][0] / 1e6 if rows else 0.0


def climb(watch: Watch, fleet: FleetProcess, steps: list[int], seconds: float) -> int:
    """The last number of ambulances that stayed within a second."""
    good = 0
    fleet.drive(steps[0])
    watch.worst(WARM)
    for number in steps:
        fleet.drive(number)
        watch.worst(SETTLE)
        lag = watch.worst(seconds)
        late = watch.report["late_s"]
        print(f"  {number} ambulances: {watch.report['per_second']:,.0f} messages/s, lag at most {lag:.2f} s, "
              f"generator at most {late * 1e3:.0f} ms late", flush=True)  # fmt: skip
        if lag > MAX_LAG:
            break
        good = number
    return good


def hold(stack: Lastmile, watch: Watch, seconds: float, number: int) -> bool:
    """Memory, CPU and disk at a steady load; whether lag stayed within a second."""
    parts = stack.pids()
    gateway = parts["gateway"]
    watch.worst(SETTLE + 5)
    cpu = {part: machine.cpu_seconds(pids) for part, pids in parts.items()}
    spent, wrote, began = watch.report["cpu_s"], machine.written_bytes(gateway), time.monotonic()
    broker_wrote = machine.written_bytes(parts["nats-server"])
    memory, worst = [machine.rss_bytes(gateway)], 0.0
    while time.monotonic() - began < seconds:
        worst = max(worst, watch.worst(min(10.0, seconds / 6)))
        memory.append(machine.rss_bytes(gateway))
    passed = time.monotonic() - began
    used = {part: (machine.cpu_seconds(pids) - cpu[part]) / passed for part, pids in parts.items()}
    used["generator"] = (watch.report["cpu_s"] - spent) / passed
    print(f"held {number} ambulances for {passed:.0f} s: lag at most {worst:.2f} s")
    print("  cores used: " + ", ".join(f"{part} {share:.2f}" for part, share in used.items()))
    third = len(memory) // 3 or 1
    first, last = max(memory[:third]) / 2**20, max(memory[-third:]) / 2**20
    print(
        f"  gateway memory: at most {first:.0f} MiB in the first third, {last:.0f} MiB in the last "
        f"({last / first - 1:+.0%})"
    )
    rates = [(machine.written_bytes(gateway) - wrote) / passed / 1e6,
             (machine.written_bytes(parts["nats-server"]) - broker_wrote) / passed / 1e6]  # fmt: skip
    print(f"  written to disk: gateway {rates[0]:.1f} MB/s, broker's log {rates[1]:.1f} MB/s")
    return worst <= MAX_LAG


def count_missing(stack: Lastmile, sent: dict[str, tuple[str, int, int]]) -> int:
    """Numbers sent that are not stored exactly once."""
    # One statement, one snapshot: the compactor moves records from one table to the other meanwhile.
    stored = dict(
        stack.query(
            "SELECT lane_id, sum(n) FROM (SELECT lane_id, count(*) AS n FROM record GROUP BY lane_id"
            " UNION ALL SELECT lane_id, sum(records) FROM block GROUP BY lane_id) GROUP BY lane_id"
        )
    )
    lanes = stack.query("SELECT id, unit, epoch, lane, next FROM lane")
    found = {(unit, epoch, lane): (next_, stored.get(id_, 0)) for id_, unit, epoch, lane, next_ in lanes}
    missing = 0
    for unit, (epoch, frames, observations) in sent.items():
        for lane, count in (("wave", frames), ("obs", observations)):
            missing += max(abs(count - number) for number in found.get((unit, epoch, lane), (0, 0)))
    return missing


def settle(stack: Lastmile, fleet: FleetProcess) -> dict[str, tuple[str, int, int]]:
    """Stops the fleet and waits until all of it is committed."""
    fleet.drive(0)
    sent = fleet.end()
    deadline = time.monotonic() + 120
    while count_missing(stack, sent) and time.monotonic() < deadline:
        time.sleep(1)
    return sent


def derived_rates(stack: Lastmile) -> int:
    """Heart rates derived so far."""
    return int(stack.query("SELECT coalesce(sum(next), 0) FROM lane WHERE epoch = ?", "0" * 16)[0][0])


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="steps of 8 s, up to 600, held for a minute")
    parser.add_argument("--start", type=int, default=200)
    parser.add_argument("--step", type=int, default=200)
    parser.add_argument("--most", type=int, default=1600)
    parser.add_argument("--hold", type=float, default=600.0, help="seconds at 80 %% of the maximum")
    arguments = parser.parse_args()
    seconds, held = (8.0, 60.0) if arguments.quick else (20.0, arguments.hold)
    most = min(arguments.most, 600) if arguments.quick else arguments.most
    print(machine.describe(Path(tempfile.gettempdir())))
    print(
        "peer: none that stores 12-lead waveforms; "
        f"load: benchmarks/kit/fleet.py, {MESSAGES_A_SECOND} messages/s an ambulance"
    )
    with tempfile.TemporaryDirectory(prefix="lastmile-bench-") as folder:
        stack = Lastmile(Path(folder))
        stack.register([f"amb-{number:04}" for number in range(most)])
        with stack, FleetProcess(stack.mqtt, stack.tokens, Path(folder)) as fleet:
            watch = Watch(stack, fleet)
            good = climb(watch, fleet, list(range(arguments.start, most + 1, arguments.step)), seconds)
            number = int(0.8 * good)
            fleet.drive(number)
            steady = hold(stack, watch, held, number) if good else False
            rates = derived_rates(stack)
            sent = settle(stack, fleet)
            missing = count_missing(stack, sent)
    frames = sum(frames for _, frames, _ in sent.values())
    print(f"read back: {frames:,} frames; {missing} missing or doubled; {rates:,} heart rates derived")
    print(f"ambulances carried: {good} (floor {FLOOR}, aim {AIM}){' or more' if good == most else ''}")
    sys.exit(0 if good >= FLOOR and steady and not missing else 1)


if __name__ == "__main__":
    main()
