"""Reads behind the tail: index, then ranges of journal files and segments, then whole batches with their offsets.

These reads have their own bounded lane, so that a consumer of old data cannot slow producers or tail readers. A
cursor remembers where a sequential reader will go on, and the bytes of the batch that was cut off at the end of its
last read, so that a history is read about once, whatever the size of the fetches.

Objects are merged and deleted while readers are under way: a reader that finds an object gone, or another batch than
the index promised, looks up again.
"""

from __future__ import annotations

import asyncio
import struct
from collections import OrderedDict
from typing import Final, NamedTuple

from fleuve.base.ids import PartitionId
from fleuve.engine.log import segment
from fleuve.engine.log.reading import STORAGE_ERRORS, ReadFailures
from fleuve.engine.log.stats import LogStats
from fleuve.ports.errors import ObjectMissing
from fleuve.ports.log import LogCatalog, StoredRun
from fleuve.ports.store import ObjectStore, Range
from fleuve.records.batch import HEADER_SIZE_BYTES, LENGTH_OVERHEAD_BYTES, MAGIC, patch
from fleuve.records.errors import CorruptStoredBatch

ATTEMPTS_MAX: Final = 3
RUNS_MAX: Final = 256
"""Runs looked up for one read: small flushes make small runs until they are merged."""
CURSORS_MAX: Final = 1_024
CURSOR_BYTES_MAX: Final = 16 << 20
"""Bounds of what is remembered for sequential readers."""
INDEXES_MAX: Final = 256

_unpack: Final = struct.Struct(">qi4xb6xi").unpack_from


class Cursor(NamedTuple):
    """Where a sequential reader goes on."""

    object_name: str
    position: int
    leftover: memoryview
    """Bytes from `position` on that were read already."""


class Piece(NamedTuple):
    """Bytes of a run."""

    stored: StoredRun
    position: int
    """In the object, of the first byte."""
    offset: int
    """Of the batch that begins there; in a segment the batch says it itself."""
    length: int
    leftover: memoryview


