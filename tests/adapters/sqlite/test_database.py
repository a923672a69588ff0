"""The SQLite file's threads: what commits together, what a failure undoes, and what callers are told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from fleuve.adapters.sqlite import database as database_module
from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.queries import load
from fleuve.ports.errors import (
    CatalogUnavailable,
    CommitOutcomeUnknown,
    CorruptState,
    StoreUnavailable,
    VersionConflict,
)


class Failing(sqlite3.Connection):
    """A connection whose statements can be made to fail, before their effect or after it."""

    fails: dict[str, str]

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        wanted = getattr(self, "fails", {})
        if sql in wanted:
            when = wanted.pop(sql)
            if when == "after":
                super().execute(sql, *parameters)
            elif when == "given up":
                super().execute("ROLLBACK")
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *parameters)


@contextlib.asynccontextmanager
async def opened(path: Path, **options: Any) -> AsyncIterator[Database]:
    database = Database(path / "catalog.sqlite", **options)
    database.open(asyncio.get_running_loop())
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def database(tmp_path):
    async with opened(tmp_path, connection_class=Failing) as found:
        await found.write(lambda connection: connection.execute("CREATE TABLE t (value UNIQUE NOT NULL)"))
        yield found


def insert(*values: int) -> Callable[[sqlite3.Connection], int]:
    def work(connection: sqlite3.Connection) -> int:
        for value in values:
            connection.execute("INSERT INTO t VALUES (?)", (value,))
        return sum(values)

    return work


def count(connection: sqlite3.Connection) -> int:
    (number,) = connection.execute("SELECT COUNT(*) FROM t").fetchone()
    return int(number)


def values(connection: sqlite3.Connection) -> list[int]:
    return [value for (value,) in connection.execute("SELECT value FROM t ORDER BY value")]


def fail(error: BaseException) -> Callable[[sqlite3.Connection], Any]:
    def work(connection: sqlite3.Connection) -> Any:
        connection.execute("INSERT INTO t VALUES (-1)")
        raise error

    return work


def make_fail(database: Database, statement: str, when: str) -> None:
    connection = database._writer
    assert isinstance(connection, Failing)
    connection.fails = {statement: when}


@contextlib.asynccontextmanager
async def held_up(database: Database) -> AsyncIterator[None]:
    """Let the writer wait, so that all that is written here shares the next commit."""
    begun, go_on = threading.Event(), threading.Event()

    def wait(connection: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait()

    waiting = database.write(wait, durable=False)
    await asyncio.to_thread(begun.wait)
    try:
        yield
    finally:
        go_on.set()
        await waiting


# ---------------------------------------------------------------- groups


async def test_a_work_is_a_transaction_and_its_result_comes_back(database):
    assert await database.write(insert(1, 2)) == 3
    assert await database.read(values) == [1, 2]


async def test_works_that_wait_together_share_one_commit_in_the_order_they_came(database):
    before = database.commits
    async with held_up(database):
        writing = [database.write(lambda connection, n=n: (insert(n)(connection), count(connection))) for n in range(5)]
    assert await asyncio.gather(*writing) == [(n, n + 1) for n in range(5)]
    assert database.commits == before + 2


async def test_a_work_that_raises_undoes_only_itself(database):
    async with held_up(database):
        first, bad, last = (
            database.write(insert(1)),
            database.write(fail(VersionConflict("no"))),
            database.write(insert(2)),
        )
    assert [await first, await last] == [1, 2]
    with pytest.raises(VersionConflict):
        await bad
    assert await database.read(values) == [1, 2]


async def test_a_lone_work_that_raises_leaves_nothing(database):
    with pytest.raises(ZeroDivisionError):
        await database.write(fail(ZeroDivisionError()))
    assert await database.read(values) == []


async def test_even_an_error_that_is_no_exception_does_not_stop_the_writer(database):
    with pytest.raises(asyncio.CancelledError):
        await database.write(fail(asyncio.CancelledError()))
    assert await database.write(insert(1)) == 1


async def test_a_bug_in_sql_is_not_taken_for_an_outage(database):
    await database.write(insert(1))
    with pytest.raises(sqlite3.IntegrityError):
        await database.write(insert(1))


async def test_one_durable_work_makes_its_group_durable(database):
    before = database.commits_flushed
    await database.write(insert(1), durable=False)
    assert database.commits_flushed == before
    async with held_up(database):
        writing = [database.write(insert(2), durable=False), database.write(insert(3), durable=True)]
    await asyncio.gather(*writing)
    assert database.commits_flushed == before + 1
    await database.write(insert(4), durable=False)
    assert database.commits_flushed == before + 1


async def test_a_commit_that_nobody_waits_for_any_more_still_happens(database):
    async with held_up(database):
        given_up = database.write(insert(1))
        given_up.cancel()
        database.write(insert(2), durable=False)
    await database.write(insert(3))
    assert await database.read(values) == [1, 2, 3]


async def test_a_read_sees_one_snapshot_and_what_was_committed_before_it(database):
    begun, go_on = threading.Event(), threading.Event()

    def twice(connection: sqlite3.Connection) -> tuple[int, int]:
        first = count(connection)
        begun.set()
        go_on.wait()
        return first, count(connection)

    await database.write(insert(1), durable=False)
    reading = database.read(twice)
    await asyncio.to_thread(begun.wait)
    await database.write(insert(2), durable=False)
    go_on.set()
    assert await reading == (1, 1)
    assert await database.read(count) == 2


async def test_a_read_that_raises_does_not_stop_the_reader(database):
    def bad(connection: sqlite3.Connection) -> None:
        connection.execute("SELECT * FROM t")
        raise ValueError

    with pytest.raises(ValueError):
        await database.read(bad)
    assert await database.read(count) == 0


# ---------------------------------------------------------------- failures


async def test_what_a_durable_commit_depends_on_is_flushed_before_it(tmp_path):
    seen: list[int] = []
    async with opened(tmp_path, before_durable=lambda: seen.append(1)) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE t (value)"), durable=False)
        assert not seen
        await database.write(insert(1))
        assert seen == [1]


async def test_where_that_cannot_be_flushed_nothing_happened(tmp_path):
    failing = [False]

    def before() -> None:
        if failing[0]:
            raise StoreUnavailable("disk full")

    async with opened(tmp_path, before_durable=before) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE t (value)"))
        failing[0] = True
        async with held_up(database):
            writing = [database.write(insert(1), durable=False), database.write(insert(2))]
        for one in writing:
            # The catalog's own word: who writes to it knows nothing of the store.
            with pytest.raises(CatalogUnavailable, match="disk full") as caught:
                await one
            assert not isinstance(caught.value, CommitOutcomeUnknown)
        failing[0] = False
        assert await database.read(count) == 0
        assert await database.write(insert(3)) == 3


async def test_a_full_file_refuses_and_takes_more_once_there_is_room(database):
    def pages(connection: sqlite3.Connection, more: int) -> None:
        (number,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={number + more}")

    await database.write(lambda connection: pages(connection, 1))
    async with held_up(database):
        small = database.write(insert(1))
        large = database.write(lambda connection: connection.execute("INSERT INTO t VALUES (zeroblob(100000))"))
        later = database.write(insert(2))
    with pytest.raises(CatalogUnavailable, match="full"):
        await large
    # SQLite may give up the statement, or everything: either way what is said is what happened.
    done = [value for value, one in ((1, small), (2, later)) if (await asyncio.wait([one])) and one.exception() is None]
    assert await database.read(values) == done
    await database.write(lambda connection: pages(connection, 1_000))
    assert await database.write(insert(3)) == 3


@pytest.mark.parametrize("given_up_by", [0, 1, 2])
async def test_where_sqlite_gives_up_a_transaction_everybody_in_it_is_told(database, given_up_by):
    def give_up(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("disk I/O error")

    async with held_up(database):
        writing = [database.write(give_up if n == given_up_by else insert(n)) for n in range(3)]
    for one in writing:
        with pytest.raises(CatalogUnavailable):
            await one
    assert await database.read(values) == []
    assert await database.write(insert(7)) == 7


async def test_a_verdict_on_what_was_given_up_is_given_up_with_it(tmp_path):
    """The second work found a conflict with the first one, which then did not come about: there is none."""

    def conflict(connection: sqlite3.Connection) -> None:
        if count(connection):
            raise VersionConflict("taken")

    failing = [False]

    def before() -> None:
        if failing[0]:
            raise StoreUnavailable("disk full")

    async with opened(tmp_path, before_durable=before) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE t (value)"))
        failing[0] = True
        async with held_up(database):
            writing = [database.write(insert(1)), database.write(conflict)]
        for one in writing:
            with pytest.raises(CatalogUnavailable):
                await one


@pytest.mark.parametrize("when", ["before", "given up", "after"])
async def test_a_failed_commit_is_unknown_and_the_next_one_tells(database, when):
    make_fail(database, "COMMIT", when)
    with pytest.raises(CommitOutcomeUnknown):
        await database.write(insert(1))
    seen = await database.write(values)
    assert seen == ([1] if when == "after" else [])
    assert await database.read(values) == seen


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "SAVEPOINT work", "ROLLBACK TO work", "RELEASE work"])
async def test_the_writer_outlives_whatever_statement_fails(database, statement):
    async with held_up(database):
        make_fail(database, statement, "before")
        writing = [database.write(insert(1)), database.write(fail(VersionConflict("no"))), database.write(insert(2))]
    for one in writing:
        with pytest.raises(CatalogUnavailable):
            await one
    assert await database.read(values) == []
    assert await database.write(insert(3)) == 3


async def test_after_a_failed_flush_the_wal_is_written_again_before_anything_durable(database, monkeypatch):
    """A second flush that succeeds proves nothing about what relaxed commits had written before the first."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    wal = database._wal_path
    make_fail(database, "COMMIT", "given up")
    with pytest.raises(CommitOutcomeUnknown):
        await database.write(insert(1))
    before = await asyncio.to_thread(wal.read_bytes)
    await database.write(insert(2), durable=False)
    assert not synced
    assert await database.write(insert(3)) == 3
    assert len(synced) == 1
    after = await asyncio.to_thread(wal.read_bytes)
    assert after[: len(before)] == before
    assert await database.read(values) == [2, 3]
    await database.write(insert(4))
    assert len(synced) == 1


