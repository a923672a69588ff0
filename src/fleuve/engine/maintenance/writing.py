"""Writes what a merge planned: reads runs, checks each batch, and hands the bytes to the store.

Memory is bounded: a few reads of `READ_BYTES`, whatever the size of the object. What is small is gathered first; what
is large is read while the store's thread writes it. The event loop is never held for longer than a slice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from queue import SimpleQueue
from typing import Final, NamedTuple

from fleuve.base.ids import PartitionId
from fleuve.engine.log.service import SegmentIndex
from fleuve.engine.maintenance.copying import CheckedBatch, RunChecker
from fleuve.engine.maintenance.planning import Output, Part
from fleuve.ports.errors import CorruptState, ObjectMissing
from fleuve.ports.log import Run, StoredRun
from fleuve.ports.maintenance import Swap
from fleuve.ports.store import Buffer, ObjectStore, Range

READ_BYTES: Final = 4 << 20
"""What is read at once."""

GATHERED_BYTES_MAX: Final = 8 << 20
"""Up to here an object is made in memory and then written."""

CHUNKS_AHEAD: Final = 2
"""Chunks that wait for the store's thread."""

REST_S_MAX: Final = 0.05
"""After each read the merge rests as long as it worked, up to this: half of the device is the clients'."""


class Piece(NamedTuple):
    """Sound batches of a run that lie one behind the other."""

    data: memoryview
    batches: list[CheckedBatch]


Damaged = Callable[[StoredRun, Exception], None]


