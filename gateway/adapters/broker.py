"""The embedded NATS server: its configuration, its secrets, and the process that keeps it running.

    nats-server (child) --stderr--> _watch_log --publish--> lm.denied.{unit}   what the broker refused becomes a reject

Files in the data directory: ``secrets.json`` (0600), ``nats.conf`` (0600), ``broker.json`` (ports), ``broker.log``.
"""

import asyncio
import ctypes
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec
import nats
import nkeys
import structlog
from nats.aio.client import Client

from gateway.adapters.free_port import free_port
from gateway.config import BrokerSettings, write_private

log = structlog.get_logger("broker")

DENIED_PREFIX: Final = "lm.denied"
_VIOLATION = re.compile(r'mid:\d+ - "(?P<unit>[a-z0-9-]+)".* - (?P<what>(?:Publish|Subscription) Violation.*)$')
_NO_ROOM = re.compile(r"no space left on device|disk quota exceeded")
ROOM_AGAIN: Final = 4 << 20  # bytes free on the log's disk, until which a full one counts as full
_PR_SET_PDEATHSIG: Final = 1

CONFIG: Final = """# Written by `lastmile broker`; edit the settings of the data directory instead.
server_name: lastmile
listen: "{host}:{nats}"
http: "127.0.0.1:{monitor}"
max_payload: 1MB
jetstream {{ store_dir: "{store}", sync_interval: "{sync}", max_file_store: {max_store} }}
mqtt {{ listen: "{mqtt_host}:{mqtt}", ack_wait: "30s", max_ack_pending: 1000 }}
accounts {{
  LASTMILE {{ jetstream: enabled, users: [ {{ user: gateway, password: "{gateway_password}" }} ] }}
  SYS {{ users: [ {{ user: system, password: "{system_password}" }} ] }}
}}
system_account: SYS
authorization {{
  auth_callout {{ issuer: {issuer}, auth_users: [ gateway, system ], account: LASTMILE }}
}}
"""


class Secrets(msgspec.Struct, frozen=True):
    """What broker and gateway share; never leaves the data directory."""

    account_seed: str
    gateway_password: str
    system_password: str


class BrokerPorts(msgspec.Struct, frozen=True):
    """Where the broker listens; the same after every restart."""

    host: str
    mqtt_host: str
    mqtt: int
    nats: int
    monitor: int
    pid: int = 0


def load_secrets(data: Path) -> Secrets:
    """The shared secrets, made on first use."""
    path = data / "secrets.json"
    if not path.exists():
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_ACCOUNT).decode()
        write_private(path, msgspec.json.encode(Secrets(seed, os.urandom(24).hex(), os.urandom(24).hex())))
    return msgspec.json.decode(path.read_bytes(), type=Secrets)


def read_ports(data: Path) -> BrokerPorts:
    """Where the broker of this data directory listens."""
    return msgspec.json.decode((data / "broker.json").read_bytes(), type=BrokerPorts)


def choose_ports(data: Path, settings: BrokerSettings) -> BrokerPorts:
    """Ports asked for, else those of the last run, else free ones."""
    try:
        last = read_ports(data)
    except (FileNotFoundError, msgspec.DecodeError):
        last = BrokerPorts(settings.host, settings.mqtt_host, 0, 0, 0)
    return BrokerPorts(
        host=settings.host,
        mqtt_host=settings.mqtt_host,
        mqtt=settings.mqtt or last.mqtt or free_port(),
        nats=settings.nats or last.nats or free_port(),
        monitor=last.monitor or free_port(),
    )


def configuration(data: Path, ports: BrokerPorts, settings: BrokerSettings, secrets: Secrets) -> str:
    """The text of nats.conf."""
    issuer = nkeys.from_seed(secrets.account_seed.encode()).public_key.decode()
    return CONFIG.format(
        store=data / "jetstream",
        sync=settings.sync_interval,
        max_store=2 * settings.log_bytes,
        issuer=issuer,
        gateway_password=secrets.gateway_password,
        system_password=secrets.system_password,
        **{name: getattr(ports, name) for name in ("host", "mqtt_host", "mqtt", "nats", "monitor")},
    )


