"""Merge, retention and garbage collection over the log's rows in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fleuve.adapters.memory.log import MemoryLogRows, MemoryObject
from fleuve.adapters.memory.topics import MemoryTopicStore
from fleuve.base.clock import Clock
from fleuve.base.ids import PartitionId
from fleuve.ports.log import StoredRun
from fleuve.ports.maintenance import ObjectRow, Swap, Usage


class MemoryMaintenanceCatalog:
    """A MaintenanceCatalog over the rows of a MemoryLogCatalog."""

    def __init__(self, rows: MemoryLogRows, topics: MemoryTopicStore, clock: Clock) -> None:
        self._rows = rows
        self._topics = topics
        self._clock = clock

    async def objects(self, *, segments: bool) -> list[ObjectRow]:
        """Return the known objects, oldest first."""
        return [_row(found) for found in self._rows.objects.values() if segments or not found.is_segment]

    async def usage(self, object_names: Sequence[str]) -> dict[str, Usage]:
        """Return what is left of each of these objects."""
        counts: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for stored in self._all_runs():
            counts[stored.object_name] += 1
            sizes[stored.object_name] += stored.run.length
        return {name: Usage(counts[name], sizes[name]) for name in object_names}

    async def runs_of_objects(
        self, object_names: Sequence[str], *, after: tuple[PartitionId, int] | None, limit: int
    ) -> list[StoredRun]:
        """Return runs that lie in these objects, by partition and offset."""
        names = set(object_names)
        seen = after or (-1, -1)
        found = [
            stored
            for stored in self._all_runs()
            if stored.object_name in names and (stored.run.partition_id, stored.run.offset_first) > seen
        ]
        return found[:limit]

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        """Replace runs by merged ones; for each swap whether it happened."""
        return [self._swap(swap) for swap in swaps]

    def _swap(self, swap: Swap) -> bool:
        partition_id = swap.new.partition_id
        log_start = self._rows.logs.get(partition_id, (0,))[0]
        if partition_id not in self._topics.partitions or log_start != swap.log_start_seen:
            return False
        runs = self._rows.runs.get(partition_id, [])
        if swap.old[0] not in runs:
            return False
        first = runs.index(swap.old[0])
        if runs[first : first + len(swap.old)] != list(swap.old):
            return False
        self._rows.drop_runs(partition_id, first, first + len(swap.old))
        if swap.object_name not in self._rows.objects:
            self._rows.objects[swap.object_name] = MemoryObject(
                swap.object_name, None, self._clock.wall_ms(), is_segment=swap.is_segment
            )
        self._rows.add_runs([StoredRun(swap.new, swap.object_name, swap.is_segment)])
        return True

    async def partitions_with_runs(self, *, after: PartitionId, limit: int) -> list[PartitionId]:
        """Return partitions above `after` that hold any run, ascending."""
        return sorted(partition_id for partition_id in self._rows.runs if partition_id > after)[:limit]

    async def sweep_deleted(self, *, limit: int) -> int:
        """Drop some of the log's rows of partitions that do not exist any more; return how many."""
        rows = self._rows
        swept = 0
        for partition_id in [known for known in rows.logs if known not in self._topics.partitions]:
            swept += 1 + len(rows.runs.pop(partition_id, ()))
            rows.epochs.pop(partition_id, None)
            for key in [key for key in rows.producers if key[0] == partition_id]:
                del rows.producers[key]
                swept += 1
            del rows.logs[partition_id]
            if swept >= limit:
                break
        return swept

    async def unreferenced(self) -> list[ObjectRow]:
        """Return the objects without a run that are not marked as garbage."""
        used = self._used()
        return [
            _row(found)
            for found in self._rows.objects.values()
            if found.garbage_since_ms is None and found.name not in used
        ]

    async def mark_garbage(self, object_names: Sequence[str]) -> None:
        """Mark those of these objects that hold no run as garbage from now on."""
        used = self._used()
        for name in object_names:
            found = self._rows.objects.get(name)
            if found is not None and found.garbage_since_ms is None and name not in used:
                found.garbage_since_ms = self._clock.wall_ms()

    async def garbage(self, *, before_ms: int) -> list[str]:
        """Return the objects that were marked as garbage by then and hold no run."""
        used = self._used()
        return [
            found.name
            for found in self._rows.objects.values()
            if found.garbage_since_ms is not None and found.garbage_since_ms <= before_ms and found.name not in used
        ]

    async def forget_objects(self, object_names: Sequence[str]) -> None:
        """Drop the rows of objects that are deleted from the store."""
        used = self._used()
        for name in object_names:
            if name not in used:
                self._rows.objects.pop(name, None)

    async def expire_producers(self, *, before_ms: int) -> int:
        """Forget producers whose last batch was appended before then; return how many."""
        old = [key for key, state in self._rows.producers.items() if state.last_append_ms < before_ms]
        for key in old:
            del self._rows.producers[key]
        return len(old)

    def _all_runs(self) -> list[StoredRun]:
        """Return all runs by partition and offset."""
        return [stored for partition_id in sorted(self._rows.runs) for stored in self._rows.runs[partition_id]]

    def _used(self) -> set[str]:
        return {stored.object_name for stored in self._all_runs()}


def _row(found: MemoryObject) -> ObjectRow:
    return ObjectRow(found.name, found.is_segment, found.created_ms)
