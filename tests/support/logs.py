"""A log service over rows in SQLite or in memory, and any store: partitions appear by themselves, time stands still."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fleuve.adapters.memory.brokers import MemoryBrokerStore
from fleuve.adapters.memory.log import MemoryLogCatalog
from fleuve.adapters.memory.offload import InlineOffload
from fleuve.adapters.memory.producers import MemoryProducerStore
from fleuve.adapters.memory.store import MemoryStore
from fleuve.adapters.memory.topics import MemoryTopicStore
from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.log import SqliteLogCatalog
from fleuve.base.clock import Clock, ManualClock
from fleuve.base.ids import Incarnation, NodeId, PartitionId, TimestampMs
from fleuve.base.log import SilentLogger
from fleuve.engine.log.append import Appended, AppendRequest
from fleuve.engine.log.fetch import FetchResult, FetchWant
from fleuve.engine.log.policy import LogPolicy
from fleuve.engine.log.recovery import Recovered, Recovery
from fleuve.engine.log.service import LogService
from fleuve.engine.topics.configs import TopicConfigs
from fleuve.records.batch import walk
from fleuve.records.record import decode
from fleuve.simulation.catalog import SimulatedCatalog
from support.batches import NOW_MS

FOREVER = 2**63 - 1
ONE = PartitionId(1)


def configs(**changes: Any) -> TopicConfigs:
    """Return Kafka's default configs with our flushed promise, but for `changes`."""
    values: dict[str, Any] = {
        "retention_ms": None,
        "retention_bytes": None,
        "max_message_bytes": 1_048_588,
        "log_append_time": False,
        "timestamp_before_max_ms": FOREVER,
        "timestamp_after_max_ms": 3_600_000,
        "flush_messages": 1,
        "flush_ms": FOREVER,
        "compact": False,
        "delete": True,
    }
    return TopicConfigs(**(values | changes))


class Catalog:
    """A SQLite file with its adapters, opened and closed as a broker does it."""

    def __init__(self, path: Path, clock: ManualClock) -> None:
        self.database = Database(path)
        self.log = SqliteLogCatalog(self.database, clock)

    async def open(self) -> None:
        self.database.open(asyncio.get_running_loop())

    async def close(self) -> None:
        await self.database.close()

    async def add_partitions(self, *partition_ids: int, created_ms: int = NOW_MS) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR IGNORE INTO topic (id, name, replication_factor, created_ms, internal)"
                " VALUES (?, 'topic', 1, ?, 0)",
                (b"t" * 16, created_ms),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO partition (id, topic_id, partition_index, created_ms) VALUES (?, ?, ?, ?)",
                [(partition_id, b"t" * 16, partition_id, created_ms) for partition_id in partition_ids],
            )

        await self.database.write(work)

    async def begin_incarnation(self) -> Incarnation:
        row = await self.database.write(
            lambda connection: connection.execute(
                "INSERT INTO incarnation (node_id, listeners, started_ms, lease_until_ms) VALUES (1, '{}', 0, 0)"
                " RETURNING id"
            ).fetchone()
        )
        return Incarnation(row[0])


class MemoryCatalog:
    """The same over rows in memory."""

    def __init__(self, clock: Clock) -> None:
        self.topics = MemoryTopicStore()
        self.brokers = MemoryBrokerStore(clock)
        self.producers = MemoryProducerStore(clock)
        self.log = MemoryLogCatalog(self.topics, self.brokers, clock, self.producers)

    @classmethod
    def over(cls, catalog: SimulatedCatalog) -> MemoryCatalog:
        """Return the same over the rows of a simulated device."""
        self = cls.__new__(cls)
        self.topics, self.brokers, self.producers = catalog.topics, catalog.brokers, catalog.producers
        self.log = catalog.log
        return self

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def add_partitions(self, *partition_ids: int, created_ms: int = NOW_MS) -> None:
        self.topics.partitions.update(
            {PartitionId(partition_id): TimestampMs(created_ms) for partition_id in partition_ids}
        )

    async def begin_incarnation(self) -> Incarnation:
        broker = await self.brokers.register(node_id=NodeId(1), listeners={}, rack=None, lease_ms=FOREVER)
        return broker.incarnation


