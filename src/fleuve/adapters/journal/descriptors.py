"""Open files for reading, shared by threads: a bounded number of them, the least used one closed first."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from fleuve.adapters.journal.files import Files
from fleuve.adapters.journal.names import path_of

OPEN_MAX = 256
"""Files that stay open; a small part of the usual limit of 1,024 per process."""


class _Open:
    __slots__ = ("closing", "fd", "users")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.users = 0
        self.closing = False


class Descriptors:
    """Descriptors by object name. Names are never reused, so an open file never becomes stale; only unneeded."""

    def __init__(self, root: Path, files: Files, *, open_max: int = OPEN_MAX) -> None:
        self._root = root
        self._files = files
        self._open_max = open_max
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _Open] = OrderedDict()

    def is_open(self, object_name: str) -> bool:
        """Say whether using the object needs no system call to open it."""
        return object_name in self._open

    @contextlib.contextmanager
    def using(self, object_name: str) -> Iterator[int]:
        """Lend a descriptor; it stays open until it is given back. Raises OSError."""
        entry = self._take(object_name)
        try:
            yield entry.fd
        finally:
            with self._lock:
                entry.users -= 1
                unused = entry.closing and not entry.users
            if unused:
                self._files.close(entry.fd)

    def forget(self, object_name: str) -> None:
        """Close the object's file as soon as nobody reads it."""
        with self._lock:
            entry = self._open.pop(object_name, None)
            unused = entry is not None and self._retired(entry)
        if entry is not None and unused:
            self._files.close(entry.fd)

    def close(self) -> None:
        """Close everything that nobody reads; the rest when it is given back."""
        for object_name in list(self._open):
            self.forget(object_name)

    def _take(self, object_name: str) -> _Open:
        with self._lock:
            entry = self._open.get(object_name)
            if entry is not None:
                self._open.move_to_end(object_name)
                entry.users += 1
                return entry
        fd = self._files.open_read(path_of(self._root, object_name))
        surplus = []
        with self._lock:
            entry = self._open.get(object_name)
            if entry is None:
                entry = self._open[object_name] = _Open(fd)
            else:
                surplus.append(fd)  # Another thread was faster.
            entry.users += 1
            while len(self._open) > self._open_max:
                _, oldest = self._open.popitem(last=False)
                if self._retired(oldest):
                    surplus.append(oldest.fd)
        for fd in surplus:
            self._files.close(fd)
        return entry

    def _retired(self, entry: _Open) -> bool:
        entry.closing = True
        return entry.users == 0
