"""The database of a study: its tables, and the file that they are kept in."""

from __future__ import annotations

import fcntl
import hashlib
import secrets
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    create_engine,
    event,
    insert,
    inspect,
    select,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import StaticPool

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.envs.files.json_text import to_json

SCHEMA = 1
"""Version of the tables; a file of another version is refused."""

TABLES = MetaData()
STUDY = Table(
    "study",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("schema", Integer, nullable=False),
    Column("config", Text, nullable=False),
    Column("study_hash", String(64), nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("version", String(32), nullable=False),
    Column("created", Float, nullable=False),
)
"""One row: what is played."""
GRP = Table(
    "grp",
    TABLES,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("seed", BigInteger, nullable=False),
    Column("mechanisms", Text, nullable=False),
    Column("started", Float, nullable=False),
)
"""Groups; ``mechanisms`` is a JSON list of names, in the order of play."""
PERSON = Table(
    "person",
    TABLES,
    Column("id", String(16), primary_key=True),
    Column("secret_hash", String(64), nullable=False),
    Column("group_id", ForeignKey(GRP.c.id), nullable=False),
    Column("seat", Integer, nullable=False),
    Column("joined", Float, nullable=False),
    Column("read", Integer, nullable=False),
)
"""People: ``id`` stands in the address of their page, ``secret_hash`` is the SHA-256 of their cookie, ``read`` how many
of the pages between the games they have read."""
DECISION = Table(
    "decision",
    TABLES,
    Column("group_id", ForeignKey(GRP.c.id), primary_key=True),
    Column("episode", Integer, primary_key=True),
    Column("step", Integer, primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("seat", Integer, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("source", String(16), nullable=False),
    Column("shown", Float),
    Column("at", Float, nullable=False),
)
"""Decisions, from which a group is rebuilt: ``place`` is that in its log, ``action`` is JSON, ``shown`` is when
the page was first sent."""
VOTE = Table(
    "vote",
    TABLES,
    Column("group_id", ForeignKey(GRP.c.id), primary_key=True),
    Column("seat", Integer, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("episode", Integer),
    Column("source", String(16), nullable=False),
    Column("shown", Float),
    Column("at", Float, nullable=False),
)
"""Votes for the game ``episode``; null where none was cast."""


class StoreError(LawgiverError):
    """Error of a study's database: it cannot be written, or belongs to something else."""


class Store:
    """An open database.

    Args:
        path: its SQLite file, made if there is none; None for one in memory.
        config: what is played, as plain data; a file keeps that of its first opening.
        seed: of everything that is drawn; None for the one in the file, or a new one.

    Attributes:
        engine: of SQLAlchemy.
        seed: of everything that is drawn.

    Raises:
        StoreError: if the file cannot be written, is no database, is in use, holds something else, or was made for
            another config or by a version with other tables.
    """

    def __init__(self, path: Path | None, config: Mapping[str, Any], seed: int | None = None) -> None:
        self.path = path
        self._lock: TextIO | None = None
        if path is None:
            self.engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        else:
            self._lock = _locked(path)
            self.engine = _of_file(path)
        try:
            self._prepared()
            self.seed = self._opened(config, seed)
        except DatabaseError as error:
            self.close()
            raise StoreError(f"{path} cannot be used as a database: {error.orig}") from error
        except StoreError:
            self.close()
            raise

    def _prepared(self) -> None:
        """Make the tables of a new database; one of something else gets none."""
        found = set(inspect(self.engine).get_table_names())
        if found and STUDY.name not in found:
            raise StoreError(f"{self.path} holds other tables ({', '.join(sorted(found))}), allowed: another file")
        TABLES.create_all(self.engine)

    def _opened(self, config: Mapping[str, Any], seed: int | None) -> int:
        """Check that the database is of this study, or make it so if it is new; return its seed."""
        text = to_json(config)
        own = hashlib.sha256(text.encode()).hexdigest()
        with self.engine.begin() as connection:
            kept = connection.execute(select(STUDY)).one_or_none()
            if kept is None:
                drawn = secrets.randbelow(2**31) if seed is None else seed
                first = {"id": 1, "schema": SCHEMA, "config": text, "study_hash": own, "seed": drawn}
                connection.execute(insert(STUDY).values(**first, version=version("lawgiver"), created=time.time()))
                return drawn
        if kept.schema != SCHEMA:
            raise StoreError(f"{self.path} has tables of version {kept.schema}, allowed: {SCHEMA}")
        if kept.study_hash != own:
            raise StoreError(f"{self.path} was begun with {kept.config}, allowed: the same, or another file")
        if seed not in (None, kept.seed):
            raise StoreError(f"{self.path} was begun with seed={kept.seed}, allowed: the same, or another file")
        return int(kept.seed)

    def rows(self, table: Table) -> list[Row[Any]]:
        """Read a table in the order of its primary key."""
        with self.engine.connect() as connection:
            return list(connection.execute(select(table).order_by(*table.primary_key.columns)))

    def close(self) -> None:
        """Close the file and release its lock."""
        self.engine.dispose()
        if self._lock is not None:
            self._lock.close()


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
