"""Copying objects out of a data directory whose broker may be at work.

An object does not change once it is whole, so it is copied as it is. The journal file that grows does: it is copied
up to an extent of the caller's choice. `FileNotFoundError` means that the broker deleted the object meanwhile.
"""

from __future__ import annotations

from pathlib import Path

from fleuve.adapters.journal.files import Files
from fleuve.adapters.journal.names import JOURNAL, PARTIAL_SUFFIX, SEGMENTS, JournalName, path_of
from fleuve.adapters.journal.scan import JournalFile, end_of_flush, survey
from fleuve.base.ids import Incarnation

COPY_BYTES = 1 << 20
"""Read and written at once."""


class ObjectCopies:
    """Copies objects from one data directory to another that nobody uses; each is on the device when it is there."""

    def __init__(self, source: Path, target: Path, files: Files) -> None:
        self._source = source
        self._target = target
        self._files = files
        self._surveys: dict[Incarnation, dict[JournalName, JournalFile]] = {}

    def whole(self, object_name: str) -> int:
        """Copy an object; return its size. Raises OSError."""
        return self._copy(object_name, None)

    def up_to_flush(self, name: JournalName, number: int) -> int:
        """Copy a journal file without the extents above `number`; return the copy's size. Raises OSError, CorruptState.

        What a failed write left behind the end that a later file states is no part of it either.
        """
        surveyed = self._surveys.get(name.incarnation)
        if surveyed is None or name not in surveyed:
            found = survey(self._files, self._source, name.incarnation, {})
            surveyed = self._surveys[name.incarnation] = {file.name: file for file in found}
        if name not in surveyed:
            raise FileNotFoundError(name.object_name)
        return self._copy(name.object_name, end_of_flush(self._files, surveyed[name], number))

    def names(self) -> list[str]:
        """Return the objects that the source has now. Raises OSError."""
        return _names(self._source)

    def remove_all_but(self, object_names: frozenset[str]) -> None:
        """Remove the other copies. Raises OSError."""
        for name in _names(self._target):
            if name not in object_names:
                self._files.unlink(path_of(self._target, name))

    def sync_directories(self) -> None:
        """Return when the names of all copies are on the device. Raises OSError."""
        for top in (JOURNAL, SEGMENTS):
            folder = self._target / top
            self._files.make_directory(folder)
            for below in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
                self._files.sync_directory(below)
        self._files.sync_directory(self._target)

    def _copy(self, object_name: str, end: int | None) -> int:
        files = self._files
        path = path_of(self._target, object_name)
        source_fd = files.open_read(path_of(self._source, object_name))
        try:
            end = files.size(source_fd) if end is None else end
            self._make_folder(path.parent)
            path.unlink(missing_ok=True)
            fd = files.open_new(path)
            try:
                position = 0
                while position < end:
                    buffer = memoryview(bytearray(min(COPY_BYTES, end - position)))
                    count = files.read_into(source_fd, buffer, position)
                    if count == 0:
                        break
                    position = files.write_all(fd, [buffer[:count]], position)
                files.sync(fd)
            finally:
                files.close(fd)
        finally:
            files.close(source_fd)
        return position

    def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make_folder(folder.parent)
            self._files.make_directory(folder)


def _names(root: Path) -> list[str]:
    return [
        path.relative_to(root).as_posix()
        for top in (JOURNAL, SEGMENTS)
        for path in sorted((root / top).rglob("*"))
        if path.suffix != PARTIAL_SUFFIX and path.is_file()
    ]
