"""Commands for people who run a site: serve, broker, gateway, unit, audit, check."""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer

from gateway.adapters import clock
from gateway.adapters.enrolment import enrol, every_unit, open_database, revoke
from gateway.config import Settings, SettingsError, load_settings
from gateway.contract.identity import Provenance
from gateway.contract.topic import UnitAddress, UnitKind, is_id

Data = Annotated[Path, typer.Option("--data", help="Data directory.")]
DEFAULT_DATA: Final = Path("var/lastmile")


def configure_log(level: str = "INFO") -> None:
    """Structured lines on stderr; ids only, never names of people."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def settings_of(data: Path, http: str | None = None, mqtt: str | None = None) -> Settings:
    """The directory's settings with what the command line overrides (HOST:PORT)."""
    import msgspec

    from gateway.adapters.notify.settings import load_notify
    from gateway.adapters.rules_file import load_ruleset
    from gateway.derive.switch import UnknownDerivation, switched_off

    try:
        settings = load_settings(data)
        load_ruleset(data)
        load_notify(data)
        switched_off(settings.derive.off)
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
    except UnknownDerivation as error:
        raise typer.BadParameter(f"{data / 'lastmile.toml'}: derive.off: {error}") from error
    if http is not None:
        host, _, port = http.rpartition(":")
        settings = msgspec.structs.replace(
            settings, http=msgspec.structs.replace(settings.http, host=host or "127.0.0.1", port=int(port))
        )
    if mqtt is not None:
        host, _, port = mqtt.rpartition(":")
        settings = msgspec.structs.replace(
            settings, broker=msgspec.structs.replace(settings.broker, mqtt_host=host or "127.0.0.1", mqtt=int(port))
        )
    return settings


def serve(
    data: Data = DEFAULT_DATA,
    http: Annotated[str | None, typer.Option(help="HOST:PORT for people.")] = None,
    mqtt: Annotated[str | None, typer.Option(help="HOST:PORT for devices.")] = None,
    demo: Annotated[bool, typer.Option(help="Ready login, shown on the page; loopback only.")] = False,
) -> None:
    """Run broker, gateway and watcher; whichever dies is started again."""
    from gateway.supervisor import run_supervisor

    configure_log()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings_of(data, http, mqtt)  # a file that cannot be used ends it here, not each process again and again
    options = [*(["--http", http] if http else []), *(["--demo"] if demo else [])]
    broker_options = ["--mqtt", mqtt] if mqtt else []
    asyncio.run(
        run_supervisor(
            {
                "broker": ["broker", "--data", str(data), *broker_options],
                "gateway": ["gateway", "--data", str(data), *options],
                "watch": ["watch", "--data", str(data)],
            }
        )
    )


def broker(
    data: Data = DEFAULT_DATA, mqtt: Annotated[str | None, typer.Option(help="HOST:PORT for devices.")] = None
) -> None:
    """Run the embedded NATS server: MQTT for devices, JetStream behind it."""
    from gateway.adapters.broker import run_broker

    configure_log()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(run_broker(data.resolve(), settings_of(data, mqtt=mqtt).broker))


def gateway(
    data: Data = DEFAULT_DATA,
    http: Annotated[str | None, typer.Option(help="HOST:PORT for people.")] = None,
    demo: Annotated[bool, typer.Option(help="Ready login, shown on the page; loopback only.")] = False,
) -> None:
    """Run ingest, rules, alerts, storage and the API in one process."""
    from gateway.app import run_gateway

    configure_log()
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = settings_of(data, http=http)
    if demo and settings.http.host not in ("127.0.0.1", "localhost", "::1"):
        raise typer.BadParameter("a demo shows its login to everybody: it listens on loopback only")
    run_gateway(data.resolve(), settings, demo=demo)


units = typer.Typer(no_args_is_help=True, help="Register and revoke units.")


@units.command("add")
def add_unit(
    unit: Annotated[str, typer.Argument(help="Unit id = MQTT client id and user name.")],
    site: Annotated[str, typer.Option(help="Site id.")],
    kind: Annotated[UnitKind, typer.Option(help="Family of the unit.")] = UnitKind.AMBULANCE,
    name: Annotated[str, typer.Option(help="What people call it.")] = "",
    provenance: Annotated[Provenance, typer.Option(help="live, test or simulated.")] = Provenance.LIVE,
    token_file: Annotated[Path | None, typer.Option(help="Write the token here instead of printing it.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Register a unit, or give a registered one a new token. The token is shown once."""
    if not is_id(unit) or not is_id(site):
        raise typer.BadParameter("ids are 1 to 48 of a-z, 0-9 and -")
    token = register(data, UnitAddress(site, kind, unit), name or unit, provenance)
    if token_file is None:
        typer.echo(token)
    else:
        from gateway.config import write_private

        write_private(token_file, token.encode())


@units.command("revoke")
def revoke_unit(unit: str, data: Data = DEFAULT_DATA) -> None:
    """Bar a unit; its live session is cut within seconds. What it sent stays."""
    database = open_database(data)
    changed = database.submit(lambda connection: revoke(connection, unit, clock.now())).result()
    database.close()
    if not changed:
        raise typer.BadParameter(f"no registered unit {unit}")


@units.command("list")
def list_units(data: Data = DEFAULT_DATA) -> None:
    """List units: id, site, kind, provenance, name."""
    database = open_database(data)
    rows = database.submit(every_unit).result()
    database.close()
    for row in rows:
        state = "revoked" if row.revoked_at else row.provenance
        typer.echo(f"{row.id}\t{row.site}\t{row.kind}\t{state}\t{row.name}")


def register(data: Path, address: UnitAddress, name: str, provenance: Provenance) -> str:
    """Puts a unit into the registry of a data directory; returns its new token."""
    database = open_database(data)
    try:
        return database.submit(lambda connection: enrol(connection, address, name, provenance, clock.now())).result()
    finally:
        database.close()


def check(
    data: Data = DEFAULT_DATA,
    strict: Annotated[bool, typer.Option(help="Exit 1 on any weak setting.")] = False,
) -> None:
    """Name every weak setting of a data directory."""
    from gateway.adapters.selfcheck import run_check

    raise typer.Exit(run_check(data, strict))
