"""Appends records to the current journal file: the writing half of the journal, without threads.

    no file ──append──▶ growing ──roll / seal / begin / close──▶ closed (flushed, trimmed)
                           └──write or flush failed──▶ given up (cut at the last good extent)

A file that was closed or given up is never appended to again; the next append begins a new one, whose opening states
durably how the ones before it ended. That statement is what voids the bytes of a failed extent where even the cut
failed: a scan looks at nothing behind a stated end.

A failed flush proves the bytes before it lost, even if a later one succeeds: the system may have dropped them. Those
that nobody waits for are cut off. Those that were acknowledged with the page-cache promise stay readable, in doubt;
before anything durable is acknowledged they are written again, byte for byte, and flushed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, TypeVar

from fleuve.adapters.journal.extents import End, Kind, frame, pack_ends
from fleuve.adapters.journal.files import Files, explained
from fleuve.adapters.journal.names import JOURNAL, JournalName, path_of
from fleuve.adapters.journal.scan import JournalFile, readable, write_again
from fleuve.adapters.journal.stats import JournalStats
from fleuve.base.ids import FlushId, Incarnation
from fleuve.base.log import Logger
from fleuve.ports.errors import StoreUnavailable
from fleuve.ports.store import Buffer, Placed

T = TypeVar("T")


class Pending(NamedTuple):
    """A record to be appended."""

    kind: Kind
    flush: FlushId
    header: bytes
    body: Sequence[Buffer]


class _Growing:
    """The file that is appended to."""

    __slots__ = (
        "allocated",
        "began",
        "end",
        "fd",
        "name",
        "number_last",
        "opening_end",
        "path",
        "stated",
        "synced_end",
    )

    def __init__(self, name: JournalName, path: Path, fd: int, stated: list[End], *, began: float) -> None:
        self.name = name
        self.path = path
        self.fd = fd
        self.stated = stated
        """What its opening says about the files before it."""
        self.began = began
        self.allocated = 0
        self.end = 0
        self.synced_end = 0
        self.opening_end = 0
        self.number_last = 0


class Appender:
    """Writes one incarnation's journal files. Whoever calls holds the journal's lock; every call may block."""

    def __init__(
        self,
        root: Path,
        files: Files,
        *,
        sequence_last: int,
        file_bytes: int,
        preallocate_bytes: int,
        logger: Logger,
        stats: JournalStats,
    ) -> None:
        self._root = root
        self._files = files
        self._sequence = sequence_last
        self._file_bytes = file_bytes
        self._preallocate_bytes = preallocate_bytes
        self._logger = logger
        self._stats = stats
        self._incarnation: Incarnation | None = None
        self._current: _Growing | None = None
        self._allocates = True
        self._unstated: list[End] = []
        """Ends that no durable opening states yet."""
        self._doubtful: list[JournalFile] = []
        self._closed: dict[int, End] = {}
        self.needs_sync = False
        """Something that was acknowledged is not known to be on the device. May be read without the lock."""

    # -- what is there

    def known_ends(self) -> dict[int, End]:
        """Return how far each of this incarnation's files is written, by sequence."""
        ends = dict(self._closed)
        if self._current is not None:
            ends[self._current.name.sequence] = _end_of(self._current)
        return ends

    def forget(self, names: Iterable[JournalName]) -> None:
        """Forget files that were deleted."""
        for name in names:
            if name.incarnation == self._incarnation:
                self._closed.pop(name.sequence, None)

    def growing(self) -> tuple[str, int] | None:
        """Return the name and the size of the file that is appended to."""
        current = self._current
        return None if current is None else (current.name.object_name, current.end)

    # -- what can be done

    def begin(self, incarnation: Incarnation) -> None:
        """Close what the incarnation before wrote. Raises StoreUnavailable."""
        assert self._incarnation is None or incarnation > self._incarnation
        self.close()
        self._incarnation = incarnation
        self._closed = {}
        self._unstated = []

    def append(self, group: Sequence[Pending], *, durable: bool, now: float) -> list[Placed]:
        """Append all records with one write, and flush once if they are durable; all or none of them.

        Raises StoreUnavailable.
        """
        assert self._incarnation is not None
        if durable and self._doubtful:
            self._resolve_doubts()
        current = self._current
        if current is not None and current.end >= self._file_bytes:
            self._close_current()
            current = None
        if current is None:
            current = self._begin_file(now)
        start = current.end
        with self._given_up_on_failure(current, start, "write an extent"):
            placed = self._write(current, group)
        if durable:
            with self._given_up_on_failure(current, start, "flush an extent"):
                self._flush(current)
        self.needs_sync = not durable
        self._stats.extents += len(group)
        return placed

    def sync(self) -> None:
        """Bring everything to the device that was appended. Raises StoreUnavailable."""
        if self._doubtful:
            self._resolve_doubts()
        current = self._current
        if current is not None and current.synced_end < current.end:
            with self._given_up_on_failure(current, current.end, "flush"):
                self._flush(current)
        self.needs_sync = False

    def seal(self, *, began_before: float, larger_than_bytes: int) -> None:
        """Close the growing file if it is old or large enough and holds an extent. Raises StoreUnavailable."""
        current = self._current
        if current is None or current.end == current.opening_end:
            return
        if current.began <= began_before or current.end > larger_than_bytes:
            self._close_current()

    def close(self) -> None:
        """Flush and close the growing file. Raises StoreUnavailable."""
        self.sync()
        if self._current is not None:
            self._close_current()

    # -- one file's life

    def _begin_file(self, now: float) -> _Growing:
        assert self._incarnation is not None
        self._sequence += 1
        name = JournalName(self._incarnation, self._sequence)
        path = path_of(self._root, name.object_name)
        stated, self._unstated = self._unstated, []
        current = None
        try:
            current = _Growing(name, path, self._files.open_new(path), stated, began=now)
            opening = Pending(Kind.OPENING, FlushId(self._incarnation, self._sequence), pack_ends(stated), ())
            self._write(current, [opening])
            current.number_last = 0
            current.opening_end = current.end
            self._flush(current)
            self._files.sync_directory(self._root / JOURNAL)
        except BaseException as error:
            self._unstated = stated + self._unstated
            self._stats.failures += 1
            if current is not None:
                self._quietly(self._files.close, current.fd)
                self._quietly(self._files.unlink, path)
            if isinstance(error, OSError):
                raise StoreUnavailable(explained(error, "begin a journal file", path)) from error
            raise
        self._current = current
        self._stats.files += 1
        return current

    def _write(self, current: _Growing, group: Sequence[Pending]) -> list[Placed]:
        buffers: list[Buffer] = []
        placed = []
        position = current.end
        for kind, flush, header, body in group:
            framed = frame(kind, flush, header, body, position=position, synced_end=current.synced_end)
            body_position = position + len(framed[0]) + len(header)
            placed.append(Placed(current.name.object_name, body_position))
            position += sum(map(len, framed))
            buffers += framed
        self._reserve(current, position)
        written_end = self._files.write_all(current.fd, buffers, current.end)
        assert written_end == position
        self._stats.bytes_written += position - current.end
        current.end = position
        current.number_last = max(current.number_last, *(pending.flush.number for pending in group))
        return placed

    def _reserve(self, current: _Growing, end: int) -> None:
        if not self._allocates or end <= current.allocated:
            return
        length = max(self._preallocate_bytes, end - current.allocated)
        try:
            self._allocates = self._files.allocate(current.fd, current.allocated, length)
            current.allocated += length
        except OSError:
            # Too little space to reserve; there may still be enough to write. What was reserved in part goes back.
            self._trim(current)
            current.allocated = current.end

    def _flush(self, current: _Growing) -> None:
        began = perf_counter()
        self._files.datasync(current.fd)
        self._stats.flush_seconds.observe(perf_counter() - began)
        current.synced_end = current.end

    def _close_current(self) -> None:
        self.sync()
        current = self._current
        if current is None:
            return
        self._current = None
        # Nothing depends on the reserved space being gone.
        self._trim(current)
        self._quietly(self._files.close, current.fd)
        self._note_end(current)

    # -- when something failed

    @contextlib.contextmanager
    def _given_up_on_failure(self, current: _Growing, good_end: int, doing: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._give_up(current, good_end)
            raise StoreUnavailable(explained(error, doing, current.path)) from error
        except BaseException:
            self._give_up(current, good_end)
            raise

    def _give_up(self, current: _Growing, good_end: int) -> None:
        """Cut the file at `good_end` and leave it for good."""
        self._current = None
        self._stats.failures += 1
        current.end = good_end
        current.synced_end = min(current.synced_end, good_end)
        try:
            self._files.truncate(current.fd, good_end)
            self._files.sync(current.fd)
            cut = True
        except OSError as failure:
            cut = False
            self._logger.error(
                "a journal file could not be cut; the next one voids its end",
                file=str(current.path),
                position=good_end,
                error=str(failure),
            )
        self._quietly(self._files.close, current.fd)
        if cut and good_end == current.opening_end:
            # It holds nothing. What its opening stated is stated again by the next one.
            self._unstated = current.stated + self._unstated
            self._quietly(self._files.unlink, current.path)
            return
        self._note_end(current)
        if current.synced_end < good_end:
            self._doubtful.append(JournalFile(current.name, current.path, _end_of(current)))
            self.needs_sync = True

    def _note_end(self, current: _Growing) -> None:
        end = _end_of(current)
        self._unstated.append(end)
        self._closed[current.name.sequence] = end

    def _resolve_doubts(self) -> None:
        """Write the bytes in doubt again and flush them."""
        while self._doubtful:
            file = self._doubtful[0]
            assert file.stated is not None
            try:
                write_again(self._files, file.path, file.stated.durable_end, file.stated.end)
                whole = readable(self._files, file)
            except FileNotFoundError:
                whole = True  # Deleted: nobody needs it any more.
            except OSError as error:
                raise StoreUnavailable(explained(error, "flush again", file.path)) from error
            if not whole:
                self._logger.error(
                    "the system lost extents that were acknowledged with the page-cache promise",
                    file=str(file.path),
                    position=file.stated.durable_end,
                )
            del self._doubtful[0]

    def _trim(self, current: _Growing) -> None:
        with contextlib.suppress(OSError):
            self._files.truncate(current.fd, current.end)

    def _quietly(self, act: Callable[[T], None], *arguments: T) -> None:
        with contextlib.suppress(OSError):
            act(*arguments)


def _end_of(current: _Growing) -> End:
    return End(current.name.sequence, current.synced_end, current.end, current.number_last)
