"""Maintenance: retention, merges, garbage and expiry, in the background.

One coroutine does one thing after another, in small steps, so that it takes little from those who produce and fetch.
Nothing here is urgent and nothing is final: what fails is logged once, counted, and tried again in the next round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Protocol

from fleuve.base.clock import Clock
from fleuve.base.errors import FleuveError
from fleuve.base.ids import PartitionId
from fleuve.base.log import Logger
from fleuve.engine.maintenance.garbage import Garbage
from fleuve.engine.maintenance.merging import Merger
from fleuve.engine.maintenance.planning import Retention, expired, generation_of
from fleuve.engine.maintenance.policy import MaintenancePolicy
from fleuve.engine.maintenance.stats import MaintenanceStats
from fleuve.engine.topics.service import Topic
from fleuve.ports.errors import CorruptState
from fleuve.ports.log import LogCatalog
from fleuve.ports.maintenance import MaintenanceCatalog, ObjectRow, Usage
from fleuve.ports.store import ObjectStore

SWEPT_AT_ONCE: Final = 2_000
"""Rows of deleted partitions that go in one transaction."""

RUNS_AT_ONCE: Final = 1_000
"""Runs of a partition that retention looks at in one read."""

PARTITIONS_AT_ONCE: Final = 500
"""Partitions whose sizes are asked for together."""

JOURNAL_RUNS_MAX: Final = 50_000
"""Index rows from which a growing journal object is closed: small flushes make a row for each few bytes."""

WASTED_BYTES_MIN: Final = 1 << 20
"""A growing journal object that is mostly garbage is closed from this size on."""

FIRST_DELAY_S_MAX: Final = 10.0
"""A start is left alone for so long."""


class Topics(Protocol):
    """What maintenance asks about topics; the topics room's service answers."""

    def all(self) -> Collection[Topic]:
        """Return all topics."""
        ...


class Log(Protocol):
    """What maintenance asks of the log room; its service answers."""

    async def delete_records(self, partition_id: PartitionId, *, offset: int) -> int:
        """Delete the records below `offset`, durably, and let readers know; return the log start."""
        ...

    async def flushes_settled(self) -> None:
        """Return when every flush that is under way now is committed or given up."""
        ...


class _Watched:
    """How much was ever in an object, as far as it was seen, and how much of it is left."""

    __slots__ = ("ever_bytes", "left_bytes")

    def __init__(self) -> None:
        self.ever_bytes = 0
        self.left_bytes = 0


