"""A log with its catalogs, for tests of catalogs and of maintenance: flushes are committed as a broker commits them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from fleuve.adapters.memory.brokers import MemoryBrokerStore
from fleuve.adapters.memory.log import MemoryLogCatalog
from fleuve.adapters.memory.maintenance import MemoryMaintenanceCatalog
from fleuve.adapters.memory.producers import MemoryProducerStore
from fleuve.adapters.memory.store import MemoryStore
from fleuve.adapters.memory.topics import MemoryTopicStore
from fleuve.adapters.sqlite.brokers import SqliteBrokerStore
from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.log import SqliteLogCatalog
from fleuve.adapters.sqlite.maintenance import SqliteMaintenanceCatalog
from fleuve.adapters.sqlite.producers import SqliteProducerStore
from fleuve.adapters.sqlite.topics import SqliteTopicStore
from fleuve.base.clock import ManualClock
from fleuve.base.ids import FlushId, Incarnation, NodeId, PartitionId, ProducerId, TopicId
from fleuve.base.log import SilentLogger
from fleuve.engine.log.catch_up import CatchUpReader
from fleuve.engine.log.reading import ReadFailures
from fleuve.engine.log.stats import LogStats
from fleuve.engine.maintenance.policy import MaintenancePolicy
from fleuve.engine.maintenance.service import MaintenanceService
from fleuve.engine.topics.configs import TopicConfigs
from fleuve.engine.topics.service import Topic
from fleuve.ports.log import CommitStates, Decision, FlushRows, ProducerState, Run, SequenceEntry
from fleuve.ports.topics import NewTopic, StoredTopic
from fleuve.records.batch import read_header, walk
from support.batches import NOW_MS, batch
from support.logs import FOREVER, configs


class Catalogs:
    """All that the log and its maintenance ask of a catalog, over one set of rows."""

    def __init__(self, kind: str, path: Path, clock: ManualClock) -> None:
        self.clock = clock
        self.database: Database | None = None
        self.topics: Any
        self.brokers: Any
        self.producers: Any
        self.log: Any
        self.maintenance: Any
        if kind == "memory":
            self.topics = MemoryTopicStore()
            self.brokers = MemoryBrokerStore(clock)
            self.producers = MemoryProducerStore(clock)
            self.log = MemoryLogCatalog(self.topics, self.brokers, clock, self.producers)
            self.maintenance = MemoryMaintenanceCatalog(self.log.rows, self.topics, clock)
            return
        self.database = Database(path / "catalog.sqlite")
        self.database.open(asyncio.get_running_loop())
        self.topics = SqliteTopicStore(self.database)
        self.brokers = SqliteBrokerStore(self.database, clock)
        self.producers = SqliteProducerStore(self.database, clock)
        self.log = SqliteLogCatalog(self.database, clock)
        self.maintenance = SqliteMaintenanceCatalog(self.database, clock)

    async def close(self) -> None:
        if self.database is not None:
            await self.database.close()

    async def add_topic(self, partitions: int, *, name: str = "topic") -> StoredTopic:
        new = NewTopic(
            id=TopicId(UUID(int=abs(hash(name)) % (1 << 128), version=4)),
            name=name,
            partition_count=partitions,
            replication_factor=1,
            created_ms=self.clock.wall_ms(),
        )
        return (await self.topics.create([new]))[0]

    async def begin_incarnation(self) -> Incarnation:
        broker = await self.brokers.register(node_id=NodeId(1), listeners={}, rack=None, lease_ms=1_000_000_000)
        return broker.incarnation


@contextlib.asynccontextmanager
async def catalogs(kind: str, path: Path) -> AsyncIterator[Catalogs]:
    opened = Catalogs(kind, path, ManualClock(NOW_MS))
    try:
        yield opened
    finally:
        await opened.close()


def appending(
    placed: Mapping[PartitionId, tuple[int, Sequence[bytes | bytearray]]], *, producer: tuple[int, int] | None = None
) -> Any:
    """Return a decision that appends each partition's batches, which lie at a position; optionally of a producer."""

    def decide(states: CommitStates) -> Decision:
        decision = Decision()
        for partition_id, (position, batches) in placed.items():
            state = states.logs.get(partition_id)
            if state is None:
                continue
            headers = [read_header(one) for one in batches]
            end = state.next_offset + sum(header.last_offset_delta + 1 for header in headers)
            decision.runs.append(
                Run(
                    partition_id,
                    state.next_offset,
                    end,
                    position,
                    sum(map(len, batches)),
                    max(header.max_timestamp for header in headers),
                    state.leader_epoch,
                )
            )
            decision.logs[partition_id] = state._replace(next_offset=end)
            if producer is not None:
                producer_id, now_ms = producer
                decision.producers[partition_id, ProducerId(producer_id)] = ProducerState(
                    0, (SequenceEntry(0, end - 1, state.next_offset, -1),), now_ms
                )
        return decision

    return decide


class CountingStore:
    """An object store that counts what is read, and tells who asks before something is done."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.bytes_read = 0
        self.before: Any = None
        """Called with the operation's name; may raise."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    async def read(self, ranges: Any) -> Any:
        if self.before is not None:
            self.before("read")
        views = await self.store.read(ranges)
        self.bytes_read += sum(map(len, views))
        return views

    async def write_segment(self, object_name: str, chunks: Any) -> int:
        if self.before is not None:
            self.before("write_segment")
        return await self.store.write_segment(object_name, chunks)

    async def delete(self, object_names: Any) -> None:
        if self.before is not None:
            self.before("delete")
        await self.store.delete(object_names)


