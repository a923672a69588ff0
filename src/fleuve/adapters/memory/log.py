"""The log's rows in memory: for tests, and for a broker that keeps nothing. A commit is as durable as it gets."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter

from fleuve.adapters.memory.brokers import MemoryBrokerStore
from fleuve.adapters.memory.producers import MemoryProducerStore
from fleuve.adapters.memory.topics import MemoryTopicStore
from fleuve.base.clock import Clock
from fleuve.base.ids import FlushId, Incarnation, PartitionId, ProducerId, TimestampMs
from fleuve.ports.errors import Fenced
from fleuve.ports.log import (
    CommitStates,
    Decide,
    Decision,
    FlushRows,
    LogState,
    ProducerKey,
    ProducerState,
    Run,
    StoredRun,
)
from fleuve.ports.recovery import UnfinishedIncarnation

_offset_first = attrgetter("run.offset_first")
_offset_end = attrgetter("run.offset_end")


class MemoryObject:
    """What the catalog knows of an object."""

    __slots__ = ("created_ms", "garbage_since_ms", "incarnation", "is_segment", "name")

    def __init__(
        self, name: str, incarnation: Incarnation | None, created_ms: TimestampMs, *, is_segment: bool
    ) -> None:
        self.name = name
        self.is_segment = is_segment
        self.incarnation = incarnation
        self.created_ms = created_ms
        self.garbage_since_ms: TimestampMs | None = None


class MemoryLogRows:
    """The rows: shared by the catalogs of this package, as tables are."""

    def __init__(self) -> None:
        self.logs: dict[PartitionId, tuple[int, int, int]] = {}
        """(log start, next offset, leader epoch)."""
        self.runs: dict[PartitionId, list[StoredRun]] = {}
        """By offset; no partition without any."""
        self.epochs: dict[PartitionId, list[tuple[int, int]]] = {}
        self.producers: dict[ProducerKey, ProducerState] = {}
        self.objects: dict[str, MemoryObject] = {}
        """Oldest first."""

    def add_runs(self, runs: Iterable[StoredRun]) -> None:
        """Add runs whose offsets nobody has."""
        for stored in runs:
            insort(self.runs.setdefault(stored.run.partition_id, []), stored, key=_offset_first)

    def drop_runs(self, partition_id: PartitionId, first: int, stop: int) -> None:
        """Drop the runs at these places of the partition's list."""
        del self.runs[partition_id][first:stop]
        if not self.runs[partition_id]:
            del self.runs[partition_id]


