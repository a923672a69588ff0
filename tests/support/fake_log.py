"""A log in memory with the face of `LogService`: honest about offsets, simple about everything else.

It checks batches with the real functions, keeps them for good, and answers at once, unless `hold` says to wait for
`complete`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fleuve.base.errors import FleuveError
from fleuve.base.ids import PartitionId
from fleuve.engine.log.append import Appended, AppendRequest
from fleuve.engine.log.errors import (
    FencedLeaderEpoch,
    MessageTooLarge,
    OffsetOutOfRange,
    TransactionsUnsupported,
    UnknownLeaderEpoch,
    UnknownPartition,
)
from fleuve.engine.log.fetch import FetchResult, FetchWant
from fleuve.engine.log.lookup import NOT_FOUND, FoundOffset
from fleuve.engine.topics.configs import TopicConfigs
from fleuve.ports.log import LogState
from fleuve.records.batch import check_produced, is_transactional, patch, read_header, stamp_log_append_time
from fleuve.records.errors import InvalidRecord
from fleuve.records.record import check_keys
from support.batches import NOW_MS


class _Partition:
    def __init__(self) -> None:
        self.batches: list[tuple[int, int, memoryview]] = []
        """(first offset, end offset, batch)"""
        self.start = 0
        self.end = 0
        self.epoch = 0


class FakeLog:
    """What the Kafka edge sees of the log, in memory."""

    def __init__(self) -> None:
        self.partitions: dict[PartitionId, _Partition] = {}
        self.hold = False
        """Whether results wait for `complete`."""
        self.room = True
        self.appended = 0
        self._held: list[tuple[AppendRequest, int, Appended | FleuveError]] = []
        self._changed: list[asyncio.Future[None]] = []
        self._released = False
        self.waits = 0
        """Fetches that wait at the moment."""

    # ------------------------------------------------------------ for tests

    def add(self, *partition_ids: int) -> None:
        for partition_id in partition_ids:
            self.partitions[PartitionId(partition_id)] = _Partition()

    def complete(self, count: int | None = None) -> None:
        """Give the first `count` held batches their results; all by default."""
        ready = self._held if count is None else self._held[:count]
        self._held = [] if count is None else self._held[count:]
        for request, slot, result in ready:
            request.settle(slot, result)

    @property
    def held(self) -> int:
        return len(self._held)

    def make_room(self) -> None:
        self.room = True
        self._wake()

    def delete(self, partition_id: int) -> None:
        del self.partitions[PartitionId(partition_id)]
        self._wake()

    # ------------------------------------------------------------ produce

    @property
    def has_room(self) -> bool:
        return self.room

    async def wait_for_room(self) -> None:
        while not self.room:
            await self._change()

    async def check_keys(self, records: memoryview) -> None:
        header = check_produced(records)
        check_keys(records[: header.size_bytes], size_bytes_max=1 << 26)

    def append(
        self,
        request: AppendRequest,
        slot: int,
        partition_id: PartitionId,
        configs: TopicConfigs,
        records: memoryview | None,
    ) -> None:
        self.appended += 1
        try:
            result: Appended | FleuveError = self._stored(partition_id, configs, records)
        except FleuveError as error:
            result = error
        if self.hold:
            self._held.append((request, slot, result))
        else:
            request.settle(slot, result)

    def _stored(self, partition_id: PartitionId, configs: TopicConfigs, records: memoryview | None) -> Appended:
        if records is None:
            raise InvalidRecord("a record batch is missing")
        header = check_produced(records)
        if header.size_bytes > configs.max_message_bytes:
            raise MessageTooLarge("too large")
        if is_transactional(header.attributes):
            raise TransactionsUnsupported("there are none")
        partition = self.partitions.get(partition_id)
        if partition is None:
            raise UnknownPartition(str(partition_id))
        batch = bytearray(records[: header.size_bytes])
        offset = partition.end
        patch(batch, 0, offset, partition.epoch)
        append_time_ms = -1
        if configs.log_append_time:
            append_time_ms = NOW_MS
            stamp_log_append_time(batch, 0, NOW_MS)
        partition.end = offset + header.last_offset_delta + 1
        partition.batches.append((offset, partition.end, memoryview(bytes(batch))))
        self._wake()
        return Appended(offset, append_time_ms, partition.start)

    # ------------------------------------------------------------ fetch

    async def fetch(
        self,
        wants: Sequence[FetchWant],
        *,
        max_wait_ms: int,
        min_bytes: int,
        max_bytes: int,
        read_committed: bool,
        memory: object = None,
    ) -> list[FetchResult]:
        loop = asyncio.get_running_loop()
        end = loop.time() + max_wait_ms / 1000
        while True:
            results = self._read(wants, max_bytes, read_committed=read_committed)
            size = sum(result.size_bytes for result in results)
            if size >= min_bytes or self._released or any(result.error for result in results):
                return results
            self.waits += 1
            try:
                async with asyncio.timeout_at(end):
                    await self._change()
            except TimeoutError:
                return results
            finally:
                self.waits -= 1

    def _read(self, wants: Sequence[FetchWant], max_bytes: int, *, read_committed: bool) -> list[FetchResult]:
        left = max_bytes
        results = []
        for want in wants:
            result = self._read_one(want, left, first=left == max_bytes)
            if read_committed and result.error is None:
                result.aborted = []
            left -= result.size_bytes
            results.append(result)
        return results

    def _read_one(self, want: FetchWant, left: int, *, first: bool) -> FetchResult:
        partition = self.partitions.get(want.partition_id)
        if partition is None:
            return FetchResult(error=UnknownPartition(str(want.partition_id)))
        if want.current_leader_epoch not in (-1, partition.epoch):
            fenced = want.current_leader_epoch < partition.epoch
            return FetchResult(error=FencedLeaderEpoch("old") if fenced else UnknownLeaderEpoch("new"))
        if not partition.start <= want.offset <= partition.end:
            return FetchResult(error=OffsetOutOfRange(str(want.offset)))
        result = FetchResult(high_watermark=partition.end, log_start_offset=partition.start)
        for _, end, batch in partition.batches:
            if end <= want.offset:
                continue
            fits = result.size_bytes + len(batch) <= min(left, want.max_bytes)
            if not fits and not (first and not result.records):
                break
            result.records.append(batch)
            result.size_bytes += len(batch)
        return result

    def release_fetches(self) -> None:
        self._released = True
        self._wake()

    # ------------------------------------------------------------ look-ups

    def _partition(self, partition_id: PartitionId) -> _Partition:
        if partition_id not in self.partitions:
            raise UnknownPartition(str(partition_id))
        return self.partitions[partition_id]

    async def list_offset(self, partition_id: PartitionId, *, timestamp: int, read_committed: bool) -> FoundOffset:
        del read_committed
        partition = self._partition(partition_id)
        if timestamp == -1:
            return FoundOffset(partition.end, -1, partition.epoch)
        if timestamp == -2:
            return FoundOffset(partition.start, -1, partition.epoch)
        times = [(read_header(batch).max_timestamp, offset) for offset, _, batch in partition.batches]
        if timestamp == -3:
            if not times:
                return NOT_FOUND
            latest, offset = max(times)
            return FoundOffset(offset, latest, partition.epoch)
        for time, offset in times:
            if time >= timestamp:
                return FoundOffset(offset, time, partition.epoch)
        return NOT_FOUND

    async def delete_records(self, partition_id: PartitionId, *, offset: int) -> int:
        partition = self._partition(partition_id)
        offset = partition.end if offset == -1 else offset
        if offset > partition.end:
            raise OffsetOutOfRange(str(offset))
        partition.start = max(partition.start, offset)
        return partition.start

    async def epoch_end(self, partition_id: PartitionId, *, epoch: int) -> tuple[int, int]:
        partition = self._partition(partition_id)
        return (epoch, partition.end) if epoch == partition.epoch else (-1, -1)

    async def sizes(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, int]:
        return {
            partition_id: sum(len(batch) for _, _, batch in self.partitions[partition_id].batches)
            for partition_id in partition_ids
            if partition_id in self.partitions
        }

    async def states(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, LogState]:
        return {
            partition_id: _state(self.partitions[partition_id])
            for partition_id in partition_ids
            if partition_id in self.partitions
        }

    def leader_epoch(self, partition_id: PartitionId) -> int:
        return self._partition(partition_id).epoch

    # ------------------------------------------------------------ waiting

    async def _change(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._changed.append(future)
        await future

    def _wake(self) -> None:
        changed, self._changed = self._changed, []
        for future in changed:
            if not future.done():
                future.set_result(None)


def _state(partition: _Partition) -> LogState:
    return LogState(partition.start, partition.end, partition.epoch, NOW_MS)
