"""The one database: engines with the right settings, and the one thread that writes."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event

T = TypeVar("T")

DATABASE_NAME = "lastmile.db"
CHECKPOINT_PAGES = 4_000  # 16 MB of write-ahead log: a page that changes again and again is copied back once
CACHE_KIB = 65_536  # of the writer: the newest pages of a thousand lanes


def connect(path: Path, *, readonly: bool = False) -> Engine:
    """An engine on the SQLite file: WAL, ``synchronous=FULL`` (a commit is fsynced), foreign keys on.

    Write transactions begin IMMEDIATE so that two writers queue instead of failing half-way.
    """
    url = f"sqlite:///file:{path}?mode=ro&uri=true" if readonly else f"sqlite:///{path}"
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _configure(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None  # the driver must not open transactions of its own
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA busy_timeout=5000")
        if not readonly:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")
            cursor.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    return engine


class Database:
    """Owns the writer thread: jobs run one by one, each in its own transaction, fsynced when its future is done."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._connection: Connection | None = None

    def submit(self, job: Callable[[Connection], T]) -> Future[T]:
        """Runs ``job`` in a transaction; the future carries its result or its exception (then rolled back)."""
        return self._executor.submit(self._run, job)

    def _run(self, job: Callable[[Connection], T]) -> T:
        if self._connection is None:
            self._connection = self.engine.connect()
        with self._connection.begin():
            return job(self._connection)

    def close(self) -> None:
        """Waits for the jobs submitted so far and closes the connection."""
        self._executor.submit(self._close_connection).result()
        self._executor.shutdown()
        self.engine.dispose()

    def _close_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
