"""Failures of the disk as whoever uses the local store sees them: what is said, and that it goes on."""

import asyncio
import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from fleuve.base.log import SilentLogger
from fleuve.ports.errors import CorruptState, StoreUnavailable
from fleuve.ports.store import Range
from support.faulty_files import FaultyFiles
from support.journals import FIRST, History, body_of, flush_id, journal_store, power_cut_files, scanned, scanned_again

SEGMENT = "segments/1/0-1.segment"


def write(store, number, *, durable=True, size=300):
    return store.write(flush_id(number), b"", [body_of(number, size)], durable=durable)


async def test_a_full_disk_is_told_with_what_where_and_how_much_and_then_it_goes_on(tmp_path):
    files = FaultyFiles()
    async with journal_store(tmp_path, files) as store:
        await write(store, 1)
        files.fail("write", code=errno.ENOSPC, lasting=True)
        for number in (2, 3, 4):
            with pytest.raises(StoreUnavailable, match=r"No space left.*\(\d+ bytes are free\); make room, the broker"):
                await write(store, number)
        files.recover()
        await write(store, 5)
        assert await scanned(store) == {1: body_of(1), 5: body_of(5)}


async def test_a_disk_that_stays_full_is_not_littered_with_files(tmp_path):
    files = FaultyFiles()
    async with journal_store(tmp_path, files) as store:
        await write(store, 1)
        files.fail("write", code=errno.ENOSPC, lasting=True)
        for number in range(2, 30):
            with pytest.raises(StoreUnavailable):
                await write(store, number)
        assert len(await store.list()) == 1


async def test_too_little_space_to_reserve_is_no_reason_not_to_write(tmp_path):
    files = FaultyFiles()
    files.fail("allocate", code=errno.ENOSPC, lasting=True)
    async with journal_store(tmp_path, files) as store:
        for number in range(1, 40):
            await write(store, number)
        assert len(await scanned(store)) == 39


async def test_a_write_that_the_system_takes_in_pieces_is_whole(tmp_path):
    class Slow(FaultyFiles):
        def write_some(self, fd, buffers, position):
            return os.pwrite(fd, b"".join(buffers)[:100], position)

    async with journal_store(tmp_path, Slow()) as store:
        for number in range(1, 4):
            await write(store, number, size=1000)
        assert await scanned(store) == {number: body_of(number, 1000) for number in (1, 2, 3)}


