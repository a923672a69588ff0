"""Answers fetches: the tail from memory, what lies behind it from the store, and waits for what is not there yet.

A fetch waits on its partitions' views; an append wakes it, and it looks again only at what has changed. Idle
partitions cost nothing while it waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from fleuve.base.errors import FleuveError
from fleuve.base.ids import PartitionId
from fleuve.engine.log.catch_up import CatchUpReader
from fleuve.engine.log.errors import (
    FencedLeaderEpoch,
    OffsetOutOfRange,
    StorageFailed,
    UnknownLeaderEpoch,
    UnknownPartition,
)
from fleuve.engine.log.partition import PartitionView
from fleuve.engine.log.reading import STORAGE_ERRORS, ReadFailures
from fleuve.engine.log.stats import LogStats
from fleuve.engine.log.views import PartitionViews
from fleuve.records.batch import HEADER_SIZE_BYTES


class FetchWant(NamedTuple):
    """What a client wants of a partition."""

    partition_id: PartitionId
    offset: int
    max_bytes: int
    current_leader_epoch: int = -1
    """−1: not given."""
    last_fetched_epoch: int = -1


class FetchResult:
    """What a partition has for a client. `records` are whole batches, in order, not copied."""

    __slots__ = (
        "aborted",
        "diverging",
        "error",
        "held_bytes",
        "high_watermark",
        "last_stable_offset",
        "log_start_offset",
        "records",
        "size_bytes",
    )

    def __init__(
        self,
        *,
        high_watermark: int = -1,
        log_start_offset: int = -1,
        error: FleuveError | None = None,
        aborted: list[tuple[int, int]] | None = None,
    ) -> None:
        self.error = error
        self.high_watermark = high_watermark
        self.last_stable_offset = high_watermark
        self.log_start_offset = log_start_offset
        self.aborted = aborted
        self.records: list[memoryview] = []
        self.size_bytes = 0
        self.held_bytes = 0
        """What of it counts in the fetch's memory."""
        self.diverging: tuple[int, int] | None = None


class FetchMemory(Protocol):
    """Where a fetch gets leave to hold records that are read behind the tail: nothing else bounds those.

    What is taken is the caller's until it has done with the results.
    """

    async def take(self, size: int) -> int:
        """Take up to `size` bytes and return how many; wait for some if none are taken yet, else it may be 0."""
        ...

    def adjust(self, size: int) -> None:
        """Take that many bytes more, which are held already; give them back if it is negative."""
        ...


class _Unbounded:
    async def take(self, size: int) -> int:
        return size

    def adjust(self, size: int) -> None:
        pass


UNBOUNDED: Final[FetchMemory] = _Unbounded()
"""For those who fetch little."""


class _Waiter:
    """Collects which partitions of a waiting fetch have changed."""

    __slots__ = ("changed", "future", "indexes")

    def __init__(self, indexes: dict[PartitionId, list[int]]) -> None:
        self.indexes = indexes
        self.changed: set[int] = set()
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def woken(self, view: PartitionView) -> None:
        self.changed.update(self.indexes[view.partition_id])
        if not self.future.done():
            self.future.set_result(None)


class _Limits(NamedTuple):
    """What holds for a fetch as a whole."""

    max_bytes: int
    read_committed: bool
    memory: FetchMemory


