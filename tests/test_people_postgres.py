"""A study's database on PostgreSQL: what it stores, who may write, what is refused, and how errors are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, delete, insert, make_url

from lawgiver.envs.core import registry
from lawgiver.envs.core.errors import MissingExtraError
from lawgiver.trainers.people import database
from lawgiver.trainers.people.ledger import Ledger, LedgerError
from lawgiver.trainers.people.store import Store, StoreError, reading, rows
from lawgiver.trainers.people.tables import DECISION, GRP, STUDY

MakeDatabase = Callable[[], str]
LARGE = 2**63 - 1
"""The largest number that a column holds; a 32-bit one holds none over 2**31 - 1."""


def group(number: int, seed: int = LARGE) -> dict[str, object]:
    """Return a row of a group."""
    return {"id": number, "seed": seed, "mechanisms": "[]", "started": 0.1 + 0.2}


def decision(place: int, step: int) -> dict[str, object]:
    """Return a row of a decision."""
    made = {"action": "[0.1, 1e-320, 12345678.000000001]", "source": "person", "shown": None, "at": 1.8e9 + 1e-6}
    return {"group_id": 0, "episode": 0, "step": step, "role": "participant", "seat": 0, "place": place, **made}


def write(store: Store, *batches: list[object]) -> None:
    """Write statements as a server does."""

    async def write_all() -> None:
        ledger = Ledger(store.engine)
        try:
            for batch in batches:
                await ledger.write(*batch)  # type: ignore[arg-type]  # statements
        finally:
            await ledger.close()

    asyncio.run(write_all())


def test_what_is_written_is_read_as_it_was(postgres: MakeDatabase) -> None:
    address = postgres()
    with closing(Store(address, {"a": 0.1}, seed=2**31 + 5, study_hash="f" * 64)) as store:
        write(store, [insert(GRP).values(**group(0))], [insert(DECISION).values(**decision(1, 2**31 - 1))])
    with closing(Store(address, {"a": 0.2}, study_hash="f" * 64)) as store:
        assert store.seed == 2**31 + 5
        (kept,), (made,) = store.rows(GRP), store.rows(DECISION)
        assert (kept.seed, kept.started, kept.state) == (LARGE, 0.1 + 0.2, "play")
        assert {name: getattr(made, name) for name in decision(1, 0)} == decision(1, 2**31 - 1)


def test_a_failed_write_stops_the_ledger_and_leaves_nothing_of_it(postgres: MakeDatabase) -> None:
    with closing(Store(postgres(), {})) as store:
        first, second, twice = (insert(GRP).values(**group(number)) for number in (0, 1, 0))
        with pytest.raises(LedgerError):
            write(store, [first], [second, twice])
        assert [row.id for row in store.rows(GRP)] == [0]


def test_one_process_writes_and_others_read(postgres: MakeDatabase) -> None:
    address = postgres()
    with closing(Store(address, {})) as store:
        with pytest.raises(StoreError, match=r"^postgresql\+pg8000://lab:\*\*\*@.* is in use by another process$"):
            Store(address, {})
        with reading(address) as engine:
            write(store, [insert(GRP).values(**group(0))])
            assert [row.id for row in rows(engine, GRP)] == [0]
        with pytest.raises(StoreError, match="read-only transaction"), reading(address) as second:  # noqa: SIM117
            with second.begin() as connection:
                connection.execute(delete(STUDY))
        with closing(Store(postgres(), {})):
            """Another database of the same server has a lock of its own."""
    with closing(Store(address, {})) as store:
        assert len(store.rows(GRP)) == 1


def test_who_has_lost_the_lock_cannot_write(postgres: MakeDatabase) -> None:
    address = postgres()
    with closing(Store(address, {})) as store, closing(create_engine(address).connect()) as other:
        others = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        other.exec_driver_sql(others)
        with closing(Store(address, {})), pytest.raises(LedgerError):
            write(store, [insert(GRP).values(**group(0))])
        with reading(address) as engine:
            assert rows(engine, GRP) == []


def test_a_database_of_something_else_or_of_another_study_is_refused(postgres: MakeDatabase) -> None:
    address = postgres()
    with closing(create_engine(address).connect()) as other:
        other.exec_driver_sql("CREATE TABLE visits (id INTEGER)")
        other.commit()
    for refuse in (lambda: Store(address, {}), lambda: reading(address).__enter__()):
        with pytest.raises(StoreError, match=r"holds other tables \(visits\), allowed: those of a study"):
            refuse()
    begun = postgres()
    Store(begun, {"game": "a"}).close()
    with pytest.raises(StoreError, match="was begun with game='a', allowed: the same, or another database"):
        Store(begun, {"game": "b"})


@pytest.mark.parametrize("use", [lambda address: Store(address, {}), lambda address: reading(address).__enter__()])
def test_a_database_that_cannot_be_used_is_told_in_one_line_without_the_password(
    postgres: MakeDatabase, use: Callable[[str], object]
) -> None:
    url = make_url(postgres())

    def told(**changes: object) -> str:
        with pytest.raises(StoreError) as error:
            use(url.set(**changes).render_as_string(hide_password=False))  # type: ignore[arg-type]
        said = str(error.value)
        assert "\n" not in said and "secret" not in said and "a%2F" not in said
        return said

    assert told(password="another/secret").endswith('password authentication failed for user "lab"')
    assert "Can't create a connection to host 127.0.0.1 and port 1" in told(port=1)
    assert told(database="nowhere").endswith('database "nowhere" does not exist')
    assert told(drivername="mysql").startswith("the address of the database begins with mysql://, allowed: a file, ")
    assert "names no database" in told(database="")


def test_an_address_that_cannot_be_read_is_not_repeated(tmp_path: Path) -> None:
    for address in ("://lab:secret@host/study", "postgresql+pg8000://lab:secret@host:port/study"):
        with pytest.raises(
            StoreError, match=r"^the address of the database cannot be read, allowed: a file, sqlite://"
        ):
            Store(address, {})
    Store(f"sqlite:///{tmp_path}/file", {}).close()
    assert (tmp_path / "file").is_file()


def test_without_the_driver_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.PACKAGES, "postgres", ("pg8000_that_is_not_there",))
    with pytest.raises(MissingExtraError, match=r"lawgiver\[postgres\]"):
        database.writable("postgresql+pg8000://lab@127.0.0.1/study")