async def test_as_long_as_the_wal_cannot_be_written_again_nothing_durable_is_taken(database, monkeypatch):
    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    make_fail(database, "COMMIT", "given up")
    with pytest.raises(CommitOutcomeUnknown):
        await database.write(insert(1))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        for _ in range(2):
            with pytest.raises(CatalogUnavailable, match="Input/output"):
                await database.write(insert(2))
        assert await database.write(insert(3), durable=False) == 3
    assert await database.write(insert(4)) == 4
    assert await database.read(values) == [3, 4]


# ---------------------------------------------------------------- the end, and the next start


async def test_closing_finishes_what_is_queued_and_leaves_one_file(tmp_path):
    database = Database(tmp_path / "catalog.sqlite")
    database.open(asyncio.get_running_loop())
    await database.write(lambda connection: connection.execute("CREATE TABLE t (value)"))
    async with held_up(database):
        writing = [database.write(insert(n)) for n in range(5)]
        closing = asyncio.ensure_future(database.close())
        await asyncio.sleep(0)
        late = [database.write(insert(99)), database.read(count)]
    await closing
    assert [await one for one in writing] == list(range(5))
    for one in late:
        with pytest.raises(CatalogUnavailable, match="closed"):
            await one
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.sqlite"]
    async with opened(tmp_path) as again:
        assert await again.read(values) == list(range(5))


