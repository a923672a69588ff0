"""The bounds of connections, as values: the app makes them from the settings."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What clients may use, for each connection and for all of them. Sizes in bytes, times in seconds.

    The names of the settings behind the fields stand in their descriptions.
    """

    request_size_max: int = 100 * MIB
    """`socket.request.max.bytes`: a larger request costs its connection."""
    request_memory: int = 256 * MIB
    """`fleuve.request.memory.bytes`: requests being received or waiting, of all connections."""
    fetch_memory: int = 256 * MIB
    """`fleuve.fetch.memory.bytes`: answers that clients have not taken yet, of all connections."""
    requests_max: int = 500
    """`fleuve.connection.requests.max`: requests of one connection that have no answer yet."""
    request_bytes_max: int = 32 * MIB
    """Their bytes. One request may be larger, if it is alone."""
    connections_max: int = 2**31 - 1
    """`max.connections`."""
    connections_per_ip_max: int = 2**31 - 1
    """`max.connections.per.ip`."""
    connections_per_ip_overrides: tuple[tuple[str, int], ...] = ()
    """`max.connections.per.ip.overrides`: address and its own bound."""
    idle_s: float | None = 600.0
    """`connections.max.idle.ms`; None: never."""
    stall_s: float = 30.0
    """A request may take so long to arrive, evenly; a client that is slower loses its connection, if others wait for
    the memory it holds."""
    shed_s: float = 1.0
    """Whoever took no byte of its answers, or let requests wait behind a long poll, for so long may be shed when others
    need the memory. So much grace has a request that arrives slowly, too."""
    partial_memory: int = 64 * MIB
    """Small requests received in part, of all connections, and never more than `request_memory`."""
    write_high: int = 256 * 1024
    """Unsent answers of a connection beyond which nothing more is read from it."""
