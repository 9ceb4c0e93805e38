"""``DIR/alerts.toml``: what a site changes of the catalogue of alerts. Read at the start; every version is audited."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from gateway.adapters import audit_log, tables
from gateway.config import SettingsError
from gateway.contract.envelope import Instant
from gateway.rules.ruleset import RulesError, Ruleset, default_ruleset, read_ruleset

NAME: Final = "alerts.toml"
ACTION: Final = "alert-rules"
ACTOR: Final = "gateway"


def load_ruleset(data: Path, off: Collection[str] = ()) -> Ruleset:
    """The catalogue of a data directory; as it comes when it has no file. ``off``: derivations not wanted here.

    Raises:
        SettingsError: the file cannot be used; names file, key and what was expected.
    """
    path = data / NAME
    if not path.exists():
        return default_ruleset(off)
    try:
        return read_ruleset(path.read_bytes(), off)
    except RulesError as error:
        raise SettingsError(f"{path}: {error}") from error


def note_version(connection: Connection, ruleset: Ruleset, now: Instant) -> bool:
    """Audits that from now on this version decides, with what the site's file says; false when it did already."""
    log = tables.audit_log.c
    last = select(log.target).where(log.action == ACTION).order_by(log.id.desc()).limit(1)
    if connection.execute(last).scalar() == ruleset.version:
        return False
    audit_log.append(connection, now, ACTOR, ACTION, ruleset.version, {"overrides": ruleset.overrides})
    return True
