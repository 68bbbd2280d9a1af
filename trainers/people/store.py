"""The database of a study: the file that its tables are kept in, its lock, and what it was begun for."""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from sqlalchemy import Engine, Row, Table, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from lawgiver.envs.core.errors import LawgiverError, brief
from lawgiver.envs.files.json_text import from_json, to_json
from lawgiver.trainers.people.tables import SCHEMA, STUDY, TABLES
from lawgiver.trainers.runs.config_errors import leaves

MOST_NAMED = 3
"""Settings that are named where a database was begun with others."""

if TYPE_CHECKING:
    from lawgiver.trainers.people.study import Study


class StoreError(LawgiverError):
    """Error of a study's database: it cannot be written, or belongs to something else."""


class Store:
    """An open database.

    Args:
        path: its SQLite file, made if there is none; None for one in memory.
        config: what is played, as plain data; a file keeps that of its first opening.
        seed: of everything that is drawn; None for the one in the file, or a new one.
        study_hash: of what may not change between two openings; None for that of the whole config.

    Attributes:
        engine: of SQLAlchemy.
        seed: of everything that is drawn.

    Raises:
        StoreError: if the file cannot be written, is no database, is in use, holds something else, or was made for
            another config or by a version with other tables.
    """

    def __init__(
        self, path: Path | None, config: Mapping[str, Any], seed: int | None = None, study_hash: str | None = None
    ) -> None:
        self.path = path
        self._lock: TextIO | None = None
        if path is None:
            self.engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        else:
            self._lock = _locked(path)
            self.engine = _of_file(path)
        try:
            self._prepared()
            self.seed = self._opened(config, seed, study_hash)
        except DatabaseError as error:
            self.close()
            raise StoreError(f"{path} cannot be used as a database: {error.orig}") from error
        except StoreError:
            self.close()
            raise

    def _prepared(self) -> None:
        """Make the tables of a new database; one of something else, or of another version, gets none."""
        if set(inspect(self.engine).get_table_names()):
            _check_tables(self.engine, self.path)
        TABLES.create_all(self.engine)

    def _opened(self, config: Mapping[str, Any], seed: int | None, study_hash: str | None) -> int:
        """Check that the database is of this study, or make it so if it is new; return its seed."""
        text = to_json(config)
        own = study_hash or hashlib.sha256(text.encode()).hexdigest()
        with self.engine.begin() as connection:
            kept = connection.execute(select(STUDY)).one_or_none()
            if kept is None:
                drawn = secrets.randbelow(2**31) if seed is None else seed
                first = {"id": 1, "schema": SCHEMA, "config": text, "study_hash": own, "seed": drawn}
                connection.execute(insert(STUDY).values(**first, version=version("lawgiver"), created=time.time()))
                return drawn
        if kept.study_hash != own:
            told = _differing(from_json(kept.config), from_json(text))
            raise StoreError(f"{self.path} was begun with {told}, allowed: the same, or another file")
        if seed not in (None, kept.seed):
            raise StoreError(f"{self.path} was begun with seed={kept.seed}, allowed: the same, or another file")
        return int(kept.seed)

    def rows(self, table: Table) -> list[Row[Any]]:
        """Read a table in the order of its primary key."""
        return rows(self.engine, table)

    def close(self) -> None:
        """Close the file and release its lock."""
        self.engine.dispose()
        if self._lock is not None:
            self._lock.close()


def open_study(study: Study) -> Store:
    """Open the database of a study; see :class:`Store`."""
    return Store(Path(study.database), study.as_data(), study.config.seed, study.study_hash)


def rows(engine: Engine, table: Table) -> list[Row[Any]]:
    """Read a table in the order of its primary key."""
    with engine.connect() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key.columns)))


def _differing(kept: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Name settings that a database was begun with and that are others now."""
    before, now = leaves(kept), leaves(given)
    keys = [key for key in {**before, **now} if key not in before or key not in now or before[key] != now[key]]
    told = [f"{key}={brief(before[key])}" if key in before else f"no {key}" for key in keys[:MOST_NAMED]]
    return ", ".join(told) + (f" and {len(keys) - MOST_NAMED} more that differ" if len(keys) > MOST_NAMED else "")


@contextmanager
def reading(path: Path) -> Iterator[Engine]:
    """Open a database to read it, also while it is served; nothing can be written.

    Raises:
        StoreError: if there is none, or it was made by a version with other tables.
    """
    if not path.is_file():
        raise StoreError(f"{path} is no file, allowed: a database that was begun")
    engine = create_engine(
        URL.create("sqlite", database=f"file:{path.absolute()}", query={"mode": "ro", "uri": "true"})
    )
    try:
        _check_tables(engine, path)
        yield engine
    except DatabaseError as error:
        raise StoreError(f"{path} cannot be used as a database: {error.orig}") from error
    finally:
        engine.dispose()


def _check_tables(engine: Engine, path: Path | None) -> None:
    """Refuse tables that are no study's, or another version's."""
    found = set(inspect(engine).get_table_names())
    if STUDY.name not in found:
        told = ", ".join(sorted(found)) or "none"
        raise StoreError(f"{path} holds other tables ({told}), allowed: those of a study")
    with engine.connect() as connection:
        schema = connection.execute(select(STUDY.c.schema)).scalar_one_or_none()
    if schema not in (None, SCHEMA):
        raise StoreError(f"{path} has tables of version {schema}, allowed: {SCHEMA}")


def _locked(path: Path) -> TextIO:
    """Hold the lock of a database against other processes; the system releases it when this process ends."""
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


def _of_file(path: Path) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(path)))

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {setting}")

    return engine
