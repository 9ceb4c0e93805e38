"""The outbox's file as the operating system sees it: whose it is, and what can be wrong with it."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_FULL: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class DiskFullError(RuntimeError):
    """There is no room on the disk even after shedding; nothing of the batch was stored."""


class DamagedOutboxError(RuntimeError):
    """The structure of the file is broken."""


class OutboxBusyError(RuntimeError):
    """Another process has this outbox open."""


def lock(path: Path) -> int:
    """Take the outbox for this process; returns the handle whose closing gives it back.

    Raises:
        OutboxBusyError: another process has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise OutboxBusyError(f"{path} belongs to a running agent") from error
    return handle


@contextmanager
def naming_damage() -> Iterator[None]:
    """Let SQLite's ways of saying "broken file" out as DamagedOutboxError."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if _code(error) in _DAMAGED:
            raise DamagedOutboxError(str(error)) from error
        raise


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one


def is_full(error: sqlite3.Error) -> bool:
    """Whether the disk (or a write to it) was the trouble."""
    return _code(error) in _FULL
