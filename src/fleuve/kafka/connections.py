"""All connections of one event loop: what they share, their bounds, their end.

They share one receive buffer (callbacks are synchronous, so an idle connection owns no memory), the budgets for
requests and answers, the list of those with answers to write, and a timer that looks after the idle and the stalled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from fleuve.base.log import Logger
from fleuve.engine.access.service import Authorizer
from fleuve.kafka.admission import SLOW_SHARE, TURN_S, Admission, Pace
from fleuve.kafka.complaints import Complaints
from fleuve.kafka.limits import Limits
from fleuve.kafka.memory import Budget, Slabs
from fleuve.kafka.table import Table

RECEIVE_BUFFER_BYTES = 128 * 1024
"""What is received at once: nine thousand of the smallest requests, which are taken without a pause."""
RECEIVE_WHEN_SPENT_BYTES = 4 * 1024
"""What one connection may receive at once when request memory is spent: it may all have to be kept."""
SWEEP_S = 1.0
"""How often is looked whether somebody waits for memory; while somebody does, each `TURN_S`."""
SWEEP_ALL_S = 5.0
"""How often all connections are looked at; those with something unsent are in each sweep."""


class Connection(Protocol):
    """What the set needs of each connection in it."""

    id: int
    unsent_bytes: int
    """Answers that the socket has not taken, as counted in the fetch memory."""
    progress: float
    """When the socket was last seen to take some, by the loop's time."""
    taken_bytes: int
    """What it has taken in all."""

    def flush(self) -> None:
        """Write all answers that are there."""
        ...

    def account(self) -> None:
        """Bring `unsent_bytes` and `progress` up to date."""
        ...

    def look_after(self, now: float) -> None:
        """Close if idle; answer what has taken too long."""
        ...

    def stuck_bytes(self, now: float) -> int:
        """Return the request memory that it holds and that only its client's doing, or time, would release."""
        ...

    def drain(self) -> None:
        """Read nothing more, and close when everything received is answered."""
        ...

    def abort(self, reason: str | None) -> None:
        """Close at once; complain about the client if there is a reason."""
        ...


