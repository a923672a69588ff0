"""The data directory: its layout, its format version, and its lock.

format            version of the layout and of everything in it
lock              held while a broker uses the directory; says which process
catalog.sqlite    the catalog (the SQLite adapter's)
journal/          extents, in journal files
segments/         merged segments
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

from fleuve.adapters.journal.files import Files
from fleuve.adapters.journal.names import JOURNAL, SEGMENTS
from fleuve.ports.errors import CorruptState, StoreUnavailable

FORMAT_VERSION = 1
FORMAT = "format"
"""The file that says so. It is written when the directory and its name are on the device."""

_OF_KAFKA = "meta.properties"
"""The file in each data directory of Apache Kafka."""

_LOCKED_POSITION = 1 << 20
"""On Windows, behind the text: a locked range cannot be read by others there."""


class DataDirectory:
    """A data directory that this process holds."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self._lock_fd = lock_fd

    @property
    def catalog_path(self) -> Path:
        """Where the SQLite file lies."""
        return self.path / "catalog.sqlite"

    @classmethod
    def open(cls, path: Path, *, files: Files | None = None) -> DataDirectory:
        """Create the directory if it is not there, check its format and lock it; blocks briefly.

        Raises StoreUnavailable where it cannot be used (in use, not writable, not a directory), CorruptState where its
        format is newer or unreadable; each with one line that says what to do.
        """
        path = path.absolute()
        files = files or Files()
        try:
            _make_directories(files, path)
            lock_fd = _locked(path)
        except OSError as error:
            raise StoreUnavailable(_refusal(error, path)) from error
        try:
            _check_format(files, path)
            for folder in (JOURNAL, SEGMENTS):
                files.make_directory(path / folder)
            files.sync_directory(path)
        except OSError as error:
            os.close(lock_fd)
            raise StoreUnavailable(_refusal(error, path)) from error
        except BaseException:
            os.close(lock_fd)
            raise
        return cls(path, lock_fd)

    @classmethod
    def hold(cls, path: Path) -> DataDirectory | None:
        """Lock a directory that is there already, as it is; None if another process has it.

        Raises StoreUnavailable where there is none or it cannot be used, CorruptState as `open` does.
        """
        path = path.absolute()
        check_is_data_directory(path)
        try:
            lock_fd = _lock_of(path)
        except OSError as error:
            raise StoreUnavailable(_refusal(error, path)) from error
        return None if isinstance(lock_fd, str) else cls(path, lock_fd)

    def close(self) -> None:
        """Let others use the directory. May be called again."""
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1


def _make_directories(files: Files, path: Path) -> None:
    """Make the directory and those that it lies in, and flush their names."""
    if (path / FORMAT).exists():
        return
    # One that is there already may have been made by a start that ended before it flushed the name.
    for directory in reversed((path, *path.parents[:-1])):
        made = not directory.exists() and files.make_directory(directory)
        try:
            files.sync_directory(directory.parent)
        except OSError:
            # Somebody else's directories are somebody else's to flush.
            if made:
                raise


def check_is_data_directory(path: Path) -> None:
    """Raise StoreUnavailable or CorruptState unless this is a data directory that this version reads."""
    if not (path / FORMAT).is_file():
        raise StoreUnavailable(
            f"{path} is no data directory of Fleuve: it has no format file; name the broker's with --data-dir"
        )
    try:
        _check_format_of(path)
    except OSError as error:
        raise StoreUnavailable(_refusal(error, path)) from error


def write_format(files: Files, path: Path) -> None:
    """Say which format a directory has, durably: the last thing that is written into one. Raises OSError."""
    partial = path / f"{FORMAT}.partial"
    with contextlib.suppress(FileNotFoundError):
        files.unlink(partial)
    fd = files.open_new(partial)
    try:
        files.write_all(fd, [f"{FORMAT_VERSION}\n".encode()], 0)
        files.sync(fd)
    finally:
        files.close(fd)
    files.rename(partial, path / FORMAT)


def _locked(path: Path) -> int:
    lock_fd = _lock_of(path)
    if isinstance(lock_fd, str):
        by = f" by process {lock_fd}" if lock_fd else ""
        raise StoreUnavailable(f"the data directory {path} is in use{by}: stop that broker, or give another directory")
    return lock_fd


def _lock_of(path: Path) -> int | str:
    """Return the descriptor that holds the lock, or, where another process has it, what the file says about that one.

    Raises OSError.
    """
    fd = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(fd)
    except OSError as error:
        os.lseek(fd, 0, os.SEEK_SET)
        holder = os.read(fd, 32).decode("ascii", "replace").strip()
        os.close(fd)
        if error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            raise
        return holder
    os.ftruncate(fd, 0)
    os.write(fd, f"{os.getpid()}\n".encode())
    return fd


def _lock(fd: int) -> None:
    """Lock the file for this process, until it is closed; raise OSError at once if another one has it."""
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    else:
        import msvcrt

        os.lseek(fd, _LOCKED_POSITION, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        os.lseek(fd, 0, os.SEEK_SET)


def _check_format(files: Files, path: Path) -> None:
    try:
        _check_format_of(path)
    except FileNotFoundError:
        _write_format(files, path)


def _check_format_of(path: Path) -> None:
    text = (path / FORMAT).read_text("ascii", "replace").strip()
    if not text.isdigit():
        raise CorruptState(
            f"{path / 'format'} says {text[:20]!r} and not a number: this is no data directory of Fleuve"
        )
    if int(text) != FORMAT_VERSION:
        raise CorruptState(
            f"the data directory {path} has format {text}, and this version of Fleuve reads {FORMAT_VERSION}: "
            "use the version that wrote it or a newer one, or give another directory"
        )


def _write_format(files: Files, path: Path) -> None:
    if (path / _OF_KAFKA).exists():
        raise StoreUnavailable(
            f"{path} is a data directory of Apache Kafka, which this broker cannot read: give another directory, "
            "and copy topics over the wire"
        )
    foreign = [name for name in (JOURNAL, SEGMENTS, "catalog.sqlite") if (path / name).exists()]
    if foreign:
        raise CorruptState(
            f"{path} has {foreign[0]} but no format file: it is no data directory of Fleuve, or a part of one is lost; "
            "restore it from a backup, or give another directory"
        )
    write_format(files, path)


def _refusal(error: OSError, path: Path) -> str:
    if isinstance(error, NotADirectoryError | FileExistsError):
        return f"the data directory {path} is a file, or lies below one: give a directory"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"the data directory {path} is not writable for this user ({error.strerror}): "
            "change its owner or its mode, or give another directory"
        )
    return f"the data directory {path} cannot be used: {error.strerror or error}"
