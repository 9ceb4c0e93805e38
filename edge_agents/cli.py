"""``lastmile agent``: read the options, run the agent until it is told to stop."""

import asyncio
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge_agents import toml_file
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
        file = load_file(config) if config is not None else AgentFile()
        options = _options(given, file, config)
        scale = from_environment()
        with _rows(options, given, file, config):
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


def _options(given: AgentFile, file: AgentFile, config: Path | None) -> AgentOptions:
    for name, option in (("unit", "--unit"), ("site", "--site"), ("broker", "--broker")):
        if not (getattr(given, name) or getattr(file, name)):
            raise ConfigError(f"expected {option}, or `{name}` in the --config file")
    unit, site = given.unit or file.unit, given.site or file.site
    for name, value in (("unit", unit), ("site", site)):
        with _line(None if getattr(given, name) else config, name):
            if not is_id(value):
                raise ConfigError(f"{name} {value!r}: expected an id (a-z, 0-9, -)")
    by_name = not given.profile and file.profile and not file.profile.endswith(".toml")  # a file names itself
    with _line(config if by_name else None, "profile"):
        profile = load_profile(given.profile or file.profile or DEFAULT_PROFILE)
    with _line(None if given.broker else config, "broker"):
        host, port = parse_broker(given.broker or file.broker)
    with _line(config if file.token_file and not given.token_file else None, "token_file"):
        token = _token(Path(given.token_file or file.token_file or "token"))
    for name in file.link:
        with _line(config, "link", name):
            join_links(profile, {name: file.link[name]})
    return AgentOptions(
        unit=unit,
        site=site,
        profile=profile,
        broker_host=host,
        broker_port=port,
        token=token,
        outbox=Path(given.outbox or file.outbox or f"{unit}.outbox.db"),
        links=join_links(profile, file.link | given.link),
        simulated=given.simulated or file.simulated,
    )


@contextmanager
def _line(config: Path | None, *steps: str) -> Iterator[None]:
    """Names the line of a value that stands in the file, None = it does not, when the block finds it wrong."""
    try:
        yield
    except ConfigError as error:
        if config is None:
            raise
        raise ConfigError(f"{toml_file.place(config, *steps)}: {error}") from error


@contextmanager
def _rows(options: AgentOptions, given: AgentFile, file: AgentFile, config: Path | None) -> Iterator[None]:
    """The same of what a device's row says, or an address for it; profiles that come along have no line to name."""
    try:
        yield
    except ConfigError as error:
        profile = given.profile or file.profile
        where: Path | None = Path(profile) if error.device and profile.endswith(".toml") else None
        steps = [
            "device",
            *(str(i) for i, d in enumerate(options.profile.device) if d.name == error.device),
            error.part,
        ]
        if error.part == "address" and error.device in file.link | given.link:
            where, steps = (None if error.device in given.link else config), ["link", error.device]
        with _line(where, *steps):
            raise


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
