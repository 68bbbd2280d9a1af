"""Databases that studies are kept in, SQLite files and PostgreSQL, each written by one process at a time."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import StaticPool

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.core.registry import require_extras

Address: TypeAlias = Path | str
"""A file of SQLite, or an address of SQLAlchemy, which has ``://`` in it."""

SQLITE, POSTGRESQL = "sqlite", "postgresql+pg8000"
ADDRESSES = f"a file, {SQLITE}:///FILE, or {POSTGRESQL}://USER:PASSWORD@HOST/DATABASE"
LOCK = 0x6C617767697665
"""Number of the advisory lock of PostgreSQL, which is one for each of its databases."""
LOCK_S = 2
"""How long the lock is waited for: the server takes a moment to notice that its last owner was killed."""
SILENT_S = 30
"""How long PostgreSQL may be silent in the middle of a request before its connection counts as lost."""


class StoreError(LawgiverError):
    """Error of a study's database: it cannot be written, or belongs to something else."""


@dataclass(frozen=True)
class Database:
    """A database that is open.

    Attributes:
        name: what it is called in errors, without a password.
        engine: of SQLAlchemy.
    """

    name: str
    engine: Engine
    _lock: TextIO | None = None

    def close(self) -> None:
        """Close its connections and release its lock."""
        self.engine.dispose()
        if self._lock is not None:
            self._lock.close()


def in_memory() -> Database:
    """Make a database that is gone with the process."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    return Database("the database", engine)


def writable(address: Address) -> Database:
    """Open a database, make its file if there is none, and lock it against other processes.

    A transaction that is confirmed is on disk. PostgreSQL is written through one connection, which holds the lock: who
    loses the lock cannot write any more, and a process that takes it over finds everything that was confirmed.

    Raises:
        StoreError: if the address is wrong, the file cannot be written, or another process has the lock; for
            PostgreSQL, the latter is only known once the first connection is made.
        MissingExtraError: if the driver of PostgreSQL is not installed.
    """
    url = _url(address)
    if url.drivername == POSTGRESQL:
        engine = create_engine(url, connect_args={"timeout": SILENT_S}, pool_size=1, max_overflow=0)
        event.listen(engine, "connect", lambda connection, _: _lock_postgresql(connection, _name(url)))
        return Database(_name(url), engine)
    path = _file(url)
    lock = _locked(path)
    engine = create_engine(URL.create(SQLITE, database=str(path)))
    event.listen(engine, "connect", _prepare_sqlite)
    return Database(_name(url), engine, lock)


def readable(address: Address) -> Database:
    """Open a database to read it, also while another process writes to it; nothing can be written.

    Raises:
        StoreError: if the address is wrong, or there is no such file.
        MissingExtraError: if the driver of PostgreSQL is not installed.
    """
    url = _url(address)
    if url.drivername == POSTGRESQL:
        engine = create_engine(url, connect_args={"timeout": SILENT_S})
        event.listen(engine, "connect", _forbid_writing)
        return Database(_name(url), engine)
    path = _file(url)
    if not path.is_file():
        raise StoreError(f"{path} is no file, allowed: a database that was begun")
    query = {"mode": "ro", "uri": "true"}
    return Database(_name(url), create_engine(URL.create(SQLITE, database=f"file:{path.absolute()}", query=query)))


@contextmanager
def told(name: str) -> Iterator[None]:
    """Turn the errors of a database into one of ours that names it.

    Raises:
        StoreError: in place of an error of a driver.
    """
    try:
        yield
    except DBAPIError as error:
        raise StoreError(f"{name} cannot be used as a database: {reason(error)}") from error


def name_of(address: Address) -> str:
    """Write the name of a database as errors have it, without a password."""
    return _name(_url(address))


def reason(error: Exception) -> str:
    """Write the cause of a failure of a database in one line, without what was to be stored."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    fields = next(iter(getattr(cause, "args", ())), None)
    return str(fields["M"] if isinstance(fields, dict) and "M" in fields else cause)


def _url(address: Address) -> URL:
    """Read an address; errors do not repeat it, for the password that may be in it."""
    if isinstance(address, Path) or "://" not in address:
        return URL.create(SQLITE, database=str(address))
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"the address of the database cannot be read, allowed: {ADDRESSES}") from error
    if url.drivername not in (SQLITE, POSTGRESQL):
        raise StoreError(f"the address of the database begins with {url.drivername}://, allowed: {ADDRESSES}")
    if not url.database:
        raise StoreError(f"{url.render_as_string(hide_password=True)} names no database, allowed: {ADDRESSES}")
    if url.drivername == POSTGRESQL:
        require_extras("a database of PostgreSQL", "postgres")
    return url


def _name(url: URL) -> str:
    return url.render_as_string(hide_password=True) if url.drivername == POSTGRESQL else str(_file(url))


def _file(url: URL) -> Path:
    return Path(url.database or "")


def _locked(path: Path) -> TextIO:
    """Hold the lock of a file against other processes; the system releases it when this process ends."""
    if path.is_dir():
        raise StoreError(f"{path} is a folder, allowed: a file")
    try:
        lock = path.with_name(f"{path.name}.lock").open("w")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise StoreError(f"{path} is in use by another process") from error
    return lock


def _prepare_sqlite(connection: Any, _: Any) -> None:
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {setting}")


def _lock_postgresql(connection: Any, name: str) -> None:
    _run(connection, "SET synchronous_commit = on", f"SET lock_timeout = '{LOCK_S}s'")
    try:
        _run(connection, f"SELECT pg_advisory_lock({LOCK})", "SET lock_timeout = 0")
    except Exception as error:
        connection.close()
        if "55P03" in str(error):  # lock_not_available
            raise StoreError(f"{name} is in use by another process") from error
        raise


def _forbid_writing(connection: Any, _: Any) -> None:
    _run(connection, "SET default_transaction_read_only = on")


def _run(connection: Any, *statements: str) -> None:
    """Run statements on a connection of a driver."""
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()
    connection.commit()