class MaintenanceService:
    """Keeps the log in shape. `unique` gives a text that no run of any broker has given before, for names."""

    def __init__(
        self,
        *,
        catalog: MaintenanceCatalog,
        log_catalog: LogCatalog,
        store: ObjectStore,
        log: Log,
        topics: Topics,
        clock: Clock,
        policy: Callable[[], MaintenancePolicy],
        logger: Logger,
        unique: Callable[[], str],
    ) -> None:
        self.stats = MaintenanceStats()
        self._catalog = catalog
        self._log_catalog = log_catalog
        self._store = store
        self._log = log
        self._topics = topics
        self._clock = clock
        self._policy = policy
        self._logger = logger
        self._garbage = Garbage(catalog=catalog, store=store, flushes=log, clock=clock, stats=self.stats)
        self._merger = Merger(
            catalog=catalog,
            log_catalog=log_catalog,
            store=store,
            clock=clock,
            policy=policy,
            stats=self.stats,
            logger=logger,
            unique=unique,
        )
        self._watched: dict[str, _Watched] = {}
        self._complaints: dict[str, str] = {}
        self._scanned = False

    async def run(self) -> None:
        """Do what is due, until cancelled."""
        now = asyncio.get_running_loop().time
        first = now() + min(self._policy().merge_interval_ms / 1000, FIRST_DELAY_S_MAX)
        merge_at = retention_at = expiry_at = first
        while True:
            await asyncio.sleep(max(0.0, min(merge_at, retention_at, expiry_at) - now()))
            policy = self._policy()
            if now() >= expiry_at:
                await self.expire_producers()
                expiry_at = now() + policy.producer_expiration_check_interval_ms / 1000
            if now() >= retention_at:
                await self._step("retention", self._observed(self._retain))
                await self._step("merge", self._observed(self._merge))
                await self._step("orphans", self._delete_orphans)
                retention_at = now() + policy.retention_check_interval_ms / 1000
                merge_at = now() + policy.merge_interval_ms / 1000
            elif now() >= merge_at:
                await self._step("merge", self._observed(self._merge))
                merge_at = now() + policy.merge_interval_ms / 1000
            await self._step("garbage", self._collect)

    async def run_once(self) -> None:
        """Do everything once, due or not; only what has to be as old as its settings say waits for that."""
        await self.expire_producers()
        await self._step("retention", self._observed(self._retain))
        await self._step("merge", self._observed(self._merge))
        await self._step("orphans", self._delete_orphans)
        await self._step("garbage", self._collect)

    async def expire_producers(self) -> None:
        """Forget producers that have been silent for `producer.id.expiration.ms`."""
        await self._step("producer expiry", self._expire_producers)

    async def _step(self, name: str, step: Callable[[], Awaitable[None]]) -> None:
        """Run a step; what goes wrong is said once and tried again in the next round."""
        try:
            await step()
        except Exception as error:
            self.stats.errors += 1
            text = f"{type(error).__name__}: {error}"
            if self._complaints.get(name) != text:
                self._complaints[name] = text
                # What is no error of ours is a bug: it must not take the broker with it.
                expected = isinstance(error, FleuveError) and not isinstance(error, CorruptState)
                say = self._logger.warning if expected else self._logger.error
                say("maintenance failed and will try again", step=name, error=text)
        else:
            self._complaints.pop(name, None)

    # ------------------------------------------------------------ steps

    async def _expire_producers(self) -> None:
        before = self._clock.wall_ms() - self._policy().producer_expiration_ms
        self.stats.expired_producers += await self._catalog.expire_producers(before_ms=before)

    async def _retain(self) -> None:
        """Delete what retention does not keep."""
        written = {row.name: int(row.created_ms) for row in await self._catalog.objects(segments=True)}
        retentions = {
            partition_id: retention
            for partition_id, retention in self._retentions().items()
            if retention.time_ms is not None or retention.size_bytes is not None
        }
        partition_ids = list(retentions)
        for first in range(0, len(partition_ids), PARTITIONS_AT_ONCE):
            some = partition_ids[first : first + PARTITIONS_AT_ONCE]
            sizes = await self._log_catalog.sizes(some)
            for partition_id in some:
                if size := sizes.get(partition_id, 0):
                    await self._retain_partition(partition_id, retentions[partition_id], size, written)

    async def _retain_partition(
        self, partition_id: PartitionId, retention: Retention, size_bytes: int, written_ms: dict[str, int]
    ) -> None:
        offset = 0
        left = size_bytes
        # The first run tells nearly always that nothing is to be done.
        limit = 1
        while page := await self._log_catalog.runs(partition_id, offset=offset, limit=limit):
            limit = RUNS_AT_ONCE
            count = expired(page, retention, size_bytes=left, now_ms=self._clock.wall_ms(), written_ms=written_ms)
            if count:
                offset = page[count - 1].run.offset_end
                left -= sum(stored.run.length for stored in page[:count])
            if count < len(page):
                break
        if left < size_bytes:
            try:
                await self._log.delete_records(partition_id, offset=offset)
            except FleuveError as error:
                # Deleted meanwhile, or somebody else was faster. If it is the catalog, the next one says so.
                self._logger.debug("retention", partition_id=partition_id, error=str(error))
            else:
                self.stats.retention_deleted_bytes += size_bytes - left

    async def _merge(self) -> None:
        """Give up what belongs to deleted topics, close the journal object if it is time, and merge."""
        swept = SWEPT_AT_ONCE
        while swept:
            swept = await self._catalog.sweep_deleted(limit=SWEPT_AT_ONCE)
        await self._seal()
        rows = await self._catalog.objects(segments=False)
        growing = await self._store.growing()
        await self._log.flushes_settled()
        closed = [row for row in rows if growing is None or row.name != growing.name]
        usage = await self._usage(closed)
        wasted = [row.name for row in closed if self._is_wasted(row.name, usage[row.name])]
        await self._merger.run(closed, usage, wasted, self._retentions())

    async def _seal(self) -> None:
        """Close the growing journal object if it is old, has many runs, or is mostly garbage."""
        await self._store.seal(older_than_ms=self._policy().journal_roll_ms, larger_than_bytes=1 << 62)
        growing = await self._store.growing()
        if growing is None:
            return
        usage = (await self._catalog.usage([growing.name]))[growing.name]
        if usage.runs >= JOURNAL_RUNS_MAX or (
            growing.size_bytes >= WASTED_BYTES_MIN and self._is_wasted(growing.name, usage)
        ):
            await self._store.seal(older_than_ms=0, larger_than_bytes=0)

    async def _collect(self) -> None:
        """Mark and delete what nobody refers to."""
        await self._garbage.mark()
        await self._garbage.delete(grace_ms=self._policy().garbage_grace_ms)

    async def _delete_orphans(self) -> None:
        await self._garbage.delete_orphans(grace_ms=self._policy().garbage_grace_ms, writing=self._merger.writing)

    # ------------------------------------------------------------ what is there

    def _retentions(self) -> dict[PartitionId, Retention]:
        """Return what each partition keeps."""
        retentions: dict[PartitionId, Retention] = {}
        for topic in self._topics.all():
            retention = Retention(topic.configs.retention_ms, topic.configs.retention_bytes)
            retentions.update(dict.fromkeys(topic.partition_ids, retention))
        return retentions

    def _observed(self, step: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Return the step with a look at the journal objects before and after it.

        A journal object is larger than its batches, by an amount that only the store knows, so what has become garbage
        in it is counted: what was there before a step, and what is there after it.
        """

        async def observed() -> None:
            for name, usage in (await self._journal_usage()).items():
                watched = self._watched.setdefault(name, _Watched())
                watched.ever_bytes += max(0, usage.size_bytes - watched.left_bytes)
                watched.left_bytes = usage.size_bytes
            try:
                await step()
            finally:
                after = await self._journal_usage()
                self._watched = {name: watched for name, watched in self._watched.items() if name in after}
                for name, watched in self._watched.items():
                    watched.left_bytes = after[name].size_bytes

        return observed

    async def _journal_usage(self) -> dict[str, Usage]:
        rows = await self._catalog.objects(segments=False)
        return await self._usage([row for row in rows if generation_of(row.name) is None])

    async def _usage(self, rows: Collection[ObjectRow]) -> dict[str, Usage]:
        # One by one: between them the catalog serves others.
        usage: dict[str, Usage] = {}
        for row in rows:
            usage.update(await self._catalog.usage([row.name]))
        return usage

    def _is_wasted(self, object_name: str, usage: Usage) -> bool:
        """Return whether most of what was in the object is garbage."""
        if generation_of(object_name) is not None:
            return usage.size_bytes * 2 < self._garbage.sizes.get(object_name, 0)
        watched = self._watched.get(object_name)
        return watched is not None and usage.size_bytes * 2 < watched.ever_bytes
