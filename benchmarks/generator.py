"""The load generator: QoS 1 publishes of 200-byte observations over raw sockets, window-limited or paced.

    python benchmarks/generator.py [--quick]                shows its own rate: against a peer that only counts
    python benchmarks/generator.py load --port P ...        used by the other benchmarks; prints one JSON line

Packets are made 64 at a time from a template (numbers patched in by numpy), one `send` a block; PUBACKs are counted,
not parsed one by one. The null consumer answers every packet of the known size with a PUBACK and does nothing else.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.kit import machine
from benchmarks.kit.mqtt import Connection, Loop, publish
from benchmarks.kit.observations import BLOCK, PAYLOAD_BYTES, ObservationUnit

WINDOW: Final = 1024  # publishes without PUBACK, per connection


class Load:
    """Observations of many units, each on a connection of its own."""

    def __init__(self, port: int, tokens: dict[str, str | None], window: int) -> None:
        self.window = window
        self.units = []
        for unit, token in tokens.items():
            base = f"lm/v1/bench/ambulance/{unit}"
            connection = Connection(port, unit, token, f"{base}/ack" if token else None)
            self.units.append(ObservationUnit(connection, base))
        self.loop = Loop([unit.connection for unit in self.units])

    def run(self, messages: int, rate: float) -> dict[str, Any]:
        """Publishes ``messages`` in all, at ``rate`` a second (0 = as fast as the window allows)."""
        began = time.perf_counter()
        share = messages // len(self.units)
        late = 0.0
        while any(unit.next < share for unit in self.units):
            passed = time.perf_counter() - began
            allowed = share if not rate else min(share, int(passed * rate / len(self.units)))
            sent = sum(self._advance(unit, allowed) for unit in self.units)
            if rate:
                late = max(late, passed - self.units[-1].next * len(self.units) / rate)
            self.loop.step(0 if sent else 0.001)
        self.loop.settle(120)
        return {"messages": share * len(self.units), "published_s": time.perf_counter() - began, "late_s": late}

    def _advance(self, unit: ObservationUnit, allowed: int) -> int:
        connection = unit.connection
        count = min(BLOCK, allowed - unit.next, self.window - connection.outstanding)
        if count <= 0 or connection.blocked or (count < BLOCK and unit.next + count < allowed):
            return 0
        unit.produce(count)
        return count

    def await_commit(self, seconds: float) -> None:
        """Says hello and waits until the gateway has acknowledged every number: committed."""
        for unit in self.units:
            unit.hello()
        deadline = time.monotonic() + seconds
        while any(unit.committed < unit.next for unit in self.units):
            if time.monotonic() > deadline:
                short = {unit.connection.client: unit.next - unit.committed for unit in self.units}
                raise TimeoutError(f"not acknowledged after {seconds} s: {short}")
            self.loop.step(0.01)


# ---- as a child of the other benchmarks -----------------------------------------------------------------------------


def load(arguments: argparse.Namespace) -> None:
    """Prints a JSON line before the first publish (``ready``) and one at the end."""
    tokens: dict[str, str | None] = json.loads(Path(arguments.tokens).read_text())
    source = Load(arguments.port, tokens, arguments.window)
    began = time.perf_counter()
    print(json.dumps({"ready": time.time()}), flush=True)
    result = source.run(arguments.messages, arguments.rate)
    if arguments.commit:
        source.await_commit(300)
        result["committed_s"] = time.perf_counter() - began
    result["epochs"] = {unit.connection.client: unit.epoch for unit in source.units}
    result["cpu_s"] = time.process_time()
    print(json.dumps(result), flush=True)
    source.loop.close()


# ---- its own rate ---------------------------------------------------------------------------------------------------


class NullConsumer(asyncio.Protocol):
    """CONNACK, then a PUBACK for every ``size`` bytes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._rest = 0
        self._greeted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        if not self._greeted:
            self._greeted = True
            self._transport.write(b"\x20\x02\x00\x00")
            return
        count, self._rest = divmod(self._rest + len(data), self._size)
        if count:
            self._transport.write(b"\x40\x02\x00\x01" * count)


def serve_null(port: int, size: int) -> None:
    """The null consumer's process."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(lambda: NullConsumer(size), "127.0.0.1", port)
        await server.serve_forever()

    uvloop.run(main())


def own_rate(messages: int, units: int = 8) -> tuple[float, float]:
    """(messages a second, CPU microseconds a message) against the null consumer."""
    from benchmarks.kit.stack import answers, wait_until  # noqa: PLC0415 - the child needs none of it
    from gateway.adapters.free_port import free_port  # noqa: PLC0415

    port = free_port()
    names = [f"amb-{number:03}" for number in range(units)]
    size = packet_bytes(names[0])
    consumer = multiprocessing.get_context("spawn").Process(target=serve_null, args=(port, size), daemon=True)
    consumer.start()
    wait_until(lambda: answers(port), "the null consumer listens")
    source = Load(port, dict.fromkeys(names), WINDOW)
    cpu = time.process_time()
    result = source.run(messages, 0)
    cpu = time.process_time() - cpu
    source.loop.close()
    consumer.terminate()
    consumer.join()
    return result["messages"] / result["published_s"], cpu / result["messages"] * 1e6


def packet_bytes(unit: str) -> int:
    """Size of every packet of such a unit."""
    return len(publish(f"lm/v1/bench/ambulance/{unit}/obs", bytes(PAYLOAD_BYTES)))


def show(quick: bool) -> None:
    """The generator's own figures."""
    print(machine.describe(Path(tempfile.gettempdir())))
    print("peer: a process that answers every packet of the known size with a PUBACK (uvloop)")
    rounds = [own_rate(200_000 if quick else 1_000_000) for _ in range(3 if quick else 5)]
    print(f"generator: {machine.spread([rate for rate, _ in rounds])} messages/s, "
          f"{machine.spread([cost for _, cost in rounds], digits=2)} us CPU a message")  # fmt: skip


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short runs")
    loading = parser.add_subparsers(dest="command").add_parser("load")
    loading.add_argument("--port", type=int, required=True)
    loading.add_argument("--tokens", required=True, help="file: JSON, unit to token (null: no password)")
    loading.add_argument("--messages", type=int, required=True)
    loading.add_argument("--rate", type=float, default=0.0, help="messages a second in all; 0 = window-limited")
    loading.add_argument("--window", type=int, default=WINDOW)
    loading.add_argument("--commit", action="store_true", help="wait until the gateway has acknowledged everything")
    arguments = parser.parse_args(sys.argv[1:])
    if arguments.command == "load":
        load(arguments)
    else:
        show(arguments.quick)


if __name__ == "__main__":
    main()
