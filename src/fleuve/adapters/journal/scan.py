"""Reading journal files from front to back: what a start after a crash does.

A file is read up to its first record that is not whole. What lies behind it was never promised, unless something
says otherwise: the opening of a later file, or a sound record behind it, which both state how far the file was on
the device by then. Then something that was acknowledged is damaged, and nothing is guessed.

After a crash the system may hold bytes that never reached the device, and may even believe that they did. What a scan
has yielded is built upon, so its last part is written again and flushed first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from fleuve.adapters.journal.extents import (
    FIXED_BYTES,
    MAGIC,
    End,
    Fixed,
    Kind,
    body_sound,
    header_sound,
    read_fixed,
    unpack_ends,
)
from fleuve.adapters.journal.files import Files
from fleuve.adapters.journal.names import JournalName, journal_names, path_of
from fleuve.base.ids import FlushId, Incarnation
from fleuve.ports.errors import CorruptState
from fleuve.ports.store import Extent, Placed

WINDOW_BYTES = 1 << 20
"""Read at once; a larger record gets a buffer of its own size."""

REWRITE_BYTES = 1 << 20
"""Written again at once."""


class Record(NamedTuple):
    """A whole record of a file; its views are the caller's until they are let go."""

    kind: int
    number: int
    header: bytes
    body: memoryview
    start: int
    """Position at which the record begins."""
    body_position: int
    synced_end: int
    """Everything before this position was on the device when the record was written."""
    end: int
    """Position behind the record."""


class JournalFile(NamedTuple):
    """A file that is not appended to, or the part of one that is written already."""

    name: JournalName
    path: Path
    stated: End | None
    """What a later file, or its writer, says about its end."""


def survey(files: Files, root: Path, incarnation: Incarnation, known: Mapping[int, End]) -> list[JournalFile]:
    """Return the incarnation's files in order, with what is stated about their ends.

    `known` is what the writer itself knows, by sequence; it counts more than what the files say. Raises OSError,
    CorruptState.
    """
    names = [name for name in journal_names(root) if name.incarnation == incarnation]
    stated: dict[int, End] = {}
    for name in names:
        for end in _openings(files, JournalFile(name, path_of(root, name.object_name), None)):
            stated[end.sequence] = end
    stated.update(known)
    return [JournalFile(name, path_of(root, name.object_name), stated.get(name.sequence)) for name in names]


def records(files: Files, file: JournalFile, *, start: int = 0) -> Generator[Record]:
    """Yield the whole records of a file behind its opening, or from `start` on, where one is known to begin.

    Raises OSError, and CorruptState as the module says.
    """
    fd = files.open_read(file.path)
    try:
        size = files.size(fd)
        durable_end = file.stated.durable_end if file.stated else 0
        if size < durable_end:
            raise CorruptState(
                f"{file.path} ends at byte {size}, but everything up to {durable_end} was on the device; "
                "restore it from a backup"
            )
        window = _Window(files, fd, min(size, file.stated.end) if file.stated else size)
        yield from _walk(file, window, start, durable_end)
    finally:
        files.close(fd)


def extents(
    files: Files, root: Path, incarnation: Incarnation, known: Mapping[int, End], after: int
) -> Generator[Extent]:
    """Yield the extents with a number above `after`, without voided ones. Raises OSError, CorruptState."""
    wanted = []
    for file in survey(files, root, incarnation, known):
        if file.stated and file.stated.number_last <= after and file.stated.durable_end == file.stated.end:
            continue  # Whole, and nothing in it is asked for: it need not be read.
        wanted.append(file)
    # Two passes, since a void may stand in a later file than its extent.
    voided: set[int] = set()
    starts = []
    for file in wanted:
        last = start = None
        for record in records(files, file):
            if record.kind == Kind.VOID:
                voided.add(record.number)
            elif start is None and record.number > after:
                start = record.start
            last = record
        if last is not None and file.name.sequence not in known:
            _settle(files, file, last)
        if start is not None:
            starts.append((file, start))
    for file, start in starts:
        object_name = file.name.object_name
        with closing(records(files, file, start=start)) as found:
            for record in found:
                if record.kind != Kind.DATA or record.number <= after or record.number in voided:
                    continue
                flush = FlushId(incarnation, record.number)
                yield Extent(flush, record.header, record.body, Placed(object_name, record.body_position))


def valid_end(files: Files, file: JournalFile, *, settling: bool) -> int:
    """Return the position behind the last whole record; `settling` where a crash may have been its last moment.

    Raises OSError, CorruptState.
    """
    if file.stated and file.stated.durable_end == file.stated.end:
        fd = files.open_read(file.path)
        try:
            if files.size(fd) >= file.stated.end:
                return file.stated.end
        finally:
            files.close(fd)
    last = deque(records(files, file), maxlen=1)
    if not last:
        return 0
    if settling:
        _settle(files, file, last[0])
    return last[0].end


def end_of_flush(files: Files, file: JournalFile, number: int) -> int:
    """Return the position behind the last whole record before the first extent above `number`. Raises OSError.

    The file may be appended to meanwhile: what cannot be read whole is taken for not written yet.
    """
    fd = files.open_read(file.path)
    try:
        size = files.size(fd)
        window = _Window(files, fd, min(size, file.stated.end) if file.stated else size)
        position = 0
        while position < window.end:
            record = _record_at(file, window, position)
            if record is None or (record.kind == Kind.DATA and record.number > number):
                break
            position = record.end
        return position
    finally:
        files.close(fd)


