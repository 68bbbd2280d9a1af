"""A ledger: rows that arrive while the disk is busy are committed together, and nobody is answered before that."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Engine, Executable

    Waiting: TypeAlias = tuple[tuple[Executable, ...], asyncio.Future[None]]


class LedgerError(Exception):
    """A write has failed, after which nothing more is written or answered."""


class Ledger:
    """Writes statements in the order in which they are handed in, in a thread of its own.

    One commit takes as long as the disk needs to confirm it, however many rows it has. So what is handed in during a
    commit waits and becomes the next one. After a failed commit memory is ahead of the disk: the ledger refuses
    everything from then on, and its owner has to stop.

    Args:
        engine: the database; one connection is used at a time.

    Attributes:
        failure: the error of the commit that failed; None as long as none has.
        commits: how many there were.
    """

    def __init__(self, engine: Engine) -> None:
        self.failure: Exception | None = None
        self.commits = 0
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._waiting: list[Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    async def write(self, *statements: Executable) -> None:
        """Wait until the statements, and all that were handed in before, are on disk.

        Raises:
            LedgerError: if they could not be written.
        """
        if self.failure is not None:
            raise LedgerError
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((statements, done))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await done

    async def settled(self) -> None:
        """Wait until everything that was handed in is on disk; raises as :meth:`write` does."""
        if self.failure is not None or (self._writer is not None and not self._writer.done()):
            await self.write()

    async def close(self) -> None:
        """Write what is still waiting, and end the thread."""
        if self.failure is None:
            await self.settled()
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

    def _commit(self, statements: list[Executable]) -> None:
        if not statements:
            return
        with self._engine.begin() as connection:
            for statement in statements:
                connection.execute(statement)
        self.commits += 1