class World:
    """A broker's log as maintenance sees it, with plain methods to append and to read it back."""

    def __init__(self, opened: Catalogs, store: Any, policy: MaintenancePolicy) -> None:
        self.catalogs = opened
        self.clock = opened.clock
        self.store = CountingStore(store)
        self.policy = policy
        self.topic_configs: TopicConfigs = configs()
        self.topics: dict[str, Topic] = {}
        self.number = 0
        self.names = 0
        self.incarnation = Incarnation(0)
        self.maintenance = self.new_maintenance()

    # -- what maintenance is given

    def all(self) -> list[Topic]:
        return list(self.topics.values())

    async def delete_records(self, partition_id: PartitionId, *, offset: int) -> int:
        return (await self.catalogs.log.advance_log_start(partition_id, offset=offset)).log_start

    async def flushes_settled(self) -> None:
        pass

    def unique(self) -> str:
        self.names += 1
        return f"{self.incarnation}-{self.names}"

    def new_maintenance(self) -> MaintenanceService:
        """A service as after a start: it remembers nothing."""
        return MaintenanceService(
            catalog=self.catalogs.maintenance,
            log_catalog=self.catalogs.log,
            store=self.store,  # type: ignore[arg-type]
            log=self,
            topics=self,
            clock=self.clock,
            policy=lambda: self.policy,
            logger=SilentLogger(),
            unique=self.unique,
        )

    # -- topics and batches

    async def begin(self) -> None:
        self.incarnation = await self.catalogs.begin_incarnation()
        self.number = 0
        await self.store.begin(self.incarnation)

    async def add_topic(self, partitions: int, *, name: str = "topic", **changes: Any) -> tuple[PartitionId, ...]:
        row = await self.catalogs.add_topic(partitions, name=name)
        self.topics[name] = Topic(row.id, name, row.partition_ids, 1, configs(**changes), row.created_ms)
        return row.partition_ids

    async def delete_topic(self, name: str) -> None:
        await self.catalogs.topics.delete([self.topics.pop(name).id])

    async def flush(self, batches: Mapping[PartitionId, Sequence[bytes | bytearray]]) -> None:
        """Append batches, all in one flush."""
        self.number += 1
        flush = FlushId(self.incarnation, self.number)
        ordered = sorted(batches.items())
        body = [one for _, some in ordered for one in some]
        placed = await self.store.write(flush, b"", body, durable=True)
        position = placed.position
        where = {}
        for partition_id, some in ordered:
            where[partition_id] = (position, some)
            position += sum(map(len, some))
        rows = FlushRows(flush, placed.object_name, [], [partition_id for partition_id, _ in ordered])
        await self.catalogs.log.commit(rows, appending(where))

    async def seal(self) -> None:
        await self.store.seal(older_than_ms=0, larger_than_bytes=0)

    # -- reading back

    def reader(self) -> CatchUpReader:
        """A reader without a past."""
        return CatchUpReader(
            self.catalogs.log, self.store, reads_max=4, stats=LogStats(), failures=ReadFailures(SilentLogger())
        )  # type: ignore[arg-type]

    async def read(self, partition_id: PartitionId, *, max_bytes: int = 1 << 20, offset: int | None = None) -> bytes:
        """Return all bytes of a partition as a consumer gets them, from its log start on."""
        state = (await self.catalogs.log.states([partition_id]))[partition_id]
        reader = self.reader()
        position = state.log_start if offset is None else offset
        found = bytearray()
        while position < state.next_offset:
            views, size = await reader.read(
                partition_id, position, end_offset=FOREVER, max_bytes=max_bytes, at_least_one=True
            )
            assert size
            for view in views:
                for _, _, base_offset, last_offset_delta, _ in walk(view, 0, len(view)):
                    assert base_offset <= position <= base_offset + last_offset_delta
                    position = base_offset + last_offset_delta + 1
                found += view
        return bytes(found)

    async def rows(self) -> int:
        """Return how many runs the catalog has."""
        objects = await self.catalogs.maintenance.objects(segments=True)
        usage = await self.catalogs.maintenance.usage([row.name for row in objects])
        return sum(left.runs for left in usage.values())

    async def stored_bytes(self) -> int:
        return sum(info.size_bytes for info in await self.store.list())

    async def names_stored(self) -> set[str]:
        return {info.name for info in await self.store.list()}

    async def settle(self, rounds: int = 3) -> None:
        """Run maintenance until it has nothing left to do, its graces over."""
        for _ in range(rounds):
            await self.maintenance.run_once()
            self.clock.advance(self.policy.garbage_grace_ms + 1)
        await self.maintenance.run_once()


@contextlib.asynccontextmanager
async def world(
    path: Path, *, kind: str = "memory", store: Any = None, policy: MaintenancePolicy | None = None
) -> AsyncIterator[World]:
    async with catalogs(kind, path) as opened:
        made = World(
            opened, MemoryStore() if store is None else store, policy or MaintenancePolicy(merge_backlog_files=1)
        )
        await made.begin()
        yield made


def filler(size: int, *, timestamp: int = NOW_MS, records: int = 1) -> bytearray:
    """Return a batch of about `size` bytes."""
    return batch(*[b"v" * max(1, (size - 70) // records - 8)] * records, base_timestamp=timestamp)
