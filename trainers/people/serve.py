"""Serving of pages, until the process is interrupted, nothing is left to do, or the database fails."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from lawgiver.envs.core.errors import ParameterError
from lawgiver.trainers.people.database import reason
from lawgiver.trainers.people.ledger import LedgerError
from lawgiver.trainers.people.server import Host

LOCAL = "127.0.0.1"
MOST_CONNECTIONS = 2_000
TICKS = 2
"""Tenths of a second between two looks at what has come due."""


def listening(port: int, address: str = LOCAL) -> socket.socket:
    """Open a port; by default one of this machine that no other machine reaches.

    Args:
        port: its number; 0 for a free one.
        address: of this machine, in digits.

    Raises:
        ParameterError: if it is taken, or may not be opened.
    """
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        own.bind((address, port))
        own.listen()
    except OSError as error:
        own.close()
        raise ParameterError(
            f"port is {port}, which cannot be opened: {error.strerror}; allowed: a free one"
        ) from error
    return own


class Server(uvicorn.Server):
    """A server that does what has come due, answers open polls when it stops, and stops when its ledger fails.

    Args:
        host: what is served.
        application: that serves it.
        behind_proxy: whether a proxy on this machine says which address was asked for.

    Attributes:
        host: what is served.
    """

    def __init__(self, host: Host[Any], application: ASGIApp, behind_proxy: bool = False) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # not of everybody who speaks no HTTP
        self.host = host
        options: dict[str, Any] = {"access_log": False, "server_header": False, "log_config": None}
        options |= {"proxy_headers": behind_proxy, "forwarded_allow_ips": LOCAL, "limit_concurrency": MOST_CONNECTIONS}
        super().__init__(uvicorn.Config(application, **options))

    async def on_tick(self, counter: int) -> bool:
        """Do, ten times a second, what has come due, and check for a reason to stop."""
        try:
            due = self.host.tick() if counter % TICKS == 0 else []
        except Exception as error:  # whatever it is, people would wait for what never comes
            self.host.ledger.stop(error)
            return True
        with suppress(LedgerError):  # in which case the ledger has stopped
            if due:
                await self.host.ledger.write(*due)
        return await super().on_tick(counter) or self.host.ledger.stopped or self.host.over

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and answer whoever waits."""
        self.host.wake_all()
        await super().shutdown(sockets)
        await self.host.ledger.close()


def serve(server: Server, *own: socket.socket) -> None:
    """Serve until interrupted, or until what is served is over.

    Args:
        server: the server.
        own: sockets that are bound to their ports.

    Raises:
        LedgerError: if something could not be written, after which everybody was answered that the server stops.
        KeyboardInterrupt: if interrupted.
    """
    host = server.host
    server.run(list(own))
    failure = host.ledger.failure
    if failure is not None:
        kept = "what was written before is intact"
        raise LedgerError(f"cannot write {host.store.name}: {reason(failure)}; {kept}") from failure
    if host.ledger.fault is not None:
        raise host.ledger.fault
    # Nothing else ends it, but uvicorn's own interrupt is lost in a process that was started to ignore them.
    if not host.over:
        raise KeyboardInterrupt
