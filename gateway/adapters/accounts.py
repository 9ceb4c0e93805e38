"""Accounts and sessions in the database (port `gateway.api.ports.Accounts`)."""

import json
import secrets
from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from gateway.adapters import tables
from gateway.api.passwords import hash_password
from gateway.api.ports import ALL_SITES, Account, Actor, Role
from gateway.contract.envelope import Instant

FIRST_ADMIN: Final = "admin"
DEMO_USER: Final = "demo"
_ONE_TIME: Final = "one-time:"  # before the hash of a secret that must be replaced at the first sign-in

_account = tables.account
_session = tables.session


def _to_account(row: RowMapping) -> Account:
    stored: str = row["password_hash"]
    return Account(
        name=row["name"],
        password_hash=stored.removeprefix(_ONE_TIME),
        role=Role(row["role"]),
        sites=tuple(json.loads(row["sites"])),
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
        must_change_password=stored.startswith(_ONE_TIME),
    )


def _to_row(account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "password_hash": (_ONE_TIME if account.must_change_password else "") + account.password_hash,
        "role": account.role,
        "sites": json.dumps(list(account.sites)),
        "created_at": account.created_at,
        "disabled_at": account.disabled_at,
    }


def find(connection: Connection, name: str) -> Account | None:
    """The account of that name."""
    row = connection.execute(select(_account).where(_account.c.name == name)).mappings().first()
    return _to_account(row) if row else None


def every(connection: Connection) -> list[Account]:
    """All accounts by name."""
    return [_to_account(row) for row in connection.execute(select(_account).order_by(_account.c.name)).mappings()]


def create(connection: Connection, account: Account) -> bool:
    """Adds it; false when the name is taken."""
    if find(connection, account.name):
        return False
    connection.execute(insert(_account).values(_to_row(account)))
    return True


def save(connection: Connection, account: Account) -> None:
    """Writes hash, role, sites and disabling; closes all its sessions, so that none keeps old rights."""
    connection.execute(update(_account).where(_account.c.name == account.name).values(_to_row(account)))
    connection.execute(delete(_session).where(_session.c.account == account.name))


def open_session(connection: Connection, id_hash: str, name: str, now: Instant, expires_at: Instant) -> None:
    """Adds a session and forgets those that expired."""
    connection.execute(delete(_session).where(_session.c.expires_at <= now))
    connection.execute(insert(_session).values(id_hash=id_hash, account=name, created_at=now, expires_at=expires_at))


def close_session(connection: Connection, id_hash: str) -> None:
    """Ends one session."""
    connection.execute(delete(_session).where(_session.c.id_hash == id_hash))


def actor(connection: Connection, id_hash: str, now: Instant) -> Actor | None:
    """The person behind a session that is neither expired nor of a disabled account."""
    row = (
        connection.execute(
            select(_account)
            .join(_session, _session.c.account == _account.c.name)
            .where(_session.c.id_hash == id_hash, _session.c.expires_at > now, _account.c.disabled_at.is_(None))
        )
        .mappings()
        .first()
    )
    if row is None:
        return None
    account = _to_account(row)
    return Actor(account.name, account.role, account.sites, id_hash, account.must_change_password)


def live_sessions(connection: Connection, id_hashes: Collection[str], now: Instant) -> set[str]:
    """Those of ``id_hashes`` that still identify somebody."""
    rows = connection.execute(
        select(_session.c.id_hash)
        .join(_account, _session.c.account == _account.c.name)
        .where(_session.c.id_hash.in_(id_hashes), _session.c.expires_at > now, _account.c.disabled_at.is_(None))
    )
    return set(rows.scalars())


def ensure_admin(connection: Connection, now: Instant) -> str | None:
    """Makes the account ``admin`` when there is no administrator, and gives its one-time secret to print; else none.

    The first sign-in with that secret can do nothing but choose a password.
    """
    admins = select(_account.c.name).where(_account.c.role == Role.ADMIN, _account.c.disabled_at.is_(None))
    if connection.execute(admins).first():
        return None
    secret = secrets.token_urlsafe(18)
    _put(connection, Account(FIRST_ADMIN, hash_password(secret), Role.ADMIN, (ALL_SITES,), now, None, True))
    return secret


def ensure_demo(connection: Connection, now: Instant) -> tuple[str, str]:
    """Makes (or gives a new password to) the doctor who may see every site of the demo: (username, password).

    Sessions opened before stay open: a page left open carries on after a restart.
    """
    password = secrets.token_urlsafe(9)
    _put(connection, Account(DEMO_USER, hash_password(password), Role.DOCTOR, (ALL_SITES,), now, None, False))
    return DEMO_USER, password


def _put(connection: Connection, account: Account) -> None:
    if not create(connection, account):
        connection.execute(update(_account).where(_account.c.name == account.name).values(_to_row(account)))
