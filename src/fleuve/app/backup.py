"""A backup of a data directory, of a broker that is at work or one that is stopped: a data directory of its own.

**At work.** The catalog is copied first, as it is at one moment, and that moment is what the backup holds. Whatever was
acknowledged before it is in it: an acknowledgement comes after the commit. Then come the objects that it refers to.
They do not change, except for the journal file that grows, which is copied up to the catalog's last flush: what lies
behind it belongs to a later moment, whose topics and producer ids this catalog does not know, and a start would replay
it. An object may be gone before its turn came, merged into another: then a new moment is taken, and only what is
missing is copied. Each time that is less.

**Stopped**, maybe by a crash: the journal may know more than the catalog. The directory is locked and copied as it is;
the first start on the copy recovers, as one on the original would.

A broker that is starting has the lock, and its catalog is still behind the journal: so a sign of life is waited for
that only one that serves gives. The `format` file is written last, and nothing starts on a directory without it.
"""

from __future__ import annotations

import threading
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from fleuve.adapters.journal.copying import ObjectCopies
from fleuve.adapters.journal.directory import DataDirectory, write_format
from fleuve.adapters.journal.files import Files
from fleuve.adapters.journal.names import JournalName, journal_name
from fleuve.adapters.sqlite.backup import Snapshot, sign_of_life, take_snapshot
from fleuve.base.ids import Incarnation
from fleuve.ports.errors import CorruptState, StoreUnavailable

CATALOG = "catalog.sqlite"
PASSES_MAX = 20
LIFE_TIMEOUT_S = 30.0
"""A broker that serves renews its lease every few seconds."""
LOOK_S = 0.05


class BackedUp(NamedTuple):
    """What a backup holds."""

    objects: int
    size_bytes: int
    """Of the objects; the catalog comes beside them."""
    at_work: bool
    """Whether a broker was using the directory."""


def back_up(
    source: Path, target: Path, *, files: Files | None = None, life_timeout_s: float = LIFE_TIMEOUT_S
) -> BackedUp:
    """Copy the data directory `source` into `target`, a directory that is empty or not there; blocks.

    Raises StoreUnavailable, CatalogUnavailable and CorruptState, each with one line that says what to do.
    """
    files = files or Files()
    source, target = source.absolute(), target.absolute()
    held = DataDirectory.hold(source)
    try:
        _make_target(source, target)
        try:
            if held is None:
                _wait_for_life(source / CATALOG, life_timeout_s)
                sizes = _copy_at_work(source, target, files)
            else:
                sizes = _copy_stopped(source, target, files)
            ObjectCopies(source, target, files).sync_directories()
            write_format(files, target)
            files.sync_directory(target)
            files.sync_directory(target.parent)
        except OSError as error:
            raise StoreUnavailable(
                f"could not back up {source} to {target}: {error.strerror or error}; delete what was copied, and try "
                "again when there is room and both can be read and written"
            ) from error
    finally:
        if held is not None:
            held.close()
    return BackedUp(len(sizes), sum(sizes.values()), held is None)


def _make_target(source: Path, target: Path) -> None:
    # As the system finds them: the broker removes what it does not know below `segments`.
    inside, within = source.resolve(), target.resolve()
    if inside == within or inside in within.parents:
        raise StoreUnavailable(f"{target} lies in the data directory itself: name a directory outside of it")
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        occupied = any(target.iterdir())
    except (FileExistsError, NotADirectoryError):
        raise StoreUnavailable(f"{target} is a file, or lies below one: name a directory") from None
    except OSError as error:
        raise StoreUnavailable(f"{target} cannot be made: {error.strerror or error}: name another directory") from error
    if occupied:
        raise StoreUnavailable(f"{target} is not empty: name a new directory for each backup")


def _wait_for_life(catalog: Path, timeout_s: float) -> None:
    """Return when a broker has shown that it serves. Raises StoreUnavailable if it does not."""
    pause = threading.Event()
    began = perf_counter()
    first = sign_of_life(catalog)
    while sign_of_life(catalog) == first:
        if perf_counter() - began > timeout_s:
            raise StoreUnavailable(
                f"a process has {catalog.parent}, and does not serve yet: wait until /readyz says so, or stop it, and "
                "try again"
            )
        pause.wait(LOOK_S)


def _copy_at_work(source: Path, target: Path, files: Files) -> dict[str, int]:
    """Copy a moment of the directory; return the objects' sizes. Raises as `back_up` does, and OSError."""
    sizes: dict[str, int] = {}
    whole: set[str] = set()
    for _ in range(PASSES_MAX):
        snapshot = take_snapshot(source / CATALOG, target / CATALOG)
        copies = ObjectCopies(source, target, files)
        growing = _growing(snapshot)
        try:
            for name in snapshot.objects:
                if name not in whole:
                    sizes[name] = _copy_object(name, snapshot, copies)
                    if name not in growing:
                        whole.add(name)
        except FileNotFoundError:
            continue
        for name, end in snapshot.objects.items():
            if sizes[name] < end:
                raise CorruptState(
                    f"{source / name} cannot be read whole: the catalog refers to {end} bytes of it, and {sizes[name]} "
                    "are sound; look at the device, and restore from an earlier backup"
                )
        copies.remove_all_but(frozenset(snapshot.objects))
        return {name: sizes[name] for name in snapshot.objects}
    raise StoreUnavailable(
        f"files of {source} are deleted faster than they are copied: try again with a larger fleuve.garbage.grace.ms"
    )


def _growing(snapshot: Snapshot) -> set[str]:
    """Return the journal files that were, or may have been, appended to: the last one of each run of a broker."""
    last: dict[Incarnation, JournalName] = {}
    for journal in filter(None, map(journal_name, snapshot.objects)):
        if journal.incarnation in snapshot.flushes:
            last[journal.incarnation] = max(journal, last.get(journal.incarnation, journal))
    return {journal.object_name for journal in last.values()}


def _copy_object(name: str, snapshot: Snapshot, copies: ObjectCopies) -> int:
    journal = journal_name(name)
    if journal is None or journal.incarnation not in snapshot.flushes:
        return copies.whole(name)
    return copies.up_to_flush(journal, snapshot.flushes[journal.incarnation])


def _copy_stopped(source: Path, target: Path, files: Files) -> dict[str, int]:
    copies = ObjectCopies(source, target, files)
    if (source / CATALOG).exists():
        take_snapshot(source / CATALOG, target / CATALOG)
    return {name: copies.whole(name) for name in copies.names()}
