"""A catalog is made under another name, and gets its own when all of it is on the device.

SQLite writes the first page of a file, and the change to a WAL, beside the WAL. A start that was killed in the middle
of it, a second one that went on and a power cut would leave a file that is no database.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

from fleuve.adapters.flushing import flush
from fleuve.adapters.sqlite.migrations import migrate
from fleuve.ports.errors import CorruptState

_LEFT_OVER = ("", "-journal", "-wal", "-shm")


def make_if_missing(path: Path, *, flushes: bool = True) -> None:
    """Make the catalog if it is not there; blocks for two flushes, if it flushes.

    Raises CorruptState where a part of one is there, OSError and sqlite3.Error where it cannot be made.
    """
    if path.exists():
        return
    wal_path = path.with_name(f"{path.name}-wal")
    if wal_path.exists():
        raise CorruptState(
            f"{wal_path} is there and {path.name} is not: a part of the catalog is lost; restore it from a backup, or "
            "give another directory"
        )
    partial = path.with_name(f"{path.name}.partial")
    for suffix in _LEFT_OVER:
        remove(partial.with_name(partial.name + suffix))
    connection = sqlite3.connect(partial, isolation_level=None)
    try:
        # Nothing of it counts before it has its name.
        connection.execute("PRAGMA synchronous=OFF")
        migrate(connection)
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
    if flushes:
        publish(partial, path)
    else:
        partial.replace(path)


def remove(path: Path) -> None:
    """Remove a file if it is there. Raises OSError."""
    path.unlink(missing_ok=True)


def publish(partial: Path, path: Path) -> None:
    """Give a file its name when it is on the device; return when the name is, too. Raises OSError."""
    with partial.open("r+b", buffering=0) as file:
        flush(file.fileno())
    partial.replace(path)
    if sys.platform == "win32":
        return  # A directory cannot be opened there; its entries are journaled by the file system.
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        flush(fd)
    finally:
        os.close(fd)
