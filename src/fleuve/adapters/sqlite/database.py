"""One SQLite file: a writer thread that groups commits, and a reader thread beside it.

The unit of work is a function that gets the connection: a whole transaction, never a statement. Works that wait
together share one commit (group commit); each is a savepoint, so one that raises undoes only itself. A commit is
flushed to the device if any work in it is durable; a relaxed one is not, and may be lost with the power, but only
together with everything after it (WAL, `synchronous=NORMAL`).

Two files depend on each other here: what a durable commit says may refer to bytes that the journal has written but
not flushed. `before_durable` flushes them first.

A commit that fails counts as unknown: only a later commit tells. If the flush of the WAL failed, the system may have
dropped what relaxed commits had written before it, and a second flush that succeeds proves nothing. So the WAL is
written again, byte for byte, before anything durable follows, and before it is copied back.
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

from fleuve.adapters.flushing import flush
from fleuve.adapters.sqlite.creation import make_if_missing
from fleuve.adapters.sqlite.migrations import migrate
from fleuve.base.errors import FleuveError
from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown, CorruptState, StoreUnavailable

T = TypeVar("T")

GROUP_WORKS_MAX = 256
"""Works in one commit: bounds how long the first of them waits for the others."""

CHECKPOINT_PAGES = 2_000
"""Pages in the WAL (8 MiB) from which the reader thread copies them back; it does not hold up the writer."""

CHECKPOINT_PAGES_MAX = 16_000
"""Pages in the WAL (64 MiB) from which the writer itself does it: the WAL is bounded."""

REWRITE_BYTES = 1 << 20
"""Of the WAL, written again at once."""

CHECKED_PAGES_MAX = 16_000
"""Pages in the file (64 MiB) up to which its structure is checked at the start: a tenth of a second."""

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
    elif isinstance(error, StoreUnavailable | OSError):
        wrapped = CatalogUnavailable(f"the catalog cannot be flushed: {error}")
    else:
        return error
    wrapped.__cause__ = error
    return wrapped


_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=NORMAL",
    # macOS: have flushes reach the device, not the drive's cache alone. No effect elsewhere.
    "fullfsync=ON",
    "checkpoint_fullfsync=ON",
    "wal_autocheckpoint=0",
    "foreign_keys=ON",
    "temp_store=MEMORY",
    "cache_size=-8000",
)

READERS_WAIT_MS = 100
"""How long commits wait for readers of old moments, such as a backup, to begin a WAL anew that has become large.

