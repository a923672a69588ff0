"""Merges: picks what is due, has it written, and swaps it in.

A merge is many small steps: a page of index rows is read, planned and written object by object, and each object is
swapped in by itself. A step that is lost to a crash leaves an object that nobody refers to, or old objects of which
less is needed; the next round goes on from there. Nothing is taken away here: objects that are not needed any more
become garbage (`garbage`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fleuve.base.clock import Clock
from fleuve.base.ids import PartitionId
from fleuve.base.log import Logger
from fleuve.engine.maintenance.planning import (
    Limits,
    Output,
    Part,
    Retention,
    damage_key,
    due_generations,
    due_journals,
    due_segments,
    gathered_name,
    generation_of,
    outputs_of,
    parts_of,
    segment_name,
)
from fleuve.engine.maintenance.policy import MaintenancePolicy
from fleuve.engine.maintenance.stats import MaintenanceStats
from fleuve.engine.maintenance.writing import Writer
from fleuve.ports.errors import StoreUnavailable
from fleuve.ports.log import LogCatalog, StoredRun
from fleuve.ports.maintenance import MaintenanceCatalog, ObjectRow, Swap, Usage
from fleuve.ports.store import ObjectStore

ROWS_PER_PAGE: Final = 20_000
"""Index rows in memory at once."""

ROWS_PER_SWAP: Final = 2_000
"""Old rows in one transaction of the catalog: bounds how long produce commits wait behind it."""

PARTITIONS_PER_ROUND: Final = 200
"""Partitions in which segments are counted in one round, of those that were not merged since the start."""

FAILURES_MAX: Final = 3
"""Objects that could not be written one after another: then the round ends."""


class Merger:
    """Merges what is due. `retentions` tells what each partition keeps; those it leaves out are gone, or will be."""

    def __init__(
        self,
        *,
        catalog: MaintenanceCatalog,
        log_catalog: LogCatalog,
        store: ObjectStore,
        clock: Clock,
        policy: Callable[[], MaintenancePolicy],
        stats: MaintenanceStats,
        logger: Logger,
        unique: Callable[[], str],
    ) -> None:
        self._catalog = catalog
        self._log_catalog = log_catalog
        self._store = store
        self._clock = clock
        self._policy = policy
        self._stats = stats
        self._logger = logger
        self._unique = unique
        self._writer = Writer(store, self._note_damage)
        self._damaged: set[tuple[str, int, int]] = set()
        self._stuck: set[str] = set()
        self._touched: set[PartitionId] = set()
        self._looked_up_to: PartitionId | None = PartitionId(0)
        self.writing: set[str] = set()
        """Names of objects that are written and not known to the catalog yet."""

    async def run(
        self,
        closed: Sequence[ObjectRow],
        usage: dict[str, Usage],
        wasted: Iterable[str],
        retentions: dict[PartitionId, Retention],
    ) -> None:
        """Merge all that is due.

        `closed` are the objects that hold several partitions' runs and do not grow, oldest first; `wasted` those of
        them that are mostly garbage. Raises CatalogUnavailable and StoreUnavailable.
        """
        policy = self._policy()
        limits = {
            partition_id: Limits.of(retention, segment_bytes=policy.segment_bytes)
            for partition_id, retention in retentions.items()
        }
        alive = [row for row in closed if row.name not in self._stuck and usage[row.name].runs]
        journals = [row for row in alive if generation_of(row.name) is None]
        self._stats.backlog_objects = len(journals)
        self._stats.backlog_bytes = sum(usage[row.name].size_bytes for row in journals)
        due = due_journals(
            journals, files=policy.merge_backlog_files, age_ms=policy.merge_age_ms, now_ms=self._clock.wall_ms()
        )
        wasted = {name for name in wasted if name not in self._stuck and usage[name].runs}
        due += [row.name for row in journals if row.name in wasted and row.name not in due]
        if due:
            await self._gather(due, 1, limits, policy)
        gathered = [row.name for row in await self._catalog.objects(segments=False) if generation_of(row.name)]
        gathered = [name for name in gathered if name not in self._stuck]
        while generations := due_generations(gathered):
            level, names = generations
            await self._gather(names, level + 1, limits, policy)
            gathered = [name for name in gathered if name not in names]
        for name in gathered:
            generation = generation_of(name)
            if name in wasted and generation is not None:
                await self._gather([name], generation.level, limits, policy)
        await self._merge_segments(limits, policy)

    # ------------------------------------------------------------ journals and gathered objects

    async def _gather(
        self, object_names: Sequence[str], level: int, limits: dict[PartitionId, Limits], policy: MaintenancePolicy
    ) -> None:
        """Rewrite objects: segments for partitions that have enough, gathered objects of `level` for the others."""
        unique = self._unique()
        number = 0
        after: tuple[PartitionId, int] | None = None
        failures = 0
        while page := await self._catalog.runs_of_objects(object_names, after=after, limit=ROWS_PER_PAGE):
            after = (page[-1].run.partition_id, page[-1].run.offset_first)
            parts = parts_of(page, limits=limits, damaged=self._damaged)
            for output in outputs_of(parts, object_bytes=policy.segment_bytes):
                number += 1
                name = self._name(output) if output.is_segment else gathered_name(level, unique, number)
                failures = await self._write(output, name, failures)
        await self._note_stuck(object_names)

    def _name(self, output: Output) -> str:
        runs = output.parts[0].runs
        return segment_name(
            output.parts[0].partition_id, runs[0].run.offset_first, runs[-1].run.offset_end, self._unique()
        )

    async def _write(self, output: Output, object_name: str, failures: int) -> int:
        """Write and swap one object; return how many could not be written in a row, `failures` before."""
        log_starts = await self._log_starts(output.parts)
        parts = tuple([part for part in output.parts if part.partition_id in log_starts])
        if not parts:
            return failures
        self.writing.add(object_name)
        try:
            swaps = await self._writer.write(Output(parts, output.is_segment), object_name, log_starts)
            if swaps:
                await self._swap(object_name, swaps)
        except StoreUnavailable as error:
            # One object that cannot be read must not keep the others waiting for ever.
            if failures + 1 >= FAILURES_MAX:
                raise
            self._stats.errors += 1
            self._logger.warning("an object could not be merged", object=object_name, error=str(error))
            return failures + 1
        finally:
            self.writing.discard(object_name)
        return 0

    async def _log_starts(self, parts: Sequence[Part]) -> dict[PartitionId, int]:
        partition_ids = list(dict.fromkeys([part.partition_id for part in parts]))
        states = await self._log_catalog.states(partition_ids)
        return {partition_id: state.log_start for partition_id, state in states.items()}

    async def _swap(self, object_name: str, swaps: Sequence[Swap]) -> None:
        """Put a written object in the place of the old runs."""
        happened = False
        first = 0
        while first < len(swaps):
            stop, rows = first, 0
            while stop < len(swaps) and (stop == first or rows + len(swaps[stop].old) <= ROWS_PER_SWAP):
                rows += len(swaps[stop].old)
                stop += 1
            for swap, done in zip(swaps[first:stop], await self._catalog.swap(swaps[first:stop]), strict=True):
                if done:
                    happened = True
                    self._stats.merged_runs += len(swap.old)
                    self._stats.merged_bytes += swap.new.length
                    self._touched.add(swap.new.partition_id)
            first = stop
        if happened:
            self._stats.merges += 1
        else:
            # Deleted or trimmed meanwhile, all of it: nobody ever heard of this object.
            await self._store.delete([object_name])

    async def _note_stuck(self, object_names: Sequence[str]) -> None:
        """Leave objects alone from now on that only hold on to what cannot be copied."""
        if not self._damaged:
            return
        held = {name for name, _, _ in self._damaged}
        left = await self._catalog.usage([name for name in object_names if name in held])
        self._stuck.update(name for name, usage in left.items() if usage.runs)

    def _note_damage(self, stored: StoredRun, error: Exception) -> None:
        key = damage_key(stored)
        if key in self._damaged:
            return
        self._damaged.add(key)
        self._stats.damaged_runs += 1
        self._logger.error(
            "stored records are damaged; they are left where they are",
            partition_id=stored.run.partition_id,
            offset_first=stored.run.offset_first,
            offset_end=stored.run.offset_end,
            object=stored.object_name,
            error=str(error),
        )

    # ------------------------------------------------------------ segments

    async def _merge_segments(self, limits: dict[PartitionId, Limits], policy: MaintenancePolicy) -> None:
        """Make larger segments of small ones, in partitions that were merged, and little by little in all."""
        partition_ids, self._touched = self._touched, set()
        if self._looked_up_to is not None:
            page = await self._catalog.partitions_with_runs(after=self._looked_up_to, limit=PARTITIONS_PER_ROUND)
            self._looked_up_to = page[-1] if page else None
            partition_ids.update(page)
        failures = 0
        for partition_id in sorted(partition_ids):
            if (limit := limits.get(partition_id)) is None:
                continue
            for part in due_segments(await self._segments_of(partition_id), limit):
                if not any(damage_key(stored) in self._damaged for stored in part.runs):
                    output = Output((part,), is_segment=True)
                    failures = await self._write(output, self._name(output), failures)

    async def _segments_of(self, partition_id: PartitionId) -> list[StoredRun]:
        """Return the partition's runs up to the first that lies in a journal."""
        found: list[StoredRun] = []
        offset = 0
        while page := await self._log_catalog.runs(partition_id, offset=offset, limit=1_000):
            for stored in page:
                in_journal = not stored.is_segment and generation_of(stored.object_name) is None
                if in_journal and damage_key(stored) not in self._damaged:
                    return found
                found.append(stored)
            offset = page[-1].run.offset_end
        return found
