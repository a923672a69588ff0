"""Listeners: sockets that take connections in, each with a name and the address by which its clients reach it.

`localhost` means both loopbacks, 127.0.0.1 and ::1, with the same port, also if the system chooses it; an empty host
or `*` every interface of both kinds. A machine without IPv6 is fine.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from dataclasses import dataclass

from fleuve.base.errors import FleuveError, Verdict
from fleuve.kafka.connection import Connection
from fleuve.kafka.connections import Connections

LOOPBACKS = ("127.0.0.1", "::1")
EVERY_INTERFACE = ("0.0.0.0", "::")
BACKLOG_MIN = 1024
"""One event loop does everything here, accepting too: with Kafka's 50, a burst of connections while it is busy for some
milliseconds costs each of them a second, the time after which a client's kernel tries again."""
PORT_ATTEMPTS_MAX = 20
"""How often a port is chosen that must be free on all addresses."""

_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


class CannotListen(FleuveError, verdict=Verdict.REJECT):
    """The address cannot be listened on: taken, not allowed, or not of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerAddress:
    """Where a listener binds, and how its clients reach it."""

    name: str
    host: str
    port: int
    """0: the system chooses."""
    advertised_host: str
    advertised_port: int
    """0: the port that it has bound."""
    backlog: int = 50
    """`socket.listen.backlog.size`; never less than `BACKLOG_MIN`."""
    receive_buffer_bytes: int = -1
    """`socket.receive.buffer.bytes`; -1: the system's."""
    send_buffer_bytes: int = -1
    """`socket.send.buffer.bytes`; -1: the system's."""


class Listener:
    """One named listener. `bind` takes the port, `start` the connections."""

    def __init__(self, address: ListenerAddress) -> None:
        self.address = address
        self.port = address.port
        """The bound port, after `bind`."""
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []

    @property
    def advertised(self) -> tuple[str, int]:
        """Host and port by which clients reach it; known after `bind`."""
        return self.address.advertised_host, self.address.advertised_port or self.port

    def bind(self) -> None:
        """Take the port, so that clients queue up until `start`. Raises CannotListen."""
        hosts = _hosts_of(self.address.host)
        for attempt in range(1, PORT_ATTEMPTS_MAX + 1):
            try:
                self._bind_all(hosts)
            except OSError as error:
                self.close()
                if error.errno == errno.EADDRINUSE and self.address.port == 0 and attempt < PORT_ATTEMPTS_MAX:
                    continue  # Free on the first address, taken on the second.
                raise self._explained(error) from error
            return

    def _bind_all(self, hosts: tuple[str, ...]) -> None:
        port = self.address.port
        for host in hosts:
            try:
                bound = self._open(host, port)
            except OSError as error:
                if self._sockets and error.errno in _NO_SUCH_ADDRESS:
                    continue  # No IPv6 here.
                raise
            self._sockets.append(bound)
            port = bound.getsockname()[1]
        self.port = port

    def _open(self, host: str, port: int) -> socket.socket:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(0)
            if sys.platform == "win32":
                # There SO_REUSEADDR would let two brokers have one port.
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # Set before listening, so that accepted sockets have them from the first packet on.
            if self.address.receive_buffer_bytes > 0:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.address.receive_buffer_bytes)
            if self.address.send_buffer_bytes > 0:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.address.send_buffer_bytes)
            opened.bind(address)
            opened.listen(max(self.address.backlog, BACKLOG_MIN))
        except BaseException:
            opened.close()
            raise
        return opened

    def _explained(self, error: OSError) -> CannotListen:
        shown = f"{self.address.host or '*'}:{self.address.port}"
        if error.errno == errno.EADDRINUSE:
            return CannotListen(
                f"port {self.address.port} is taken ({shown}), maybe by another broker: stop that, or choose another "
                "port with --listen HOST:PORT"
            )
        if error.errno == errno.EACCES:
            return CannotListen(f"not allowed to listen on {shown}: choose a port above 1023")
        if isinstance(error, socket.gaierror) or error.errno in _NO_SUCH_ADDRESS:
            # What clients are told may be any name; what is bound has to be this machine's.
            return CannotListen(
                f"cannot listen on {shown}: this machine has no such address ({error.strerror or error}); listen on "
                "one that it has, and write what clients are to use behind an @"
            )
        return CannotListen(f"cannot listen on {shown}: {error.strerror or error}; choose another address")

    async def start(self, connections: Connections) -> None:
        """Take connections in."""
        loop = asyncio.get_running_loop()
        name, advertised = self.address.name, self.advertised
        for bound in self._sockets:
            self._servers.append(
                await loop.create_server(
                    lambda: Connection(connections, name, advertised),
                    sock=bound,
                    backlog=max(self.address.backlog, BACKLOG_MIN),
                )
            )

    def close(self) -> None:
        """Take no more connections; those that are there go on (`Connections.drain` ends them)."""
        for server in self._servers:
            server.close()
        for bound in self._sockets:
            bound.close()
        self._servers.clear()
        self._sockets.clear()


def _hosts_of(host: str) -> tuple[str, ...]:
    if host.rstrip(".").lower() == "localhost":
        return LOOPBACKS
    if host in {"", "*"}:
        return EVERY_INTERFACE
    return (host,)