class CatchUpReader:
    """Reads whole batches from the store."""

    def __init__(
        self, catalog: LogCatalog, store: ObjectStore, *, reads_max: int, stats: LogStats, failures: ReadFailures
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._lane = asyncio.Semaphore(reads_max)
        self._stats = stats
        self._failures = failures
        self._cursors: OrderedDict[tuple[PartitionId, int], Cursor] = OrderedDict()
        self._cursor_bytes = 0
        self._indexes: OrderedDict[str, segment.SegmentIndex] = OrderedDict()

    async def read(
        self, partition_id: PartitionId, offset: int, *, end_offset: int, max_bytes: int, at_least_one: bool
    ) -> tuple[list[memoryview], int]:
        """Return whole batches from the one that holds `offset`, and their size; as many as fit into `max_bytes`.

        None begins at `end_offset` or above: what may be there is not shown yet. With `at_least_one`, the first one
        even if it does not fit. Empty if nothing is stored from `offset` on. Raises StorageFailed where
        bytes cannot be read.
        """
        async with self._lane:
            for attempt in range(ATTEMPTS_MAX):
                try:
                    views, size = await self._read(
                        partition_id, offset, end_offset, max_bytes, at_least_one=at_least_one
                    )
                except (ObjectMissing, CorruptStoredBatch) as error:
                    self._forget(partition_id, offset)
                    if attempt == ATTEMPTS_MAX - 1:
                        raise self._failures.failed(f"partition {partition_id} at offset {offset}", error) from error
                except STORAGE_ERRORS as error:
                    raise self._failures.failed(f"partition {partition_id} at offset {offset}", error) from error
                else:
                    self._stats.catch_up_bytes += size
                    return views, size
        raise AssertionError("unreachable")

    async def load(self, stored: StoredRun, position: int, end: int, offset: int) -> memoryview:
        """Return the bytes `position` … `end` of a run, with real offsets; `offset` is that of the first batch there.

        Raises ObjectMissing, StoreUnavailable and CorruptStoredBatch.
        """
        (data,) = await self._store.read([Range(stored.object_name, position, end - position)])
        _batches(data, Piece(stored, position, offset, end - position, _NOTHING))
        return data

    async def index_of(self, stored: StoredRun) -> segment.SegmentIndex:
        """Return a segment's index. Raises ObjectMissing, StoreUnavailable and CorruptState."""
        name = stored.object_name
        if (index := self._indexes.get(name)) is not None:
            self._indexes.move_to_end(name)
            return index
        position = stored.run.position + stored.run.length
        (head,) = await self._store.read([Range(name, position, segment.HEAD_SIZE_BYTES)])
        size = segment.entries_size(head)
        (entries,) = await self._store.read([Range(name, position + segment.HEAD_SIZE_BYTES, size)])
        index = segment.decode(head, entries, partition_id=stored.run.partition_id)
        self._indexes[name] = index
        if len(self._indexes) > INDEXES_MAX:
            self._indexes.popitem(last=False)
        return index

    # ------------------------------------------------------------ one attempt

    async def _read(
        self, partition_id: PartitionId, offset: int, end_offset: int, max_bytes: int, *, at_least_one: bool
    ) -> tuple[list[memoryview], int]:
        runs = await self._catalog.runs(partition_id, offset=offset, limit=RUNS_MAX)
        pieces = await self._plan(runs, offset, max(max_bytes, HEADER_SIZE_BYTES))
        if not pieces:
            return [], 0
        buffers = await self._fill(pieces)
        while (needed := _first_batch_size(buffers[0], pieces[0], offset)) > len(buffers[0]):
            if not at_least_one:
                return [], 0
            pieces = [pieces[0]._replace(length=needed, leftover=buffers[0])]
            buffers = await self._fill(pieces)
        views: list[memoryview] = []
        size = 0
        next_offset = offset
        for data, piece in zip(buffers, pieces, strict=True):
            start = stop = 0
            full = False
            for position, length, first_offset, last_offset in _batches(data, piece):
                if last_offset < offset:
                    start = stop = position + length
                    continue
                full = first_offset >= end_offset or size + position + length - start > max_bytes
                if full and not (at_least_one and size == 0 and position == start):
                    next_offset = first_offset
                    break
                stop = position + length
                next_offset = last_offset + 1
            if stop > start:
                # A view keeps all of the buffer; when little of it is wanted, that would be held for nothing.
                wanted = data[start:stop]
                views.append(wanted if 2 * (stop - start) >= len(data) else memoryview(bytes(wanted)))
                size += stop - start
            if full or stop < len(data) or piece is pieces[-1]:
                self._remember(partition_id, next_offset, piece, data, stop)
                break
        return views, size

    async def _plan(self, runs: list[StoredRun], offset: int, max_bytes: int) -> list[Piece]:
        """Return the bytes to read: from the batch that holds `offset`, or one before it, up to about `max_bytes`."""
        pieces: list[Piece] = []
        room = max_bytes
        for stored in runs:
            run = stored.run
            end = run.position + run.length
            position, first_offset, leftover = run.position, run.offset_first, _NOTHING
            exact = True
            if not pieces and offset >= run.offset_first:
                cursor = self._cursors.get((run.partition_id, offset))
                if cursor and cursor.object_name == stored.object_name and run.position <= cursor.position < end:
                    position, first_offset, leftover = cursor.position, offset, cursor.leftover
                elif offset == run.offset_first:
                    pass
                elif stored.is_segment:
                    index = await self.index_of(stored)
                    position = index.position_of(offset)
                    room += segment.INTERVAL_BYTES
                else:
                    # Journal batches have no offsets of their own: they are counted from the run's beginning.
                    exact = False
            length = min(end - position, room) if exact else end - position
            pieces.append(Piece(stored, position, first_offset, length, leftover[:length]))
            room -= length
            if room < HEADER_SIZE_BYTES:
                break
        return pieces

    async def _fill(self, pieces: list[Piece]) -> list[memoryview]:
        """Return the bytes of each piece, reading what is not left over."""
        ranges = [
            Range(piece.stored.object_name, piece.position + len(piece.leftover), piece.length - len(piece.leftover))
            for piece in pieces
        ]
        read = iter(await self._store.read([wanted for wanted in ranges if wanted.length]))
        buffers = []
        for piece, wanted in zip(pieces, ranges, strict=True):
            fresh = next(read) if wanted.length else _NOTHING
            buffers.append(memoryview(bytearray().join((piece.leftover, fresh))) if piece.leftover else fresh)
        return buffers

    # ------------------------------------------------------------ cursors

    def _remember(self, partition_id: PartitionId, offset: int, piece: Piece, data: memoryview, position: int) -> None:
        key = (partition_id, offset)
        self._forget(partition_id, offset)
        leftover = memoryview(bytes(data[position:]))
        self._cursors[key] = Cursor(piece.stored.object_name, piece.position + position, leftover)
        self._cursor_bytes += len(leftover)
        while len(self._cursors) > CURSORS_MAX or self._cursor_bytes > CURSOR_BYTES_MAX:
            _, dropped = self._cursors.popitem(last=False)
            self._cursor_bytes -= len(dropped.leftover)

    def _forget(self, partition_id: PartitionId, offset: int) -> None:
        if (cursor := self._cursors.pop((partition_id, offset), None)) is not None:
            self._cursor_bytes -= len(cursor.leftover)


_NOTHING: Final = memoryview(bytearray())


def _first_batch_size(data: memoryview, piece: Piece, offset: int) -> int:
    """Return how many bytes of the piece are needed to have the batch that holds `offset` whole, or to learn it.

    Raises CorruptStoredBatch if they go beyond the run.
    """
    end = 0
    there = piece.stored.run.position + piece.stored.run.length - piece.position
    for position, length, _, last_offset in _batches(data, piece, patched=False):
        end = position + length
        if last_offset >= offset:
            return end
    if len(data) - end >= HEADER_SIZE_BYTES:
        _, length, _, _ = _unpack(data, end)
        needed = end + int(length) + LENGTH_OVERHEAD_BYTES
        if needed > there:
            raise CorruptStoredBatch(
                f"{piece.stored.object_name} at {piece.position + end}: a batch goes beyond the end of its run"
            )
        return needed
    # Not even a header is there: as much as a batch usually has, within the run.
    return min(end + HEADER_SIZE_BYTES + (1 << 20), there)


def _batches(data: memoryview, piece: Piece, *, patched: bool = True) -> list[tuple[int, int, int, int]]:
    """Return (position, size, first offset, last offset) of the whole batches in `data`.

    Journal batches get their offsets and leader epoch written in. A batch that is cut off at the end is left out.
    Raises CorruptStoredBatch if the bytes are not what the index promised.
    """
    run = piece.stored.run
    is_segment = piece.stored.is_segment
    found: list[tuple[int, int, int, int]] = []
    position, end, offset = 0, len(data), piece.offset
    while end - position >= HEADER_SIZE_BYTES:
        base_offset, length, magic, last_offset_delta = _unpack(data, position)
        size = length + LENGTH_OVERHEAD_BYTES
        if magic != MAGIC or size < HEADER_SIZE_BYTES or last_offset_delta < 0:
            raise CorruptStoredBatch(f"{piece.stored.object_name} at {piece.position + position}: no batch")
        if position + size > end:
            break
        if is_segment:
            offset = base_offset
        elif patched:
            patch(data, position, offset, run.leader_epoch)
        last_offset = offset + last_offset_delta
        if offset < run.offset_first or last_offset >= run.offset_end:
            raise CorruptStoredBatch(
                f"{piece.stored.object_name} at {piece.position + position}: offsets {offset}..{last_offset}"
                f" are not in {run.offset_first}..{run.offset_end}"
            )
        found.append((position, size, offset, last_offset))
        position += size
        offset = last_offset + 1
    return found