def readable(files: Files, file: JournalFile) -> bool:
    """Say whether everything up to the stated end can be read. Raises OSError."""
    assert file.stated is not None
    try:
        return any(record.end == file.stated.end for record in records(files, file))
    except CorruptState:
        return False


def write_again(files: Files, path: Path, start: int, end: int) -> None:
    """Write the bytes that a part of the file has once more, and flush them. Raises OSError.

    After a failed flush the system takes pages for clean that never reached the device. Written, they are dirty
    again, and the flush that follows tells the truth about them.
    """
    fd = files.open_change(path)
    try:
        for position in range(start, end, REWRITE_BYTES):
            buffer = memoryview(bytearray(min(REWRITE_BYTES, end - position)))
            count = files.read_into(fd, buffer, position)
            files.write_all(fd, [buffer[:count]], position)
        files.datasync(fd)
    finally:
        files.close(fd)


def _settle(files: Files, file: JournalFile, last: Record) -> None:
    """Make sure that everything up to the last whole record is on the device."""
    durable_end = last.synced_end
    if file.stated is not None:
        durable_end = max(durable_end, file.stated.durable_end)
    if durable_end < last.end:
        write_again(files, file.path, durable_end, last.end)
        files.sync_directory(file.path.parent)


def _openings(files: Files, file: JournalFile) -> list[End]:
    fd = files.open_read(file.path)
    try:
        opening = _record_at(file, _Window(files, fd, files.size(fd)), 0)
    finally:
        files.close(fd)
    if opening is None or opening.kind != Kind.OPENING or opening.number != file.name.sequence:
        return []  # Created and never begun: nothing in it was acknowledged, or its stated end says otherwise.
    return unpack_ends(opening.header)


def _walk(file: JournalFile, window: _Window, position: int, durable_end: int) -> Generator[Record]:
    while position < window.end:
        record = _record_at(file, window, position)
        first = position == 0
        if record is None or first != (record.kind == Kind.OPENING):
            _check_torn(file, window, position, durable_end)
            return
        if not first:
            yield record
        position = record.end
    if position < durable_end:
        _check_torn(file, window, position, durable_end)


def _record_at(file: JournalFile, window: _Window, position: int) -> Record | None:
    """Return the record that begins at `position` if it is whole."""
    fixed = _fixed_at(file, window, position)
    if fixed is None:
        return None
    view = window.view(position, fixed.length)
    if view is None:
        return None
    body = view[FIXED_BYTES + fixed.header_length :]
    if not body_sound(body, fixed):
        return None
    header = bytes(view[FIXED_BYTES : FIXED_BYTES + fixed.header_length])
    body_position = position + FIXED_BYTES + fixed.header_length
    end = position + fixed.length
    return Record(fixed.kind, fixed.number, header, body, position, body_position, fixed.synced_end, end)


def _fixed_at(file: JournalFile, window: _Window, position: int) -> Fixed | None:
    """Return the fixed part at `position` if it and the header are sound, whatever the body is."""
    view = window.view(position, FIXED_BYTES)
    fixed = read_fixed(view, file.name.incarnation, position) if view else None
    if fixed is None:
        return None
    view = window.view(position, FIXED_BYTES + fixed.header_length)
    if view is None or not header_sound(view, fixed, f"{file.path}, byte {position},"):
        return None
    return fixed


def _check_torn(file: JournalFile, window: _Window, position: int, durable_end: int) -> None:
    """Raise CorruptState if what is not whole at `position` was acknowledged."""
    if position < durable_end:
        raise _damaged(file, position, f"everything up to {durable_end} was on the device")
    # A torn end has nothing sound behind it that was written after a flush.
    for candidate in window.find(MAGIC, position + 1):
        later = _fixed_at(file, window, candidate)
        if later is not None and later.synced_end > position:
            raise _damaged(file, position, f"flush {later.number} at byte {candidate} was written after it was flushed")


def _damaged(file: JournalFile, position: int, evidence: str) -> CorruptState:
    return CorruptState(
        f"{file.path} is damaged at byte {position}: it cannot be read there, but {evidence}; restore it from a backup"
    )


class _Window:
    """Reads a file front to back through one buffer at a time."""

    def __init__(self, files: Files, fd: int, end: int) -> None:
        self.end = end
        self._files = files
        self._fd = fd
        self._start = 0
        self._buffer = memoryview(b"")

    def view(self, position: int, length: int) -> memoryview | None:
        """Return a part of the file; None if it reaches beyond the end."""
        if position + length > self.end:
            return None
        offset = position - self._start
        if offset < 0 or offset + length > len(self._buffer):
            # A fresh buffer: views of the one before may still be in use.
            self._buffer = memoryview(bytearray(min(max(length, WINDOW_BYTES), self.end - position)))
            self._start = position
            offset = 0
            count = self._files.read_into(self._fd, self._buffer, position)
            if count < len(self._buffer):
                self._buffer = self._buffer[:count]
                if count < length:
                    return None
        return self._buffer[offset : offset + length]

    def find(self, pattern: bytes, position: int) -> Iterator[int]:
        """Yield the positions from `position` on at which `pattern` stands."""
        overlap = len(pattern) - 1
        while position + overlap < self.end:
            length = min(WINDOW_BYTES, self.end - position)
            chunk = self.view(position, length)
            if chunk is None:
                return
            content = bytes(chunk)
            index = content.find(pattern)
            while index >= 0:
                yield position + index
                index = content.find(pattern, index + 1)
            position += length - overlap
