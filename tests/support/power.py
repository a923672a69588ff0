"""A store and a catalog in memory that lose power: what was not flushed may be gone, in the order it was written.

They behave as the embedded pair does. The store's extents are on the device once a durable write, or a sync, has
returned. The catalog's produce commits are relaxed: after a power cut it is as it was after some commit since the last
durable one. Everything takes time, and may fail, before its effect or after it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from fleuve.adapters.memory.store import MemoryStore
from fleuve.base.ids import FlushId, Incarnation, PartitionId, ProducerId
from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown, StoreUnavailable
from fleuve.ports.log import Decide, Decision, FlushRows, LogState, Run
from fleuve.ports.store import Buffer, Extent, Placed
from support.logs import MemoryCatalog


class Weather:
    """How long things take, and how often they fail."""

    def __init__(self, chance: random.Random, *, failures: float) -> None:
        self.chance = chance
        self.failures = failures

    def fails(self) -> bool:
        return self.chance.random() < self.failures

    async def passes(self) -> None:
        for _ in range(self.chance.randrange(3)):
            await asyncio.sleep(self.chance.choice([0, 0, 0.001, 0.004]))


class PowerStore(MemoryStore):
    """A MemoryStore with a device behind it."""

    def __init__(self, weather: Weather, *, object_bytes: int) -> None:
        super().__init__(object_bytes=object_bytes)
        self._weather = weather
        self._order: list[tuple[str, FlushId]] = []
        self._synced = 0
        """How many of them are on the device."""
        self._failed: set[FlushId] = set()
        """Extents whose write failed: they count for nothing once anything later has succeeded."""

    async def write(self, flush: FlushId, header: bytes, body: Sequence[Buffer], *, durable: bool) -> Placed:
        growing = self._growing
        fails_before, fails_after = self._weather.fails(), self._weather.fails()
        if fails_before:
            await self._weather.passes()
            raise StoreUnavailable("failed on purpose, before")
        placed = await super().write(flush, header, body, durable=durable)
        if placed.object_name != growing:
            # The object before it was flushed when it was closed.
            self._synced = len(self._order)
        self._order.append((placed.object_name, flush))
        place = len(self._order)
        await self._weather.passes()
        if fails_after:
            self._failed.add(flush)
            raise StoreUnavailable("failed on purpose, after")
        self._succeeded()
        if durable:
            self._synced = max(self._synced, place)
        return placed

    async def void(self, flush: FlushId) -> None:
        await self._weather.passes()
        if self._weather.fails():
            raise StoreUnavailable("failed on purpose")
        await super().void(flush)
        self._succeeded()
        self._synced = len(self._order)

    async def sync(self) -> None:
        place = len(self._order)
        await self._weather.passes()
        self.sync_now()
        self._synced = max(self._synced, place)

    def sync_now(self) -> None:
        if self._weather.fails():
            raise StoreUnavailable("failed on purpose")
        self._synced = len(self._order)

    async def scan(self, incarnation: Incarnation, *, after: int) -> AsyncIterator[Extent]:
        async for extent in super().scan(incarnation, after=after):
            await self._weather.passes()
            yield extent

    def _succeeded(self) -> None:
        self._voided |= self._failed
        self._failed.clear()

    def crash(self, *, power: bool) -> None:
        """Lose what is not on the device; without a power cut, only what was never written whole."""
        if power:
            kept = self._weather.chance.randrange(self._synced, len(self._order) + 1)
            for name, flush in reversed(self._order[kept:]):
                found = self._objects[name]
                assert found.extents[-1][0] == flush
                _, _, position, _ = found.extents.pop()
                del found.pieces[position:]
                found.size = position
            del self._order[kept:]
        # A failed write may be there all the same.
        self._failed = {flush for flush in self._failed if self._weather.chance.random() < 0.5}
        self._succeeded()
        self._close_growing()
        # What a scan reads, it has brought to the device first.
        self._synced = len(self._order)


class PowerCatalog:
    """A LogCatalog and RecoveryCatalog over rows in memory, with a device behind them."""

    produce_commits_durable = False

    def __init__(self, catalog: MemoryCatalog, store: PowerStore, weather: Weather) -> None:
        self._catalog = catalog
        self._inner = catalog.log
        self._store = store
        self._weather = weather
        self._history = [self._snapshot()]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit(self, rows: FlushRows, decide: Decide) -> Decision:
        await self._weather.passes()
        self._may_fail("before")
        decision = await self._inner.commit(rows, decide)
        self._history.append(self._snapshot())
        await self._weather.passes()
        if self._weather.fails():
            raise CommitOutcomeUnknown("failed on purpose, after")
        return decision

    async def void(self, flush: FlushId) -> bool:
        return bool(await self._durably(lambda: self._inner.void(flush)))

    async def advance_log_start(self, partition_id: PartitionId, *, offset: int) -> LogState | None:
        found: LogState | None = await self._durably(lambda: self._inner.advance_log_start(partition_id, offset=offset))
        return found

    async def skip(self, flush: FlushId) -> None:
        await self._durably(lambda: self._inner.skip(flush))

    async def close_incarnation(self, incarnation: Incarnation) -> None:
        await self._durably(lambda: self._inner.close_incarnation(incarnation))

    async def replace_lost(
        self, lost: Sequence[Run], found: Sequence[Run], *, object_name: str, epoch_starts: Mapping[PartitionId, int]
    ) -> None:
        await self._durably(
            lambda: self._inner.replace_lost(lost, found, object_name=object_name, epoch_starts=epoch_starts)
        )

    async def begin_incarnation(self) -> Incarnation:
        incarnation: Incarnation = await self._durably(self._catalog.begin_incarnation)
        return incarnation

    async def allocate_producer(self) -> ProducerId:
        producer_id: ProducerId = await self._durably(lambda: self._catalog.producers.allocate(1))
        return producer_id

    def crash(self, *, power: bool) -> None:
        """Go back to some moment since the last durable commit; without a power cut, to the last one."""
        found = self._weather.chance.choice(self._history) if power else self._history[-1]
        self._restore(found)
        self._history = [self._snapshot()]

    async def _durably(self, work: Callable[[], Any]) -> Any:
        await self._weather.passes()
        self._may_fail("before")
        try:
            self._store.sync_now()
        except StoreUnavailable as error:
            raise CatalogUnavailable(str(error)) from error
        result = await work()
        self._history = [self._snapshot()]
        await self._weather.passes()
        if self._weather.fails():
            raise CommitOutcomeUnknown("failed on purpose, after")
        return result

    def _may_fail(self, when: str) -> None:
        if self._weather.fails():
            kind = self._weather.chance.choice([CatalogUnavailable, CommitOutcomeUnknown])
            raise kind(f"failed on purpose, {when}")

    def _snapshot(self) -> tuple[Any, ...]:
        rows = self._inner.rows
        return (
            dict(rows.logs),
            {key: list(runs) for key, runs in rows.runs.items()},
            {key: list(epochs) for key, epochs in rows.epochs.items()},
            dict(rows.producers),
            dict(rows.objects),
            dict(self._inner._last_flush),
            set(self._inner._not_whole),
        )

    def _restore(self, found: tuple[Any, ...]) -> None:
        inner, rows = self._inner, self._inner.rows
        rows.logs, rows.runs, rows.epochs, rows.producers, rows.objects, inner._last_flush, inner._not_whole = found
