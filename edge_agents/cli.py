"""``lastmile agent``: read the options, run the agent until it is told to stop."""

import asyncio
import random
import signal
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge_agents.agent import Agent
from edge_agents.clock import clocks
from edge_agents.config import AgentFile, AgentOptions, ConfigError, join_links, load_file, load_profile, parse_broker
from edge_agents.outbox_file import OutboxBusyError
from edge_agents.scaled_clock import Scale, ScaleError, from_environment, run
from gateway.contract.topic import is_id

DEFAULT_PROFILE = "ambulance"
EXIT_CONFIG = 2
EXIT_BUSY = 3


def run_agent(given: AgentFile, config: Path | None = None) -> int:
    """Run one agent until SIGTERM or SIGINT, or until its recordings are played and acked; returns the exit code.

    Args:
        given: what the command line says; it wins over the file.
        config: the site's agent file.
    """
    try:
        options = _options(given, load_file(config) if config is not None else AgentFile())
        scale = from_environment()
        run(_run(options, scale), scale)
    except (ConfigError, ScaleError) as error:
        sys.stderr.write(f"lastmile agent: {error}\n")
        return EXIT_CONFIG
    except OutboxBusyError as error:
        sys.stderr.write(f"lastmile agent: {error}\n")
        return EXIT_BUSY
    return 0


async def _run(options: AgentOptions, scale: Scale | None) -> None:
    clock, line_clock = clocks(scale)
    rng = random.Random()  # noqa: S311  jitter only
    agent = Agent(options, clock=clock, line_clock=line_clock, firmware=_firmware(), rng=rng)
    task = asyncio.ensure_future(agent.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise


def _options(given: AgentFile, file: AgentFile) -> AgentOptions:
    for name, option in (("unit", "--unit"), ("site", "--site"), ("broker", "--broker")):
        if not (getattr(given, name) or getattr(file, name)):
            raise ConfigError(f"expected {option}, or `{name}` in the --config file")
    unit, site = given.unit or file.unit, given.site or file.site
    for name, value in (("unit", unit), ("site", site)):
        if not is_id(value):
            raise ConfigError(f"{name} {value!r}: expected an id (a-z, 0-9, -)")
    profile = load_profile(given.profile or file.profile or DEFAULT_PROFILE)
    host, port = parse_broker(given.broker or file.broker)
    return AgentOptions(
        unit=unit,
        site=site,
        profile=profile,
        broker_host=host,
        broker_port=port,
        token=_token(Path(given.token_file or file.token_file or "token")),
        outbox=Path(given.outbox or file.outbox or f"{unit}.outbox.db"),
        links=join_links(profile, file.link | given.link),
        simulated=given.simulated or file.simulated,
    )


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").partition("\n")[0].strip()
    except OSError as error:
        raise ConfigError(f"token file: {error}") from error


def _firmware() -> str:
    try:
        return f"lastmile {version('lastmile')}"
    except PackageNotFoundError:
        return "lastmile"
