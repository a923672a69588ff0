"""Look-ups by time and by epoch, the log start and the sizes: what the catalog decides, and a record's exact place.

Behaves as Apache Kafka's ListOffsets: an offset by timestamp is that of the first record, in offset order, that is as
young; the largest timestamp is looked for in all records.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import NamedTuple, TypeVar

from fleuve.base.ids import PartitionId
from fleuve.engine.log.catch_up import CatchUpReader
from fleuve.engine.log.errors import OffsetOutOfRange, UnknownPartition
from fleuve.engine.log.reading import STORAGE_ERRORS, ReadFailures
from fleuve.engine.log.views import PartitionViews
from fleuve.ports.errors import ObjectMissing
from fleuve.ports.log import LogCatalog, LogState, StoredRun
from fleuve.ports.offload import Offload
from fleuve.records.batch import compression, read_header, walk
from fleuve.records.errors import CorruptRecord, CorruptStoredBatch, UnsupportedCompression
from fleuve.records.record import max_timestamp_record, offset_for_timestamp

T = TypeVar("T")

LATEST = -1
EARLIEST = -2
MAX_TIMESTAMP = -3

ATTEMPTS_MAX = 3
DECODED_BYTES_MAX = 64 << 20
"""A batch whose records take more than this is not decoded; its own offset and timestamp are answered instead."""

COMPRESSED_COST_BYTES = 1 << 20
"""What a compressed batch counts as, whatever its size: nobody knows what is in it before it is decompressed."""


class FoundOffset(NamedTuple):
    """An offset, its record's timestamp and its leader epoch; all −1 if there is no such record."""

    offset: int
    timestamp: int
    leader_epoch: int


NOT_FOUND = FoundOffset(-1, -1, -1)


