"""Maintenance beside a log service that appends and serves: the real local engine, each in the other's way."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest

from fleuve.adapters.memory.store import MemoryStore
from fleuve.base.ids import PartitionId
from fleuve.base.log import SilentLogger
from fleuve.engine.log.errors import OffsetOutOfRange
from fleuve.engine.log.policy import LogPolicy
from fleuve.engine.maintenance.policy import MaintenancePolicy
from fleuve.engine.maintenance.service import MaintenanceService
from support.batches import batch
from support.journals import journal_store
from support.logs import Log, configs
from support.maintained import Catalogs, catalogs

EAGER = MaintenancePolicy(
    merge_interval_ms=1,
    merge_backlog_files=1,
    merge_age_ms=0,
    garbage_grace_ms=50,
    journal_roll_ms=0,
    retention_check_interval_ms=3,
)


NAMES = itertools.count(1)


class _Topics:
    """Topics as maintenance asks for them."""

    def __init__(self) -> None:
        self.topics: list[Any] = []

    def all(self) -> list[Any]:
        return self.topics


class _Topic:
    def __init__(self, partition_ids, **changes) -> None:
        self.partition_ids = partition_ids
        self.configs = configs(**changes)


def maintained(opened: Catalogs, log: Log, topics: _Topics, policy: MaintenancePolicy) -> MaintenanceService:
    return MaintenanceService(
        catalog=opened.maintenance,
        log_catalog=opened.log,
        store=log.store,
        log=log.service,
        topics=topics,
        clock=opened.clock,
        policy=lambda: policy,
        logger=SilentLogger(),
        unique=lambda: f"{next(NAMES)}",
    )


async def life(opened, store, topics, work, *, policy=EAGER):
    """Run a log and its maintenance as a broker does it, and `work` beside them; everything ends where `work` does."""
    log = Log(opened, store, opened.clock, LogPolicy(tail_cache_bytes=1 << 20))
    recovered = await log.recover()
    await log.begin()
    maintenance = maintained(opened, log, topics, policy)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(log.service.run()), tasks.create_task(maintenance.run())]
        await work(log)
        for task in running:
            task.cancel()
    assert not log.fenced
    return recovered, maintenance.stats


@pytest.mark.parametrize("seed", range(3))
async def test_what_was_acknowledged_is_read_whatever_is_merged_meanwhile(tmp_path, seed):
    chance = random.Random(seed)
    acknowledged: dict[int, list[bytes]] = {}
    topics = _Topics()

    async def appending(log, partition):
        for _ in range(40):
            value = chance.randbytes(chance.choice([10, 1_000, 60_000]))
            result = await log.append(batch(value), partition=partition)
            assert result.base_offset == len(acknowledged[partition])
            acknowledged[partition].append(value)
            # Time passes with the appends: what is garbage goes while others read.
            log.clock.advance(1)
            if len(acknowledged[partition]) % 10 == 0:
                assert [value for _, value in await log.values(0, partition=partition)] == acknowledged[partition]

    async def work(log):
        async with asyncio.TaskGroup() as tasks:
            for partition in acknowledged:
                tasks.create_task(appending(log, partition))
        for partition, values in acknowledged.items():
            assert [value for _, value in await log.values(0, partition=partition)] == values

    async with catalogs("sqlite", tmp_path) as opened:
        row = await opened.add_topic(6)
        topics.topics = [_Topic(row.partition_ids)]
        acknowledged.update({int(partition_id): [] for partition_id in row.partition_ids})
        merges = 0
        # Three lives, each cut off without a word; each begins where the one before it was cut off.
        for _ in range(3):
            async with journal_store(tmp_path, incarnation=None, journal_file_bytes=200_000) as store:
                _, stats = await life(opened, store, topics, work)
                assert (stats.errors, stats.damaged_runs) == (0, 0)
                merges += stats.merges
        assert merges > 3


async def test_retention_beside_appends_keeps_offsets_and_what_is_young(tmp_path):
    topics = _Topics()

    async def work(log):
        partition = 1
        delete, deleted = log.service.delete_records, asyncio.Event()

        async def deleting(partition_id, *, offset):
            log_start = await delete(partition_id, offset=offset)
            deleted.set()
            return log_start

        log.service.delete_records = deleting
        for number in range(150):
            result = await log.append(batch(number.to_bytes(4, "big") * 2_000), partition=partition)
            assert result.base_offset == number
            log.clock.advance(1)
        await deleted.wait()
        result = await log.fetch(0)
        assert isinstance(result.error, OffsetOutOfRange)
        start = (await log.service.states([PartitionId(partition)]))[PartitionId(partition)].log_start
        values = await log.values(start)
        assert [offset for offset, _ in values] == list(range(values[0][0], 150))
        assert all(value == offset.to_bytes(4, "big") * 2_000 for offset, value in values)

    async with catalogs("sqlite", tmp_path) as opened, journal_store(tmp_path, incarnation=None) as store:
        row = await opened.add_topic(1)
        topics.topics = [_Topic(row.partition_ids, retention_bytes=200_000)]
        _, stats = await life(opened, store, topics, work)
        assert stats.errors == 0
        assert stats.retention_deleted_bytes > 500_000


async def test_an_object_is_not_garbage_while_a_flush_into_it_is_under_way(tmp_path):
    """The extent is written and its journal closed, but the commit has not happened: nothing refers to it yet."""
    async with catalogs("sqlite", tmp_path) as opened:
        row = await opened.add_topic(1)
        topics = _Topics()
        topics.topics = [_Topic(row.partition_ids)]
        store = MemoryStore()
        held, go_on = asyncio.Event(), asyncio.Event()
        commit = opened.log.commit

        async def slow_commit(rows, decide):
            held.set()
            await go_on.wait()
            return await commit(rows, decide)

        opened.log.commit = slow_commit
        log = Log(opened, store, opened.clock, LogPolicy())
        await log.begin()
        settled, waiting = log.service.flushes_settled, asyncio.Event()

        async def settling():
            waiting.set()
            await settled()
            assert go_on.is_set()

        log.service.flushes_settled = settling
        maintenance = maintained(opened, log, topics, EAGER)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(log.service.run())
            appended = log.send(batch(b"kept"))
            await held.wait()
            await store.seal(older_than_ms=0, larger_than_bytes=0)
            orphans = tasks.create_task(maintenance.run_once())
            await waiting.wait()
            assert len(await store.list()) == 1
            go_on.set()
            await orphans
            assert (await appended).base_offset == 0
            await maintenance.run_once()
            assert await log.values() == [(0, b"kept")]
            running.cancel()
        assert log.service.stats.flush_errors == 0