class Writer:
    """Writes outputs. `damaged` is told of each run that cannot be copied; its part stays as it is."""

    def __init__(self, store: ObjectStore, damaged: Damaged) -> None:
        self._store = store
        self._damaged = damaged

    async def write(self, output: Output, object_name: str, log_starts: Mapping[PartitionId, int]) -> list[Swap]:
        """Write the object and return the swaps that put it in place of the old runs; none if nothing is sound.

        Raises StoreUnavailable; then no object is left.
        """
        swaps: list[Swap] = []
        source = self._segment if output.is_segment else self._gathered
        try:
            async with aclosing(source(output, object_name, log_starts, swaps)) as chunks:
                if output.size_bytes <= GATHERED_BYTES_MAX:
                    gathered = [chunk async for chunk in chunks]
                    if swaps:
                        await self._store.write_segment(object_name, gathered)
                else:
                    await write_streamed(self._store, object_name, chunks)
                    if not swaps:
                        await self._store.delete([object_name])
        except _Unsound:
            return []
        return swaps

    # ------------------------------------------------------------ what the objects hold

    async def _segment(
        self, output: Output, object_name: str, log_starts: Mapping[PartitionId, int], swaps: list[Swap]
    ) -> AsyncGenerator[Buffer, None]:
        """Yield a segment: its batches, then the footer. Raises _Unsound."""
        (part,) = output.parts
        log_start = log_starts[part.partition_id]
        index = SegmentIndex()
        made = _Made(part, log_start)
        for runs in _reads(part.runs):
            async with aclosing(self._pieces(runs)) as pieces:
                async for piece in pieces:
                    position = made.length
                    if (data := made.take(piece)) is None:
                        continue
                    for batch in made.taken:
                        index.add(batch.base_offset, position, batch.max_timestamp)
                        position += batch.size
                    yield data
        if not made.length:
            raise _Unsound
        yield index.encode(part.partition_id)
        swaps.append(made.swap(object_name, position=0, is_segment=True))

    async def _gathered(
        self, output: Output, object_name: str, log_starts: Mapping[PartitionId, int], swaps: list[Swap]
    ) -> AsyncGenerator[Buffer, None]:
        """Yield a gathered object: each sound part's batches."""
        position = 0
        for parts in _together(output.parts):
            found = await self._read_parts(parts)
            for part, pieces in zip(parts, found, strict=True):
                if pieces is None:
                    continue
                made = _Made(part, log_starts[part.partition_id])
                data = [kept for piece in pieces if (kept := made.take(piece)) is not None]
                if not data:
                    continue
                swaps.append(made.swap(object_name, position=position, is_segment=False))
                position += made.length
                for kept in data:
                    yield kept

    # ------------------------------------------------------------ reading

    async def _read_parts(self, parts: Sequence[Part]) -> list[list[Piece] | None]:
        """Return each part's batches; None for a part that is not sound."""
        started = asyncio.get_running_loop().time()
        runs = [stored for part in parts for stored in part.runs]
        try:
            views = iter(await self._store.read([_range(stored) for stored in runs]))
        except ObjectMissing:
            # One of them: found out one by one.
            return [await self._read_part(part) for part in parts]
        found: list[list[Piece] | None] = []
        for part in parts:
            pieces: list[Piece] | None = []
            for stored in part.runs:
                data = next(views)
                if pieces is None:
                    continue
                try:
                    async for piece in _checked(RunChecker(stored), data, final=True):
                        pieces.append(piece)
                except CorruptState as error:
                    self._damaged(stored, error)
                    pieces = None
            found.append(pieces)
        await _rest(started)
        return found

    async def _read_part(self, part: Part) -> list[Piece] | None:
        pieces: list[Piece] = []
        try:
            for stored in part.runs:
                pieces.extend([piece async for piece in self._pieces([stored])])
        except _Unsound:
            return None
        return pieces

    async def _pieces(self, runs: Sequence[StoredRun]) -> AsyncGenerator[Piece, None]:
        """Yield the batches of runs: of several small ones, or of one, in reads of bounded size. Raises _Unsound."""
        started = asyncio.get_running_loop().time()
        if len(runs) > 1:
            try:
                views = await self._store.read([_range(stored) for stored in runs])
            except ObjectMissing:
                for stored in runs:
                    async for piece in self._pieces([stored]):
                        yield piece
                return
            for stored, data in zip(runs, views, strict=True):
                async for piece in self._sound(stored, RunChecker(stored), data, final=True):
                    yield piece
            await _rest(started)
            return
        (stored,) = runs
        checker = RunChecker(stored)
        position, end = stored.run.position, stored.run.position + stored.run.length
        left = memoryview(bytearray())
        while position < end:
            # A batch that is larger than one read takes several: then each is as large as what is there already.
            length = min(max(READ_BYTES, len(left)), end - position)
            try:
                (data,) = await self._store.read([Range(stored.object_name, position, length)])
            except ObjectMissing as error:
                self._damaged(stored, error)
                raise _Unsound from error
            position += length
            if left:
                data = memoryview(bytearray().join((left, data)))
            done = 0
            async for piece in self._sound(stored, checker, data, final=position == end):
                yield piece
                last = piece.batches[-1]
                done = last.position + last.size
            left = data[done:]
            await _rest(started)
            started = asyncio.get_running_loop().time()

    async def _sound(
        self, stored: StoredRun, checker: RunChecker, data: memoryview, *, final: bool
    ) -> AsyncIterator[Piece]:
        try:
            async for piece in _checked(checker, data, final=final):
                yield piece
        except CorruptState as error:
            self._damaged(stored, error)
            raise _Unsound from error


class _Unsound(Exception):
    """A run of the part cannot be copied; it was told."""


class _Made:
    """The new run of a part, as it grows: without the batches that lie below the log start."""

    def __init__(self, part: Part, log_start: int) -> None:
        self._part = part
        self._log_start = log_start
        self._offset_first: int | None = None
        self._timestamp_max = -1
        self.length = 0
        self.taken: list[CheckedBatch] = []

    def take(self, piece: Piece) -> memoryview | None:
        """Return the bytes of the piece that are kept, None if none; `taken` are their batches."""
        batches = piece.batches
        if batches[0].last_offset < self._log_start:
            batches = [batch for batch in batches if batch.last_offset >= self._log_start]
            if not batches:
                return None
        self.taken = batches
        if self._offset_first is None:
            self._offset_first = batches[0].base_offset
        self._timestamp_max = max(self._timestamp_max, *[batch.max_timestamp for batch in batches])
        data = piece.data[batches[0].position : batches[-1].position + batches[-1].size]
        self.length += len(data)
        return data

    def swap(self, object_name: str, *, position: int, is_segment: bool) -> Swap:
        """Return the swap to the new run, which lies at `position`."""
        last = self._part.runs[-1].run
        assert self._offset_first is not None
        run = Run(
            self._part.partition_id,
            self._offset_first,
            last.offset_end,
            position,
            self.length,
            self._timestamp_max,
            last.leader_epoch,
        )
        return Swap(self._part.runs, run, object_name, is_segment, self._log_start)


