"""A copy of the catalog of a broker that may be at work: one moment of it, and what that moment refers to."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

from fleuve.adapters.flushing import flush
from fleuve.adapters.sqlite.queries import load
from fleuve.base.ids import Incarnation
from fleuve.ports.errors import CatalogUnavailable, CorruptState

T = TypeVar("T")

BUSY_TIMEOUT_S = 10.0


class Snapshot(NamedTuple):
    """What a copy of the catalog says about the store."""

    objects: Mapping[str, int]
    """The objects that hold records, each with the position behind the last of them."""
    flushes: Mapping[Incarnation, int]
    """The last flush that is committed, for each run of a broker that has not ended."""


def take_snapshot(catalog: Path, copy: Path) -> Snapshot:
    """Copy the catalog as it is at one moment of this call, durably. Raises CatalogUnavailable, CorruptState."""

    def work() -> Snapshot:
        copy.unlink(missing_ok=True)
        with _opened(catalog, "ro") as source, contextlib.closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        # Asked of the copy: it is the moment that counts.
        with _opened(copy, "ro") as target:
            objects = dict(target.execute(load("backup")["objects"]))
            flushes = {Incarnation(number): last for number, last in target.execute(load("backup")["running"])}
        for suffix in ("-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        fd = os.open(copy, os.O_RDWR)
        try:
            flush(fd)
        finally:
            os.close(fd)
        return Snapshot(objects, flushes)

    return _told(catalog, work)


def sign_of_life(catalog: Path) -> tuple[int, int] | None:
    """Return something that changes every few seconds while a broker serves.

    Raises CatalogUnavailable, CorruptState.
    """

    def work() -> tuple[int, int] | None:
        with _opened(catalog, "ro") as connection:
            found: tuple[int, int] | None = connection.execute(load("backup")["sign_of_life"]).fetchone()
        return found

    return _told(catalog, work)


@contextlib.contextmanager
def _opened(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
        yield connection


def _told(catalog: Path, work: Callable[[], T]) -> T:
    try:
        return work()
    except sqlite3.OperationalError as error:
        raise CatalogUnavailable(
            f"the catalog {catalog} cannot be copied: {error}; check its owner and space"
        ) from error
    except sqlite3.DatabaseError as error:
        raise CorruptState(f"the catalog {catalog} is damaged ({error}); restore it from a backup") from error
    except OSError as error:
        raise CatalogUnavailable(f"the catalog {catalog} cannot be copied: {error}") from error
