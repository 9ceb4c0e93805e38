"""A fleet of ambulances in one process, open loop: frames are due by the clock, whatever the broker does.

python -m benchmarks.kit.fleet --port P --tokens FILE      commands on stdin, answers on stdout, one JSON line each
    800       that many ambulances drive from now on
    report    what was sent since the last report, and how late
    end       waits for every PUBACK; per unit its epoch and the numbers it used
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final, Self

from benchmarks.kit.mqtt import Connection, Loop
from benchmarks.kit.waves import PER_SECOND, Ambulance, render
from firmware_sims.physiology import STEP_US

SLOTS: Final = 50  # a frame's 200 ms in turns of 4 ms; ambulances are spread over them
PATIENTS: Final = 8
FRAME_S: Final = STEP_US / 1e6


class Fleet:
    """Turn by turn; a turn that comes late is not left out."""

    def __init__(self, port: int, tokens: dict[str, str]) -> None:
        loops = render(PATIENTS)
        self.ambulances = []
        for number, (unit, token) in enumerate(tokens.items()):
            base = f"lm/v1/bench/ambulance/{unit}"
            connection = Connection(port, unit, token, f"{base}/ack")
            self.ambulances.append(Ambulance(connection, base, loops[number % PATIENTS], number % PER_SECOND))
        self.loop = Loop([one.connection for one in self.ambulances])
        self.driving = 0
        self._turn = 0
        self._began = time.time()
        self._late: list[float] = [0.0]
        self._sent = (0, time.perf_counter())

    def run(self) -> None:
        """Drives and obeys until told to end."""
        os.set_blocking(sys.stdin.fileno(), False)
        while all(self._obey(command) for command in self._commands()):
            due = self._began + self._turn * FRAME_S / SLOTS
            while (wait := due - time.time()) > 0:
                self.loop.step(wait)
            self._late.append(-wait)
            for number in range(self._turn % SLOTS, self.driving, SLOTS):
                self.ambulances[number].send_frame(int(due * 1e6))
            self._turn += 1
            if self._turn % 10 == 0:
                self.loop.step(0)

    @staticmethod
    def _commands() -> list[str]:
        try:
            return os.read(sys.stdin.fileno(), 4096).decode().split()
        except BlockingIOError:
            return []

    def _obey(self, command: str) -> bool:
        if command == "report":
            self._answer(self._report())
        elif command == "end":
            self.loop.settle(60)
            self._answer({one.connection.client: [one.epoch, one.frame, 2 * one.seconds] for one in self.ambulances})
            return False
        else:
            self.driving = int(command)
        return True

    def _report(self) -> dict[str, float]:
        sent, at = sum(one.connection.sent for one in self.ambulances), time.perf_counter()
        (before, since), self._sent = self._sent, (sent, at)
        late, self._late = max(self._late), [0.0]
        outstanding = sum(one.connection.outstanding for one in self.ambulances)
        return {
            "per_second": (sent - before) / (at - since), "late_s": late, "outstanding": outstanding,
            "cpu_s": time.process_time(),
        }  # fmt: skip

    def _answer(self, body: Any) -> None:
        print(json.dumps(body), flush=True)


class FleetProcess:
    """The fleet as a child process; a context manager."""

    def __init__(self, port: int, tokens: dict[str, str], folder: Path) -> None:
        path = folder / "fleet-tokens.json"
        path.write_text(json.dumps(tokens))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.kit.fleet", "--port", str(port), "--tokens", str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        self._read()  # ready

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def drive(self, ambulances: int) -> None:
        """That many from now on."""
        self._write(str(ambulances))

    def report(self) -> dict[str, float]:
        """Since the last report: messages a second, worst lateness; publishes without PUBACK, CPU seconds in all."""
        self._write("report")
        found: dict[str, float] = self._read()
        return found

    def end(self) -> dict[str, tuple[str, int, int]]:
        """Unit: (epoch, frames, observations) sent; every one has its PUBACK."""
        self._write("end")
        return {unit: (epoch, frames, observations) for unit, (epoch, frames, observations) in self._read().items()}

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the fleet ended with {self._process.wait()}")
        return json.loads(line)


def main() -> None:
    """Entry point of the child."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tokens", required=True)
    arguments = parser.parse_args()
    fleet = Fleet(arguments.port, json.loads(Path(arguments.tokens).read_text()))
    print(json.dumps({"ready": len(fleet.ambulances)}), flush=True)
    fleet.run()


if __name__ == "__main__":
    main()
