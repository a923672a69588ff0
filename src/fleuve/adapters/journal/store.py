"""The local store: both ports of the store over a data directory.

It joins the journal (extents) with the object files (segments, and reading both), and says what happens on the event
loop and what in a thread. It takes the data directory as it is: who may use it is `DataDirectory`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from fleuve.adapters.journal.appender import Appender, Pending
from fleuve.adapters.journal.extents import End, Kind
from fleuve.adapters.journal.files import Files, explained
from fleuve.adapters.journal.journal import Journal
from fleuve.adapters.journal.names import journal_name, journal_names, path_of
from fleuve.adapters.journal.scan import JournalFile, extents, survey, valid_end
from fleuve.adapters.journal.segments import ObjectFiles
from fleuve.adapters.journal.stats import JournalStats
from fleuve.base.ids import FlushId, Incarnation
from fleuve.base.log import Logger, SilentLogger
from fleuve.ports.errors import CorruptState, StoreUnavailable
from fleuve.ports.store import Buffer, Extent, ObjectInfo, Placed, Range

T = TypeVar("T")

JOURNAL_FILE_BYTES = 64 << 20
"""A journal file is closed once it is that large. Bounds what a start after a crash has to read."""

PREALLOCATE_BYTES = 8 << 20
"""Reserved at once in the growing journal file, so that a flush need not write its length; given back in the end."""

READERS = 4
"""Threads that read: what the device does at the same time."""

INLINE_BYTES_MAX = 64 << 10
"""Up to that many bytes are read on the event loop if they are in the page cache: a thread would cost more."""

SCAN_BATCH_BYTES = 1 << 20
"""Extents that a scan fetches from its thread at once, in bytes."""


class JournalStore:
    """The local store: an ExtentStore and an ObjectStore.

    `open` may block; everything else is for the event loop it was opened on, except `sync_now`.
    """

    def __init__(
        self,
        root: Path,
        *,
        journal_file_bytes: int = JOURNAL_FILE_BYTES,
        preallocate_bytes: int = PREALLOCATE_BYTES,
        writes_in_flight_max: int = 2,
        files: Files | None = None,
        logger: Logger | None = None,
    ) -> None:
        self.writes_in_flight_max = writes_in_flight_max
        self.stats = JournalStats()
        self._root = root
        self._journal_file_bytes = journal_file_bytes
        self._preallocate_bytes = preallocate_bytes
        self._files = files or Files()
        self._logger = logger or SilentLogger()
        self._objects = ObjectFiles(root, self._files)
        self._incarnation: Incarnation | None = None
        self._number_last = 0
        self._surveys: dict[Incarnation, dict[str, JournalFile]] = {}
        self._readers = ThreadPoolExecutor(READERS, "store-reader")
        self._changers = ThreadPoolExecutor(2, "store-writer")

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Remove what a crash left half written and start the journal's thread. Raises StoreUnavailable."""
        try:
            self._objects.remove_partial()
            names = journal_names(self._root)
        except OSError as error:
            raise StoreUnavailable(explained(error, "open the store", self._root)) from error
        self._loop = loop
        self._appender = Appender(
            self._root,
            self._files,
            sequence_last=max((name.sequence for name in names), default=0),
            file_bytes=self._journal_file_bytes,
            preallocate_bytes=self._preallocate_bytes,
            logger=self._logger,
            stats=self.stats,
        )
        self._journal = Journal(self._appender, loop)

    async def close(self) -> None:
        """Flush, close the growing file and end the threads. Raises StoreUnavailable if the flush failed."""
        try:
            await self._journal.call(self._appender.close)
        finally:
            await self._journal.close()
            self._readers.shutdown()
            self._changers.shutdown()
            self._objects.close()

    def sync_now(self) -> None:
        """Flush what was acknowledged and is not on the device; blocks, for another thread. Raises StoreUnavailable."""
        self._journal.sync_now()

    # -- extents

    async def begin(self, incarnation: Incarnation) -> None:
        """Say which incarnation writes from now on.

        Raises StoreUnavailable, and CorruptState if that incarnation has written here before.
        """
        names = await self._in_thread(self._readers, "list", lambda: journal_names(self._root))
        if any(name.incarnation == incarnation for name in names):
            raise CorruptState(
                f"{self._root} has journal files of incarnation {incarnation} already: the catalog is older than the "
                "journal; restore both from the same backup"
            )
        await self._journal.call(lambda: self._appender.begin(incarnation))
        self._incarnation = incarnation
        self._number_last = 0
        # Only the last file of a crashed incarnation can have reserved space.
        last = {name.incarnation: name.object_name for name in names}
        await self._in_thread(self._changers, "trim", lambda: self._objects.trim(list(last.values())))

    async def write(self, flush: FlushId, header: bytes, body: Sequence[Buffer], *, durable: bool) -> Placed:
        """Write an extent; see the port. Cancelling this does not undo it, and the buffers stay in use."""
        assert flush.incarnation == self._incarnation
        assert flush.number > self._number_last
        self._number_last = flush.number
        return await self._journal.append(Pending(Kind.DATA, flush, header, body), durable=durable)

    async def void(self, flush: FlushId) -> None:
        """State durably that the extent of `flush` counts for nothing. Raises StoreUnavailable."""
        assert flush.incarnation == self._incarnation
        await self._journal.append(Pending(Kind.VOID, flush, b"", ()), durable=True)

    async def sync(self) -> None:
        """Return when everything that was written before is on the device. Raises StoreUnavailable."""
        await self._journal.sync()

    async def scan(self, incarnation: Incarnation, *, after: int) -> AsyncIterator[Extent]:
        """Yield the incarnation's extents above `after`; see the port."""
        known = await self._known_ends(incarnation)
        found = extents(self._files, self._root, incarnation, known, after)
        try:
            while batch := await self._in_thread(self._readers, "scan", lambda: _batch(found)):
                for extent in batch:
                    yield extent
        finally:
            # Given up while its thread was at work: it closes its file when it is collected.
            with suppress(ValueError):
                found.close()

    async def valid_end(self, object_name: str) -> int:
        """Return the position behind the last whole extent; 0 if the object is gone. Raises CorruptState."""
        name = journal_name(object_name)
        if name is None:
            return await self._in_thread(self._readers, "measure", lambda: self._file_size(object_name))
        known = await self._known_ends(name.incarnation)
        if name.sequence in known:
            stated = JournalFile(name, path_of(self._root, object_name), known[name.sequence])
            return await self._in_thread(self._readers, "scan", lambda: self._valid_end(stated, settling=False))
        if name.incarnation == self._incarnation:
            return 0
        surveyed = self._surveys.get(name.incarnation)
        if surveyed is None:
            listed = await self._in_thread(
                self._readers, "scan", lambda: survey(self._files, self._root, name.incarnation, {})
            )
            surveyed = self._surveys[name.incarnation] = {file.name.object_name: file for file in listed}
        file = surveyed.get(object_name)
        if file is None:
            return 0
        return await self._in_thread(self._readers, "scan", lambda: self._valid_end(file, settling=True))

    async def _known_ends(self, incarnation: Incarnation) -> dict[int, End]:
        if incarnation != self._incarnation:
            return {}
        ends: dict[int, End] = await self._journal.call(self._appender.known_ends)
        return ends

    def _valid_end(self, file: JournalFile, *, settling: bool) -> int:
        try:
            return valid_end(self._files, file, settling=settling)
        except FileNotFoundError:
            return 0

    def _file_size(self, object_name: str) -> int:
        try:
            return path_of(self._root, object_name).stat().st_size
        except FileNotFoundError:
            return 0

    # -- objects

    async def read(self, ranges: Sequence[Range]) -> list[memoryview]:
        """Return the bytes of each range; see the port."""
        if sum(wanted.length for wanted in ranges) <= INLINE_BYTES_MAX:
            cached = self._objects.read_cached(ranges)
            if cached is not None:
                return cached
        return await self._in_thread(self._readers, "read", lambda: self._objects.read(ranges))

    async def write_segment(self, object_name: str, chunks: Iterable[Buffer]) -> int:
        """Write a new object, whole and durable; see the port."""
        return await self._in_thread(
            self._changers, "write a segment", lambda: self._objects.write(object_name, chunks)
        )

    async def delete(self, object_names: Sequence[str]) -> None:
        """Delete objects. Raises StoreUnavailable, too for the journal file that still grows."""
        growing = await self._growing()
        if growing is not None and growing[0] in object_names:
            raise StoreUnavailable(f"{growing[0]} is still appended to; it can be deleted once it is sealed")
        await self._in_thread(self._changers, "delete", lambda: self._objects.delete(object_names))
        if deleted := [name for name in map(journal_name, object_names) if name is not None]:
            await self._journal.call(lambda: self._appender.forget(deleted))

    async def list(self) -> list[ObjectInfo]:
        """Return everything that is there; the growing file with what is written in it, not with what is reserved."""
        infos = await self._in_thread(self._readers, "list", self._objects.sizes)
        growing = await self._growing()
        if growing is None:
            return infos
        name, end = growing
        return [ObjectInfo(name, end, growing=True) if info.name == name else info for info in infos]

    async def growing(self) -> ObjectInfo | None:
        """Return the file that is appended to, with what is written in it."""
        growing = await self._growing()
        return None if growing is None else ObjectInfo(*growing, growing=True)

    async def seal(self, *, older_than_ms: int, larger_than_bytes: int) -> None:
        """Close the growing object if it is old or large enough. Raises StoreUnavailable if its flush failed."""
        began_before = self._loop.time() - older_than_ms / 1000
        await self._journal.call(
            lambda: self._appender.seal(began_before=began_before, larger_than_bytes=larger_than_bytes)
        )

    async def _growing(self) -> tuple[str, int] | None:
        growing: tuple[str, int] | None = await self._journal.call(self._appender.growing)
        return growing

    async def _in_thread(self, threads: ThreadPoolExecutor, doing: str, work: Callable[[], T]) -> T:
        try:
            return await self._loop.run_in_executor(threads, work)
        except OSError as error:
            raise StoreUnavailable(explained(error, doing, self._root)) from error


def _batch(found: Iterator[Extent]) -> list[Extent]:
    batch = []
    size = 0
    for extent in found:
        batch.append(extent)
        size += len(extent.body)
        if size >= SCAN_BATCH_BYTES:
            break
    return batch