class Lookups:
    """Asks the catalog, and reads the batches that it points at."""

    def __init__(
        self,
        catalog: LogCatalog,
        reader: CatchUpReader,
        views: PartitionViews,
        *,
        offload: Offload,
        failures: ReadFailures,
    ) -> None:
        self._catalog = catalog
        self._offload = offload
        self._failures = failures
        self._reader = reader
        self._views = views

    async def state(self, partition_id: PartitionId) -> LogState:
        """Return where the partition stands. Raises UnknownPartition and StorageFailed."""
        try:
            states = await self._catalog.states([partition_id])
        except STORAGE_ERRORS as error:
            raise self._failures.failed(f"where partition {partition_id} stands", error) from error
        if partition_id not in states:
            raise UnknownPartition(f"partition {partition_id} does not exist")
        return states[partition_id]

    async def list_offset(self, partition_id: PartitionId, *, timestamp: int) -> FoundOffset:
        """Return the latest (−1), earliest (−2) or largest timestamp's (−3) offset, or that of a time in ms.

        Raises UnknownPartition and StorageFailed.
        """
        state = await self.state(partition_id)
        if timestamp == LATEST:
            return FoundOffset(state.next_offset, -1, state.leader_epoch)
        if timestamp == EARLIEST:
            return FoundOffset(state.log_start, -1, state.leader_epoch)
        for attempt in range(ATTEMPTS_MAX):
            try:
                if timestamp == MAX_TIMESTAMP:
                    return await self._youngest(partition_id, state)
                return await self._since(partition_id, state, timestamp)
            except (ObjectMissing, CorruptStoredBatch) as error:
                # Merged or deleted meanwhile: the index has moved on.
                if attempt == ATTEMPTS_MAX - 1:
                    raise self._failures.failed(f"partition {partition_id}", error) from error
            except STORAGE_ERRORS as error:
                raise self._failures.failed(f"partition {partition_id}", error) from error
        raise AssertionError("unreachable")

    async def advance_log_start(self, partition_id: PartitionId, *, offset: int) -> int:
        """Delete the records below `offset` (−1: all of them); return the log start after it.

        Raises OffsetOutOfRange, UnknownPartition and StorageFailed.
        """
        state = await self.state(partition_id)
        wanted = state.next_offset if offset == -1 else offset
        if not 0 <= wanted <= state.next_offset:
            raise OffsetOutOfRange(f"offset {offset} is outside 0..{state.next_offset} of partition {partition_id}")
        try:
            after = await self._catalog.advance_log_start(partition_id, offset=wanted)
        except STORAGE_ERRORS as error:
            raise self._failures.failed(f"where partition {partition_id} stands", error) from error
        if after is None:
            raise UnknownPartition(f"partition {partition_id} does not exist")
        if (view := self._views.get(partition_id)) is not None and view.log_start < after.log_start:
            view.log_start = after.log_start
        return after.log_start

    async def epoch_end(self, partition_id: PartitionId, *, epoch: int) -> tuple[int, int]:
        """Return the largest epoch that is at most `epoch`, and where it ends; (−1, −1) if there is none (KIP-279)."""
        state = await self.state(partition_id)
        if epoch > state.leader_epoch or epoch < 0:
            return -1, -1
        try:
            starts = await self._catalog.epochs(partition_id)
        except STORAGE_ERRORS as error:
            raise self._failures.failed(f"where partition {partition_id} stands", error) from error
        known = [(0, 0), *starts]
        ends = [start for _, start in known[1:]] + [state.next_offset]
        found = [(known_epoch, end) for (known_epoch, _), end in zip(known, ends, strict=True) if known_epoch <= epoch]
        return found[-1]

    # ------------------------------------------------------------ by time

    async def _since(self, partition_id: PartitionId, state: LogState, timestamp: int) -> FoundOffset:
        # The first run may hold its young record below the log start: then the next one counts.
        for stored in await self._catalog.runs_since(partition_id, timestamp=timestamp, limit=2):
            async for data in self._candidates(stored, timestamp, state.log_start):
                for position, size, base_offset, last_delta, max_timestamp in walk(data, 0, len(data)):
                    if max_timestamp < timestamp or base_offset + last_delta < state.log_start:
                        continue
                    batch = data[position : position + size]
                    found = await self._decode(batch, partial(_first_since, batch, timestamp, state.log_start))
                    if found is not None:
                        return FoundOffset(found[0], found[1], _epoch_at(data, position))
        return NOT_FOUND

    async def _youngest(self, partition_id: PartitionId, state: LogState) -> FoundOffset:
        stored = await self._catalog.run_latest(partition_id)
        if stored is None:
            return NOT_FOUND
        timestamp = stored.run.timestamp_max
        async for data in self._candidates(stored, timestamp, state.log_start):
            for position, size, base_offset, last_delta, max_timestamp in walk(data, 0, len(data)):
                if max_timestamp == timestamp and base_offset + last_delta >= state.log_start:
                    batch = data[position : position + size]
                    found = await self._decode(batch, partial(_youngest_of, batch))
                    return FoundOffset(*found, _epoch_at(data, position))
        return NOT_FOUND

    async def _decode(self, batch: memoryview, work: Callable[[], T]) -> T:
        """Do what decodes a batch's records: off the loop unless it is small."""
        compressed = compression(read_header(batch).attributes) != 0
        return await self._offload.run(work, size_bytes=COMPRESSED_COST_BYTES if compressed else len(batch))

    async def _candidates(self, stored: StoredRun, timestamp: int, offset: int) -> AsyncIterator[memoryview]:
        """Yield the batches of a run, part by part, among which those as young as `timestamp` are, from `offset` on."""
        run = stored.run
        end = run.position + run.length
        if not stored.is_segment:
            yield await self._reader.load(stored, run.position, end, run.offset_first)
            return
        index = await self._reader.index_of(stored)
        for span in index.spans_since(timestamp, offset=offset, end=end):
            yield await self._reader.load(stored, *span, run.offset_first)


def _first_since(batch: memoryview, timestamp: int, log_start: int) -> tuple[int, int] | None:
    try:
        return offset_for_timestamp(batch, timestamp, size_bytes_max=DECODED_BYTES_MAX, offset_first=log_start)
    except (CorruptRecord, UnsupportedCompression):
        # What is inside a batch with a good checksum is its producer's business: the batch as a whole is answered.
        return _as_a_whole(batch)


def _youngest_of(batch: memoryview) -> tuple[int, int]:
    try:
        found = max_timestamp_record(batch, size_bytes_max=DECODED_BYTES_MAX)
    except (CorruptRecord, UnsupportedCompression):
        found = None
    return found or _as_a_whole(batch)


def _as_a_whole(batch: memoryview) -> tuple[int, int]:
    header = read_header(batch)
    return header.base_offset, header.max_timestamp


def _epoch_at(data: memoryview, position: int) -> int:
    return read_header(data, position).leader_epoch
