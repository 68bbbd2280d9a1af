"""The database of a study: its tables, and what it was begun for."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, Row, Table, insert, inspect, select

from lawgiver.envs.core.errors import brief
from lawgiver.envs.files.json_text import from_json, to_json
from lawgiver.trainers.people.database import Address, in_memory, readable, told, writable
from lawgiver.trainers.people.database import StoreError as StoreError
from lawgiver.trainers.people.tables import SCHEMA, STUDY, TABLES
from lawgiver.trainers.runs.config_errors import leaves

MOST_NAMED = 3
"""Settings that are named where a database was begun with others."""

if TYPE_CHECKING:
    from lawgiver.trainers.people.study import Study


class Store:
    """An open database.

    Args:
        address: its SQLite file, made if there is none, or its address; None for one in memory.
        config: what is played, as plain data; a database keeps that of its first opening.
        seed: of everything that is drawn; None for the one in the database, or a new one.
        study_hash: of what may not change between two openings; None for that of the whole config.

    Attributes:
        name: what it is called in errors.
        engine: of SQLAlchemy.
        seed: of everything that is drawn.

    Raises:
        StoreError: if the database cannot be reached or written, is none, is in use, holds something else, or was made
            for another config or by a version with other tables.
        MissingExtraError: if the driver of PostgreSQL is not installed.
    """

    def __init__(
        self, address: Address | None, config: Mapping[str, Any], seed: int | None = None, study_hash: str | None = None
    ) -> None:
        self._database = in_memory() if address is None else writable(address)
        self.name, self.engine = self._database.name, self._database.engine
        try:
            with told(self.name):
                self._prepared()
                self.seed = self._opened(config, seed, study_hash)
        except StoreError:
            self.close()
            raise

    def _prepared(self) -> None:
        """Make the tables of a new database; one of something else, or of another version, gets none."""
        if set(inspect(self.engine).get_table_names()):
            _check_tables(self.engine, self.name)
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
            differing = _differing(from_json(kept.config), from_json(text))
            raise StoreError(f"{self.name} was begun with {differing}, allowed: the same, or another database")
        if seed not in (None, kept.seed):
            raise StoreError(f"{self.name} was begun with seed={kept.seed}, allowed: the same, or another database")
        return int(kept.seed)

    def rows(self, table: Table) -> list[Row[Any]]:
        """Read a table in the order of its primary key."""
        return rows(self.engine, table)

    def close(self) -> None:
        """Close the connections and release the lock."""
        self._database.close()


def open_study(study: Study) -> Store:
    """Open the database of a study; see :class:`Store`."""
    return Store(study.database, study.as_data(), study.config.seed, study.study_hash)


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
def reading(address: Address) -> Iterator[Engine]:
    """Open a database to read it, also while it is served; nothing can be written.

    Raises:
        StoreError: if there is none, it cannot be reached, or it was made by a version with other tables.
        MissingExtraError: if the driver of PostgreSQL is not installed.
    """
    database = readable(address)
    try:
        with told(database.name):
            _check_tables(database.engine, database.name)
            yield database.engine
    finally:
        database.close()


def _check_tables(engine: Engine, name: str) -> None:
    """Refuse tables that are no study's, or another version's."""
    found = set(inspect(engine).get_table_names())
    if STUDY.name not in found:
        listed = ", ".join(sorted(found)) or "none"
        raise StoreError(f"{name} holds other tables ({listed}), allowed: those of a study")
    with engine.connect() as connection:
        schema = connection.execute(select(STUDY.c.schema)).scalar_one_or_none()
    if schema not in (None, SCHEMA):
        raise StoreError(f"{name} has tables of version {schema}, allowed: {SCHEMA}")