It goes on growing while they read. Nobody else writes, so that there is nothing else to wait for.
"""


class Database:
    """A SQLite file and the two threads that own its connections.

    `open` may block (it migrates); everything else is for the event loop it was opened on. `connection_class` is what
    SQLite's connections are made of. If it does not flush, a durable commit is one that outlives the process.
    """

    def __init__(
        self,
        path: Path,
        *,
        before_durable: Callable[[], None] | None = None,
        connection_class: type[sqlite3.Connection] = sqlite3.Connection,
        flushes: bool = True,
    ) -> None:
        self._path = path
        self._wal_path = path.with_name(path.name + "-wal")
        self._before_durable = before_durable
        self._connection_class = connection_class
        self._flushes = flushes
        self._connections: list[sqlite3.Connection] = []
        self._writes: SimpleQueue[_Work | None] = SimpleQueue()
        self._reads: SimpleQueue[_Work | Callable[[sqlite3.Connection], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._synchronous_full = False
        self._checkpointing = False
        self._wal_doubtful = False
        """A flush of the WAL failed, or may have: what is in it need not be on the device. Either thread sets it."""
        self._closed = False
        self.commits = 0
        self.commits_flushed = 0

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Open the file, bring its schema up to date and start the threads.

        Raises CorruptState where the file is damaged or was written by a newer version, CatalogUnavailable where it
        cannot be opened.
        """
        self._loop = loop
        try:
            make_if_missing(self._path, flushes=self._flushes)
            self._writer = self._connect()
            _check(self._writer)
            migrate(self._writer)
            self._writer.execute(f"PRAGMA busy_timeout={READERS_WAIT_MS}")
            self._reader = self._connect()
        except BaseException as error:
            self._close_connections()
            if isinstance(error, sqlite3.DatabaseError):
                raise _as_corrupt_at_open(error, self._path) from error
            if isinstance(error, OSError):
                raise _wrapped(error) from error
            raise
        for name, target in (("catalog-writer", self._write_forever), ("catalog-reader", self._read_forever)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _connect(self) -> sqlite3.Connection:
        # The check is off because a connection is opened by one thread and then belongs to another, for good.
        connection = sqlite3.connect(
            self._path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            factory=self._connection_class,
        )
        self._connections.append(connection)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        if not self._flushes:
            connection.execute("PRAGMA synchronous=OFF")
        return connection

    async def close(self) -> None:
        """Finish what is queued and close the file. The WAL is copied back, so that one file is left."""
        self._closed = True
        self._writes.put(None)
        self._reads.put(None)
        loop = asyncio.get_running_loop()
        for thread in self._threads:
            await loop.run_in_executor(None, thread.join)
        if self._threads:
            with contextlib.suppress(sqlite3.Error, OSError):
                self._trust_wal()
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._threads.clear()
        self._close_connections()

    def _close_connections(self) -> None:
        # The writer last: the last one to close copies the WAL back.
        while self._connections:
            self._connections.pop().close()

    def write(self, function: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> asyncio.Future[T]:
        """Run `function` as a transaction on the writer; works run in the order of these calls.

        Raises (through the future) what `function` raised, CatalogUnavailable where nothing happened, and
        CommitOutcomeUnknown where the commit itself failed. What a work raised because of works of the same commit
        counts no more if that commit failed: it gets the commit's error instead. Cancelling the future does not
        cancel the work.
        """
        return self._put(self._writes, function, durable=durable)

    def read(self, function: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `function` on the reader: it sees everything that was committed before this call, and one snapshot."""
        return self._put(self._reads, function, durable=False)

    def _put(
        self, queue: SimpleQueue[Any], function: Callable[[sqlite3.Connection], T], *, durable: bool
    ) -> asyncio.Future[T]:
        assert self._loop is not None
        work = _Work(function, durable=durable, future=self._loop.create_future())
        if self._closed:
            work.future.set_exception(CatalogUnavailable("the catalog is closed"))
        else:
            queue.put(work)
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
        """Run and commit a group. Never raises: nobody else would answer the works that wait."""
        durable = any(work.durable for work in group)
        try:
            if durable:
                self._trust_wal()
            self._set_synchronous(full=durable)
            self._writer.execute("BEGIN IMMEDIATE")
            self._run(group)
            if not self._writer.in_transaction:
                # SQLite gave the whole transaction up by itself: disk full, I/O error.
                raise CatalogUnavailable("the catalog gave up the transaction")
            if durable and self._before_durable is not None:
                self._before_durable()
        except BaseException as error:
            self._roll_back()
            _fail(group, _wrapped(error))
            return
        try:
            self._writer.execute("COMMIT")
        except BaseException as error:
            self._wal_doubtful = True
            self._roll_back()
            unknown = CommitOutcomeUnknown(f"the catalog's commit failed: {error}")
            unknown.__cause__ = error
            _fail(group, unknown)
            return
        self.commits += 1
        self.commits_flushed += durable

    def _run(self, group: list[_Work]) -> None:
        """Run the works, each as if it were alone: one that raises undoes only itself."""
        alone = len(group) == 1
        for work in group:
            if not self._writer.in_transaction:
                return
            if not alone:
                self._writer.execute("SAVEPOINT work")
            try:
                work.result = work.function(self._writer)
            except BaseException as error:
                work.error = _wrapped(error)
                if alone:
                    raise
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK TO work")
            if not alone and self._writer.in_transaction:
                self._writer.execute("RELEASE work")

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            # Where even this fails, the next BEGIN does, too: nothing is taken for done that is not.
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")

    def _set_synchronous(self, *, full: bool) -> None:
        if self._flushes and full != self._synchronous_full:
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
            self._trust_wal()
            pages = self._wal_path.stat().st_size // 4096
        except OSError:
            return
        if pages >= CHECKPOINT_PAGES_MAX:
            self._checkpoint(self._writer, "TRUNCATE")
        elif pages >= CHECKPOINT_PAGES:
            self._checkpointing = True
            self._reads.put(self._checkpoint_passively)

    def _checkpoint_passively(self, connection: sqlite3.Connection) -> None:
        self._checkpoint(connection, "PASSIVE")
        self._checkpointing = False

    def _checkpoint(self, connection: sqlite3.Connection, kind: str) -> None:
        if self._wal_doubtful:
            # Half of it copied back, and the other half lost with the power: that would be a damaged file.
            return
        try:
            connection.execute(f"PRAGMA wal_checkpoint({kind})")
        except sqlite3.Error:
            self._wal_doubtful = True

    def _trust_wal(self) -> None:
        """Write the WAL again and flush it if a flush of it failed. Raises OSError."""
        if not self._wal_doubtful:
            return
        self._wal_doubtful = False
        try:
            write_again(self._wal_path)
        except BaseException:
            self._wal_doubtful = True
            raise

    # -- the reader thread

    def _read_forever(self) -> None:
        while (work := self._reads.get()) is not None:
            if not isinstance(work, _Work):
                work(self._reader)
                continue
            try:
                self._reader.execute("BEGIN")
                work.result = work.function(self._reader)
            except BaseException as error:
                work.error = _wrapped(error)
            finally:
                if self._reader.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self._reader.execute("ROLLBACK")
            self._answer([work])


def write_again(path: Path) -> None:
    """Write what a file has once more, byte for byte, and flush it, if there is such a file. Raises OSError."""
    with contextlib.suppress(FileNotFoundError), path.open("r+b", buffering=0) as file:
        position = 0
        while data := file.read(REWRITE_BYTES):
            file.seek(position)
            position += file.write(data)
            file.seek(position)
        flush(file.fileno())


def _fail(group: list[_Work], error: BaseException) -> None:
    """Give a group that did not come about its error; a work whose own error does not depend on the others keeps it."""
    for work in group:
        if work.error is None or (
            isinstance(work.error, FleuveError) and not isinstance(work.error, CatalogUnavailable | CorruptState)
        ):
            work.error = error


def _settle(group: list[_Work]) -> None:
    for work in group:
        if work.future.done():
            continue
        if work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.result)


def _check(connection: sqlite3.Connection) -> None:
    """Raise DatabaseError if the file's structure is damaged.

    SQLite itself would tell only whoever needs the damaged page, and clients cannot be told what to do about it.
    """
    ((pages,),) = connection.execute("PRAGMA page_count")
    if pages <= CHECKED_PAGES_MAX:
        ((found,),) = connection.execute("PRAGMA quick_check(1)")
        if found != "ok":
            raise sqlite3.DatabaseError(f"malformed: {found}")


def _as_corrupt_at_open(error: sqlite3.DatabaseError, path: Path) -> BaseException:
    if any(word in str(error) for word in _CORRUPT):
        return CorruptState(
            f"the catalog {path} is damaged ({error}); restore it from a backup, or give another directory"
        )
    return CatalogUnavailable(f"the catalog {path} cannot be opened ({error}): check its owner and its mode")
