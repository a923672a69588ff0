"""One SQLite file: a writer thread that groups commits, and a reader thread beside it.

The unit of work is a function that gets the connection: a whole transaction, never a statement. Works that wait
together share one commit (group commit); each is a savepoint, so one that raises undoes only itself. A commit is
flushed to the device if any work in it is durable; a relaxed one is not, and may be lost with the power, but only
together with everything after it (WAL, `synchronous=NORMAL`).

Two files depend on each other here: what a durable commit says may refer to bytes that the journal has written but
not flushed. `before_durable` flushes them first.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar, cast

from fleuve.adapters.sqlite.migrations import migrate
from fleuve.base.errors import FleuveError
from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown, CorruptState

T = TypeVar("T")

GROUP_WORKS_MAX = 256
"""Works in one commit: bounds how long the first of them waits for the others."""

CHECKPOINT_PAGES = 2_000
"""Pages in the WAL (8 MiB) from which the reader thread copies them back; it does not hold up the writer."""

CHECKPOINT_PAGES_MAX = 16_000
"""Pages in the WAL (64 MiB) from which the writer itself does it: the WAL is bounded."""

_CORRUPT = ("malformed", "not a database", "disk I/O error: corrupt")


class _Work:
    __slots__ = ("durable", "error", "function", "future", "result")

    def __init__(self, function: Callable[[sqlite3.Connection], Any], *, durable: bool, future: asyncio.Future[Any]):
        self.function = function
        self.durable = durable
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None


def _wrapped(error: BaseException) -> BaseException:
    """Return the error as a port may raise it."""
    if isinstance(error, sqlite3.DatabaseError) and any(word in str(error) for word in _CORRUPT):
        wrapped: FleuveError = CorruptState(f"the catalog is damaged: {error}")
    elif isinstance(error, sqlite3.OperationalError):
        wrapped = CatalogUnavailable(f"the catalog refused: {error}")
    else:
        return error
    wrapped.__cause__ = error
    return wrapped


def _connect(path: Path) -> sqlite3.Connection:
    # The check is off because a connection is opened by one thread and then belongs to another, for good.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint=0")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA temp_store=MEMORY")
    connection.execute("PRAGMA cache_size=-8000")
    return connection


class Database:
    """A SQLite file and the two threads that own its connections.

    `open` may block (it migrates); everything else is for the event loop it was opened on.
    """

    def __init__(self, path: Path, *, before_durable: Callable[[], None] | None = None) -> None:
        self._path = path
        self._before_durable = before_durable
        self._writes: SimpleQueue[_Work | None] = SimpleQueue()
        self._reads: SimpleQueue[_Work | Callable[[sqlite3.Connection], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._synchronous_full = False
        self._checkpointing = False
        self.commits = 0
        self.commits_flushed = 0

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open the file, bring its schema up to date and start the threads.

        Raises CorruptState where the file is damaged or was written by a newer version, CatalogUnavailable where it
        cannot be opened.
        """
        self._loop = loop
        try:
            self._writer = _connect(self._path)
            migrate(self._writer)
            self._reader = _connect(self._path)
        except sqlite3.DatabaseError as error:
            raise _wrapped(_as_corrupt_at_open(error, self._path)) from error
        for name, target in (("catalog-writer", self._write_forever), ("catalog-reader", self._read_forever)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    async def close(self) -> None:
        """Finish what is queued and close the file. The WAL is copied back, so that one file is left."""
        self._writes.put(None)
        self._reads.put(None)
        loop = asyncio.get_running_loop()
        for thread in self._threads:
            await loop.run_in_executor(None, thread.join)
        if self._threads:
            self._reader.close()
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.close()
        self._threads.clear()

    def write(self, function: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> asyncio.Future[T]:
        """Run `function` as a transaction on the writer; works run in the order of these calls.

        Raises (through the future) what `function` raised, CatalogUnavailable where nothing happened, and
        CommitOutcomeUnknown where the commit itself failed. Cancelling the future does not cancel the work.
        """
        assert self._loop is not None
        work = _Work(function, durable=durable, future=self._loop.create_future())
        self._writes.put(work)
        return cast("asyncio.Future[T]", work.future)

    def read(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `function` on the reader: it sees everything that was committed before this call, and one snapshot."""
        assert self._loop is not None
        work = _Work(function, durable=False, future=self._loop.create_future())
        self._reads.put(work)
        return cast("asyncio.Future[T]", work.future)

    # -- the writer thread

    def _write_forever(self) -> None:
        while True:
            first = self._writes.get()
            if first is None:
                return
            group = [first]
            stopping = False
            while len(group) < GROUP_WORKS_MAX and not self._writes.empty():
                work = self._writes.get()
                if work is None:
                    stopping = True
                    break
                group.append(work)
            self._commit_group(group)
            self._answer(group)
            if stopping:
                return
            self._checkpoint_if_due()

    def _commit_group(self, group: list[_Work]) -> None:
        durable = any(work.durable for work in group)
        try:
            self._set_synchronous(full=durable)
            self._writer.execute("BEGIN IMMEDIATE")
        except BaseException as error:
            for work in group:
                work.error = _wrapped(error)
            return
        if len(group) == 1:
            self._run_alone(group[0])
        else:
            self._run_with_savepoints(group)
        if not self._writer.in_transaction:
            # SQLite gave the whole transaction up by itself (disk full, I/O error): nothing of the group happened.
            for work in group:
                work.error = work.error or CatalogUnavailable("the catalog gave up a transaction this one was part of")
            return
        self._commit(group, durable=durable)

    def _run_alone(self, work: _Work) -> None:
        try:
            work.result = work.function(self._writer)
        except BaseException as error:
            work.error = _wrapped(error)
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")

    def _run_with_savepoints(self, group: list[_Work]) -> None:
        for work in group:
            if not self._writer.in_transaction:
                return
            self._writer.execute("SAVEPOINT work")
            try:
                work.result = work.function(self._writer)
            except BaseException as error:
                work.error = _wrapped(error)
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK TO work")
            if self._writer.in_transaction:
                self._writer.execute("RELEASE work")

    def _commit(self, group: list[_Work], *, durable: bool) -> None:
        try:
            if durable and self._before_durable is not None:
                self._before_durable()
        except BaseException as error:
            self._writer.execute("ROLLBACK")
            for work in group:
                work.error = work.error or _wrapped(error)
            return
        try:
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            unknown = CommitOutcomeUnknown(f"the catalog's commit failed: {error}")
            unknown.__cause__ = error
            for work in group:
                work.error = work.error or unknown
            if self._writer.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._writer.execute("ROLLBACK")
            return
        self.commits += 1
        self.commits_flushed += durable

    def _set_synchronous(self, *, full: bool) -> None:
        if full != self._synchronous_full:
            self._writer.execute(f"PRAGMA synchronous={'FULL' if full else 'NORMAL'}")
            self._synchronous_full = full

    def _answer(self, group: list[_Work]) -> None:
        assert self._loop is not None
        # A closed loop means that nobody is left to be told.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_settle, group)

    # -- checkpoints

    def _checkpoint_if_due(self) -> None:
        # Every commit appends to the WAL; only a checkpoint lets it start again from its beginning.
        if self.commits % 64 or self._checkpointing:
            return
        try:
            pages = self._path.with_name(self._path.name + "-wal").stat().st_size // 4096
        except OSError:
            return
        if pages >= CHECKPOINT_PAGES_MAX:
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        elif pages >= CHECKPOINT_PAGES:
            self._checkpointing = True
            self._reads.put(self._checkpoint_passively)

    def _checkpoint_passively(self, connection: sqlite3.Connection) -> None:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._checkpointing = False

    # -- the reader thread

    def _read_forever(self) -> None:
        while (work := self._reads.get()) is not None:
            if not isinstance(work, _Work):
                work(self._reader)
                continue
            try:
                self._reader.execute("BEGIN")
                try:
                    work.result = work.function(self._reader)
                finally:
                    self._reader.execute("COMMIT")
            except BaseException as error:
                work.error = _wrapped(error)
            self._answer([work])


def _settle(group: list[_Work]) -> None:
    for work in group:
        if work.future.done():
            continue
        if work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.result)


def _as_corrupt_at_open(error: sqlite3.DatabaseError, path: Path) -> BaseException:
    if any(word in str(error) for word in _CORRUPT):
        return CorruptState(
            f"the catalog {path} is damaged ({error}); restore it from a backup, or give another directory"
        )
    return CatalogUnavailable(f"the catalog {path} cannot be opened: {error}")