async def test_a_failed_flush_fails_everything_that_shared_it_and_nothing_else(tmp_path):
    files = FaultyFiles()
    async with journal_store(tmp_path, files) as store:
        await write(store, 1)
        files.fail("datasync")
        writes = [asyncio.ensure_future(write(store, number, durable=number == 3)) for number in (2, 3)]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert any(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
        await write(store, 4)
        found = await scanned(store)
        assert found.keys() >= {1, 4}
        assert all(
            (number in found) == (not isinstance(outcome, Exception))
            for number, outcome in zip((2, 3), outcomes, strict=True)
        )


async def test_a_failure_is_logged_only_where_the_cut_failed_too(tmp_path):
    class Heard(SilentLogger):
        def __init__(self):
            self.errors = []

        def error(self, event, /, **fields):
            self.errors.append((event, fields))

    logger = Heard()
    files = FaultyFiles()
    async with journal_store(tmp_path, files, logger=logger) as store:
        await write(store, 1)
        files.fail("datasync", then="truncate")
        with pytest.raises(StoreUnavailable):
            await write(store, 2)
        ((event, fields),) = logger.errors
        assert event == "a journal file could not be cut; the next one voids its end"
        assert fields["position"] < (tmp_path / "journal" / "0000000001-00000001.journal").stat().st_size
        await write(store, 3)
        assert list(await scanned(store)) == [1, 3]


async def test_acknowledged_page_cache_extents_stay_readable_after_a_failed_flush(tmp_path):
    files = FaultyFiles()
    history = History()
    async with journal_store(tmp_path, files) as store:
        await history.write(store, durable=False)
        files.fail("datasync", lasting=True)
        assert not await history.sync(store)
        assert not await history.sync(store)
        await history.check_reads(store)
        files.recover()
        assert await history.sync(store)
        await history.check_reads(store)


async def test_nothing_durable_is_acknowledged_while_older_bytes_are_in_doubt(tmp_path):
    files = FaultyFiles()
    history = History()
    async with journal_store(tmp_path, files) as store:
        await history.write(store, durable=False)
        files.fail("datasync", lasting=True)
        assert not await history.sync(store)
        assert not await history.write(store, durable=True)
        with pytest.raises(StoreUnavailable):
            await asyncio.to_thread(store.sync_now)
        files.recover()
        await asyncio.to_thread(store.sync_now)
        assert await history.write(store, durable=True)


async def test_one_flush_covers_a_whole_group(tmp_path):
    files = FaultyFiles()
    async with journal_store(tmp_path, files) as store:
        await write(store, 1)
        held = asyncio.get_running_loop().create_future()
        blocker = store._journal.call(lambda: asyncio.run_coroutine_threadsafe(_wait(held), held.get_loop()).result())
        writes = [asyncio.ensure_future(write(store, number)) for number in range(2, 12)]
        await asyncio.sleep(0)
        flushes, calls = files.calls["datasync"], files.calls["write"]
        held.set_result(None)
        await asyncio.gather(blocker, *writes)
        assert files.calls["datasync"] == flushes + 1
        assert files.calls["write"] == calls + 1


async def _wait(future):
    await future


async def test_a_page_cache_write_flushes_nothing_and_a_sync_of_nothing_neither(tmp_path):
    files = FaultyFiles()
    async with journal_store(tmp_path, files) as store:
        await write(store, 1)
        flushes = files.calls["datasync"]
        await write(store, 2, durable=False)
        assert files.calls["datasync"] == flushes
        await store.sync()
        await store.sync()
        await asyncio.to_thread(store.sync_now)
        assert files.calls["datasync"] == flushes + 1


async def test_an_incarnation_that_wrote_here_before_is_refused(tmp_path):
    async with journal_store(tmp_path) as store:
        await write(store, 1)
    async with journal_store(tmp_path, incarnation=None) as store:
        with pytest.raises(CorruptState, match="the catalog is older than the journal"):
            await store.begin(FIRST)


async def test_a_fresh_journal_takes_little_of_the_disk_and_a_closed_one_no_more_than_it_holds(tmp_path):
    async with journal_store(tmp_path, preallocate_bytes=8 << 20) as store:
        placed = await write(store, 1)
        path = tmp_path / placed.object_name
        assert path.stat().st_size == 8 << 20
        assert (await store.list())[0].size_bytes == placed.position + 300
    assert path.stat().st_size == placed.position + 300


async def test_space_that_a_killed_broker_had_reserved_is_given_back(tmp_path):
    files = FaultyFiles()
    async with journal_store(tmp_path, files, preallocate_bytes=8 << 20) as store:
        placed = await write(store, 1)
        files.kill()
    path = tmp_path / placed.object_name
    assert path.stat().st_size == 8 << 20
    async with journal_store(tmp_path, incarnation=2):
        assert placed.position + 300 <= path.stat().st_size < 1 << 20
    assert await scanned_again(tmp_path) == {1: body_of(1)}


async def test_old_files_are_not_read_again_where_nothing_in_them_is_asked_for(tmp_path):
    async with journal_store(tmp_path, journal_file_bytes=1000) as store:
        for number in range(1, 31):
            await write(store, number)
    opened = []

    class Watched(FaultyFiles):
        def read_into(self, fd, buffer, position):
            opened.append(len(buffer))
            return super().read_into(fd, buffer, position)

    async with journal_store(tmp_path, Watched(), incarnation=None) as store:
        assert list(await scanned(store, after=28)) == [29, 30]
        infos = await store.list()
        ends = [await store.valid_end(info.name) for info in infos]
    assert ends == [info.size_bytes for info in infos]
    assert len(infos) >= 10
    # An opening of each file for either look, and the last files themselves.
    assert len(opened) <= 2 * len(infos) + 6


@pytest.mark.parametrize("kind", ["open_new", "write", "sync", "rename", "sync_directory"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_segment_that_could_not_be_written_leaves_nothing(tmp_path, kind, after):
    files = FaultyFiles()
    async with journal_store(tmp_path, files) as store:
        await store.write_segment("segments/1/other.segment", [b"other"])
        files.fail(kind, code=errno.ENOSPC, after=after)
        with pytest.raises(StoreUnavailable, match="could not write a segment in .*0-1.segment: No space left"):
            await store.write_segment(SEGMENT, [b"body"])
        assert [info.name for info in await store.list()] == ["segments/1/other.segment"]
        assert [path.name for path in (tmp_path / "segments" / "1").iterdir()] == ["other.segment"]
        assert await store.write_segment(SEGMENT, [b"body"]) == 4


@pytest.mark.parametrize("killed", [False, True])
async def test_a_folder_whose_name_was_not_flushed_is_flushed_before_a_segment_in_it_is_told_to_be_there(
    tmp_path, killed
):
    files = power_cut_files(tmp_path)
    async with journal_store(tmp_path, files) as store:
        files.fail("sync_directory")
        with pytest.raises(StoreUnavailable):
            await store.write_segment(SEGMENT, [b"body"])
        if not killed:
            await store.write_segment(SEGMENT, [b"body"])
            files.cut()
        files.kill()
    if killed:
        files.revive()
        async with journal_store(tmp_path, files, incarnation=None) as store:
            await store.write_segment(SEGMENT, [b"body"])
            files.cut()
    assert (tmp_path / SEGMENT).read_bytes() == b"body"


async def test_a_segment_whose_chunks_fail_leaves_nothing(tmp_path):
    def chunks():
        yield b"begin"
        raise CorruptState("the source is damaged")

    async with journal_store(tmp_path) as store:
        with pytest.raises(CorruptState):
            await store.write_segment(SEGMENT, chunks())
        assert await store.list() == []


async def test_half_written_segments_of_a_killed_broker_are_removed(tmp_path):
    (tmp_path / "segments" / "1").mkdir(parents=True)
    (tmp_path / "segments" / "1" / "0-1.segment.partial").write_bytes(b"half")
    async with journal_store(tmp_path) as store:
        assert await store.list() == []
        assert await store.write_segment(SEGMENT, [b"whole"]) == 5
    assert [path.name for path in (tmp_path / "segments" / "1").iterdir()] == ["0-1.segment"]


async def test_deleting_gives_space_back_though_the_file_was_open_and_removes_empty_folders(tmp_path):
    async with journal_store(tmp_path) as store:
        await store.write_segment(SEGMENT, [bytes(100_000)])
        await store.read([Range(SEGMENT, 0, 10)])
        open_before = _open_files(tmp_path)
        assert any(name.endswith("0-1.segment") for name in open_before)
        await store.delete([SEGMENT])
        assert not any("0-1.segment" in name for name in _open_files(tmp_path))
        assert list((tmp_path / "segments").iterdir()) == []


def _open_files(root):
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            links.append(str(entry.readlink()))
    return [link for link in links if link.startswith(str(root))]


async def test_the_growing_journal_file_cannot_be_deleted(tmp_path):
    async with journal_store(tmp_path) as store:
        placed = await write(store, 1)
        with pytest.raises(StoreUnavailable, match="still appended to"):
            await store.delete([placed.object_name])
        await store.seal(older_than_ms=0, larger_than_bytes=0)
        await store.delete([placed.object_name])
        assert await store.list() == []
        assert await scanned(store) == {}


async def test_nothing_is_remembered_of_a_journal_file_that_was_deleted(tmp_path):
    async with journal_store(tmp_path) as store:
        for number in range(1, 20):
            placed = await write(store, number)
            await store.seal(older_than_ms=0, larger_than_bytes=0)
            await store.delete([placed.object_name])
            assert await store.valid_end(placed.object_name) == 0
        kept = await write(store, 20)
        assert len(store._appender.known_ends()) == 1
        assert await store.valid_end(kept.object_name) == kept.position + len(body_of(20))
        assert await scanned(store) == {20: body_of(20)}
