"""Group commit: batches wait in memory, a flush takes them all, writes one extent and commits it.

    append ─▶ buffer ─▶ writer: extent to the store ─▶ committer: decision in the catalog ─▶ settled
                          (several may be under way)      (in flush order, one at a time)

An idle broker flushes at once; while a flush is under way, what arrives waits for the next one. That is all the
tuning there is: the busier the device, the larger the groups.

What may go wrong, and what is done:

* The extent could not be written: its batches fail, the flush is voided in the catalog, life goes on.
* The commit failed, or its outcome is unknown: its batches fail. The flush is voided in the catalog by a commit of
  its own (a read would prove nothing), then in the store, durably, before any later flush may commit; should it turn
  out to be committed after all, the partitions' views are read anew. Until that is settled, appends are refused.
* The broker was fenced: nothing it does counts any more; `on_fenced` is called.

No error reaches a client as success, and nothing that was answered with success depends on a later step.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import cast

from fleuve.base.clock import Clock
from fleuve.base.errors import FleuveError
from fleuve.base.ids import FlushId, Incarnation, PartitionId, ProducerId
from fleuve.base.log import Logger
from fleuve.engine.log import extent
from fleuve.engine.log.batch import Batch, PendingBatch
from fleuve.engine.log.decide import Circumstances, Outcome, decide
from fleuve.engine.log.errors import OutcomeUnknown, ShuttingDown, StorageFailed
from fleuve.engine.log.policy import LogPolicy
from fleuve.engine.log.stats import LogStats
from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown, Fenced, StoreUnavailable
from fleuve.ports.log import CommitStates, Decision, FlushRows, LogCatalog, ProducerKey
from fleuve.ports.store import ExtentStore, Placed

RESOLVE_DELAY_S = 0.05
RESOLVE_DELAY_S_MAX = 2.0
"""Pauses between attempts to settle a failed flush: doubled from the first to the second."""

UNSETTLED_MAX = 10_000
"""Producers with failed batches that are remembered."""

_partition_id = attrgetter("partition_id")


class Flush:
    """One group of batches, sorted by partition, on its way to the device and into the catalog."""

    __slots__ = (
        "append_time_ms",
        "batches",
        "durable",
        "error",
        "flush_id",
        "given_up",
        "placed",
        "settled",
        "size",
        "unsettled",
        "voided",
        "written",
    )

    def __init__(
        self,
        flush_id: FlushId,
        batches: list[PendingBatch],
        size: int,
        append_time_ms: int,
        written: asyncio.Future[None],
        settled: asyncio.Future[None],
        *,
        durable: bool,
    ) -> None:
        self.flush_id = flush_id
        self.batches = batches
        self.size = size
        self.append_time_ms = append_time_ms
        self.durable = durable
        self.written = written
        self.settled = settled
        self.placed: Placed | None = None
        self.error: FleuveError | None = None
        """Why it must not be committed, whatever was written."""
        self.given_up = False
        """Its batches were failed."""
        self.voided = False
        """The store yields it no more."""
        self.unsettled: Collection[ProducerKey] = ()


class Flusher:
    """Takes batches, and settles each: `settle(flush, decision)` on success, `fail(batches, error)` otherwise."""

    def __init__(
        self,
        *,
        store: ExtentStore,
        catalog: LogCatalog,
        incarnation: Incarnation,
        clock: Clock,
        policy: LogPolicy,
        stats: LogStats,
        logger: Logger,
        settle: Callable[[Flush, Decision], None],
        fail: Callable[[Sequence[PendingBatch], FleuveError], None],
        outcome_lost: Callable[[Iterable[PartitionId]], None],
        on_fenced: Callable[[Fenced], None],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._incarnation = incarnation
        self._clock = clock
        self._policy = policy
        self._stats = stats
        self._logger = logger
        self._settle = settle
        self._fail = fail
        self._outcome_lost = outcome_lost
        self._on_fenced = on_fenced
        self._buffer: list[PendingBatch] = []
        self._unsettled: dict[ProducerKey, int] = {}
        """Producers whose last batches failed, in the order in which they did, with the sequence of the first."""
        self._unresolved: StorageFailed | None = None
        """Why the broker stops with a flush neither committed nor voided: nothing may be committed behind it."""
        self._number = 0
        self._under_way: deque[Flush] = deque()
        self._arrived = asyncio.Event()
        self._to_commit = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.refusing: FleuveError | None = None
        """Why no batch is taken at present."""
        self._closing = False

    def submit(self, batch: PendingBatch) -> None:
        """Take a batch. It is settled or failed later, never inside this call."""
        if not self._buffer:
            self._arrived.set()
            self._idle.clear()
        self._buffer.append(batch)

    def failed(self, partition_id: PartitionId, producer_id: ProducerId, sequence: int) -> None:
        """Remember that a producer's batch failed, or was refused while `refusing`: it will come again."""
        self._unsettled.setdefault((partition_id, producer_id), sequence)
        if len(self._unsettled) > UNSETTLED_MAX:
            del self._unsettled[next(iter(self._unsettled))]

    async def run(self) -> None:
        """Write and commit until `drain` has been called and everything is settled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._store.writes_in_flight_max):
                tasks.create_task(self._write_forever())
            tasks.create_task(self._commit_forever())

    async def flushes_settled(self) -> None:
        """Return when every flush that is under way now is committed or given up for good."""
        if self._under_way:
            # Not awaited itself: a caller that is cancelled must not cancel it.
            await asyncio.wait([self._under_way[-1].settled])

    async def drain(self) -> None:
        """Refuse further batches, settle those that are here, and let `run` end."""
        self.refusing = ShuttingDown("the broker is stopping")
        self._closing = True
        self._arrived.set()
        self._to_commit.set()
        await self._idle.wait()
        self._to_commit.set()

    # ------------------------------------------------------------ writing

    async def _write_forever(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            while not self._buffer:
                if self._closing:
                    return
                self._arrived.clear()
                await self._arrived.wait()
            flush, header, body = self._take()
            started = clock()
            try:
                flush.placed = await self._store.write(flush.flush_id, header, body, durable=flush.durable)
            except StoreUnavailable as error:
                flush.error = StorageFailed(f"the batch could not be stored: {error}")
            finally:
                # Nothing may keep a view of the slabs while this waits for the next batch.
                body.clear()
                if not flush.written.done():  # The committer was cancelled, and its waiting with it.
                    flush.written.set_result(None)
            self._stats.flush_seconds.observe(clock() - started)

    def _take(self) -> tuple[Flush, bytes, list[memoryview]]:
        """Take what has arrived, as much as one extent may hold."""
        batches = self._buffer
        self._buffer = []
        size = sum([batch.size for batch in batches])
        if size > self._policy.extent_bytes_max:
            batches, self._buffer, size = _split(batches, self._policy.extent_bytes_max)
        # Stable: the order of a partition's batches is the order in which they came.
        batches.sort(key=_partition_id)
        self._number += 1
        flush = Flush(
            FlushId(self._incarnation, self._number),
            batches,
            size,
            self._clock.wall_ms(),
            asyncio.get_running_loop().create_future(),
            asyncio.get_running_loop().create_future(),
            durable=any(batch.sync_after_messages <= 1 for batch in batches),
        )
        self._under_way.append(flush)
        self._to_commit.set()
        groups = [
            extent.ExtentGroup(partition_id, sum([batch.size for batch in group]))
            for partition_id, group in groupby(batches, _partition_id)
        ]
        flush.unsettled = self._unsettled_of(batches)
        header = extent.encode(
            extent.ExtentHeader(
                flush.append_time_ms, self._policy.producer_expiration_ms, groups, list(flush.unsettled)
            )
        )
        return flush, header, _pieces(batches)

    # ------------------------------------------------------------ committing

    async def _commit_forever(self) -> None:
        while True:
            while not self._under_way:
                if not self._buffer:
                    self._idle.set()
                    if self._closing:
                        return
                self._to_commit.clear()
                await self._to_commit.wait()
            flush = self._under_way[0]
            await flush.written
            await self._commit(flush)
            self._under_way.popleft()
            flush.settled.set_result(None)

    async def _commit(self, flush: Flush) -> None:
        if self._unresolved is not None:
            self._give_up(flush, self._unresolved)
            return
        if flush.placed is None or flush.error is not None:
            assert flush.error is not None
            self._stats.flush_errors += 1
            self._logger.warning("a flush failed", flush=flush.flush_id.number, error=str(flush.error))
            self._give_up(flush, flush.error)
            await self._resolve(flush)
            return
        started = asyncio.get_running_loop().time()
        rows, deciding = commit_of(
            flush.flush_id,
            flush.placed,
            flush.batches,
            Circumstances(flush.append_time_ms, self._policy.producer_expiration_ms, flush.unsettled),
        )
        try:
            decision = await self._catalog.commit(rows, deciding)
        except Fenced as error:
            self._fail(flush.batches, self._fence(error))
        except CatalogUnavailable as error:
            self._stats.flush_errors += 1
            self._logger.warning("a flush could not be committed", flush=flush.flush_id.number, error=str(error))
            # Refused first: a client that is told to try again must not come before the old flush is settled.
            if not self._closing:
                self.refusing = StorageFailed(f"the catalog is not available: {error}")
            if isinstance(error, CommitOutcomeUnknown):
                self._give_up(flush, OutcomeUnknown(f"the batch may or may not have been stored: {error}"))
            else:
                self._give_up(flush, StorageFailed(f"the batch could not be stored: {error}"))
            await self._resolve(flush)
        else:
            self._stats.commit_seconds.observe(asyncio.get_running_loop().time() - started)
            for key in decision.producers:
                self._unsettled.pop(key, None)
            self._settle(flush, decision)

    # ------------------------------------------------------------ when a flush fails

    def _give_up(self, flush: Flush, error: FleuveError) -> None:
        """Fail a flush's batches, and with it the flushes behind it that go on with what its producers had sent.

        A producer sends its failed batches again. Until then, later ones must not enter the log before them; where
        the partition knows the producer the sequence shows it, where it does not, this does.
        """
        if flush.given_up:
            return
        flush.given_up = True
        self._note_failed(flush)
        for later in self._under_way:
            if later is not flush and later.error is None and self._unsettled_of(later.batches):
                later.error = StorageFailed(f"an earlier batch of the producer failed: {error}")
                self._note_failed(later)
        self._fail(flush.batches, error)

    def _note_failed(self, flush: Flush) -> None:
        for batch in flush.batches:
            if batch.producer_id >= 0:
                self.failed(batch.partition_id, ProducerId(batch.producer_id), batch.sequence)

    def _give_up_waiting(self, error: FleuveError) -> None:
        """Fail the flushes behind one that cannot be settled now: nobody knows how long their producers would wait."""
        for later in list(self._under_way)[1:]:
            # One that is being written is failed at the next attempt: the store still has its bytes.
            if later.written.done():
                later.error = later.error or StorageFailed(f"an earlier flush is not settled: {error}")
                self._give_up(later, StorageFailed(f"the batch could not be stored: {later.error}"))

    def _unsettled_of(self, batches: Iterable[PendingBatch]) -> set[ProducerKey]:
        """Return the producers among those of `batches` that go on after a batch that failed.

        The one that begins with that batch does not: it may come again, at whatever sequence it is.
        """
        if not self._unsettled:
            return set()
        firsts: dict[ProducerKey, int] = {}
        for batch in batches:
            key = (batch.partition_id, ProducerId(batch.producer_id))
            if key in self._unsettled:
                firsts.setdefault(key, batch.sequence)
        return {key for key, sequence in firsts.items() if sequence != self._unsettled[key]}

    async def _resolve(self, flush: Flush) -> None:
        """Settle for good that a failed flush counts for nothing, or find out that it was committed."""
        delay = RESOLVE_DELAY_S
        voided = False
        while True:
            try:
                await self._void_doomed(flush)
                if not voided:
                    if not await self._catalog.void(flush.flush_id):
                        self._outcome_lost({batch.partition_id for batch in flush.batches})
                        break
                    voided = True
                if flush.placed is not None and not flush.voided:
                    await self._store.void(flush.flush_id)
                break
            except Fenced as error:
                self._fence(error)
                return
            except (CatalogUnavailable, StoreUnavailable) as error:
                if not self._closing:
                    self.refusing = StorageFailed(f"storage is not available: {error}")
                elif delay > RESOLVE_DELAY_S:
                    # Stopping: a replay of the journal decides the flush. Nobody was told that it succeeded.
                    self._unresolved = StorageFailed(f"storage is not available: {error}")
                    return
                self._give_up_waiting(error)
                self._logger.warning("storage is not available", error=str(error), next_try_s=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, RESOLVE_DELAY_S_MAX)
        if not self._closing:
            self.refusing = None

    async def _void_doomed(self, flush: Flush) -> None:
        """Void, in the store, what fails together with `flush`.

        Before `flush` itself is voided: after a crash in between, a replay would find nothing missing before them.
        Raises StoreUnavailable.
        """
        for later in list(self._under_way):
            if later is not flush and later.error is not None and not later.voided:
                await asyncio.wait([later.written])
                # Even if it could not be written: until something later succeeds its bytes may be there.
                await self._store.void(later.flush_id)
                later.voided = True

    def _fence(self, error: Fenced) -> ShuttingDown:
        """Take no more batches; return what clients are told."""
        self.refusing = refusing = ShuttingDown("the broker was fenced and is stopping")
        self._on_fenced(error)
        return refusing


def commit_of(
    flush_id: FlushId, placed: Placed, batches: Sequence[Batch], circumstances: Circumstances
) -> tuple[FlushRows, Callable[[CommitStates], Decision]]:
    """Return what the catalog needs to commit a flush: the rows it touches and the decision."""
    producers = {
        (batch.partition_id, ProducerId(batch.producer_id)): None for batch in batches if batch.producer_id >= 0
    }
    unproven = {
        ProducerId(batch.producer_id): None for batch in batches if batch.producer_id >= 0 and batch.sequence != 0
    }
    rows = FlushRows(
        flush_id,
        placed.object_name,
        producers=list(producers),
        partitions=list(dict.fromkeys([batch.partition_id for batch in batches])),
        producers_unproven=list(unproven),
    )

    def deciding(states: CommitStates) -> Decision:
        return decide(
            batches,
            states,
            body_position=placed.position,
            circumstances=circumstances,
        )

    return rows, deciding


def outcomes_of(decision: Decision) -> list[Outcome]:
    """Return the outcome of each batch, in the order in which they were decided."""
    return cast("list[Outcome]", decision.outcome)


def _split(batches: list[PendingBatch], size_max: int) -> tuple[list[PendingBatch], list[PendingBatch], int]:
    """Return the batches that fit, the others, and the size of the first; at least one batch fits."""
    size = 0
    for index, batch in enumerate(batches):
        if index and size + batch.size > size_max:
            return batches[:index], batches[index:], size
        size += batch.size
    return batches, [], size


def _pieces(batches: list[PendingBatch]) -> list[memoryview]:
    """Return the batches' bytes in order, neighbours in memory as one piece."""
    pieces: list[memoryview] = []
    slab = batches[0].slab
    start = stop = batches[0].start
    for batch in batches:
        if batch.slab is not slab or batch.start != stop:
            pieces.append(slab.view[start:stop])
            slab, start = batch.slab, batch.start
        stop = batch.start + batch.size
    pieces.append(slab.view[start:stop])
    return pieces
