"""``lastmile agent``: read the options, run the agent until it is told to stop."""

import asyncio
import random
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge_agents.agent import Agent
from edge_agents.clock import SystemClock
from edge_agents.config import AgentOptions, ConfigError, load_profile, parse_broker, parse_links
from edge_agents.outbox_file import OutboxBusyError
from gateway.contract.topic import is_id

EXIT_CONFIG = 2
EXIT_BUSY = 3


def run_agent(
    *,
    unit: str,
    site: str,
    profile: str,
    broker: str,
    token_file: Path,
    outbox: Path,
    link: Sequence[str] = (),
    simulated: bool = False,
) -> int:
    """Run one agent until SIGTERM or SIGINT, or until its recordings are played and acked; returns the exit code.

    Args:
        unit: id of the unit; MQTT client id and user name.
        site: id of the site the unit belongs to.
        profile: name of a profile in edge_agents/profiles, or path of a TOML file.
        broker: HOST:PORT.
        token_file: file whose first line is the unit's token.
        outbox: the SQLite file; created if missing.
        link: NAME=ADDRESS per device of the profile.
        simulated: mark the unit's hello as simulated.
    """
    try:
        options = _options(unit, site, profile, broker, token_file, outbox, link, simulated)
        asyncio.run(_run(options))
    except ConfigError as error:
        sys.stderr.write(f"lastmile agent: {error}\n")
        return EXIT_CONFIG
    except OutboxBusyError as error:
        sys.stderr.write(f"lastmile agent: {error}\n")
        return EXIT_BUSY
    return 0


async def _run(options: AgentOptions) -> None:
    agent = Agent(options, clock=SystemClock(), firmware=_firmware(), rng=random.Random())  # noqa: S311  jitter only
    task = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise


def _options(
    unit: str,
    site: str,
    profile_name: str,
    broker: str,
    token_file: Path,
    outbox: Path,
    link: Sequence[str],
    simulated: bool,
) -> AgentOptions:
    for name, value in (("unit", unit), ("site", site)):
        if not is_id(value):
            raise ConfigError(f"{name} {value!r} is not an id (a-z, 0-9, -)")
    profile = load_profile(profile_name)
    host, port = parse_broker(broker)
    try:
        token = token_file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except OSError as error:
        raise ConfigError(f"token file: {error}") from error
    return AgentOptions(
        unit=unit,
        site=site,
        profile=profile,
        broker_host=host,
        broker_port=port,
        token=token,
        outbox=outbox,
        links=parse_links(profile, list(link)),
        simulated=simulated,
    )


def _firmware() -> str:
    try:
        return f"lastmile {version('lastmile')}"
    except PackageNotFoundError:
        return "lastmile"
