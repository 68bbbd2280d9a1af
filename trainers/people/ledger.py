"""A ledger: rows that arrive while the disk is busy are committed together, and nobody is answered before that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, Executable, Table, insert

from lawgiver.envs.core.errors import LawgiverError
from lawgiver.trainers.people.tables import TABLES


@dataclass(frozen=True)
class NewRow:
    """A row to be inserted, with its values by column.

    Rows of one commit are inserted a table at a time, which takes a fraction of the time of one statement each.
    """

    table: Table
    values: dict[str, Any]


Write: TypeAlias = NewRow | Executable
"""What a ledger writes."""
Waiting: TypeAlias = tuple[tuple[Write, ...], asyncio.Future[None]]
ORDER = {table: place for place, table in enumerate(TABLES.sorted_tables)}
"""Where each table stands among them, those that others refer to first."""


class LedgerError(LawgiverError):
    """A write has failed, after which nothing more is written or answered."""

    exit_code = 1


class Ledger:
    """Writes statements in the order in which they are handed in, in a thread of its own.

    One commit takes as long as the disk needs to confirm it, however many rows it has. So what is handed in during a
    commit waits and becomes the next one. After a failed commit memory is ahead of the disk: the ledger refuses
    everything from then on, and its owner has to stop. So it is after a fault by which less is handed in than was done.

    Args:
        engine: the database; one connection is used at a time.

    Attributes:
        failure: the error of the commit that failed; None as long as none has.
        fault: what was not foreseen, and has stopped it; None as long as nothing has.
        commits: how many there were.
    """

    def __init__(self, engine: Engine) -> None:
        self.failure: Exception | None = None
        self.fault: Exception | None = None
        self.commits = 0
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._waiting: list[Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def stopped(self) -> bool:
        """Whether nothing is written any more."""
        return self.failure is not None or self.fault is not None

    def stop(self, fault: Exception) -> None:
        """Write nothing any more but what was handed in before a fault."""
        self.fault = fault

    async def write(self, *statements: Write) -> None:
        """Wait until the statements, and all that were handed in before, are on disk.

        Raises:
            LedgerError: if they could not be written.
        """
        if self.stopped:
            raise LedgerError
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((statements, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await done

    async def settled(self) -> None:
        """Wait until everything that was handed in is on disk; raises as :meth:`write` does."""
        if self.stopped or (self._writer is not None and not self._writer.done()):
            await self.write()

    async def close(self) -> None:
        """Write what is still waiting, and end the thread."""
        if self._writer is not None:
            await self._writer
        self._thread.shutdown()

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            statements = [statement for each, _ in batch for statement in each]
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, statements)
            except Exception as error:  # a full disk, a lost connection: whatever it is, nothing may be answered
                self.failure = error
                for _, done in (*batch, *self._waiting):
                    if not done.done():  # else the request that waited for it was cancelled
                        done.set_exception(LedgerError())
                self._waiting = []
                return
            for _, done in batch:
                if not done.done():
                    done.set_result(None)

    def _commit(self, statements: list[Write]) -> None:
        if not statements:
            return
        with self._engine.begin() as connection:
            for rows, statement in _in_turns(statements):
                _insert(connection, rows)
                if statement is not None:
                    connection.execute(statement)
        self.commits += 1


def _in_turns(writes: Iterable[Write]) -> Iterator[tuple[list[NewRow], Executable | None]]:
    """Split what is written into rows that come one after the other, and the statement after them."""
    rows: list[NewRow] = []
    for write in writes:
        if isinstance(write, NewRow):
            rows.append(write)
        else:
            yield rows, write
            rows = []
    yield rows, None


def _insert(connection: Connection, rows: list[NewRow]) -> None:
    """Insert rows a table at a time, those of a table before those that refer to it."""
    alike: dict[tuple[Table, tuple[str, ...]], list[dict[str, Any]]] = {}
    for row in rows:
        alike.setdefault((row.table, tuple(row.values)), []).append(row.values)
    for table, columns in sorted(alike, key=lambda each: ORDER[each[0]]):
        connection.execute(insert(table), alike[table, columns])