class Fetcher:
    """Answers fetches from the views and, behind their tails, through the catch-up reader."""

    def __init__(self, views: PartitionViews, reader: CatchUpReader, stats: LogStats, failures: ReadFailures) -> None:
        self._views = views
        self._reader = reader
        self._stats = stats
        self._failures = failures
        self._waiting: dict[_Waiter, None] = {}
        self._released = False

    def release_all(self) -> None:
        """Let every waiting fetch return with what it has, and none wait from now on: the broker is stopping."""
        self._released = True
        for waiter in self._waiting:
            if not waiter.future.done():
                waiter.future.set_result(None)

    async def fetch(
        self,
        wants: Sequence[FetchWant],
        *,
        max_wait_ms: int,
        min_bytes: int,
        max_bytes: int,
        read_committed: bool,
        memory: FetchMemory,
    ) -> list[FetchResult]:
        """Return a result for each want, in order; wait up to `max_wait_ms` for `min_bytes`, unless one has an error.

        The first batch found is returned even if it is larger than every limit (KIP-74). Nothing is held while it
        waits: what was found too little is read again.
        """
        try:
            await self._views.load([want.partition_id for want in wants])
        except STORAGE_ERRORS as error:
            failed = self._failures.failed("where partitions stand", error)
            return [FetchResult(error=failed) for _ in wants]
        results = [FetchResult()] * len(wants)
        limits = _Limits(max_bytes, read_committed, memory)
        size = await self._read(range(len(wants)), wants, results, limits, 0)
        if size >= min_bytes or max_wait_ms <= 0 or self._released or any(result.error for result in results):
            return results
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max_wait_ms / 1000
        waiter = self._register(wants)
        try:
            while size < min_bytes and not self._released:
                _let_go(results, memory)
                await _wait(waiter, loop, deadline)
                changed, waiter.changed = sorted(waiter.changed), set()
                if not changed:
                    break
                waiter.future = loop.create_future()
                # What they had is read again together with what is new.
                size -= sum(results[index].size_bytes for index in changed)
                size = await self._read(changed, wants, results, limits, size)
                if any(results[index].error for index in changed):
                    break
        finally:
            self._unregister(wants, waiter)
        if gone := [index for index, result in enumerate(results) if result.size_bytes and not result.records]:
            size -= sum(results[index].size_bytes for index in gone)
            await self._read(gone, wants, results, limits, size)
        return results

    async def _read(
        self,
        indexes: Sequence[int],
        wants: Sequence[FetchWant],
        results: list[FetchResult],
        limits: _Limits,
        size: int,
    ) -> int:
        """Read the wants at `indexes` into `results`; return the size of everything, `size` of it being there."""
        for index in indexes:
            want = wants[index]
            view = self._views.get(want.partition_id)
            room = limits.max_bytes - size
            result = await self._read_one(view, want, room, limits.memory, at_least_one=size == 0)
            if limits.read_committed and result.error is None:
                result.aborted = []
            results[index] = result
            size += result.size_bytes
        return size

    async def _read_one(
        self, view: PartitionView | None, want: FetchWant, room: int, memory: FetchMemory, *, at_least_one: bool
    ) -> FetchResult:
        if view is None:
            loaded = await self._load(want.partition_id)
            if isinstance(loaded, FetchResult):
                return loaded
            view = loaded
        if want.current_leader_epoch >= 0 and (error := epoch_error(view, want.current_leader_epoch)):
            return FetchResult(error=error)
        offset = want.offset
        if not view.log_start <= offset <= view.high_watermark:
            # Only the catalog may say that an offset is out of range: a client that is told so jumps.
            refreshed = await self._refreshed(want)
            if isinstance(refreshed, FetchResult):
                return refreshed
            view = refreshed
        result = FetchResult(high_watermark=view.high_watermark, log_start_offset=view.log_start)
        if offset == view.high_watermark or (room <= 0 and not at_least_one):
            return result
        max_bytes = min(want.max_bytes, room)
        if offset >= view.tail_start:
            result.records, result.size_bytes = view.read_tail(offset, max_bytes=max_bytes, at_least_one=at_least_one)
            self._stats.tail_bytes += result.size_bytes
            return result
        taken = await memory.take(max(max_bytes, HEADER_SIZE_BYTES))
        if not taken and not at_least_one:
            return result
        try:
            result.records, result.size_bytes = await self._reader.read(
                want.partition_id,
                offset,
                end_offset=result.high_watermark,
                max_bytes=min(max_bytes, taken),
                at_least_one=at_least_one,
            )
        except StorageFailed as error:
            result.error = error
            return result
        finally:
            result.held_bytes = result.size_bytes
            memory.adjust(result.size_bytes - taken)
        if _begins_above(result.records, offset) if result.size_bytes else at_least_one:
            # What was to be there is not: it was deleted, and the view did not know. Nobody is to skip it unawares.
            refreshed = await self._refreshed(want)
            if isinstance(refreshed, FetchResult):
                memory.adjust(-result.held_bytes)
                return refreshed
        return result

    async def _refreshed(self, want: FetchWant) -> PartitionView | FetchResult:
        """Return the view as the catalog has it, or the error if the offset is not in it."""
        try:
            await self._views.refresh(want.partition_id)
        except STORAGE_ERRORS as error:
            return FetchResult(error=self._failures.failed(f"where partition {want.partition_id} stands", error))
        view = self._views.get(want.partition_id)
        if view is None:
            return FetchResult(error=UnknownPartition(f"partition {want.partition_id} does not exist"))
        if not view.log_start <= want.offset <= view.high_watermark:
            return FetchResult(
                error=OffsetOutOfRange(
                    f"offset {want.offset} is outside {view.log_start}..{view.high_watermark}"
                    f" of partition {want.partition_id}"
                ),
                high_watermark=view.high_watermark,
                log_start_offset=view.log_start,
            )
        return view

    async def _load(self, partition_id: PartitionId) -> PartitionView | FetchResult:
        # It went out of mind while this fetch waited: deleted, or to be looked at anew.
        try:
            await self._views.load([partition_id])
        except STORAGE_ERRORS as error:
            return FetchResult(error=self._failures.failed(f"where partition {partition_id} stands", error))
        view = self._views.get(partition_id)
        if view is None:
            return FetchResult(error=UnknownPartition(f"partition {partition_id} does not exist"))
        return view

    def _register(self, wants: Sequence[FetchWant]) -> _Waiter:
        indexes: dict[PartitionId, list[int]] = {}
        for index, want in enumerate(wants):
            indexes.setdefault(want.partition_id, []).append(index)
        waiter = _Waiter(indexes)
        for partition_id in indexes:
            if (view := self._views.get(partition_id)) is not None:
                view.wait(waiter.woken)
        # What was appended while the last read was waiting for the store would otherwise be missed.
        for index, want in enumerate(wants):
            view = self._views.get(want.partition_id)
            if view is not None and view.high_watermark > want.offset:
                waiter.changed.add(index)
        if waiter.changed:
            waiter.future.set_result(None)
        self._waiting[waiter] = None
        return waiter

    def _unregister(self, wants: Sequence[FetchWant], waiter: _Waiter) -> None:
        self._waiting.pop(waiter, None)
        for partition_id in waiter.indexes:
            if (view := self._views.get(partition_id)) is not None:
                view.wait_no_more(waiter.woken)


def _begins_above(records: Sequence[memoryview], offset: int) -> bool:
    return int.from_bytes(records[0][:8], "big") > offset


def _let_go(results: Sequence[FetchResult], memory: FetchMemory) -> None:
    for result in results:
        if result.records:
            memory.adjust(-result.held_bytes)
            result.held_bytes = 0
            result.records = []


async def _wait(waiter: _Waiter, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
    timer = loop.call_at(deadline, _expire, waiter.future)
    try:
        await waiter.future
    finally:
        timer.cancel()


def _expire(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def epoch_error(view: PartitionView, epoch: int) -> FleuveError | None:
    """Compare a client's leader epoch with the partition's (KIP-320); None if they agree."""
    if epoch < view.leader_epoch:
        return FencedLeaderEpoch(f"leader epoch {epoch} is older than {view.leader_epoch}")
    if epoch > view.leader_epoch:
        return UnknownLeaderEpoch(f"leader epoch {epoch} is newer than {view.leader_epoch}")
    return None
