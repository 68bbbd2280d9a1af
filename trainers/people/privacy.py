"""Forgetting of people: of one who withdraws, or of everybody once all are paid.

What is deleted is overwritten, so that nothing of it stays in a file of SQLite or its log; PostgreSQL writes its tables
anew.
"""

from __future__ import annotations

import time
from contextlib import closing

from sqlalchemy import Column, Connection, Float, Table, delete, insert, select, update

from lawgiver.envs.core.errors import ParameterError, brief
from lawgiver.trainers.people.links import code_id
from lawgiver.trainers.people.store import Store, open_study
from lawgiver.trainers.people.study import Study
from lawgiver.trainers.people.tables import EVENT, OUTSIDE, PERSON, STUDY, TABLES

DURATIONS = (PERSON.c.waited_s,)
"""Columns of seconds that are no moment."""
MOMENTS: dict[Table, list[Column[float]]] = {
    table: [column for column in table.columns if isinstance(column.type, Float) and column not in DURATIONS]
    for table in TABLES.sorted_tables
}
"""Columns of moments, in UTC seconds, by table."""


def forget(study: Study, outside_id: str) -> None:
    """Delete who somebody is, and mark their data as withdrawn: no table that is written from then on has them.

    They cannot come back; a program decides for them if their group is in play.

    Args:
        study: which has to be served by nobody.
        outside_id: the id by which they are known outside: that of Prolific or of the list of links, or their code.

    Raises:
        ParameterError: if nobody is known by it.
        StoreError: if the database cannot be used, or is in use.
    """
    with closing(open_study(study)) as store:
        with store.engine.begin() as connection:
            known = OUTSIDE.c.outside_id.in_([outside_id, code_id(outside_id)])
            row = connection.execute(select(OUTSIDE).where(known)).one_or_none()
            if row is None:
                raise ParameterError(f"outside_id is {brief(outside_id)}, allowed: that of somebody in {store.name}")
            if row.person_id is not None:
                _withdraw(connection, row.person_id)
            connection.execute(delete(OUTSIDE).where(OUTSIDE.c.outside_id == row.outside_id))
        _overwrite(store)


def anonymise(study: Study) -> int:
    """Delete who everybody is, what lets them in, and at what time anything happened; return the number of people.

    Times begin from then on with the study; intake is closed. Payments cannot be written any more.

    Raises:
        ParameterError: if somebody is still in the study.
        StoreError: if the database cannot be used, or is in use.
    """
    with closing(open_study(study)) as store:
        with store.engine.begin() as connection:
            people = connection.execute(select(PERSON.c.end)).scalars().all()
            if None in people:
                raise ParameterError(f"{people.count(None)} people have not ended, allowed: once all have")
            begun = connection.execute(select(STUDY.c.created)).scalar_one()
            connection.execute(delete(OUTSIDE))
            connection.execute(update(PERSON).values(secret_hash=""))
            connection.execute(update(STUDY).values(intake="closed"))
            for table, columns in MOMENTS.items():
                if columns:
                    connection.execute(update(table).values({column.name: column - begun for column in columns}))
        _overwrite(store)
    return len(people)


def _withdraw(connection: Connection, person_id: str) -> None:
    row = connection.execute(select(PERSON).where(PERSON.c.id == person_id)).one()
    event = {"person_id": row.id, "group_id": row.group_id, "what": "withdrawn", "at": time.time()}
    connection.execute(insert(EVENT).values(**event))
    connection.execute(update(PERSON).where(PERSON.c.id == row.id).values(secret_hash=""))


def _overwrite(store: Store) -> None:
    """Write the tables anew without what was deleted, which no transaction can hold."""
    engine = store.engine.execution_options(isolation_level="AUTOCOMMIT")
    sqlite = ["PRAGMA secure_delete=ON", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"]
    others = [f"VACUUM FULL {table.name}" for table in TABLES.sorted_tables]
    with engine.connect() as connection:
        for statement in sqlite if engine.dialect.name == "sqlite" else others:
            connection.exec_driver_sql(statement)
