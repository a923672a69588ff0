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
    pace_window_s: float = 0.3
    """A frame's pace is looked at over so long, while others wait for the memory that it has."""
    pace_s: float = 1.0
    """A frame that takes longer to come, at that pace, is slow."""
    large_pace_window_s: float = 1.0
    """The same for a large frame, of more than an eighth of `request_memory`."""
    large_pace_s: float = 30.0
    """And how long it may take."""
    shed_s: float = 1.0
    """Whoever took no byte of its answers, or let requests wait behind a long poll, for so long may be shed when others
    need the memory."""
    partial_memory: int = 64 * MIB
    """Small requests received in part, of all connections, and never more than `request_memory`."""
    write_high: int = 256 * 1024
    """Unsent answers of a connection beyond which nothing more is read from it."""

    def pace_of(self, *, large: bool) -> tuple[float, float]:
        """Return over how long the pace of a frame is looked at, and how long it may take at that pace."""
        return (self.large_pace_window_s, self.large_pace_s) if large else (self.pace_window_s, self.pace_s)
