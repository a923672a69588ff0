"""What a broker stands on: its engine, its clock, chance, threads and listeners. `Broker` runs on any of them."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fleuve.adapters.threads.offload import ThreadOffload
from fleuve.app.engines import EmbeddedEngine, EngineOpener
from fleuve.app.sources import Settings
from fleuve.base.clock import Clock, SystemClock
from fleuve.base.log import Logger
from fleuve.kafka.connections import Connections
from fleuve.kafka.listener import Listener, ListenerAddress
from fleuve.ports import offload

if sys.platform != "win32":
    import resource

OFFLOAD_THREADS = 2
OFFLOAD_QUEUED_MAX = 64
CONNECTIONS_MAX = 2**31 - 1
_DESCRIPTORS_USUAL_MAX = 10_240
OWN_DESCRIPTORS = 512
"""Descriptors that connections leave to the broker: journal files, segments, the catalog, sockets just accepted."""


class Listening(Protocol):
    """A listener as a broker sees it."""

    address: ListenerAddress
    port: int
    """The bound port, after `bind`."""

    @property
    def advertised(self) -> tuple[str, int]:
        """Host and port by which clients reach it; known after `bind`."""
        ...

    def bind(self) -> None:
        """Take the port, so that clients queue up until `start`. Raises CannotListen."""
        ...

    async def start(self, connections: Connections) -> None:
        """Take connections in."""
        ...

    def close(self) -> None:
        """Take no more connections; those that are there go on."""
        ...


class Offload(offload.Offload, Protocol):
    """An offload that can be closed."""

    async def close(self) -> None:
        """Wait for the work that is under way; drop what has not begun."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything outside of a broker that it depends on, for one run of it."""

    engine: EngineOpener
    clock: Clock
    chance: random.Random
    """The one source of chance for ids of topics, members, sessions and the cluster."""
    offload: Offload
    listening: Callable[[ListenerAddress], Listening]
    connections_max: int = CONNECTIONS_MAX
    """How many connections there can be, whatever the settings allow."""


def this_machine(
    directory: Path, settings: Settings, logger: Logger, *, keeps_data: bool = True, is_guest: bool = False
) -> Surroundings:
    """Return the embedded engine in `directory`, the machine's clock and sockets, and chance that nobody can guess.

    Of data that nobody keeps nothing is flushed to the device. A guest in another program's process leaves the bounds
    of that process as they are.
    """
    clock = SystemClock()
    return Surroundings(
        engine=EmbeddedEngine(
            directory,
            journal_file_bytes=settings.integer("fleuve.journal.file.bytes"),
            clock=clock,
            logger=logger,
            keeps_data=keeps_data,
        ),
        clock=clock,
        chance=random.SystemRandom(),
        offload=ThreadOffload(threads=OFFLOAD_THREADS, queued_max=OFFLOAD_QUEUED_MAX),
        listening=Listener,
        connections_max=_connections_max(may_raise=not is_guest),
    )


def _connections_max(*, may_raise: bool) -> int:
    """Return for how many connections there are descriptors, after raising their bound as far as possible, if we may.

    Without a bound of their own they would take the last one, and the next file of the journal could not be opened.
    """
    if sys.platform != "win32":
        allowed, possible = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Some systems say that there is no bound, and then take no such number.
        for wanted in (possible, _DESCRIPTORS_USUAL_MAX):
            higher = allowed != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > allowed)
            if may_raise and higher:
                with contextlib.suppress(OSError, ValueError):
                    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, possible))
                    allowed = wanted
        if allowed != resource.RLIM_INFINITY:
            return allowed - min(OWN_DESCRIPTORS, allowed // 2)
    return CONNECTIONS_MAX
