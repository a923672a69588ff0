"""SQLite's own files on a `Disk`: every write, flush and deletion of the database, its -wal and its rollback journal.

SQLite reaches its files through a VFS, a table of functions. This registers a copy of the system's own as the default
one, in the very library that Python's sqlite3 uses: it opens and deletes as the original does, and takes note. A file
below a watched directory gets a copy of the system's methods in which those that change something take note, too;
all others stay as they are. How a new catalog gets its name is watched as well. The -shm is memory that is mapped, and
nothing of it is meant to survive.

Flushes are not handed to the real device, so that tests are quick.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fleuve.adapters.sqlite import creation
from support.disk import Disk, Flush, FlushDirectory, Loss, Names, Resize, Write

_OK = 0
_IOERR = 10
_IOERR_DELETE_NOENT = _IOERR | 23 << 8
_OPEN_CREATE = 0x4
_NEW_JOURNAL = 0x800 | 0x4000 | 0x80000
"""Main journal, super-journal, -wal: the first flush of one flushes its directory, too (os_unix.c)."""

_Int, _Long, _Pointer = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
_XOpen = ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Pointer, _Int, _Pointer)
_XDelete = ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Int)
_XClose = ctypes.CFUNCTYPE(_Int, _Pointer)
_XWrite = ctypes.CFUNCTYPE(_Int, _Pointer, _Pointer, _Int, _Long)
_XTruncate = ctypes.CFUNCTYPE(_Int, _Pointer, _Long)
_XSync = ctypes.CFUNCTYPE(_Int, _Pointer, _Int)


class _Methods(ctypes.Structure):
    """sqlite3_io_methods; what stays as it is has no name of its own."""

    _fields_ = [
        ("iVersion", _Int),
        ("xClose", _Pointer),
        ("xRead", _Pointer),
        ("xWrite", _Pointer),
        ("xTruncate", _Pointer),
        ("xSync", _Pointer),
        ("others", _Pointer * 13),
    ]


class _File(ctypes.Structure):
    """The beginning of every sqlite3_file."""

    _fields_ = [("pMethods", ctypes.POINTER(_Methods))]


class _Vfs(ctypes.Structure):
    """sqlite3_vfs up to version 3."""

    _fields_ = [
        ("iVersion", _Int),
        ("szOsFile", _Int),
        ("mxPathname", _Int),
        ("pNext", _Pointer),
        ("zName", ctypes.c_char_p),
        ("pAppData", _Pointer),
        ("xOpen", _Pointer),
        ("xDelete", _Pointer),
        ("others", _Pointer * 14),
    ]


class _Open:
    """A file that SQLite has open below a watched directory."""

    def __init__(self, disk: Disk, path: Path, number: int, original: Any, *, flushes_directory: bool) -> None:
        self.disk = disk
        self.path = path
        self.number = number
        self.close = _XClose(original.xClose)
        self.write = _XWrite(original.xWrite)
        self.truncate = _XTruncate(original.xTruncate)
        self.flushes_directory = flushes_directory


class _Watch:
    """The VFS. There is one for the process, and it is never taken away again: connections may hold it."""

    def __init__(self) -> None:
        self.disks: list[Disk] = []
        self._files: dict[int, _Open] = {}
        self._tables: dict[int, _Methods] = {}
        """Changed copies of tables of methods, by the address of the original."""
        library = _library()
        library.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        system = library.sqlite3_vfs_find(None).contents
        self._open = _XOpen(system.xOpen)
        self._delete = _XDelete(system.xDelete)
        # Whatever SQLite may call must not be collected.
        self._calls = {
            "xOpen": _XOpen(_guarded(self._on_open)),
            "xDelete": _XDelete(_guarded(self._on_delete)),
            "xClose": _XClose(_guarded(self._on_close)),
            "xWrite": _XWrite(_guarded(self._on_write)),
            "xTruncate": _XTruncate(_guarded(self._on_truncate)),
            "xSync": _XSync(_guarded(self._on_sync)),
        }
        self._vfs = _Vfs.from_buffer_copy(system)
        self._vfs.zName = b"watched"
        self._vfs.xOpen = self._address("xOpen")
        self._vfs.xDelete = self._address("xDelete")
        assert library.sqlite3_vfs_register(ctypes.byref(self._vfs), 1) == _OK
        self._really_remove, self._really_publish = creation.remove, creation.publish
        creation.remove, creation.publish = self._on_remove, self._on_publish

    def _address(self, name: str) -> int:
        return ctypes.cast(self._calls[name], _Pointer).value or 0

    def _disk_of(self, path: Path) -> Disk | None:
        return next((disk for disk in self.disks if disk.has(path)), None)

    def _on_open(self, vfs: int, name: int | None, file: int, flags: int, flags_out: int | None) -> int:
        path = Path(os.fsdecode(ctypes.string_at(name))) if name else None
        disk = self._disk_of(path) if path else None
        if path is None or disk is None:
            return int(self._open(vfs, name, file, flags, flags_out))
        with disk.lock:
            disk.raise_if_dead()
            code = int(self._open(vfs, name, file, flags, flags_out))
            opened = _File.from_address(file)
            if code != _OK or not opened.pMethods:
                return code
            original = opened.pMethods.contents
            flushes_directory = bool(flags & _OPEN_CREATE and flags & _NEW_JOURNAL)
            self._files[file] = _Open(disk, path, disk.opened(path), original, flushes_directory=flushes_directory)
            opened.pMethods = ctypes.pointer(self._table(original))
            return code

    def _table(self, original: Any) -> _Methods:
        address = ctypes.addressof(original)
        table = self._tables.get(address)
        if table is None:
            table = self._tables[address] = _Methods.from_buffer_copy(original)
            for name in ("xClose", "xWrite", "xTruncate", "xSync"):
                setattr(table, name, self._address(name))
        return table

    def _on_delete(self, vfs: int, name: int, flush_directory: int) -> int:
        path = Path(os.fsdecode(ctypes.string_at(name)))
        disk = self._disk_of(path)
        if disk is None:
            return int(self._delete(vfs, name, flush_directory))
        with disk.lock:
            disk.raise_if_dead()
            code = int(self._delete(vfs, name, 0))
            if code == _OK:
                disk.do(Names(((disk.name(path), None),)))
                if flush_directory & 1:
                    disk.do(FlushDirectory(disk.name(path).parent))
            return code

    def _on_remove(self, path: Path) -> None:
        disk = self._disk_of(path)
        if disk is None or not path.exists():
            self._really_remove(path)
            return
        with disk.lock:
            disk.raise_if_dead()
            self._really_remove(path)
            disk.do(Names(((disk.name(path), None),)))

    def _on_publish(self, partial: Path, path: Path) -> None:
        disk = self._disk_of(path)
        if disk is None:
            self._really_publish(partial, path)
            return
        with disk.lock:
            disk.raise_if_dead()
            disk.do(Flush(disk.opened(partial), everything=True))
            partial.replace(path)
            disk.rename(partial, path)
            disk.do(FlushDirectory(disk.name(path).parent))

    def _on_close(self, file: int) -> int:
        return int(self._files.pop(file).close(file))

    def _on_write(self, file: int, content: int, size: int, position: int) -> int:
        opened = self._files[file]
        with opened.disk.lock:
            opened.disk.raise_if_dead()
            if opened.disk.before is not None:
                opened.disk.before("write")
            code = int(opened.write(file, content, size, position))
            if code == _OK:
                opened.disk.do(Write(opened.number, position, ctypes.string_at(content, size)))
            return code

    def _on_truncate(self, file: int, length: int) -> int:
        opened = self._files[file]
        with opened.disk.lock:
            opened.disk.raise_if_dead()
            code = int(opened.truncate(file, length))
            if code == _OK:
                opened.disk.do(Resize(opened.number, length))
            return code

    def _on_sync(self, file: int, flags: int) -> int:
        opened = self._files[file]
        with opened.disk.lock:
            opened.disk.raise_if_dead()
            if opened.disk.before is not None:
                try:
                    opened.disk.before("flush")
                except OSError:
                    opened.disk.fail_flush(opened.number, Loss())
                    raise
            # Whatever its flags say, it calls fdatasync where there is one.
            opened.disk.do(Flush(opened.number, everything=False))
            if opened.flushes_directory:
                opened.flushes_directory = False
                opened.disk.do(FlushDirectory(opened.disk.name(opened.path).parent))
            return _OK


def _guarded(call: Callable[..., int]) -> Callable[..., int]:
    """Return what SQLite may call: an OSError is an I/O error to it."""

    def guarded(*arguments: Any) -> int:
        try:
            return call(*arguments)
        except OSError:
            return _IOERR

    return guarded


def _library() -> Any:
    """Return the library that Python's sqlite3 uses; raise RuntimeError where it cannot be reached."""
    import _sqlite3

    candidates = [_sqlite3.__file__]
    maps = Path("/proc/self/maps")
    if maps.exists():
        candidates += [line.split()[-1] for line in maps.read_text().splitlines() if "libsqlite3" in line]
    for candidate in [*dict.fromkeys(reversed(candidates)), None]:
        library = ctypes.CDLL(candidate)
        if hasattr(library, "sqlite3_vfs_register"):
            library.sqlite3_libversion.restype = ctypes.c_char_p
            assert library.sqlite3_libversion().decode() == sqlite3.sqlite_version
            return library
    raise RuntimeError(
        "Python's SQLite is linked in such a way that it cannot be watched: use one with a libsqlite3.so"
    )


_watch: list[_Watch] = []


def watch(disk: Disk) -> None:
    """Tell `disk` what SQLite does below its directory, from now on."""
    if not _watch:
        _watch.append(_Watch())
    _watch[0].disks.append(disk)


@contextmanager
def watched(disk: Disk) -> Iterator[None]:
    """Tell `disk` what SQLite does below its directory."""
    watch(disk)
    try:
        yield
    finally:
        _watch[0].disks.remove(disk)
