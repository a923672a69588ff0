"""The HTTP port of a broker: metrics and health.

Opening the port is cheap and happens at start, so that a port that is taken is a start-up error. The HTTP stack
itself (uvicorn, starlette, prometheus-client: 0.3 s to import, 20 MB) is loaded when somebody first connects, in a
thread; until then connections wait in the port's backlog. So it costs a start and an idle broker nothing.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from typing import TYPE_CHECKING

from fleuve.base.errors import FleuveError, Verdict
from fleuve.base.log import Logger

if TYPE_CHECKING:
    from fleuve.web.application import Sources
    from fleuve.web.health import Health
    from fleuve.web.server import EmbeddedServer

BACKLOG = 128


class HttpAddressUnavailable(FleuveError, verdict=Verdict.REJECT):
    """The HTTP port cannot be opened; the message says why and what to do."""


class HttpServer:
    """Serves `/metrics`, `/livez` and `/readyz` on `host` (empty: every interface) and `port` (0: any free one)."""

    def __init__(self, host: str, port: int, *, metrics: Sources, health: Health, log: Logger) -> None:
        self._host = host
        self._port = port
        self._metrics = metrics
        self._health = health
        self._log = log
        self._sockets: list[socket.socket] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._server: EmbeddedServer | None = None

    def open(self) -> int:
        """Open the port and return its number; nobody is answered yet. Raises HttpAddressUnavailable."""
        self._sockets = _bound(self._host, self._port)
        return int(self._sockets[0].getsockname()[1])

    async def run(self) -> None:
        """Answer requests until `stop`; closes the port. The caller owns the task."""
        assert self._sockets, "open() comes first"
        try:
            if not await self._somebody_came():
                return
            self._server = await asyncio.to_thread(self._load)
            if not self._stopping:
                await self._server.serve(self._sockets)
        finally:
            for bound in self._sockets:
                bound.close()

    def stop(self) -> None:
        """Make `run` return as soon as the requests in progress are answered, or after two seconds."""
        self._stopping = True
        self._wake.set()
        if self._server is not None:
            self._server.should_exit = True

    async def _somebody_came(self) -> bool:
        """Wait for the first connection; return False if `stop` came before it."""
        loop = asyncio.get_running_loop()
        try:
            for bound in self._sockets:
                loop.add_reader(bound, self._wake.set)
        except NotImplementedError:
            # The loop of Windows cannot tell: there the stack is loaded at once.
            return not self._stopping
        try:
            await self._wake.wait()
        finally:
            for bound in self._sockets:
                loop.remove_reader(bound)
        return not self._stopping

    def _load(self) -> EmbeddedServer:
        from fleuve.web.application import make_application
        from fleuve.web.server import EmbeddedServer

        return EmbeddedServer(make_application(self._metrics, self._health, self._log))


def _bound(host: str, port: int) -> list[socket.socket]:
    """Return listening sockets on all addresses that `host` has, the same port on each."""
    opened: list[socket.socket] = []
    failure: OSError | None = None
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            chosen = opened[0].getsockname()[1] if opened else port
            try:
                opened.append(_listening(family, (address[0], chosen, *address[2:])))
            except OSError as error:
                # A name may have addresses that this machine has not: ::1 of localhost where IPv6 is off.
                if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    raise
                failure = error
    except OSError as error:
        failure = error
        for bound in opened:
            bound.close()
        opened = []
    if not opened:
        assert failure is not None
        raise HttpAddressUnavailable(_explained(host, port, failure))
    return opened


def _listening(family: int, address: tuple[object, ...]) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":
            # There SO_REUSEADDR would let two brokers have one port.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
        bound.settimeout(0)
    except OSError:
        bound.close()
        raise
    return bound


def _explained(host: str, port: int, error: OSError) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"--http: {where} is in use, maybe by another broker: choose another port, 0 for any, or --http off"
    reason = error.strerror or str(error)
    return f"--http: cannot listen on {where}: {reason}: choose another address, or --http off"
