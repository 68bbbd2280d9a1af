"""Serving of pages on this machine, until the process is interrupted or its database fails."""

from __future__ import annotations

import logging
import socket
from typing import Any

import uvicorn

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.people.database import reason
from lawgiver.trainers.people.ledger import LedgerError
from lawgiver.trainers.people.server import make_application
from lawgiver.trainers.people.solo import Solo

HOST = "127.0.0.1"
MOST_CONNECTIONS = 2_000


def listening(port: int) -> socket.socket:
    """Open a port of this machine that no other machine reaches; 0 for a free one.

    Raises:
        ParameterError: if it is taken, or may not be opened.
    """
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((HOST, port))
        own.listen()
    except OSError as error:
        own.close()
        raise ParameterError(
            f"port is {port}, which cannot be opened: {error.strerror}; allowed: a free one"
        ) from error
    return own


class Server(uvicorn.Server):
    """A server that answers open polls when it stops, and stops when its ledger fails."""

    def __init__(self, solo: Solo) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # not of everybody who speaks no HTTP
        self._solo = solo
        options: dict[str, Any] = {"access_log": False, "server_header": False, "proxy_headers": False}
        application = make_application(solo)
        super().__init__(uvicorn.Config(application, log_config=None, limit_concurrency=MOST_CONNECTIONS, **options))

    async def on_tick(self, counter: int) -> bool:
        """Check, ten times a second, for a reason to stop."""
        return await super().on_tick(counter) or self._solo.ledger.failure is not None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and answer whoever waits."""
        self._solo.wake_all()
        await super().shutdown(sockets)
        await self._solo.ledger.close()


def serve(solo: Solo, own: socket.socket) -> None:
    """Serve until interrupted.

    Args:
        solo: what is played.
        own: a socket that is bound to its port.

    Raises:
        LedgerError: if something could not be written, after which everybody was answered that the server stops.
        KeyboardInterrupt: if interrupted.
    """
    Server(solo).run([own])
    failure = solo.ledger.failure
    if failure is not None:
        kept = "what was written before is intact"
        raise LedgerError(f"cannot write {solo.store.name}: {reason(failure)}; {kept}") from failure
    # Nothing else ends it, but uvicorn's own interrupt is lost in a process that was started to ignore them.
    raise KeyboardInterrupt