async def test_the_wal_is_copied_back_while_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(database_module, "CHECKPOINT_PAGES", 8)
    monkeypatch.setattr(database_module, "CHECKPOINT_PAGES_MAX", 64)
    async with opened(tmp_path) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE t (value)"))
        for n in range(600):
            await database.write(insert(n), durable=False)
        # One commit is one page at least.
        assert database._wal_path.stat().st_size < 300 * 4096
        assert await database.read(count) == 600


async def test_who_reads_an_old_moment_for_long_does_not_hold_up_commits(tmp_path, monkeypatch):
    monkeypatch.setattr(database_module, "CHECKPOINT_PAGES", 8)
    monkeypatch.setattr(database_module, "CHECKPOINT_PAGES_MAX", 64)
    async with opened(tmp_path) as database:
        await database.write(lambda connection: connection.execute("CREATE TABLE t (value)"))
        with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as backup:
            backup.execute("BEGIN")
            assert count(backup) == 0
            # Where each beginning of a new WAL waits SQLite's usual five seconds, these take a minute and a half.
            for n in range(1200):
                await database.write(insert(n), durable=False)
            assert count(backup) == 0
            assert database._wal_path.stat().st_size >= 1200 * 4096
        for n in range(200):
            await database.write(insert(n), durable=False)
        assert database._wal_path.stat().st_size < 300 * 4096


