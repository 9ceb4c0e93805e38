"""Frame latency: from the moment the agent gets a waveform frame to its bytes at a WebSocket client.

    python benchmarks/frame_latency.py [--quick] [--seconds S] [--maximum N]

    lastmile simulate --TCP--> tap (here) --TCP--> lastmile agent --MQTT--> lastmile serve --WebSocket--> screen (here)
                               ^ clock starts                                                clock stops ^

The vehicle and its agent are the real ones: device decoding, the outbox's fsync and everything behind are inside. The
agent does not tell when it appends, so the clock starts just before: when the last byte of a 12-lead frame is handed
to the agent's socket (decoding and appending add about 0.3 ms to what is asked for). Frames are matched by their
samples. Once with nothing else to do, once with 80 % of ``--maximum`` ambulances (benchmarks/ambulances.py finds it;
240 by default, what two cores carried with the ECG analyser: behind a queue that grows, latency says how long one
measured) on the same gateway, open loop. Floor 100 ms p99, aim 15 ms. Both ends share the machine's cores with
everything measured.
"""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.kit import latency
from benchmarks.kit.fleet import FleetProcess
from benchmarks.kit.latency import SETTLE_SECONDS, UNIT, Latencies
from benchmarks.kit.stack import LASTMILE, SITE, Lastmile, answers, stop, wait_until
from edge_agents.device import Waveform
from edge_agents.devices.patient_monitor import Decoder
from gateway.adapters.free_port import free_port
from gateway.contract.waveform import WaveFrame

FIGURE: Final = latency.Figure(
    about=__doc__,
    peer="none (no vendor publishes device-to-browser figures); 5 frames/s of 12 leads, one screen",
    what="frames",
    floor_ms=100.0,
    aim_ms=15.0,
    quick_seconds=20.0,
)
LEADS: Final = 12
SCENARIO: Final = Path(__file__).parents[1] / "firmware_sims" / "scenarios" / "ambulance-stable.toml"
_frame = msgspec.msgpack.Decoder(WaveFrame)


class Tap:
    """Passes the monitor's bytes on to the agent and notes when each 12-lead frame went."""

    def __init__(self, device: int) -> None:
        self._device = device
        self.handed: dict[bytes, float] = {}  # samples to time

    async def serve(self, agent: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the agent."""
        del agent  # a monitor only speaks
        reader, _ = await asyncio.open_connection("127.0.0.1", self._device)
        decoder = Decoder()
        while data := await reader.read(65_536):
            now = time.perf_counter()
            writer.write(data)
            for reading in decoder.feed(data, 0):
                if isinstance(reading, Waveform) and len(reading.leads) == LEADS:
                    self.handed[reading.samples] = now


class Screen:
    """A WebSocket client that watches the unit's waveform."""

    def __init__(self, stack: Lastmile, tap: Tap) -> None:
        self._stack = stack
        self._tap = tap
        self.latencies: list[float] = []

    async def watch(self) -> None:
        """Until cancelled."""
        async for message, at in latency.feed(self._stack, waves=True):
            if isinstance(message, bytes):
                frame = _frame.decode(message[1 + message[0] :])
                handed = self._tap.handed.pop(frame.samples, None)
                if handed is not None:
                    self.latencies.append(at - handed)


@contextlib.contextmanager
def vehicle(stack: Lastmile, folder: Path, tapped: int, device: int) -> Iterator[None]:
    """The simulated devices and the real agent; the agent reaches its monitor through the tap."""
    token = folder / "token"
    token.write_text(stack.tokens[UNIT])
    simulate = [str(LASTMILE), "simulate", str(SCENARIO), "--unit", UNIT, "--listen-port", str(device),
                "--ledger", str(folder / "ledger")]  # fmt: skip
    (folder / "ledger").mkdir(exist_ok=True)
    links = {"monitor": tapped, "gnss": device + 1, "crew": device + 2}
    agent = [str(LASTMILE), "agent", "--unit", UNIT, "--site", SITE, "--profile", "ambulance", "--broker",
             f"127.0.0.1:{stack.mqtt}", "--token-file", str(token), "--outbox", str(folder / "outbox.db")]  # fmt: skip
    for name, port in links.items():
        agent += ["--link", f"{name}=tcp://127.0.0.1:{port}"]
    with (folder / "vehicle.log").open("ab") as log:
        running = [subprocess.Popen(simulate, stdout=log, stderr=log)]
        try:
            wait_until(lambda: answers(device + 2), "the simulated devices listen")
            running.append(subprocess.Popen(agent, stdout=log, stderr=log))
            yield
        finally:
            for process in reversed(running):
                stop(process)


async def measure(stack: Lastmile, folder: Path, loads: list[int], seconds: float) -> Latencies:
    """Latencies, s, with so many ambulances beside."""
    device = free_port()
    tap = Tap(device)
    server = await asyncio.start_server(tap.serve, "127.0.0.1", 0)
    tapped = server.sockets[0].getsockname()[1]
    found = {}
    others = {unit: token for unit, token in stack.tokens.items() if unit != UNIT}
    with vehicle(stack, folder, tapped, device), FleetProcess(stack.mqtt, others, folder) as fleet:
        screen = Screen(stack, tap)
        watching = asyncio.create_task(screen.watch())
        for load in loads:
            fleet.drive(load)
            await asyncio.sleep(SETTLE_SECONDS)
            tap.handed.clear()
            screen.latencies.clear()
            fleet.report()
            await asyncio.sleep(seconds)
            found[load] = list(screen.latencies)
            missed = len(tap.handed)
            rate = fleet.report()["per_second"]
            print(f"  {load} ambulances beside ({rate:,.0f} messages/s): {len(found[load])} frames, "
                  f"{missed} on their way at the end", flush=True)  # fmt: skip
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    server.close()
    return found


if __name__ == "__main__":
    latency.run(FIGURE, measure)
