"""The whole system as processes, driven as its users drive it: commands, MQTT, HTTP. Imports none of our code.

stack = Stack(tmp_path)
stack.start_broker(); stack.start_gateway()
stack.add_unit("amb-001"); stack.start_vehicle("amb-001")
eventually(lambda: stack.latest("amb-001")["heart-rate"], "heart rate arrives")
stack.drained("amb-001")                     # everything produced is committed
assert stack.audit().green
"""

import json
import re
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.process import LASTMILE, Process, eventually
from tests.free_port import free_port

SCENARIOS = Path(__file__).parent / "scenarios"  # of the tests; those of the simulator go by their names
DEVICES = (
    "monitor",
    "gnss",
    "crew",
)  # of the ambulance profile; the simulator listens on consecutive ports in this order
START = 60.0  # s a process may need to be ready on a busy machine


def _ok(answer: httpx.Response) -> None:
    assert answer.is_success, answer.text


@dataclass(frozen=True)
class Audit:
    """Outcome of ``lastmile audit``: exit code and the report it printed."""

    code: int
    text: str
    report: dict[str, Any]

    @property
    def green(self) -> bool:
        return self.code == 0


@dataclass
class Vehicle:
    """One unit of the test: its credentials and the processes that play it."""

    unit: str
    token_file: Path
    outbox: Path
    devices_port: int
    _simulator: Process | None = None
    _agent: Process | None = None
    proxy: "Proxy | None" = None

    @property
    def simulator(self) -> Process:
        assert self._simulator is not None, f"no simulator of {self.unit} was started"
        return self._simulator

    @property
    def agent(self) -> Process:
        assert self._agent is not None, f"no agent of {self.unit} was started"
        return self._agent


