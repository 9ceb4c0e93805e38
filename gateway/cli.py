"""The console command ``lastmile``. Each command lives with the part it starts; only the one that is asked for is imported."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import typer

COMMANDS: Final = {
    "demo": ("gateway.demo", "run_demo"),
    "serve": ("gateway.operate", "serve"),
    "broker": ("gateway.operate", "broker"),
    "gateway": ("gateway.operate", "gateway"),
    "unit": ("gateway.operate", "units"),
    "audit": ("gateway.operate", "audit"),
    "check": ("gateway.operate", "check"),
    "agent": ("edge_agents.cli", "run_agent"),
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


def main() -> None:
    """Entry point."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    build([asked] if asked in COMMANDS else list(COMMANDS))()


if __name__ == "__main__":
    main()