async def run_broker(data: Path, settings: BrokerSettings) -> None:
    """Runs nats-server until SIGTERM or SIGINT; starts it again when it dies."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    ports, secrets = choose_ports(data, settings), load_secrets(data)
    write_private(data / "nats.conf", configuration(data, ports, settings, secrets).encode())
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    while not stop.is_set():
        server = await asyncio.create_subprocess_exec(
            server_binary(), "-c", str(data / "nats.conf"), stderr=asyncio.subprocess.PIPE, preexec_fn=_die_with_parent
        )
        write_private(data / "broker.json", msgspec.json.encode(msgspec.structs.replace(ports, pid=server.pid)))
        await _supervise(server, stop, data, ports, secrets)


def server_binary() -> str:
    """The nats-server of this environment, not whichever the PATH finds first."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else "nats-server"


async def _supervise(
    server: asyncio.subprocess.Process, stop: asyncio.Event, data: Path, ports: BrokerPorts, secrets: Secrets
) -> None:
    full = asyncio.Event()
    watching = asyncio.create_task(_watch_log(server, data / "broker.log", ports, secrets, full), name="broker-log")
    healing = asyncio.create_task(_restart_when_room(server, data / "jetstream", full), name="broker-disk")
    died = asyncio.create_task(server.wait(), name="broker-wait")
    stopping = asyncio.create_task(stop.wait(), name="broker-stop")
    await asyncio.wait({died, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set() and server.returncode is None:
        server.send_signal(signal.SIGINT)
    await died
    stopping.cancel()
    healing.cancel()
    await watching
    if not stop.is_set():
        log.error("nats-server died, starting it again", code=server.returncode)
        await asyncio.sleep(0.2)


async def _restart_when_room(server: asyncio.subprocess.Process, store: Path, full: asyncio.Event) -> None:
    """Ends a server whose disk was full as soon as there is room, so that it is started again.

    NATS keeps the error of the block it was writing: it would refuse every message until its next start.
    """
    await full.wait()
    log.error("the disk of the broker's log is full; agents keep what they have", store=str(store))
    while shutil.disk_usage(store).free < ROOM_AGAIN:  # noqa: ASYNC110 - nobody tells when a disk gets room
        await asyncio.sleep(1.0)
    log.warning("the disk of the broker's log has room again, restarting nats-server")
    server.send_signal(signal.SIGINT)


async def _watch_log(
    server: asyncio.subprocess.Process, path: Path, ports: BrokerPorts, secrets: Secrets, full: asyncio.Event
) -> None:
    """Copies the server's log to its file; refused publishes become messages the gateway can show."""
    assert server.stderr is not None
    client: Client | None = None
    with path.open("ab") as file:
        async for line in server.stderr:
            file.write(line)
            file.flush()
            if _NO_ROOM.search(line.decode(errors="replace")):
                full.set()
            found = _VIOLATION.search(line.decode(errors="replace").rstrip())
            if found is None:
                continue
            try:
                client = client or await _connect(ports, secrets)
                await client.publish(f"{DENIED_PREFIX}.{found['unit']}", json.dumps({"what": found["what"]}).encode())
            except (OSError, nats.errors.Error, TimeoutError) as error:
                log.warning("could not report a refused publish", error=repr(error), line=found["what"])
    if client is not None:
        await client.close()


async def _connect(ports: BrokerPorts, secrets: Secrets) -> Client:
    return await nats.connect(
        f"nats://{ports.host}:{ports.nats}", user="gateway", password=secrets.gateway_password, allow_reconnect=False
    )


def _die_with_parent() -> None:
    """In the child: be killed when the supervisor is, however it ends; ignore the terminal's Ctrl-C."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.setsid()