@dataclass
class Proxy:
    """The bad-5G stand-in in front of the broker."""

    process: Process
    port: int
    control: int

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request to the control port; its state after it.

        ``cut=True`` ends all connections, ``half_open=True`` freezes them, ``set={"down": {"stall": True}}`` silences
        one direction, ``refuse=True`` resets new connections, ``clear=True`` takes all settings back.
        """
        with socket.create_connection(("127.0.0.1", self.control), timeout=5) as link:
            link.sendall(json.dumps(request).encode() + b"\n")
            state: dict[str, Any] = json.loads(link.makefile().readline())
        assert "error" not in state, state
        return state


@dataclass
class Stack:
    """A gateway, a broker and any number of vehicles below one temporary folder."""

    folder: Path
    site: str = "site-a"
    processes: list[Process] = field(default_factory=list)
    vehicles: dict[str, Vehicle] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)  # of the open sessions, by role

    def __post_init__(self) -> None:
        for path in (self.data, self.ledger, self.logs):
            path.mkdir(parents=True, exist_ok=True)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    # ---- commands ---------------------------------------------------------------------------------------------------
    def run(self, *arguments: str, timeout: float = 60.0) -> subprocess.CompletedProcess[str]:
        """A command that ends by itself, with its output."""
        return subprocess.run([LASTMILE, *arguments], capture_output=True, text=True, timeout=timeout, check=False)

    def run_well(self, *arguments: str, timeout: float = 60.0) -> str:
        """The output of a command that must succeed."""
        done = self.run(*arguments, timeout=timeout)
        assert done.returncode == 0, f"lastmile {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        """A command that runs until it is ended; its log is ``logs/name.log``."""
        process = Process(name, list(arguments), self.logs / f"{name}.log", env)
        self.processes.append(process)
        return process

    def start_broker(self, env: Mapping[str, str] | None = None) -> Process:
        process = self.start("broker", "broker", "--data", str(self.data), env=env)
        self.wait_for_broker(process)
        return process

    def start_gateway(self, env: Mapping[str, str] | None = None, *, wait: bool = True) -> Process:
        """``env`` may name a failpoint; then ``wait=False``, because it may die before it is ready."""
        process = self.start("gateway", "gateway", "--data", str(self.data), env=env)
        if wait:
            self.wait_for_gateway(process)
        return process

    def start_serve(self, env: Mapping[str, str] | None = None) -> Process:
        """Broker and gateway under the supervisor, as in production."""
        process = self.start("serve", "serve", "--data", str(self.data), env=env)
        self.wait_for_gateway(process)
        return process

    def add_unit(self, unit: str, kind: str = "ambulance", provenance: str = "simulated") -> Vehicle:
        """Registers a unit and keeps its token in a file only its owner can read."""
        token_file = self.folder / f"{unit}.token"
        self.run_well(
            "unit", "add", unit, "--site", self.site, "--kind", kind, "--name", unit.upper(),
            "--provenance", provenance, "--token-file", str(token_file), "--data", str(self.data),
        )  # fmt: skip
        vehicle = Vehicle(unit, token_file, self.folder / f"{unit}.outbox", free_port(len(DEVICES)))
        self.vehicles[unit] = vehicle
        return vehicle

    def start_simulator(
        self, unit: str, scenario: str = "ambulance-stable", *, seed: int = 1, speed: float = 1.0
    ) -> Process:
        """The simulated devices of one vehicle, listening, writing their own ledger."""
        vehicle = self.vehicles[unit]
        own = SCENARIOS / f"{scenario}.toml"
        scenario_argument = str(own) if own.exists() else scenario
        ports = self.folder / f"{unit}.ports"
        ports.unlink(missing_ok=True)
        vehicle._simulator = self.start(
            f"simulate-{unit}", "simulate", scenario_argument, "--unit", unit,
            "--listen-port", str(vehicle.devices_port), "--ledger", str(self.ledger), "--port-file", str(ports),
            "--seed", str(seed), "--speed", str(speed),
        )  # fmt: skip
        eventually(ports.exists, f"simulator of {unit} listens", START)
        return vehicle.simulator

    def start_agent(
        self, unit: str, *, via_proxy: bool = False, profile: str = "ambulance", env: Mapping[str, str] | None = None
    ) -> Process:
        """The real agent of one vehicle, connected to its simulator's ports; ``profile``: a name or a TOML file."""
        vehicle = self.vehicles[unit]
        if via_proxy and vehicle.proxy is None:
            vehicle.proxy = self.start_proxy(unit)
        port = vehicle.proxy.port if via_proxy and vehicle.proxy else self.ports()["mqtt"]
        links = [f"--link={name}=tcp://127.0.0.1:{vehicle.devices_port + n}" for n, name in enumerate(DEVICES)]
        vehicle._agent = self.start(
            f"agent-{unit}", "agent", "--unit", unit, "--site", self.site, "--profile", profile,
            "--broker", f"127.0.0.1:{port}", "--token-file", str(vehicle.token_file),
            "--outbox", str(vehicle.outbox), *links, env=env,
        )  # fmt: skip
        return vehicle.agent

    def start_vehicle(self, unit: str, scenario: str = "ambulance-stable", **options: Any) -> Vehicle:
        """Simulator and agent of a unit that is registered."""
        self.start_simulator(unit, scenario)
        self.start_agent(unit, **options)
        return self.vehicles[unit]

    def start_proxy(self, name: str) -> Proxy:
        """A fault proxy in front of the broker's MQTT port."""
        ports = self.folder / f"proxy-{name}.ports"
        upstream = f"127.0.0.1:{self.ports()['mqtt']}"
        process = self.start(f"proxy-{name}", "fault-proxy", "--upstream", upstream, "--port-file", str(ports))
        eventually(ports.exists, "proxy listens", START)
        line = json.loads(ports.read_text())
        return Proxy(process, line["listening"], line["control"])

    # ---- readiness --------------------------------------------------------------------------------------------------
    def ports(self) -> dict[str, Any]:
        """What broker.json and gateway.json say: mqtt, nats, monitor, http."""
        merged: dict[str, Any] = {}
        for name in ("broker.json", "gateway.json"):
            if (path := self.data / name).exists():
                merged |= json.loads(path.read_text())
        return merged

    def wait_for_broker(self, process: Process) -> None:
        def listens() -> bool:
            process.must_run()
            with socket.create_connection(("127.0.0.1", self.ports().get("mqtt", 1)), timeout=1):
                return True

        eventually(listens, "broker takes MQTT connections", START)

    def wait_for_gateway(self, process: Process) -> None:
        def ready() -> bool:
            process.must_run()
            answer = self.http_get("/readyz")
            assert answer.status_code == 200, answer.text  # why not, for whoever reads that it never was
            return True

        eventually(ready, "gateway is ready", START)

    # ---- looking --------------------------------------------------------------------------------------------------
    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports().get('http', 1)}"

    def http_get(self, path: str) -> httpx.Response:
        """A GET without a session; a connection error is an OSError, so that ``eventually`` goes on."""
        try:
            return httpx.get(self.url + path, timeout=5, trust_env=False)
        except httpx.TransportError as error:
            raise OSError(str(error)) from error

    def metrics(self) -> dict[str, float]:
        """Prometheus samples: name, or name{label="value",...} with labels sorted."""
        samples: dict[str, float] = {}
        for family in text_string_to_metric_families(self.http_get("/metrics").text):
            for sample in family.samples:
                labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
                samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return samples

    # ---- people ---------------------------------------------------------------------------------------------------
    @contextmanager
    def api(self, role: str = "doctor") -> Iterator[httpx.Client]:
        """A signed-in client; paths are relative to /api/v1. The account is made on first use and has every site."""
        if role not in self.passwords:
            self._open_account(role)
        with self._client() as client:
            client.cookies.update(self.cookies.get(role, {}))
            if client.get("/session").status_code == 401:  # the first time, or signed out since
                client.cookies.clear()
                _ok(client.post("/session", json={"username": role, "password": self.passwords[role]}))
                self.cookies[role] = dict(client.cookies)
            yield client

    def _client(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/api/v1", timeout=10, trust_env=False, headers={"Origin": self.url})

    def _open_account(self, role: str) -> None:
        """Admin comes in with the one-time secret of the first start; all others are made by the admin."""
        if role == "admin":
            first = self._one_time_secret()
        else:
            first = "for the first time only"
            with self.api("admin") as admin:
                _ok(admin.post("/accounts", json={"name": role, "role": role, "sites": ["*"], "password": first}))
        chosen = f"chosen by the {role}"
        with self._client() as client:
            _ok(client.post("/session", json={"username": role, "password": first}))
            _ok(client.post("/session/password", json={"password": first, "new_password": chosen}))
        self.passwords[role] = chosen

    def _one_time_secret(self) -> str:
        logs = "".join(path.read_text(errors="replace") for path in sorted(self.logs.glob("*.log")))
        found = re.search(r"as admin with (\S+)", logs)
        assert found, "the first start printed no secret"
        return found[1]

    # ---- proof ------------------------------------------------------------------------------------------------------
    def drain(self, timeout: float = 60.0) -> None:
        """Waits until all that the outboxes hold is stored, and no number is missing."""

        def drained() -> bool:
            totals = self.audit(with_ledger=False).report["totals"]
            return bool(totals["outbox"] == totals["unacked"] and totals["missing"] == 0)

        eventually(drained, "outboxes drain", timeout, 0.5)

    def audit(self, *, with_outbox: bool = True, with_ledger: bool = True) -> Audit:
        """``lastmile audit`` over the database, every outbox and the simulators' ledger."""
        report = self.folder / "audit.json"
        report.unlink(missing_ok=True)
        arguments = ["audit", "--data", str(self.data), "--json", str(report)]
        if with_outbox:
            arguments += [f"--outbox={each.outbox}" for each in self.vehicles.values() if each.outbox.exists()]
        if with_ledger and any(self.ledger.iterdir()):
            arguments += ["--ledger", str(self.ledger)]
        done = self.run(*arguments)
        return Audit(
            done.returncode, done.stdout + done.stderr, json.loads(report.read_text()) if report.exists() else {}
        )

    # ---- end --------------------------------------------------------------------------------------------------------
    def close(self) -> None:
        """Ends everything, also after a failure: agents first, broker last."""
        for process in reversed(self.processes):
            process.kill()

    def last_words(self) -> Iterator[str]:
        """The ends of all logs, for a failed test's report."""
        return (process.tail() for process in self.processes)
