"""The system calls of the local store, in one place.

Everything that touches the disk goes through a `Files`, so that tests can let any call fail, tear a write or cut the
power. It knows no format and keeps no state; every method raises OSError. What a platform lacks is made up for here,
in `directory.py` (the lock) and in `adapters/flushing.py`; docs/platforms.md has the list.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from fleuve.adapters.flushing import flush

Buffer = bytes | bytearray | memoryview

if sys.platform != "win32" and "SC_IOV_MAX" in getattr(os, "sysconf_names", ()):
    IOV_MAX = os.sysconf("SC_IOV_MAX")
else:
    IOV_MAX = 16
"""Buffers that one system call takes."""

_BINARY = getattr(os, "O_BINARY", 0)
_NO_SUPPORT = {errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY}

_seeking = threading.Lock()
"""Where there is no reading at a position: threads share descriptors, and a descriptor has one position."""


class Files:
    """The operating system's files, as the local store uses them."""

    def open_new(self, path: Path) -> int:
        """Create a file that must not exist yet, for writing at any place; return its descriptor."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o644)

    def open_read(self, path: Path) -> int:
        """Open a file for reading."""
        return os.open(path, os.O_RDONLY | _BINARY)

    def open_change(self, path: Path) -> int:
        """Open a file that exists for reading and writing in place."""
        return os.open(path, os.O_RDWR | _BINARY)

    def close(self, fd: int) -> None:
        """Give a descriptor back."""
        os.close(fd)

    def write_some(self, fd: int, buffers: Sequence[Buffer], position: int) -> int:
        """Write at `position` with one system call; return how many bytes were taken, possibly not all."""
        if sys.platform != "win32" and hasattr(os, "pwritev"):
            return os.pwritev(fd, buffers, position)
        with _seeking:
            os.lseek(fd, position, os.SEEK_SET)
            return os.write(fd, b"".join(buffers))

    def write_all(self, fd: int, buffers: Sequence[Buffer], position: int) -> int:
        """Write all buffers, one behind the other, from `position` on; return the position behind them."""
        index = 0
        while index < len(buffers):
            group = buffers[index : index + IOV_MAX]
            expected = sum(map(len, group))
            written = self.write_some(fd, group, position)
            position += written
            if written == expected:
                index += len(group)
                continue
            if written == 0:
                raise OSError(errno.EIO, "the device took no bytes")
            buffers = _rest(buffers[index:], written)
            index = 0
        return position

    def read_into(self, fd: int, buffer: memoryview, position: int) -> int:
        """Fill `buffer` from `position` on; return how many bytes there were: fewer only at the end of the file."""
        done = 0
        while done < len(buffer):
            if sys.platform != "win32" and hasattr(os, "preadv"):
                count = os.preadv(fd, [buffer[done:]], position + done)
            else:
                with _seeking:
                    os.lseek(fd, position + done, os.SEEK_SET)
                    chunk = os.read(fd, len(buffer) - done)
                count = len(chunk)
                buffer[done : done + count] = chunk
            if count == 0:
                break
            done += count
        return done

    def read_cached(self, fd: int, buffer: memoryview, position: int) -> bool:
        """Fill `buffer` if that needs no wait for the device; say whether it did. Unknown means no."""
        if sys.platform != "linux" or not hasattr(os, "preadv") or not hasattr(os, "RWF_NOWAIT"):
            return False
        try:
            return os.preadv(fd, [buffer], position, os.RWF_NOWAIT) == len(buffer)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _NO_SUPPORT:
                return False
            raise

    def datasync(self, fd: int) -> None:
        """Return when the file's bytes and its length are on the device. Lets other threads run."""
        if sys.platform != "darwin" and sys.platform != "win32" and hasattr(os, "fdatasync"):
            os.fdatasync(fd)
        else:
            flush(fd)

    def sync(self, fd: int) -> None:
        """Return when everything about the file is on the device, a shorter length too."""
        flush(fd)

    def sync_directory(self, path: Path) -> None:
        """Return when the directory's entries are on the device."""
        try:
            fd = os.open(path, os.O_RDONLY)
        except PermissionError:
            if sys.platform == "win32":
                return  # A directory cannot be opened there; its entries are journaled by the file system.
            raise
        try:
            self.sync(fd)
        finally:
            os.close(fd)

    def truncate(self, fd: int, length: int) -> None:
        """Set the file's length."""
        os.ftruncate(fd, length)

    def allocate(self, fd: int, position: int, length: int) -> bool:
        """Reserve space for a part of the file, which then reads as zeros; False where the file system cannot."""
        if sys.platform == "win32" or not hasattr(os, "posix_fallocate"):
            return False
        try:
            os.posix_fallocate(fd, position, length)
        except OSError as error:
            if error.errno in _NO_SUPPORT:
                return False
            raise
        return True

    def size(self, fd: int) -> int:
        """Return the file's length."""
        return os.fstat(fd).st_size

    def written_end(self, fd: int) -> int:
        """Return a position behind which there is only reserved space; the file's length where nobody can tell."""
        size = self.size(fd)
        if sys.platform == "win32" or not hasattr(os, "SEEK_HOLE"):
            return size
        try:
            hole = os.lseek(fd, 0, os.SEEK_HOLE)
            with contextlib.suppress(OSError):  # ENXIO: no data behind the hole, which is the usual case.
                os.lseek(fd, hole, os.SEEK_DATA)
                return size
        except OSError:
            return size
        return min(hole, size)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, replacing what has it."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file's name; its space is free when nobody has it open any more."""
        path.unlink()

    def make_directory(self, path: Path) -> bool:
        """Create a directory; False if it is there already."""
        try:
            path.mkdir(mode=0o700)  # Records are nobody else's business.
        except FileExistsError:
            return False
        return True

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        path.rmdir()


class UnflushedFiles(Files):
    """Files of which nothing has to outlive the system: what is flushed costs nothing, and promises nothing."""

    def datasync(self, fd: int) -> None:
        """Return at once."""

    def sync(self, fd: int) -> None:
        """Return at once."""

    def sync_directory(self, path: Path) -> None:
        """Return at once."""


def _rest(buffers: Sequence[Buffer], done: int) -> list[Buffer]:
    for index, buffer in enumerate(buffers):
        if done < len(buffer):
            return [memoryview(buffer)[done:], *buffers[index + 1 :]]
        done -= len(buffer)
    return []


def explained(error: OSError, doing: str, path: Path) -> str:
    """Return a sentence for people: what was tried, where, why it failed, and what to do where that is known."""
    sentence = f"could not {doing} in {path}: {error.strerror or error}"
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return sentence
    free = ""
    with contextlib.suppress(OSError):
        free = f" ({shutil.disk_usage(path if path.exists() else path.parent).free} bytes are free)"
    return f"{sentence}{free}; make room, the broker goes on by itself"
