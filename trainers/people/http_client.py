"""A small HTTP client for many programs at once: libraries of clients take more of a processor than the server."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lawgiver.envs.files.json_text import from_json, to_json

LOST = (OSError, EOFError)
"""Errors of a connection that is gone."""
PAUSE_S = 0.1
"""Pause before something is asked for again."""
BUSY = (429, 503)
"""What a server answers that is asked too often, or that stops."""


@dataclass
class Log:
    """Requests of all who use it.

    Attributes:
        seconds: that answers took, by method; those of open polls are not in it.
        retries: requests that were sent again, because the connection was lost or the server busy.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: {"GET": [], "POST": []})
    retries: int = 0


@dataclass(frozen=True)
class Answer:
    """An answer: its status, headers by their names in lower case, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The body, read as JSON."""
        return from_json(self.body.decode())


@dataclass
class Client:
    """One who asks a server, one request at a time over one connection; lost ones are sent again until they arrive.

    Attributes:
        host: address of the server, in digits.
        port: its number.
        log: where its requests are noted.
        cookie: that is sent with each, in the form ``name=value``.
    """

    host: str
    port: int
    log: Log
    cookie: str = ""
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Any] | None = None,
        timed: bool = True,
        accept: str = "application/json",
    ) -> Answer:
        """Send a request, with fields as JSON.

        Args:
            method: ``GET`` or ``POST``.
            path: of what is asked for.
            fields: that are sent.
            timed: whether the time of the answer is noted.
            accept: media type of the answer that is asked for.
        """
        body = b"" if fields is None else to_json(fields).encode()
        kind = "" if fields is None else "Content-Type: application/json\r\n"
        kind += f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        lines = f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAccept: {accept}\r\n{kind}"
        sent = f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
        while True:
            begun = time.perf_counter()
            try:
                answer = await self._exchange(sent)
            except LOST:
                self.close()
            else:
                if answer.status not in BUSY:
                    if timed:
                        self.log.seconds[method].append(time.perf_counter() - begun)
                    return answer
            self.log.retries += 1
            await asyncio.sleep(PAUSE_S)

    def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            with contextlib.suppress(RuntimeError):  # of a loop that is closed already
                self._streams[1].close()
            self._streams = None

    async def _exchange(self, sent: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self._streams
        writer.write(sent)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in head[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(head[0].split()[1]), headers, body)
