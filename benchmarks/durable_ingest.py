"""Durable ingest: 200-byte observations through `lastmile serve`, against Debian's Mosquitto with `mosquitto_sub`.

    python benchmarks/durable_ingest.py [--quick] [--rounds N] [--messages N] [--cores]

ours   generator -> nats-server (MQTT, JetStream file store) -> gateway: unpack, admit, derive, rules, committed to
       SQLite (WAL, synchronous=FULL), acked; a round ends when every unit has the ack that covers its last number
peer   generator -> mosquitto -> mosquitto_sub -q 1 -t '#' -C N > /dev/null; a round ends when it exits

Rounds run ABBA, each with fresh folders and processes. Afterwards the rows are read back: one missing, doubled or
foreign row makes the figure 0. Floor of the ratio 0.5, aim 0.95. ``--cores`` ties generator and broker to core 0,
consumer to core 1.
"""

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.generator import own_rate
from benchmarks.kit import machine
from benchmarks.kit.stack import Lastmile, Mosquitto

UNITS: Final = [f"amb-{number:03}" for number in range(8)]
GENERATOR: Final = Path(__file__).parent / "generator.py"
FLOOR, AIM = 0.5, 0.95


@dataclass
class Round:
    """One run of one side. ``cpu``: seconds by part."""

    rate: float
    cpu: dict[str, float]
    lost: int = 0
    memory: dict[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def generating(port: int, tokens: dict[str, str | None], messages: int, folder: Path, *options: str) -> Iterator[Any]:
    """The generator as a process; yields a function that waits for its JSON line."""
    path = folder / "tokens.json"
    path.write_text(json.dumps(tokens))
    command = [sys.executable, str(GENERATOR), "load", "--port", str(port), "--tokens", str(path),
               "--messages", str(messages), *options]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def line() -> dict[str, Any]:
        assert process.stdout is not None
        text = process.stdout.readline()
        if not text:
            raise RuntimeError(f"the generator ended with {process.wait()}")
        found: dict[str, Any] = json.loads(text)
        return found

    line.pid = process.pid  # type: ignore[attr-defined]
    try:
        yield line
    finally:
        process.terminate()
        process.wait()


def ours(folder: Path, messages: int, cores: bool) -> Round:
    """One round of Lastmile."""
    stack = Lastmile(folder)
    stack.register(UNITS)
    with stack:
        parts = stack.pids()
        if cores:
            machine.pin(parts["nats-server"], 0)
            machine.pin(parts["gateway"], 1)
        before = {part: machine.cpu_seconds(pids) for part, pids in parts.items()}
        tokens: dict[str, str | None] = {**stack.tokens}
        with generating(stack.mqtt, tokens, messages, folder, "--commit") as line:
            machine.pin([line.pid], 0 if cores else None)
            line()
            result = line()
        cpu = {part: machine.cpu_seconds(pids) - before[part] for part, pids in parts.items()}
        memory = {part: machine.rss_bytes(pids) for part, pids in parts.items()}
        lost = sum(
            count_differences(stack, unit, epoch, messages // len(UNITS)) for unit, epoch in result["epochs"].items()
        )
    return Round(result["messages"] / result["committed_s"], cpu | {"generator": result["cpu_s"]}, lost, memory)


def count_differences(stack: Lastmile, unit: str, epoch: str, sent: int) -> int:
    """What was read back against what was sent: how many are missing, foreign or say another number than their key."""
    where = "JOIN lane ON lane.id = lane_id WHERE lane.unit = ? AND epoch = ? AND lane.lane = 'obs'"
    rows = stack.query(f"SELECT seq, payload FROM record {where}", unit, epoch)
    blocks = stack.query(f"SELECT first_seq, last_seq, records FROM block {where}", unit, epoch)
    wrong: int = sum(seq != json.loads(payload)["seq"] for seq, payload in rows)
    wrong += sum(records != last - first + 1 for first, last, records in blocks)
    found: list[int] = [seq for seq, _ in rows]
    for first, last, _ in blocks:
        found += range(first, last + 1)
    wrong += len(found) - len(set(found))
    return wrong + len(set(range(sent)).symmetric_difference(found))


def peer(folder: Path, messages: int, cores: bool) -> Round:
    """One round of Mosquitto."""
    broker = Mosquitto(folder)
    subscriber = broker.subscribe(messages)
    try:
        time.sleep(0.5)  # its subscription has no other sign
        if cores:
            machine.pin([broker.process.pid], 0)
            machine.pin([subscriber.pid], 1)
        tokens: dict[str, str | None] = dict.fromkeys(UNITS)
        with generating(broker.port, tokens, messages, folder) as line:
            machine.pin([line.pid], 0 if cores else None)
            line()
            began = time.perf_counter()
            used = 0.0
            while subscriber.poll() is None:
                used = machine.cpu_seconds([subscriber.pid]) or used
                if time.perf_counter() - began > 300:
                    raise TimeoutError("mosquitto_sub did not get every message")
                time.sleep(0.01)
            seconds = time.perf_counter() - began
            result = line()
        cpu = {"mosquitto": machine.cpu_seconds([broker.process.pid]), "mosquitto_sub": used}
    finally:
        subscriber.kill()
        subscriber.wait()
        broker.close()
    return Round(messages / seconds, cpu | {"generator": result["cpu_s"]})


def run(rounds: int, messages: int, cores: bool) -> tuple[list[Round], list[Round]]:
    """ABBA: (ours, peer)."""
    sides: tuple[list[Round], list[Round]] = ([], [])
    order = [0, 1, 1, 0] * (rounds // 2) + ([0, 1] if rounds % 2 else [])
    for number, side in enumerate(order):
        with tempfile.TemporaryDirectory(prefix="lastmile-bench-") as folder:
            found = (ours, peer)[side](Path(folder), messages, cores)
        sides[side].append(found)
        print(
            f"  {number + 1}/{len(order)} {('lastmile', 'mosquitto')[side]}: {found.rate:,.0f}/s",
            _cpu([found], messages),
            flush=True,
        )
    return sides


def _cpu(rounds: list[Round], messages: int) -> str:
    parts = {part: statistics.median(one.cpu[part] for one in rounds) for part in rounds[0].cpu}
    return "CPU us a message: " + ", ".join(f"{part} {seconds / messages * 1e6:.1f}" for part, seconds in parts.items())


def report(ours_: list[Round], peers: list[Round], messages: int, generator: float) -> bool:
    """Prints the figures; whether the floor is reached."""
    rates, theirs = [one.rate for one in ours_], [one.rate for one in peers]
    lost = sum(one.lost for one in ours_)
    ratio = 0.0 if lost else statistics.median(rates) / statistics.median(theirs)
    print(f"lastmile  {machine.spread(rates)} durable messages/s; {_cpu(ours_, messages)}")
    print(f"mosquitto {machine.spread(theirs)} messages/s (nothing stored); {_cpu(peers, messages)}")
    print(f"generator {generator:,.0f} messages/s against a null consumer: "
          f"{generator / max(*rates, *theirs):.1f} x the faster side")  # fmt: skip
    memory = {part: max(one.memory[part] for one in ours_) / 2**20 for part in ours_[0].memory}
    print("memory at the end, MiB: " + ", ".join(f"{part} {size:.0f}" for part, size in memory.items()))
    print(f"rows read back: {'all, each once' if not lost else f'{lost} DIFFERENCES, score 0'}")
    print(f"ratio {ratio:.2f} (floor {FLOOR}, aim {AIM})")
    return ratio >= FLOOR


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 rounds of 80,000 messages")
    parser.add_argument("--rounds", type=int, default=6, help="of each side, even")
    parser.add_argument("--messages", type=int, default=600_000, help="per round")
    parser.add_argument("--cores", action="store_true", help="generator and broker on core 0, consumer on core 1")
    arguments = parser.parse_args()
    rounds, messages = (2, 80_000) if arguments.quick else (arguments.rounds, arguments.messages)
    print(machine.describe(Path(tempfile.gettempdir())))
    print(f"peer: mosquitto_sub -p PORT -q 1 -t '#' -C {messages} > /dev/null on "
          f"{machine.version_of('mosquitto', '-h')}, benchmarks/kit/mosquitto.conf")  # fmt: skip
    print(f"{rounds} rounds of each side, ABBA, {messages:,} messages of 200 bytes from {len(UNITS)} units; durable: "
          "fsync per commit (SQLite WAL, synchronous=FULL) on our side, nothing stored on the other")  # fmt: skip
    generator = own_rate(200_000 if arguments.quick else 1_000_000)[0]
    sides = run(rounds, messages, arguments.cores)
    sys.exit(0 if report(*sides, messages, generator) else 1)


if __name__ == "__main__":
    main()
