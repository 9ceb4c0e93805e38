"""The console command ``lastmile``. Only the command that is asked for is imported."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.fleet_care import fleet_commands

COMMANDS: Final = {
    "demo": ("gateway.demo", "run_demo"),
    "serve": ("gateway.operate", "serve"),
    "broker": ("gateway.operate", "broker"),
    "gateway": ("gateway.operate", "gateway"),
    "bridge": ("gateway.bridge.command", "bridge"),
    "watch": ("gateway.watch.command", "watch"),
    "unit": ("gateway.operate", "units"),
    "fleet": ("gateway.cli", "fleet"),
    "audit": ("gateway.cli", "audit"),
    "check": ("gateway.operate", "check"),
    "agent": ("gateway.cli", "agent"),
    "devices": ("gateway.cli", "devices"),
    "replay": ("gateway.demo", "run_replay"),
    "scenario": ("gateway.scenario.command", "app"),
    "evaluate": ("gateway.evaluate.command", "evaluate"),
    "simulate": ("firmware_sims.cli", "run_simulate"),
    "fault-proxy": ("firmware_sims.cli", "run_fault_proxy"),
}


def build(names: list[str]) -> typer.Typer:
    """The command line with these commands."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
    for name in names:
        module, attribute = COMMANDS[name]
        found: Any = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            command: Callable[..., None] = found
            app.command(name)(command)

    @app.callback()
    def lastmile() -> None:
        """Lastmile, the hospital gateway for ambulances, kiosks, home beds, beacons and delivery vans."""

    return app


def agent(  # noqa: PLR0913, PLR0917 - one parameter per option
    config: Annotated[Path | None, typer.Option(help="A site's agent file (TOML); options below win over it.")] = None,
    unit: Annotated[str, typer.Option(help="Unit id = MQTT client id and user name.")] = "",
    site: Annotated[str, typer.Option(help="Site the unit belongs to.")] = "",
    broker: Annotated[str, typer.Option(help="HOST:PORT of the MQTT listener.")] = "",
    token_file: Annotated[str, typer.Option(help="File whose first line is the unit's token.")] = "",
    outbox: Annotated[str, typer.Option(help="The outbox, an SQLite file; made if missing.")] = "",
    profile: Annotated[str, typer.Option(help="Name of a profile, or a TOML file.")] = "",
    link: Annotated[list[str] | None, typer.Option(help="NAME=ADDRESS of a device; may be repeated.")] = None,
    simulated: Annotated[bool, typer.Option(help="Mark everything as simulated.")] = False,
) -> None:
    """Run one edge agent until SIGTERM, or until its recordings are played and acked."""
    from edge_agents.cli import run_agent
    from edge_agents.config import AgentFile, ConfigError, split_links

    try:
        links = split_links(link or [])
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from error
    given = AgentFile(
        unit=unit, site=site, profile=profile, broker=broker, token_file=token_file, outbox=outbox, link=links,
        simulated=simulated,
    )  # fmt: skip
    raise typer.Exit(run_agent(given, config))


def devices(
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Every kind of device with its protocol and what it says, from the device files' own tables."""
    from edge_agents.kinds import as_json, as_table

    print(as_json() if json else as_table())


def _kinds() -> frozenset[str]:
    from edge_agents.kinds import names

    return frozenset(names())


fleet: Final = fleet_commands(_kinds)


def audit(
    data: Annotated[Path, typer.Option(help="Data directory.")] = Path("var/lastmile"),
    outbox: Annotated[list[Path] | None, typer.Option(help="An agent's outbox file; may be repeated.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="Folder of the simulators' own ledgers.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the report here.")] = None,
) -> None:
    """Prove that produced = stored + outbox + declared shed + gone; exits 1 on any difference."""
    from edge_agents.outbox_codec import unpack
    from gateway.adapters.audit import run_audit

    raise typer.Exit(run_audit(data, outbox or [], ledger, json, unpack=unpack))


def main() -> None:
    """Entry point."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    build([asked] if asked in COMMANDS else list(COMMANDS))()


if __name__ == "__main__":
    main()
