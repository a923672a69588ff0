"""A start after a crash: what the journal holds is decided again, what is lost is filled, and nothing is moved."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil

import pytest

from fleuve.adapters.journal.directory import DataDirectory
from fleuve.adapters.journal.store import JournalStore
from fleuve.base.ids import FlushId
from fleuve.engine.log import extent
from fleuve.engine.log.append import Appended
from fleuve.engine.log.errors import OutOfOrderSequence, StorageFailed
from fleuve.ports.errors import CatalogUnavailable
from support.batches import NOW_MS, batch
from support.faulty_ports import FaultyExtentStore, FaultyLogCatalog
from support.logs import ONE, running_log


@contextlib.asynccontextmanager
async def life(path):
    """One life of a log over the journal in `path`, with its catalog beside it."""
    directory = DataDirectory.open(path)
    store = JournalStore(path)
    store.open(asyncio.get_running_loop())
    try:
        async with running_log(path, store=store) as log:
            yield log
    finally:
        await store.close()
        directory.close()


def keep_catalog(path, name):
    """Copy the catalog as it is, with its WAL: what a power cut may leave of it."""
    saved = path.parent / name
    saved.mkdir()
    for file in path.glob("catalog.sqlite*"):
        shutil.copy(file, saved / file.name)
    return saved


def restore_catalog(path, saved):
    for file in path.glob("catalog.sqlite*"):
        file.unlink()
    for file in saved.iterdir():
        shutil.copy(file, path / file.name)


def produced(value, sequence, *, epoch=0):
    return batch(value, producer_id=7, producer_epoch=epoch, base_sequence=sequence)


async def test_a_log_goes_on_where_it_was(tmp_path):
    data = tmp_path / "data"
    async with life(data) as log:
        await log.append_all(batch(b"a"), batch(b"b"))
    async with life(data) as log:
        assert await log.append_all(batch(b"c")) == [2]
        assert [value for _, value in await log.values()] == [b"a", b"b", b"c"]


async def test_flushes_that_the_catalog_has_lost_are_decided_again_as_the_first_time(tmp_path):
    data = tmp_path / "data"
    async with life(data) as log:
        await log.append(produced(b"a", 0))
        saved = keep_catalog(data, "before")
        await log.append(produced(b"b", 1))
        assert isinstance(await log.append(produced(b"too early", 5)), OutOfOrderSequence)
        await log.append(produced(b"a", 0))
        await log.append_all(batch(b"x"), batch(b"y"), partition=2)
        await log.append(produced(b"c", 2))
        first_life = [await log.values(partition=partition) for partition in (1, 2)]
    restore_catalog(data, saved)
    async with life(data) as log:
        assert [await log.values(partition=partition) for partition in (1, 2)] == first_life
        assert (await log.append(produced(b"c", 2))).base_offset == 2
        assert (await log.append(produced(b"d", 3))).base_offset == 3


async def test_an_id_is_judged_by_the_time_of_the_first_decision(tmp_path):
    data = tmp_path / "data"
    async with life(data) as log:
        saved = keep_catalog(data, "before")
        log.clock.advance(10)
        result = await log.append(batch(b"a"), log_append_time=True)
        stamped = result.log_append_time_ms
    restore_catalog(data, saved)
    async with life(data) as log:
        found = await log.service.list_offset(ONE, timestamp=-3, read_committed=False)
        assert (found.offset, found.timestamp) == (0, stamped)


async def test_what_was_written_without_a_flush_and_is_lost_leaves_an_empty_range_and_a_new_epoch(tmp_path):
    data = tmp_path / "data"
    async with life(data) as log:
        await log.append(batch(b"kept"))
        (journal,) = (data / "journal").iterdir()
        end = (await log.store.list())[0].size_bytes
        await log.append_all(batch(b"lost"), batch(b"lost too"), flush_messages=1_000_000)
        saved = keep_catalog(data, "ahead")
    restore_catalog(data, saved)
    with journal.open("r+b") as file:
        file.truncate(end)
    async with life(data) as log:
        assert (await log.append(batch(b"next"))).base_offset == 3
        assert await log.values() == [(0, b"kept"), (3, b"next")]
        (state,) = (await log.service.states([ONE])).values()
        assert state.leader_epoch == 1
        assert await log.service.epoch_end(ONE, epoch=0) == (0, 1)
        assert await log.service.epoch_end(ONE, epoch=1) == (1, 4)


@pytest.mark.parametrize("cut", range(1, 40, 3))
async def test_a_torn_flush_that_nobody_was_told_of_is_gone(tmp_path, cut):
    data = tmp_path / "data"
    async with life(data) as log:
        await log.append(batch(b"acknowledged"))
        saved = keep_catalog(data, "before")
        (journal,) = (data / "journal").iterdir()
        await log.append(batch(b"torn"))
        end = (await log.store.list())[0].size_bytes
    restore_catalog(data, saved)
    with journal.open("r+b") as file:
        file.truncate(end - cut)
    async with life(data) as log:
        assert await log.values() == [(0, b"acknowledged")]
        assert isinstance(await log.append(batch(b"next")), Appended)
        assert await log.values() == [(0, b"acknowledged"), (1, b"next")]


async def test_a_duplicate_gets_the_append_time_of_the_first_decision(tmp_path):
    data = tmp_path / "data"
    async with life(data) as log:
        saved = keep_catalog(data, "before")
        log.clock.advance(10)
        first = await log.append(produced(b"a", 0), log_append_time=True)
    restore_catalog(data, saved)
    async with life(data) as log:
        again = await log.append(produced(b"a", 0), log_append_time=True)
        assert again[:2] == first[:2]


async def test_a_batch_that_had_to_wait_for_a_failed_one_is_refused_again(tmp_path):
    data = tmp_path / "data"
    async with life(data) as log:
        flusher = log.service._flusher
        flusher._store = FaultyExtentStore(flusher._store, random.Random(1), probability=1.0)
        assert isinstance(await log.append(produced(b"a", 0)), StorageFailed)
        flusher._store.probability = 0.0
        await log.append(batch(b"settled"), partition=2)
        saved = keep_catalog(data, "before")
        assert isinstance(await log.append(produced(b"b", 1)), OutOfOrderSequence)
    restore_catalog(data, saved)
    async with life(data) as log:
        assert await log.values() == []
        assert (await log.append(produced(b"a", 0))).base_offset == 0
        assert (await log.append(produced(b"b", 1))).base_offset == 1


async def test_what_is_behind_a_missing_flush_is_decided_with_care_after_another_crash_too(tmp_path):
    data = tmp_path / "data"
    second = produced(b"b", 1)
    async with life(data) as log:
        flush = FlushId(log.service._flusher._incarnation, 2)
        header = extent.ExtentHeader(NOW_MS, 86_400_000, [extent.ExtentGroup(ONE, len(second))])
        await log.store.write(flush, extent.encode(header), [second], durable=True)
        catalog = FaultyLogCatalog(log.catalog.log, random.Random(1), probability=1.0)
        with pytest.raises(CatalogUnavailable):
            await log.recover(catalog)
    async with life(data) as log:
        assert await log.values() == []
        assert (await log.append(produced(b"a", 0))).base_offset == 0
        assert (await log.append(second)).base_offset == 1
