"""The log as other rooms and the edges see it: append, fetch, look-ups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from fleuve.base.clock import Clock
from fleuve.base.errors import FleuveError
from fleuve.base.ids import Incarnation, PartitionId, ProducerId
from fleuve.base.log import Logger
from fleuve.engine.log.append import Appended, AppendRequest
from fleuve.engine.log.arena import SLAB_ENTRIES_MAX, Arena
from fleuve.engine.log.batch import PendingBatch
from fleuve.engine.log.catch_up import CatchUpReader
from fleuve.engine.log.decide import Duplicate
from fleuve.engine.log.errors import (
    MessageTooLarge,
    TransactionsUnsupported,
)
from fleuve.engine.log.fetch import UNBOUNDED, Fetcher, FetchMemory, FetchResult, FetchWant
from fleuve.engine.log.flush import Flush, Flusher, outcomes_of
from fleuve.engine.log.lookup import FoundOffset, Lookups
from fleuve.engine.log.partition import PartitionView
from fleuve.engine.log.policy import LogPolicy
from fleuve.engine.log.reading import STORAGE_ERRORS, ReadFailures
from fleuve.engine.log.segment import SegmentIndex as SegmentIndex  # for maintenance, which writes segments
from fleuve.engine.log.slab import SLAB_BYTES
from fleuve.engine.log.stats import LogStats
from fleuve.engine.log.sync import BackgroundSync
from fleuve.engine.log.views import PartitionViews
from fleuve.engine.topics.service import TopicConfigs
from fleuve.ports.errors import Fenced
from fleuve.ports.log import Decision, LogCatalog, LogState
from fleuve.ports.offload import Offload
from fleuve.ports.store import ExtentStore, ObjectStore
from fleuve.records import batch as batches
from fleuve.records.batch import (
    check_produced,
    check_timestamps,
    is_transactional,
    patch,
    stamp_log_append_time,
)
from fleuve.records.errors import InvalidRecord
from fleuve.records.record import check_keys

DECODED_BYTES_MAX = 128 << 20
"""What the records of a batch may take when they are decompressed to look at their keys."""

BATCH_OVERHEAD_BYTES = SLAB_BYTES // SLAB_ENTRIES_MAX
"""What a batch that waits takes beside its bytes, as far as the bound of the buffer goes: a slab is full after so many
batches, however small they are."""

_NO_RECORDS = memoryview(b"")


class LogService:
    """All partitions' logs, as far as this broker is concerned.

    `run` must be running; `recovery.Recovery` comes before it. `release_pinned` is called when slow readers hold more
    memory than the bound allows: it should cut them off.
    """

    def __init__(
        self,
        *,
        extents: ExtentStore,
        objects: ObjectStore,
        catalog: LogCatalog,
        incarnation: Incarnation,
        clock: Clock,
        offload: Offload,
        policy: LogPolicy,
        logger: Logger,
        release_pinned: Callable[[], None],
        on_fenced: Callable[[Fenced], None],
    ) -> None:
        self.stats = LogStats()
        self.stats.buffer_bytes_max = policy.produce_buffer_bytes
        self._clock = clock
        self._offload = offload
        self._catalog = catalog
        self._buffer_bytes_max = policy.produce_buffer_bytes
        self._arena = Arena(size_bytes=policy.tail_cache_bytes, release_pinned=release_pinned)
        self._views = PartitionViews(catalog)
        failures = self._failures = ReadFailures(logger)
        reader = CatchUpReader(
            catalog, objects, reads_max=policy.catch_up_reads_max, stats=self.stats, failures=failures
        )
        self._fetcher = Fetcher(self._views, reader, self.stats, failures)
        self._lookups = Lookups(catalog, reader, self._views, offload=offload, failures=failures)
        self._sync = BackgroundSync(extents, logger)
        self._flusher = Flusher(
            store=extents,
            catalog=catalog,
            incarnation=incarnation,
            clock=clock,
            policy=policy,
            stats=self.stats,
            logger=logger,
            settle=self._settle,
            fail=self._fail,
            outcome_lost=self._outcome_lost,
            on_fenced=on_fenced,
        )
        self._room: list[asyncio.Future[None]] = []

    async def run(self) -> None:
        """Write, commit and flush, until `close`."""
        async with asyncio.TaskGroup() as tasks:
            sync = tasks.create_task(self._sync.run())
            await self._flusher.run()
            sync.cancel()

    async def close(self) -> None:
        """Take no more batches, settle those that are here, let waiting fetches return, and give the memory back."""
        self._fetcher.release_all()
        await self._flusher.drain()
        # Who goes on after a broker, such as the next one in the same process, need not wait for a collection.
        self._arena.release()

    def release_fetches(self) -> None:
        """Let waiting fetches return with what they have; none waits from now on."""
        self._fetcher.release_all()

    # ------------------------------------------------------------ append

    @property
    def has_room(self) -> bool:
        """Whether the buffer takes more batches."""
        return self.stats.buffer_bytes < self._buffer_bytes_max

    async def wait_for_room(self) -> None:
        """Wait until the buffer takes more batches."""
        while not self.has_room:
            waiting = asyncio.get_running_loop().create_future()
            self._room.append(waiting)
            await waiting

    async def check_keys(self, records: memoryview) -> None:
        """Check that each record has a key, as compacted topics need it; off the loop if the batch is large.

        Raises InvalidRecord with the records at fault, and what `check_produced` raises.
        """
        header = check_produced(records)
        batch = records[: header.size_bytes]
        # What is compressed may become anything: that is never small work.
        size_bytes = DECODED_BYTES_MAX if batches.compression(header.attributes) else header.size_bytes
        await self._offload.run(lambda: check_keys(batch, size_bytes_max=DECODED_BYTES_MAX), size_bytes=size_bytes)

    def append(
        self,
        request: AppendRequest,
        slot: int,
        partition_id: PartitionId,
        configs: TopicConfigs,
        records: memoryview | None,
    ) -> None:
        """Take one partition's batch of a request. Its result is in the request when that completes.

        The bytes are copied before this returns. Nothing is raised: what is wrong with the batch is its result. This
        is the hot path of Produce; `benchmarks/micro/append.py` measures it.
        """
        if (refusing := self._flusher.refusing) is not None:
            self._note_refused(partition_id, records)
            request.settle(slot, refusing)
            return
        now_ms = self._clock.wall_ms()
        try:
            if records is None:
                raise InvalidRecord("a produce request must have a record batch for each partition")
            header = check_produced(records)
            if header.size_bytes > configs.max_message_bytes:
                raise MessageTooLarge(
                    f"the record batch has {header.size_bytes} bytes,"
                    f" max.message.bytes of the topic is {configs.max_message_bytes}"
                )
            if is_transactional(header.attributes):
                raise TransactionsUnsupported("transactional batches need a transaction; none is supported")
            if not configs.log_append_time:
                check_timestamps(
                    header,
                    now_ms=now_ms,
                    before_max_ms=configs.timestamp_before_max_ms,
                    after_max_ms=configs.timestamp_after_max_ms,
                )
        except FleuveError as error:
            self.stats.rejected_batches += 1
            request.settle(slot, error)
            return
        size = header.size_bytes
        slab, start = self._arena.store(records if len(records) == size else records[:size])
        timestamp_max, append_time_ms = header.max_timestamp, -1
        if configs.log_append_time:
            stamp_log_append_time(slab.view, start, now_ms)
            timestamp_max = append_time_ms = now_ms
        batch = PendingBatch(
            partition_id,
            size,
            header.last_offset_delta,
            timestamp_max,
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
            append_time_ms,
        )
        batch.records_count = header.records_count
        batch.slab = slab
        batch.start = start
        batch.request = request
        batch.slot = slot
        batch.sync_after_messages = configs.flush_messages
        batch.sync_after_ms = configs.flush_ms
        self.stats.buffer_bytes += size + BATCH_OVERHEAD_BYTES
        self._flusher.submit(batch)

    def _note_refused(self, partition_id: PartitionId, records: memoryview | None) -> None:
        # What its producer has sent behind it may come when batches are taken again, before this one does.
        try:
            header = check_produced(records or _NO_RECORDS)
        except FleuveError:
            return
        if header.producer_id >= 0:
            self._flusher.failed(partition_id, ProducerId(header.producer_id), header.base_sequence)

    # ------------------------------------------------------------ fetch and look-ups

    async def fetch(
        self,
        wants: Sequence[FetchWant],
        *,
        max_wait_ms: int,
        min_bytes: int,
        max_bytes: int,
        read_committed: bool,
        memory: FetchMemory = UNBOUNDED,
    ) -> list[FetchResult]:
        """Return a result for each want, in order. See `fetch.Fetcher.fetch`."""
        return await self._fetcher.fetch(
            wants,
            max_wait_ms=max_wait_ms,
            min_bytes=min_bytes,
            max_bytes=max_bytes,
            read_committed=read_committed,
            memory=memory,
        )

    async def list_offset(self, partition_id: PartitionId, *, timestamp: int, read_committed: bool) -> FoundOffset:
        """Return an offset by time, or the latest, earliest or youngest. See `lookup.Lookups.list_offset`.

        Without transactions the last stable offset is the high watermark: `read_committed` changes nothing yet.
        """
        return await self._lookups.list_offset(partition_id, timestamp=timestamp)

    async def delete_records(self, partition_id: PartitionId, *, offset: int) -> int:
        """Delete the records below `offset` (−1: all); return the log start. See `lookup.Lookups.advance_log_start`."""
        return await self._lookups.advance_log_start(partition_id, offset=offset)

    async def epoch_end(self, partition_id: PartitionId, *, epoch: int) -> tuple[int, int]:
        """Return the largest leader epoch up to `epoch`, and where it ends."""
        return await self._lookups.epoch_end(partition_id, epoch=epoch)

    async def sizes(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, int]:
        """Return the stored bytes of each partition. Raises StorageFailed."""
        try:
            return await self._catalog.sizes(partition_ids)
        except STORAGE_ERRORS as error:
            raise self._failures.failed("where partitions stand", error) from error

    async def states(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, LogState]:
        """Return where partitions stand, as the catalog knows it; those that do not exist are left out."""
        try:
            return await self._catalog.states(partition_ids)
        except STORAGE_ERRORS as error:
            raise self._failures.failed("where partitions stand", error) from error

    def leader_epoch(self, partition_id: PartitionId) -> int:
        """Return the partition's leader epoch, 0 if it is not in mind."""
        view = self._views.get(partition_id)
        return 0 if view is None else view.leader_epoch

    def high_watermark(self, partition_id: PartitionId) -> int | None:
        """Return the partition's high watermark if it is in mind: for what needs no certainty, such as a lag shown."""
        view = self._views.get(partition_id)
        return None if view is None else view.high_watermark

    @property
    def unavailable(self) -> str | None:
        """Why no batch is taken at present; None if all is well."""
        return None if self._flusher.refusing is None else str(self._flusher.refusing)

    def drop_partitions(self, partition_ids: Iterable[PartitionId]) -> None:
        """Forget partitions that were deleted; fetches that wait on them return."""
        for partition_id in partition_ids:
            self._views.drop(partition_id)

    async def flushes_settled(self) -> None:
        """Return when every flush that is under way now is committed or given up.

        After it the catalog knows all that will ever refer to an object that had stopped growing before it.
        """
        await self._flusher.flushes_settled()

    def refresh_stats(self) -> None:
        """Bring those stats up to date that are not counted as they happen."""
        self.stats.arena_bytes = self._arena.size_bytes
        self.stats.pinned_bytes = self._arena.pinned_bytes

    # ------------------------------------------------------------ what becomes of batches

    def _settle(self, flush: Flush, decision: Decision) -> None:
        """Put a committed flush into the tails, answer its producers and wake its readers."""
        self._sync.wrote(flush.batches, durable=flush.durable)
        stats = self.stats
        moved: list[PartitionView] = []
        view: PartitionView | None = None
        partition_id: PartitionId | None = None
        results: list[Appended | FleuveError] = []
        for batch, outcome in zip(flush.batches, outcomes_of(decision), strict=True):
            batch.slab.pending -= 1
            if batch.partition_id != partition_id:
                partition_id = batch.partition_id
                view = self._view_of(partition_id, decision)
                if view is not None and partition_id in decision.logs:
                    moved.append(view)
            if type(outcome) is int:
                assert view is not None
                patch(batch.slab.view, batch.start, outcome, view.leader_epoch)
                end = outcome + batch.last_offset_delta + 1
                view.append(outcome, end, batch.slab, batch.start, batch.start + batch.size)
                stats.appended_batches += 1
                stats.appended_bytes += batch.size
                stats.appended_records += batch.records_count
                results.append(Appended(outcome, batch.append_time_ms, view.log_start))
            elif isinstance(outcome, Duplicate):
                stats.duplicates += 1
                log_start = -1 if view is None else view.log_start
                results.append(Appended(outcome.base_offset, outcome.append_time_ms, log_start))
            else:
                assert isinstance(outcome, FleuveError)
                stats.rejected_batches += 1
                results.append(outcome)
        self._release(flush.batches)
        for batch, result in zip(flush.batches, results, strict=True):
            batch.request.settle(batch.slot, result)
        for view in moved:
            view.wake()

    def _view_of(self, partition_id: PartitionId, decision: Decision) -> PartitionView | None:
        view = self._views.get(partition_id)
        if view is None and (state := decision.logs.get(partition_id)) is not None:
            # Not in mind so far: the tail begins with the first batch of this flush.
            view = self._views.at(partition_id, state)
        return view

    def _fail(self, batches: Sequence[PendingBatch], error: FleuveError) -> None:
        for batch in batches:
            batch.slab.pending -= 1
        self._release(batches)
        for batch in batches:
            batch.request.settle(batch.slot, error)

    def _outcome_lost(self, partition_ids: Iterable[PartitionId]) -> None:
        # The flush is in the log though its producers were told otherwise: what is in mind of these is stale.
        self.drop_partitions(partition_ids)

    def _release(self, batches: Sequence[PendingBatch]) -> None:
        self.stats.buffer_bytes -= sum([batch.size for batch in batches]) + len(batches) * BATCH_OVERHEAD_BYTES
        if self._room and self.has_room:
            waiting, self._room = self._room, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)