class MemoryLogCatalog:
    """A LogCatalog and a RecoveryCatalog whose content goes with it."""

    produce_commits_durable = True

    def __init__(
        self,
        topics: MemoryTopicStore,
        brokers: MemoryBrokerStore,
        clock: Clock,
        producers: MemoryProducerStore | None = None,
    ) -> None:
        self.rows = MemoryLogRows()
        self._topics = topics
        self._brokers = brokers
        self._clock = clock
        self._producer_ids = MemoryProducerStore(clock) if producers is None else producers
        self._last_flush: dict[Incarnation, int] = {}
        self._not_whole: set[Incarnation] = set()

    # ------------------------------------------------------------ ports.log

    async def commit(self, rows: FlushRows, decide: Decide) -> Decision:
        """Write what `decide` returns, and move the incarnation to this flush."""
        self._check(rows.flush)
        allocated: dict[ProducerId, int] = {}
        for producer_id in rows.producers_unproven:
            allocated_ms = await self._producer_ids.allocated_ms(producer_id)
            if allocated_ms is not None:
                allocated[producer_id] = allocated_ms
        known = self.rows.producers
        producers = {key: known[key] for key in rows.producers if key in known}
        decision = decide(CommitStates(self._states(rows.partitions), producers, allocated))
        self._last_flush[rows.flush.incarnation] = rows.flush.number
        if decision.runs:
            self._object(rows.object_name, rows.flush.incarnation, is_segment=False)
            self.rows.add_runs(StoredRun(run, rows.object_name, is_segment=False) for run in decision.runs)
        self.rows.logs.update({partition_id: state[:3] for partition_id, state in decision.logs.items()})
        self.rows.producers.update(decision.producers)
        return decision

    async def void(self, flush: FlushId) -> bool:
        """Move the incarnation to this flush with nothing in it; False if it is there already."""
        if flush.incarnation not in self._brokers.fenced and self._last_flush.get(flush.incarnation, 0) >= flush.number:
            return False
        self._check(flush)
        self._last_flush[flush.incarnation] = flush.number
        return True

    def _check(self, flush: FlushId) -> None:
        stands_at = self._last_flush.get(flush.incarnation, 0)
        if flush.incarnation in self._brokers.fenced or stands_at != flush.number - 1:
            raise Fenced(f"incarnation {flush.incarnation} is fenced or does not stand before flush {flush.number}")

    def _object(self, name: str, incarnation: Incarnation | None, *, is_segment: bool) -> None:
        if name not in self.rows.objects:
            created_ms = self._clock.wall_ms()
            self.rows.objects[name] = MemoryObject(name, incarnation, created_ms, is_segment=is_segment)

    def _states(self, partition_ids: Iterable[PartitionId]) -> dict[PartitionId, LogState]:
        created = self._topics.partitions
        return {
            partition_id: LogState(*self.rows.logs.get(partition_id, (0, 0, 0)), created[partition_id])
            for partition_id in partition_ids
            if partition_id in created
        }

    async def states(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, LogState]:
        """Return where the partitions stand."""
        return self._states(partition_ids)

    async def runs(self, partition_id: PartitionId, *, offset: int, limit: int) -> list[StoredRun]:
        """Return runs in offset order, from the one that holds `offset`."""
        runs = self.rows.runs.get(partition_id, [])
        first = bisect_right(runs, offset, key=_offset_end)
        return runs[first : first + limit]

    async def runs_since(self, partition_id: PartitionId, *, timestamp: int, limit: int) -> list[StoredRun]:
        """Return runs, in offset order, that hold a record as young as `timestamp`."""
        runs = self.rows.runs.get(partition_id, [])
        return [stored for stored in runs if stored.run.timestamp_max >= timestamp][:limit]

    async def run_latest(self, partition_id: PartitionId) -> StoredRun | None:
        """Return the first run that has the partition's largest timestamp."""
        return max(self.rows.runs.get(partition_id, []), key=attrgetter("run.timestamp_max"), default=None)

    async def epochs(self, partition_id: PartitionId) -> list[tuple[int, int]]:
        """Return (leader epoch, its first offset), ascending."""
        return list(self.rows.epochs.get(partition_id, []))

    async def advance_log_start(self, partition_id: PartitionId, *, offset: int) -> LogState | None:
        """Raise the log start and drop the runs that are all below it."""
        if partition_id in self.rows.logs and self.rows.logs[partition_id][0] < offset:
            self.rows.logs[partition_id] = (offset, *self.rows.logs[partition_id][1:])
            if runs := self.rows.runs.get(partition_id):
                self.rows.drop_runs(partition_id, 0, bisect_right(runs, offset, key=_offset_end))
        return self._states([partition_id]).get(partition_id)

    async def sizes(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, int]:
        """Return the bytes of the runs of each partition."""
        return {
            partition_id: sum(stored.run.length for stored in self.rows.runs.get(partition_id, ()))
            for partition_id in partition_ids
        }

    # ------------------------------------------------------------ ports.recovery

    async def unfinished(self) -> list[UnfinishedIncarnation]:
        """Return the incarnations that are not fenced, oldest first."""
        living = {broker.incarnation for broker in await self._brokers.live()}
        return [
            UnfinishedIncarnation(
                incarnation, self._last_flush.get(incarnation, 0), whole=incarnation not in self._not_whole
            )
            for incarnation in sorted(living | self._last_flush.keys())
            if incarnation not in self._brokers.fenced
        ]

    async def skip(self, flush: FlushId) -> None:
        """Move the incarnation to this flush, which is missing."""
        self._check(flush)
        self._last_flush[flush.incarnation] = flush.number
        self._not_whole.add(flush.incarnation)

    async def close_incarnation(self, incarnation: Incarnation) -> None:
        """Fence an incarnation."""
        await self._brokers.fence(incarnation)

    async def objects_of(self, incarnation: Incarnation) -> list[str]:
        """Return the names of the objects that the incarnation's flushes went to."""
        return [found.name for found in self.rows.objects.values() if found.incarnation == incarnation]

    async def runs_beyond(self, object_name: str, *, position: int) -> list[Run]:
        """Return the runs of an object that reach beyond `position`."""
        return [
            stored.run
            for _, runs in sorted(self.rows.runs.items(), key=itemgetter(0))
            for stored in runs
            if stored.object_name == object_name and stored.run.position + stored.run.length > position
        ]

    async def replace_lost(
        self, lost: Sequence[Run], found: Sequence[Run], *, object_name: str, epoch_starts: Mapping[PartitionId, int]
    ) -> None:
        """Replace runs whose bytes are lost, and raise the leader epochs."""
        for run in lost:
            runs = self.rows.runs.get(run.partition_id, [])
            place = bisect_left(runs, run.offset_first, key=_offset_first)
            if place < len(runs) and runs[place].run[:3] == run[:3]:
                self.rows.drop_runs(run.partition_id, place, place + 1)
        self._object(object_name, None, is_segment=True)
        self.rows.add_runs(StoredRun(run, object_name, is_segment=True) for run in found)
        for partition_id, offset_first in epoch_starts.items():
            log_start, next_offset, epoch = self.rows.logs[partition_id]
            self.rows.logs[partition_id] = (log_start, next_offset, epoch + 1)
            self.rows.epochs.setdefault(partition_id, []).append((epoch + 1, offset_first))