class Log:
    """One life of a log service, with plain methods to append and to read."""

    def __init__(self, catalog: Catalog | MemoryCatalog, store: Any, clock: Any, policy: LogPolicy) -> None:
        self.catalog = catalog
        self.store = store
        self.clock = clock
        self.policy = policy
        self.service: LogService
        self.fenced: list[BaseException] = []

    async def recover(self, catalog: Any = None) -> Recovered:
        names = iter(range(1_000_000))
        return await Recovery(
            catalog=catalog or self.catalog.log,
            recovery=self.catalog.log,
            extents=self.store,
            objects=self.store,
            logger=SilentLogger(),
            unique=lambda: f"recovered-{next(names)}",
        ).run()

    async def begin(self) -> None:
        incarnation = await self.catalog.begin_incarnation()
        await self.store.begin(incarnation)
        self.service = LogService(
            extents=self.store,
            objects=self.store,
            catalog=self.catalog.log,
            incarnation=incarnation,
            clock=self.clock,
            offload=InlineOffload(),
            policy=self.policy,
            logger=SilentLogger(),
            release_pinned=lambda: None,
            on_fenced=self.fenced.append,
        )

    def send(self, batch: bytes | bytearray, *, partition: int = 1, **changes: Any) -> asyncio.Future[Any]:
        """Append; the future has what became of it, an error as a value."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        request = AppendRequest(1, lambda done: future.set_result(done.results[0]))
        self.service.append(request, 0, PartitionId(partition), configs(**changes), memoryview(batch))
        return future

    async def append(self, batch: bytes | bytearray, *, partition: int = 1, **changes: Any) -> Any:
        return await self.send(batch, partition=partition, **changes)

    async def append_all(self, *batches: bytes | bytearray, partition: int = 1, **changes: Any) -> list[int]:
        """Append, all at once, and return the offsets."""
        results = await asyncio.gather(*[self.send(batch, partition=partition, **changes) for batch in batches])
        assert all(isinstance(result, Appended) for result in results), results
        return [result.base_offset for result in results]

    async def fetch(
        self, offset: int, *, partition: int = 1, max_bytes: int = 1 << 20, wait_ms: int = 0, min_bytes: int = 1
    ) -> FetchResult:
        want = FetchWant(PartitionId(partition), offset, max_bytes)
        (result,) = await self.service.fetch(
            [want], max_wait_ms=wait_ms, min_bytes=min_bytes, max_bytes=max_bytes, read_committed=False
        )
        return result

    async def values(self, offset: int = 0, *, partition: int = 1) -> list[tuple[int, bytes | None]]:
        """Return (offset, value) of every record from `offset` on."""
        found: list[tuple[int, bytes | None]] = []
        while True:
            result = await self.fetch(offset, partition=partition)
            assert result.error is None, result.error
            records = [record for record in values_of(result) if record[0] >= offset]
            if not records:
                return found
            found += records
            offset = records[-1][0] + 1


def values_of(result: FetchResult) -> list[tuple[int, bytes | None]]:
    """Return (offset, value) of the records in a result."""
    return [
        (base_offset + record.offset_delta, record.value)
        for view in result.records
        for position, size, base_offset, _, _ in walk(view, 0, len(view))
        for record in decode(view[position : position + size], size_bytes_max=1 << 26)
    ]


@contextlib.asynccontextmanager
async def running_log(
    path: Path | None = None,
    *,
    store: Any = None,
    partitions: tuple[int, ...] = (1, 2, 3),
    policy: LogPolicy | None = None,
) -> AsyncIterator[Log]:
    """A log over `path`/catalog.sqlite, or over a catalog in memory, recovered and running."""
    clock = ManualClock(NOW_MS)
    catalog = MemoryCatalog(clock) if path is None else Catalog(path / "catalog.sqlite", clock)
    await catalog.open()
    try:
        await catalog.add_partitions(*partitions)
        log = Log(catalog, MemoryStore() if store is None else store, clock, policy or LogPolicy())
        await log.recover()
        await log.begin()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(log.service.run())
            yield log
            await log.service.close()
    finally:
        await catalog.close()
