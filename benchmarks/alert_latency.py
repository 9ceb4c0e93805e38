"""Alert latency: from the publish of the value that crosses a limit to the alert at a WebSocket client.

    python benchmarks/alert_latency.py [--quick] [--seconds S] [--maximum N]

    unit (here) --MQTT QoS 1--> lastmile serve: log, rules, alert, COMMIT --WebSocket--> screen (here)
    ^ clock starts                                                          clock stops ^

The value is a systolic pressure, whose rule asks for no duration: what is measured is the program, not the rule's
patience. It is low and normal in turn, so every other value raises an alert and the next ends it; both ways count. An
alert goes to screens only when it is committed (fsync). Once with nothing else to do, once with 80 % of ``--maximum``
ambulances (benchmarks/ambulances.py finds it; 240 by default, what two cores carried with the ECG analyser: behind a
queue that grows, latency says how long one measured) on the same gateway, open loop. Floor 1 s p99, aim 50 ms.
"""

import asyncio
import time
from pathlib import Path
from typing import Final

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.kit import latency
from benchmarks.kit.fleet import FleetProcess
from benchmarks.kit.latency import SETTLE_SECONDS, UNIT, Latencies
from benchmarks.kit.stack import SITE, Lastmile
from gateway.contract.observation import Observation
from gateway.contract.topic import Channel, UnitAddress, UnitKind
from gateway.contract.wire import encode

FIGURE: Final = latency.Figure(
    about=__doc__,
    peer="none (no vendor publishes crossing-to-screen figures)",
    what="crossings",
    floor_ms=1000.0,
    aim_ms=50.0,
    quick_seconds=15.0,
)
RULE: Final = "bp-systolic-severe-low"
LOW, NORMAL = 60.0, 120.0  # mm[Hg]
EVERY: Final = 0.25  # s between two values


class Unit:
    """One ambulance with a cuff, without an agent: what is published is on its way at once."""

    def __init__(self, stack: Lastmile) -> None:
        self._topic = UnitAddress(SITE, UnitKind.AMBULANCE, UNIT).topic(Channel.OBS)
        self._seq = 0
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=UNIT)
        self._client.username_pw_set(UNIT, stack.tokens[UNIT])
        self._client.connect("127.0.0.1", stack.mqtt)
        self._client.loop_start()

    def measures(self, systolic: float) -> float:
        """Publishes a reading; when."""
        body = Observation(
            epoch="5e" * 8, seq=self._seq, device="cuff", observed_at=time.time_ns() // 1000,
            values={"bp-systolic": systolic},
        )  # fmt: skip
        self._seq += 1
        payload = encode(body)
        at = time.perf_counter()
        self._client.publish(self._topic, payload, qos=1)
        return at

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class Screen:
    """A WebSocket client; ``seen`` has the newest state of the rule's alert and when it came."""

    def __init__(self, stack: Lastmile) -> None:
        self._stack = stack
        self.changes: asyncio.Queue[tuple[str, float]] = asyncio.Queue()

    async def watch(self) -> None:
        """Until cancelled."""
        async for message, at in latency.feed(self._stack, waves=False):
            if isinstance(message, str) and '"type":"alert"' in message[:40] and RULE in message:
                alert = msgspec.json.decode(message)["alert"]
                self.changes.put_nowait((alert["state"], at))


async def crossings(unit: Unit, screen: Screen, seconds: float) -> list[float]:
    """Latency, s, of one crossing after the other, there and back; a crossing that is not seen in 10 s ends it."""
    found: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for value, wanted in ((LOW, "firing"), (NORMAL, "resolved")):
            published = unit.measures(value)
            async with asyncio.timeout(10):
                while True:
                    state, at = await screen.changes.get()
                    if state == wanted:
                        break
            found.append(at - published)
            await asyncio.sleep(EVERY)
    return found


async def measure(stack: Lastmile, folder: Path, loads: list[int], seconds: float) -> Latencies:
    """Latencies, s, with so many ambulances beside."""
    found = {}
    others = {unit: token for unit, token in stack.tokens.items() if unit != UNIT}
    unit, screen = Unit(stack), Screen(stack)
    watching = asyncio.create_task(screen.watch())
    with FleetProcess(stack.mqtt, others, folder) as fleet:
        for load in loads:
            fleet.drive(load)
            await asyncio.sleep(SETTLE_SECONDS)
            fleet.report()
            found[load] = await crossings(unit, screen, seconds)
            rate = fleet.report()["per_second"]
            print(f"  {load} ambulances beside ({rate:,.0f} messages/s): {len(found[load])} crossings", flush=True)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    unit.close()
    return found


if __name__ == "__main__":
    latency.run(FIGURE, measure)