class Connections:
    """The connections of one event loop, and what they share."""

    def __init__(
        self,
        table: Table,
        *,
        limits: Limits,
        authorizer: Authorizer,
        logger: Logger,
        tasks: asyncio.TaskGroup,
        fetch_memory: Budget | None = None,
    ) -> None:
        """Make an empty set. `tasks` owns the tasks of the slow lanes.

        `fetch_memory` is the budget that the Fetch handler waits for.
        """
        self.loop = asyncio.get_running_loop()
        self.table = table
        self.stats = table.stats
        self.limits = limits
        self.authorizer = authorizer
        self.logger = logger
        self.tasks = tasks
        self.complaints = Complaints(logger)
        self.admission = Admission(limits)
        self.fetch_memory = Budget(limits.fetch_memory) if fetch_memory is None else fetch_memory
        self.slabs = Slabs()
        self.buffer = memoryview(bytearray(RECEIVE_BUFFER_BYTES))
        self.all: dict[Connection, None] = {}
        """In the order in which they came."""
        self.unsent: dict[Connection, None] = {}
        """Those that may have answers which the socket has not taken."""
        self.draining = False
        self.on_drain: list[Callable[[], None]] = []
        """Called when the broker stops, to end what waits: long polls, joins."""
        self._paces: dict[Connection, Pace] = {}
        self._per_ip: dict[str, int] = {}
        self._per_ip_max = dict(limits.connections_per_ip_overrides)
        self._last_id = 0
        self._dirty: list[Connection] = []
        self._emptied: asyncio.Future[None] | None = None
        self._all_next = self.loop.time() + SWEEP_ALL_S
        self._timer = self.loop.call_later(SWEEP_S, self._sweep)
        self.stats.request_memory_capacity_bytes = self.admission.requests.capacity
        self.stats.fetch_memory_capacity_bytes = self.fetch_memory.capacity

    # ------------------------------------------------------------ come and go

    def admit(self, connection: Connection, host: str) -> str | None:
        """Take a connection in; return why not, if it may not come in."""
        if self.draining:
            return "the broker is stopping"
        if len(self.all) >= self.limits.connections_max:
            return f"there may be {self.limits.connections_max}, by max.connections or the files that may be open"
        from_host = self._per_ip.get(host, 0)
        allowed = self._per_ip_max.get(host, self.limits.connections_per_ip_max)
        if from_host >= allowed:
            return f"max.connections.per.ip is {allowed}"
        self._per_ip[host] = from_host + 1
        self.all[connection] = None
        self._last_id += 1
        connection.id = self._last_id
        self.stats.connections = len(self.all)
        self.stats.connections_accepted += 1
        return None

    def leave(self, connection: Connection, host: str) -> None:
        """Forget a connection that was taken in."""
        self.all.pop(connection, None)
        self.unsent.pop(connection, None)
        left = self._per_ip[host] - 1
        if left:
            self._per_ip[host] = left
        else:
            del self._per_ip[host]
        self.stats.connections = len(self.all)
        if not self.all and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    # ------------------------------------------------------------ answers

    def write_soon(self, connection: Connection) -> None:
        """Have the connection write its answers once, after all that this turn of the loop completes."""
        if not self._dirty:
            self.loop.call_soon(self._write)
        self._dirty.append(connection)

    def _write(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()

    # ------------------------------------------------------------ memory

    def shed(self) -> int:
        """Abort connections that hold unsent answers without progress, the most stalled first.

        For the log, when its memory is pinned by what clients do not take; return the bytes that this releases.
        """
        now = self.loop.time()
        stalled = []
        for connection in list(self.unsent):
            connection.account()
            if connection.unsent_bytes and now - connection.progress >= self.limits.shed_s:
                stalled.append(connection)
        stalled.sort(key=lambda connection: connection.progress)
        released = 0
        # Half of the stalled bytes in one go: enough to go on, and the next call can have the rest.
        wanted = sum(connection.unsent_bytes for connection in stalled) // 2
        for connection in stalled:
            released += connection.unsent_bytes
            self.stats.connections_shed += 1
            connection.abort("it does not take its answers, and their memory is needed")
            self.unsent.pop(connection, None)
            if released >= wanted:
                break
        return released

    def _shed_slow(self, now: float) -> None:
        """If others wait for fetch memory, abort those who take their answers most slowly, beyond half of it."""
        paces, self._paces = self._paces, {}
        if not self.fetch_memory.waiters:
            return
        slow = []
        for connection in self.unsent:
            pace = self._paces[connection] = paces.get(connection) or Pace(now, connection.taken_bytes)
            left_s = pace.seconds_left(
                now, done=connection.taken_bytes, left=connection.unsent_bytes, window_s=self.limits.shed_s / 2
            )
            if left_s > self.limits.shed_s:
                slow.append((left_s, connection))
        slow.sort(key=lambda entry: entry[0])
        held = 0
        for _, connection in slow:
            held += connection.unsent_bytes
            if held > self.fetch_memory.capacity // SLOW_SHARE:
                self.stats.connections_shed += 1
                connection.abort("it takes its answers slowly, and others wait for the memory")

    def _shed_stuck(self, now: float) -> None:
        """Abort connections whose requests hold memory that others wait for and cannot be served, the largest first."""
        held = [(connection.stuck_bytes(now), connection) for connection in self.all]
        stuck = sorted((entry for entry in held if entry[0]), key=lambda entry: -entry[0])
        wanted = sum(size for size, _ in stuck) // 2
        for size, connection in stuck:
            self.stats.connections_shed += 1
            connection.abort("its requests wait for one another, and their memory is needed")
            wanted -= size
            if wanted <= 0:
                break

    # ------------------------------------------------------------ time

    def hurry(self) -> None:
        """Look sooner: somebody waits for memory."""
        if self._timer.when() > self.loop.time() + TURN_S:
            self._timer.cancel()
            self._timer = self.loop.call_later(TURN_S, self._sweep)

    def _sweep(self) -> None:
        pressed = self.admission.waiters or self.fetch_memory.waiters
        self._timer = self.loop.call_later(TURN_S if pressed else SWEEP_S, self._sweep)
        now = self.loop.time()
        for connection in list(self.unsent):
            connection.account()
        self._shed_slow(now)
        for frame in self.admission.too_slow(now):
            self.stats.connections_shed += 1
            frame.cut_off()
        if self.admission.requests.waiters:
            self._shed_stuck(now)
        if now >= self._all_next:
            self._all_next = now + SWEEP_ALL_S
            for connection in list(self.all):
                connection.look_after(now)
        self.stats.request_memory_bytes = self.admission.requests.used
        self.stats.fetch_memory_bytes = self.fetch_memory.used

    # ------------------------------------------------------------ the end

    async def drain(self, timeout_s: float) -> None:
        """Answer what is in flight, write it out and close everything; abort what is not done in time.

        The listeners must have been closed before.
        """
        self.draining = True
        self._emptied = self.loop.create_future()
        for end in self.on_drain:
            end()
        for connection in list(self.all):
            connection.drain()
        if self.all:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._emptied
            except TimeoutError:
                self.logger.warning("connections closed before all their requests were answered", count=len(self.all))
        self.close()

    def close(self) -> None:
        """Abort everything that is left, and stop the timer."""
        self.draining = True
        self._timer.cancel()
        for connection in list(self.all):
            connection.abort(None)
