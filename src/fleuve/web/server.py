"""uvicorn, made to live in somebody else's process and event loop.

Left to itself it takes the process's signals, waits for ever for idle connections, and lets any number of them in.
Imported with the first connection: see `fleuve.web.service`.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Generator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONNECTIONS_MAX = 100
"""Scrapers and probes are few; what comes beyond is closed at once."""
IDLE_TIMEOUT_S = 30
GRACE_S = 2
SILENCE_S = 10
"""A warning that comes again within this time is left out."""


class _Seldom(logging.Filter):
    """Lets a warning pass once in SILENCE_S: a Kafka client that was given this port tries twenty times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""
        self._said_s = float("-inf")

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is written."""
        if record.levelno != logging.WARNING:
            return True
        text = record.getMessage()
        if text == self._text and record.created - self._said_s < SILENCE_S:
            return False
        self._text, self._said_s = text, record.created
        return True


class _BoundedProtocol(HttpToolsProtocol):
    """Refuses connections beyond CONNECTIONS_MAX, and does not wait for ever for a first request."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            transport.abort()
            return
        # uvicorn starts this clock after the first answer only; the first byte stops it.
        self.timeout_keep_alive_task = self.loop.call_later(IDLE_TIMEOUT_S, self.timeout_keep_alive_handler)


class EmbeddedServer(uvicorn.Server):
    """An HTTP server that leaves the process alone."""

    def __init__(self, application: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=_BoundedProtocol,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=IDLE_TIMEOUT_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to the broker."""
        yield

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer on `sockets` until `should_exit` is set."""
        seldom, logger = _Seldom(), logging.getLogger("uvicorn.error")
        logger.addFilter(seldom)
        try:
            await super().serve(sockets)
        finally:
            logger.removeFilter(seldom)