async def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "catalog.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(CorruptState, match=r"catalog\.sqlite"):
        async with opened(tmp_path):
            pass


async def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "catalog.sqlite").mkdir()
    with pytest.raises(CatalogUnavailable, match=r"catalog\.sqlite"):
        async with opened(tmp_path):
            pass


def change_schema_version(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path / "catalog.sqlite")) as connection:
        connection.execute(statement)
        connection.commit()


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    async with opened(tmp_path):
        pass
    change_schema_version(tmp_path, "INSERT INTO schema_version VALUES (9999, 'future', '')")
    with pytest.raises(CorruptState, match="newer version"):
        async with opened(tmp_path):
            pass


async def test_a_schema_change_whose_text_has_changed_is_noticed(tmp_path):
    async with opened(tmp_path):
        pass
    change_schema_version(tmp_path, "UPDATE schema_version SET checksum = 'other' WHERE number = 1")
    with pytest.raises(CorruptState, match="differs"):
        async with opened(tmp_path):
            pass


async def test_missing_schema_changes_are_made_up_for_all_or_none(tmp_path):
    async with opened(tmp_path):
        pass
    # The table is there already: making it again fails, and nothing else is left half done.
    change_schema_version(tmp_path, "DELETE FROM schema_version WHERE number = 1")
    with pytest.raises(CatalogUnavailable):
        async with opened(tmp_path):
            pass
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        assert not connection.execute("SELECT 1 FROM schema_version WHERE number = 1").fetchall()


def test_every_query_can_be_prepared(tmp_path):
    """A statement that names a table or a column wrongly is found here, and not by a user."""
    aggregates = ("log", "topics", "groups", "brokers", "producers", "configs", "maintenance")
    loop = asyncio.new_event_loop()
    database = Database(tmp_path / "catalog.sqlite")
    database.open(loop)
    try:
        for aggregate in aggregates:
            for name, sql in load(aggregate).items():
                statement = "".join(line for line in sql.splitlines(keepends=True) if not line.startswith("--"))
                parameters: Any = [0] * statement.count("?") if "?" in statement else _Zeros()
                plan = database._writer.execute(f"EXPLAIN {statement}", parameters).fetchall()
                assert plan, f"{aggregate}: {name}"
    finally:
        loop.run_until_complete(database.close())
        loop.close()


class _Zeros(dict[str, int]):
    def __missing__(self, key: str) -> int:
        return 0


async def test_a_file_that_nobody_keeps_is_never_flushed(tmp_path):
    def synchronous(connection: sqlite3.Connection) -> int:
        return int(connection.execute("PRAGMA synchronous").fetchone()[0])

    async with opened(tmp_path, flushes=False) as kept_by_nobody:
        assert await kept_by_nobody.write(synchronous, durable=True) == 0
        assert await kept_by_nobody.read(synchronous) == 0
