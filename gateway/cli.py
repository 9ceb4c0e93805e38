"""The console command ``lastmile``. Only the command that is asked for is imported."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer

COMMANDS: Final = {
    "demo": ("gateway.demo", "run_demo"),
    "serve": ("gateway.operate", "serve"),
    "broker": ("gateway.operate", "broker"),
    "gateway": ("gateway.operate", "gateway"),
    "unit": ("gateway.operate", "units"),
    "audit": ("gateway.cli", "audit"),
    "check": ("gateway.operate", "check"),
    "agent": ("gateway.cli", "agent"),
    "replay": ("gateway.demo", "run_replay"),
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


def agent(
    unit: Annotated[str, typer.Option(help="Unit id = MQTT client id and user name.")],
    site: Annotated[str, typer.Option(help="Site the unit belongs to.")],
    broker: Annotated[str, typer.Option(help="HOST:PORT of the MQTT listener.")],
    token_file: Annotated[Path, typer.Option(help="File whose first line is the unit's token.")],
    outbox: Annotated[Path, typer.Option(help="The outbox, an SQLite file; made if missing.")],
    profile: Annotated[str, typer.Option(help="Name of a profile, or a TOML file.")] = "ambulance",
    link: Annotated[list[str] | None, typer.Option(help="NAME=ADDRESS of a device; may be repeated.")] = None,
    simulated: Annotated[bool, typer.Option(help="Mark everything as simulated.")] = False,
) -> None:
    """Run one edge agent until SIGTERM, or until its recordings are played and acked."""
    from edge_agents.cli import run_agent

    code = run_agent(
        unit=unit, site=site, profile=profile, broker=broker, token_file=token_file, outbox=outbox,
        link=link or [], simulated=simulated,
    )  # fmt: skip
    raise typer.Exit(code)


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
