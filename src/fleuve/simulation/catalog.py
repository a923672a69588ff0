"""A catalog in memory with a device behind it, as the embedded one has it.

Produce commits are relaxed: after a power cut the catalog is as it was after some commit since the last durable one.
All other changes are durable, and flush the journal first. One change is made after another, in the order of the
calls; each may fail before its effect or after it, when nobody can know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fleuve.adapters.memory.brokers import MemoryBrokerStore
from fleuve.adapters.memory.configs import MemoryConfigStore
from fleuve.adapters.memory.groups import MemoryGroupStore
from fleuve.adapters.memory.log import MemoryLogCatalog
from fleuve.adapters.memory.maintenance import MemoryMaintenanceCatalog
from fleuve.adapters.memory.producers import MemoryProducerStore
from fleuve.adapters.memory.topics import MemoryTopicStore
from fleuve.base.clock import Clock
from fleuve.base.errors import FleuveError
from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown, StoreUnavailable
from fleuve.ports.log import Decide, Decision, FlushRows
from fleuve.simulation.disk import DiskWeather, Lane
from fleuve.simulation.store import SimulatedStore

CHANGES: Final = {
    "log": ("void", "skip", "advance_log_start", "close_incarnation", "replace_lost"),
    "maintenance": ("swap", "sweep_deleted", "mark_garbage", "forget_objects", "expire_producers"),
    "topics": ("create", "delete", "add_partitions"),
    "configs": ("save",),
    "groups": ("claim", "save", "delete", "commit_offsets", "delete_offsets"),
    "producers": ("allocate", "forget"),
    "brokers": ("cluster_id", "register", "renew", "fence"),
}
"""The durable changes of each port; every other method reads."""


class SimulatedCatalog:
    """All ports of the catalog over one set of rows, which survives its brokers. `crash` ends one's use of it."""

    produce_commits_durable = False

    def __init__(self, store: SimulatedStore, weather: DiskWeather, clock: Clock) -> None:
        self._store = store
        self._weather = weather
        self.configs = MemoryConfigStore()
        self.topics = MemoryTopicStore(self.configs)
        self.brokers = MemoryBrokerStore(clock)
        self.producers = MemoryProducerStore(clock)
        self.groups = MemoryGroupStore()
        self.log = MemoryLogCatalog(self.topics, self.brokers, clock, self.producers)
        self.maintenance = MemoryMaintenanceCatalog(self.log.rows, self.topics, clock)
        self._history: list[tuple[Any, ...]] = []
        """The rows of the log before each commit since the last durable change."""
        self._lane = Lane()

    def port(self, name: str) -> Any:
        """Return one of the ports, by its name in `Engine`."""
        return _LogPort(self) if name == "log" else _Port(self, getattr(self, name), CHANGES[name])

    def crash(self, *, power: bool) -> None:
        """Go back to some moment since the last durable change; without a power cut, to the last one."""
        moment = self._weather.chance.randrange(len(self._history) + 1) if power else 0
        if moment:
            self._restore(self._history[-moment])
        self._history.clear()
        self._lane.drop()
        self._lane = Lane()

    def referred_objects(self) -> set[str]:
        """Return the objects that runs refer to, now or in any moment that a power cut may lead back to."""
        moments = [self.log.rows.runs, *[moment[1] for moment in self._history]]
        return {stored.object_name for runs in moments for of_one in runs.values() for stored in of_one}

    # ------------------------------------------------------------ how things are done

    async def read(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Read."""
        await self._weather.passes()
        if self._weather.fails():
            raise CatalogUnavailable("failed on purpose")
        return await work()

    async def change(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Make a durable change."""
        return await self._lane.do(lambda: self._durably(work))

    async def commit(self, rows: FlushRows, decide: Decide) -> Decision:
        """Make a relaxed change."""
        decision: Decision = await self._lane.do(lambda: self._relaxed(rows, decide))
        return decision

    async def _durably(self, work: Callable[[], Awaitable[Any]]) -> Any:
        await self._weather.passes()
        self._may_fail_before()
        try:
            self._store.sync_now()
        except StoreUnavailable as error:
            raise CatalogUnavailable(str(error)) from error
        try:
            result = await work()
        except FleuveError:
            # Nothing was changed.
            raise
        self._history.clear()
        await self._weather.passes()
        if self._weather.fails():
            raise CommitOutcomeUnknown("failed on purpose, after")
        return result

    async def _relaxed(self, rows: FlushRows, decide: Decide) -> Decision:
        await self._weather.passes()
        self._may_fail_before()
        before = self._snapshot()
        decision = await self.log.commit(rows, decide)
        self._history.append(before)
        await self._weather.passes()
        if self._weather.fails():
            raise CommitOutcomeUnknown("failed on purpose, after")
        return decision

    def _may_fail_before(self) -> None:
        if self._weather.full:
            raise CatalogUnavailable("the disk is full, on purpose")
        if self._weather.fails():
            kind = self._weather.chance.choice([CatalogUnavailable, CommitOutcomeUnknown])
            raise kind("failed on purpose, before")

    def _snapshot(self) -> tuple[Any, ...]:
        rows = self.log.rows
        return (
            dict(rows.logs),
            {key: list(runs) for key, runs in rows.runs.items()},
            dict(rows.producers),
            dict(rows.objects),
            dict(self.log._last_flush),
        )

    def _restore(self, found: tuple[Any, ...]) -> None:
        rows = self.log.rows
        # The other catalogs hold the same rows.
        rows.logs, rows.runs, rows.producers, rows.objects, self.log._last_flush = found


class _Port:
    """One port: its methods, each as a change or as a read."""

    def __init__(self, catalog: SimulatedCatalog, inner: Any, changes: tuple[str, ...]) -> None:
        self._catalog = catalog
        self._inner = inner
        self._changes = changes

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        do = self._catalog.change if name in self._changes else self._catalog.read

        async def call(*args: Any, **options: Any) -> Any:
            return await do(lambda: method(*args, **options))

        return call


class _LogPort(_Port):
    """The log's port: commits are relaxed."""

    produce_commits_durable = False

    def __init__(self, catalog: SimulatedCatalog) -> None:
        super().__init__(catalog, catalog.log, CHANGES["log"])

    async def commit(self, rows: FlushRows, decide: Decide) -> Decision:
        """Commit a flush."""
        return await self._catalog.commit(rows, decide)
