"""Objects as files: reading ranges, writing segments, deleting, listing. Synchronous; the store calls it in threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from fleuve.adapters.journal.descriptors import Descriptors
from fleuve.adapters.journal.files import Files, explained
from fleuve.adapters.journal.names import JOURNAL, PARTIAL_SUFFIX, SEGMENTS, path_of
from fleuve.ports.errors import ObjectMissing, StoreUnavailable
from fleuve.ports.store import Buffer, ObjectInfo, Range

GAP_BYTES_MAX = 64 << 10
"""Ranges of one object that are no further apart are read together: reading the gap is cheaper than another call."""

JOINED_BYTES_MAX = 4 << 20
"""Ranges are joined up to this size: a small one that is kept keeps the whole buffer."""

WRITE_BYTES = 1 << 20
"""A segment is written in pieces of about this size."""

SYNC_BYTES = 16 << 20
"""A segment is flushed each time that much was written, so that no flush of the journal waits behind all of it."""


def planned(ranges: Sequence[Range]) -> list[tuple[Range, list[int]]]:
    """Return what to read: each range to be read with the indexes of the ranges that it covers.

    Ranges that overlap are read apart, since each is its caller's own to change.
    """
    order = sorted(range(len(ranges)), key=ranges.__getitem__)
    reads: list[tuple[Range, list[int]]] = []
    for index in order:
        wanted = ranges[index]
        if reads:
            last, covered = reads[-1]
            gap = wanted.position - (last.position + last.length)
            length = wanted.position + wanted.length - last.position
            if last.object_name == wanted.object_name and 0 <= gap <= GAP_BYTES_MAX and length <= JOINED_BYTES_MAX:
                reads[-1] = (last._replace(length=length), [*covered, index])
                continue
        reads.append((wanted, [index]))
    return reads


class ObjectFiles:
    """The objects below a data directory. Thread-safe."""

    def __init__(self, root: Path, files: Files) -> None:
        self._root = root
        self._files = files
        self._descriptors = Descriptors(root, files)
        self._folders = threading.Lock()
        self._flushed_folders = {root / SEGMENTS}
        """Whose names are known to be on the device. One that is merely there may have been made by a start that ended
        before its flush, or its flush failed."""

    def close(self) -> None:
        """Close the files that are open for reading."""
        self._descriptors.close()

    # -- reading

    def read_cached(self, ranges: Sequence[Range]) -> list[memoryview] | None:
        """Return the bytes if that needs no wait for the device, else None."""
        if any(not self._descriptors.is_open(wanted.object_name) for wanted in ranges):
            return None
        results = []
        try:
            for object_name, position, length in ranges:
                buffer = memoryview(bytearray(length))
                with self._descriptors.using(object_name) as fd:
                    if not self._files.read_cached(fd, buffer, position):
                        return None
                results.append(buffer)
        except OSError:
            return None  # The patient way tells what is wrong.
        return results

    def read(self, ranges: Sequence[Range]) -> list[memoryview]:
        """Return the bytes of each range. Raises ObjectMissing, StoreUnavailable."""
        results = [memoryview(b"")] * len(ranges)
        for (object_name, position, length), covered in planned(ranges):
            buffer = memoryview(bytearray(length))
            try:
                with self._descriptors.using(object_name) as fd:
                    count = self._files.read_into(fd, buffer, position)
            except FileNotFoundError as error:
                raise ObjectMissing(f"{object_name} is gone") from error
            except OSError as error:
                doing = f"read {length} bytes at {position}"
                raise StoreUnavailable(explained(error, doing, path_of(self._root, object_name))) from error
            if count < length:
                raise ObjectMissing(f"{object_name} ends at {position + count}, wanted up to {position + length}")
            for index in covered:
                start = ranges[index].position - position
                results[index] = buffer[start : start + ranges[index].length]
        return results

    # -- writing

    def write(self, object_name: str, chunks: Iterable[Buffer]) -> int:
        """Write a new segment, whole and durable; return its size in bytes.

        Raises StoreUnavailable, and what `chunks` raises; then nothing is left.
        """
        path = path_of(self._root, object_name)
        partial = path.with_name(path.name + PARTIAL_SUFFIX)
        # Outside of what cleans up: an object that has the name already must not go with this one.
        assert not path.exists()
        try:
            fd = self._new_file(path, partial)
            try:
                size = self._write_chunks(fd, chunks)
            finally:
                self._files.close(fd)
            self._files.rename(partial, path)
            self._files.sync_directory(path.parent)
        except BaseException as error:
            # The name may have been taken already when the directory's flush failed.
            for leftover in (partial, path):
                with contextlib.suppress(OSError):
                    self._files.unlink(leftover)
            if isinstance(error, OSError):
                raise StoreUnavailable(explained(error, "write a segment", path)) from error
            raise
        return size

    def _new_file(self, path: Path, partial: Path) -> int:
        # Under the lock, since `delete` removes folders that are empty.
        with self._folders:
            unsure = []
            folder = path.parent
            while folder not in self._flushed_folders:
                unsure.append(folder)
                folder = folder.parent
            for folder in reversed(unsure):
                self._files.make_directory(folder)
                self._files.sync_directory(folder.parent)
                self._flushed_folders.add(folder)
            return self._files.open_new(partial)

    def _write_chunks(self, fd: int, chunks: Iterable[Buffer]) -> int:
        size = 0
        synced = 0
        waiting: list[Buffer] = []
        waiting_bytes = 0
        for chunk in chunks:
            waiting.append(chunk)
            waiting_bytes += len(chunk)
            if waiting_bytes < WRITE_BYTES:
                continue
            size = self._files.write_all(fd, waiting, size)
            waiting, waiting_bytes = [], 0
            if size - synced >= SYNC_BYTES:
                self._files.datasync(fd)
                synced = size
        size = self._files.write_all(fd, waiting, size)
        self._files.sync(fd)
        return size

    # -- deleting and listing

    def delete(self, object_names: Sequence[str]) -> None:
        """Delete objects; their space is free when the last reader is done. Raises StoreUnavailable."""
        for object_name in object_names:
            path = path_of(self._root, object_name)
            self._descriptors.forget(object_name)
            try:
                self._files.unlink(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreUnavailable(explained(error, "delete", path)) from error
            self._remove_empty_folders(path.parent)

    def _remove_empty_folders(self, folder: Path) -> None:
        keep = {self._root / JOURNAL, self._root / SEGMENTS}
        with self._folders, contextlib.suppress(OSError):  # Not empty: it stays.
            while folder not in keep:
                self._files.remove_directory(folder)
                self._flushed_folders.discard(folder)
                folder = folder.parent

    def sizes(self) -> list[ObjectInfo]:
        """Return every object with the length of its file. Raises StoreUnavailable."""
        found = []
        try:
            for top in (JOURNAL, SEGMENTS):
                for path in sorted((self._root / top).rglob("*")):
                    with contextlib.suppress(FileNotFoundError):  # Deleted meanwhile.
                        if path.suffix == PARTIAL_SUFFIX or not path.is_file():
                            continue
                        name = path.relative_to(self._root).as_posix()
                        found.append(ObjectInfo(name, path.stat().st_size, growing=False))
        except OSError as error:
            raise StoreUnavailable(explained(error, "list", self._root)) from error
        return found

    # -- after a crash

    def remove_partial(self) -> None:
        """Remove what a crash left of segments that were being written. Raises OSError."""
        for path in (self._root / SEGMENTS).rglob(f"*{PARTIAL_SUFFIX}"):
            self._files.unlink(path)

    def trim(self, object_names: Iterable[str]) -> None:
        """Give back the space that was reserved behind a file's last byte, where that can be done."""
        for object_name in object_names:
            with contextlib.suppress(OSError):  # Nothing depends on it.
                self._trim(path_of(self._root, object_name))

    def _trim(self, path: Path) -> None:
        fd = self._files.open_change(path)
        try:
            end = self._files.written_end(fd)
            if end < self._files.size(fd):
                self._files.truncate(fd, end)
        finally:
            self._files.close(fd)