def _range(stored: StoredRun) -> Range:
    return Range(stored.object_name, stored.run.position, stored.run.length)


def _reads(runs: Sequence[StoredRun]) -> Iterator[list[StoredRun]]:
    """Yield runs that are read together; one that is large comes alone."""
    together: list[StoredRun] = []
    size = 0
    for stored in runs:
        if together and size + stored.run.length > READ_BYTES:
            yield together
            together, size = [], 0
        together.append(stored)
        size += stored.run.length
    if together:
        yield together


def _together(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Yield parts that are read together."""
    together: list[Part] = []
    size = 0
    for part in parts:
        if together and size + part.size_bytes > READ_BYTES:
            yield together
            together, size = [], 0
        together.append(part)
        size += part.size_bytes
    if together:
        yield together


async def _checked(checker: RunChecker, data: memoryview, *, final: bool) -> AsyncIterator[Piece]:
    """Yield the sound batches in `data`, a slice at a time; others get a turn in between. Raises CorruptState."""
    position = 0
    while True:
        batches, position = checker.check(data, position)
        if not batches:
            break
        yield Piece(data, batches)
        await asyncio.sleep(0)
    if final:
        checker.finish(len(data) - position)


async def _rest(started: float) -> None:
    worked = asyncio.get_running_loop().time() - started
    await asyncio.sleep(min(worked, REST_S_MAX))


# ---------------------------------------------------------------- from the loop to the store's thread


async def write_streamed(store: ObjectStore, object_name: str, chunks: AsyncIterator[Buffer]) -> None:
    """Write an object while its chunks are made. Raises StoreUnavailable, and what `chunks` raises."""
    stream = _Stream()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(store.write_segment(object_name, stream))
            try:
                async for chunk in chunks:
                    await stream.put(chunk)
            except BaseException:
                stream.end(broken=True)
                raise
            stream.end(broken=False)
    except BaseExceptionGroup as group:
        # The thread's own complaint that the stream broke says nothing.
        said = [error for error in group.exceptions if not isinstance(error, _Broken)]
        raise (said or group.exceptions)[0] from None


class _Broken(Exception):
    """The chunks end here, and the object is not whole: told to the thread that writes it."""


class _Stream:
    """Chunks on their way to who writes them, a thread or a task: that waits for them, the loop waits for room."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._chunks: SimpleQueue[Buffer | _Broken | None] = SimpleQueue()
        self._room = asyncio.Semaphore(CHUNKS_AHEAD)
        self._arrived = asyncio.Event()

    async def put(self, chunk: Buffer) -> None:
        await self._room.acquire()
        self._chunks.put(chunk)
        self._arrived.set()

    def end(self, *, broken: bool) -> None:
        self._chunks.put(_Broken() if broken else None)
        self._arrived.set()

    def __iter__(self) -> Iterator[Buffer]:
        while (chunk := self._chunks.get()) is not None:
            if isinstance(chunk, _Broken):
                raise chunk
            self._loop.call_soon_threadsafe(self._room.release)
            yield chunk

    async def __aiter__(self) -> AsyncIterator[Buffer]:
        while True:
            while self._chunks.empty():
                self._arrived.clear()
                await self._arrived.wait()
            chunk = self._chunks.get()
            if chunk is None:
                return
            if isinstance(chunk, _Broken):
                raise chunk
            self._room.release()
            yield chunk
