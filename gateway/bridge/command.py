"""``lastmile bridge``."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.bridge.bridge import Bridge
from gateway.bridge.config import BridgeConfig, ConfigError, load_config
from gateway.bridge.store import StoreError
from gateway.operate import DEFAULT_DATA, Data, configure_log

EXIT_CONFIG: Final = 2
EXIT_STATE: Final = 3


def bridge(
    config: Annotated[Path, typer.Option(help="TOML file: the foreign broker and the map.")],
    data: Data = DEFAULT_DATA,
    name: Annotated[str | None, typer.Option(help="Instead of the file's name: one of several in a group.")] = None,
    state: Annotated[Path | None, typer.Option(help="The bridge's own file; DIR/bridge-NAME.db if not given.")] = None,
) -> None:
    """Carry messages of a foreign MQTT broker into the log until SIGTERM."""
    configure_log()
    try:
        loaded = load_config(config, name)
        asyncio.run(_run(loaded, data, state or data / f"bridge-{loaded.name}.db"))
    except ConfigError as error:
        typer.echo(f"lastmile bridge: {error}", err=True)
        raise typer.Exit(EXIT_CONFIG) from error
    except StoreError as error:
        typer.echo(f"lastmile bridge: state file {error}", err=True)
        raise typer.Exit(EXIT_STATE) from error


async def _run(config: BridgeConfig, data: Path, state: Path) -> None:
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    task = asyncio.ensure_future(Bridge(config, data.resolve(), state).run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
