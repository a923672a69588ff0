"""Maintenance over real adapters: nothing a consumer sees changes, and space and rows come back."""

from __future__ import annotations

import asyncio
import random

import pytest

from fleuve.base.ids import FlushId, PartitionId, ProducerId
from fleuve.engine.maintenance.planning import generation_of
from fleuve.engine.maintenance.policy import MaintenancePolicy
from fleuve.ports.errors import StoreUnavailable
from fleuve.ports.log import Decision, FlushRows, ProducerState, SequenceEntry
from fleuve.ports.store import Range
from fleuve.records.batch import read_header, write_header
from support.batches import NOW_MS, batch
from support.journals import journal_store
from support.maintained import filler, world

MIB = 1 << 20
POLICY = MaintenancePolicy(merge_backlog_files=1)


@pytest.fixture(params=["memory", "sqlite and journal"])
async def log(request, tmp_path):
    if request.param == "memory":
        async with world(tmp_path, policy=POLICY) as made:
            yield made
        return
    async with (
        journal_store(tmp_path, incarnation=None) as store,
        world(tmp_path, kind="sqlite", store=store, policy=POLICY) as made,
    ):
        yield made


async def fill(log, partitions, *, flushes=10, size=500, seed=1, timestamp=NOW_MS):
    """Append to random partitions, in random numbers of batches."""
    chance = random.Random(seed)
    for _ in range(flushes):
        chosen = chance.sample(partitions, chance.randint(1, min(len(partitions), 20)))
        await log.flush(
            {
                partition_id: [
                    filler(chance.randint(100, size), timestamp=timestamp, records=chance.randint(1, 3))
                    for _ in range(chance.randint(1, 4))
                ]
                for partition_id in chosen
            }
        )


async def read_all(log, partitions, **options):
    return {partition_id: await log.read(partition_id, **options) for partition_id in partitions}


# ---------------------------------------------------------------- merges


@pytest.mark.parametrize("seed", range(5))
async def test_a_merge_changes_nothing_that_a_consumer_sees(log, seed):
    partitions = await log.add_topic(12)
    await fill(log, partitions, flushes=30, seed=seed)
    await log.seal()
    await fill(log, partitions, flushes=10, seed=seed + 100)
    before = await read_all(log, partitions)
    assert sum(map(len, before.values())) > 10_000
    await log.settle()
    assert log.maintenance.stats.errors == 0
    assert log.maintenance.stats.merges
    for max_bytes in (1, 1_000, 1 << 20):
        assert await read_all(log, partitions, max_bytes=max_bytes) == before
    await log.seal()
    await log.settle()
    assert await read_all(log, partitions) == before
    assert all(generation_of(name) or name.endswith(".segment") for name in await log.names_stored())


async def test_large_partitions_get_segments_and_are_found_by_offset(log):
    partitions = await log.add_topic(3)
    for _ in range(40):
        await log.flush({partitions[0]: [filler(60_000)], partitions[1]: [filler(300, records=3)]})
    await log.flush({partitions[2]: [filler(900_000)] * 2})
    await log.seal()
    before = await read_all(log, partitions)
    await log.settle()
    assert await read_all(log, partitions) == before
    assert len([name for name in await log.names_stored() if name.endswith(".segment")]) == 2
    for offset in (1, 17, 39):
        rest = await log.read(partitions[0], offset=offset)
        assert rest == before[partitions[0]][-len(rest) :]


async def test_a_large_merge_is_streamed(log):
    (partition,) = await log.add_topic(1)
    for _ in range(24):
        await log.flush({partition: [filler(500_000), filler(200)]})
    await log.flush({partition: [filler(6 * MIB)]})
    await log.seal()
    before = await log.read(partition)
    await log.settle()
    assert await log.rows() == 1
    assert await log.read(partition) == before


async def test_a_cold_read_of_one_of_a_hundred_partitions_reads_little_more_than_its_bytes(log):
    partitions = await log.add_topic(100)
    for _ in range(30):
        await log.flush({partition_id: [filler(2_000)] for partition_id in partitions})
    await log.flush({partitions[7]: [filler(50_000)] * 40})
    await log.seal()
    await log.settle()
    for partition_id in (partitions[7], partitions[50]):
        for max_bytes in (20_000, 1 << 20):
            log.store.bytes_read = 0
            size = len(await log.read(partition_id, max_bytes=max_bytes))
            assert log.store.bytes_read <= 1.1 * size


async def test_segments_are_merged_into_larger_ones(log):
    (partition,) = await log.add_topic(1)
    for _ in range(20):
        await log.flush({partition: [filler(600_000), filler(600_000)]})
        await log.seal()
        await log.settle(1)
    before = await log.read(partition)
    assert await log.rows() <= 8
    # A start looks at all partitions again, and finds nothing to do.
    log.maintenance = log.new_maintenance()
    await log.settle()
    assert log.maintenance.stats.merges == 0
    assert await log.read(partition) == before


async def test_many_small_partitions_make_few_files(log):
    partitions = await log.add_topic(500)
    for _ in range(10):
        await log.flush({partition_id: [filler(120)] for partition_id in partitions})
        await log.seal()
        await log.settle(1)
    await log.settle()
    assert len(await log.names_stored()) <= 10
    assert await log.rows() <= 500 * 8
    assert len(await log.read(partitions[123])) == 10 * len(filler(120))


async def test_a_day_of_flushes_leaves_few_rows(tmp_path):
    policy = MaintenancePolicy(merge_backlog_files=4)
    async with world(tmp_path, kind="sqlite", policy=policy) as log:
        partitions = await log.add_topic(10)
        chance = random.Random(7)
        one = batch(b"x" * 200)
        most = 0
        for number in range(10_000):
            await log.flush({partition_id: [one] for partition_id in chance.sample(partitions, 3)})
            if number % 200 == 199:
                await log.seal()
                log.clock.advance(86_400_000 // 50)
                await log.maintenance.run_once()
                most = max(most, await log.rows())
        await log.settle()
        assert most <= 4 * 600 + 10 * 20
        assert await log.rows() <= 10 * 8
        assert len(await log.catalogs.maintenance.objects(segments=True)) <= 12
        assert sum([len(await log.read(partition_id)) for partition_id in partitions]) == 30_000 * len(one)


async def test_a_run_partly_below_the_log_start_is_cut_at_its_first_batch_above(log):
    (partition,) = await log.add_topic(1)
    await log.flush({partition: [filler(1_000, records=5) for _ in range(10)]})
    await log.seal()
    await log.delete_records(partition, offset=23)
    before = await log.read(partition)
    await log.settle()
    (stored,) = await log.catalogs.log.runs(partition, offset=0, limit=9)
    assert (stored.run.offset_first, stored.run.offset_end) == (20, 50)
    assert stored.run.length == 6 * len(filler(1_000, records=5))
    assert await log.read(partition) == before


async def test_batches_that_nobody_can_decode_are_copied_as_they_are(log):
    (partition,) = await log.add_topic(1)
    strange = batch(b"v", attributes=0)
    # A compression code that does not exist, and records that are none, under a good checksum.
    header = read_header(strange)
    strange[61:] = b"\xff" * (len(strange) - 61)
    write_header(strange, 0, header._replace(attributes=4, records_count=1, last_offset_delta=0))
    await log.flush({partition: [strange, filler(200)]})
    await log.seal()
    before = await log.read(partition)
    await log.settle()
    assert log.maintenance.stats.merged_runs == 1
    assert await log.read(partition) == before


async def test_fetches_go_on_while_merges_and_deletions_are_under_way(log):
    partitions = await log.add_topic(5)
    await fill(log, partitions, flushes=60)
    await log.seal()
    before = await read_all(log, partitions)
    done = asyncio.Event()

    async def keep_reading():
        rounds = 0
        while not done.is_set() or not rounds:
            for partition_id in partitions:
                assert await log.read(partition_id, max_bytes=500) == before[partition_id]
                # In memory nothing else gives others a turn.
                await asyncio.sleep(0)
            rounds += 1

    async def maintain():
        await log.settle()
        done.set()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(keep_reading())
        tasks.create_task(maintain())
    assert log.maintenance.stats.deleted_objects


# ---------------------------------------------------------------- damage


async def damage(log, partition, *, place=80):
    """Change a byte of the first batch of a partition, wherever it is stored in memory."""
    (stored, *_) = await log.catalogs.log.runs(partition, offset=0, limit=1)
    target = log.store.store._objects[stored.object_name].pieces
    target[stored.run.position + place] ^= 1
    return stored


@pytest.mark.parametrize("large", [False, True])
async def test_a_damaged_batch_stays_where_it_is_and_holds_up_nobody(tmp_path, large):
    async with world(tmp_path, policy=POLICY) as log:
        partitions = await log.add_topic(3)
        size = 200_000 if large else 300
        for _ in range(6):
            await log.flush({partition_id: [filler(size), filler(size)] for partition_id in partitions})
        stored = await damage(log, partitions[1])
        await log.seal()
        before = await read_all(log, partitions)
        await log.settle()
        stats = log.maintenance.stats
        assert (stats.damaged_runs, stats.errors) == (1, 0)
        assert await read_all(log, partitions) == before
        assert (await log.catalogs.log.runs(partitions[1], offset=0, limit=1)) == [stored]
        # Its object stays for it alone; the other runs around it are merged in the next round.
        usage = await log.catalogs.maintenance.usage([stored.object_name])
        assert usage[stored.object_name].runs <= 6
        merges = stats.merges
        await log.settle()
        assert (stats.merges, stats.damaged_runs) == (merges, 1)


async def test_an_object_that_is_gone_holds_up_nobody(tmp_path):
    async with world(tmp_path, policy=POLICY) as log:
        partitions = await log.add_topic(2)
        await log.flush({partitions[0]: [filler(300)]})
        await log.seal()
        await log.flush({partitions[1]: [filler(300)]})
        await log.seal()
        (lost,) = await log.catalogs.log.runs(partitions[0], offset=0, limit=1)
        await log.store.delete([lost.object_name])
        before = await log.read(partitions[1])
        await log.settle()
        assert log.maintenance.stats.damaged_runs == 1
        assert await log.read(partitions[1]) == before


# ---------------------------------------------------------------- crashes and failures


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("point", ["write_segment", "swap", "mark_garbage", "delete", "forget_objects"])
@pytest.mark.parametrize("large", [False, True])
async def test_a_crash_at_any_point_loses_nothing_and_leaves_nothing_behind(log, point, large, monkeypatch):
    partitions = await log.add_topic(4)
    if large:
        for _ in range(5):
            await log.flush({partition_id: [filler(400_000)] for partition_id in partitions})
    else:
        await fill(log, partitions, flushes=20)
    await log.seal()
    before = await read_all(log, partitions)

    # Dies just after the step that is named, so that whatever comes next is missing.
    target = log.store if point in ("write_segment", "delete") else log.catalogs.maintenance
    original = getattr(target, point)

    async def dying(*args, **kwargs):
        await original(*args, **kwargs)
        raise Crash

    monkeypatch.setattr(target, point, dying)
    with pytest.raises(Crash):
        await log.settle()
    monkeypatch.setattr(target, point, original)
    assert await read_all(log, partitions) == before
    log.maintenance = log.new_maintenance()
    await log.settle(4)
    assert log.maintenance.stats.errors == 0
    assert await read_all(log, partitions) == before
    known = {row.name for row in await log.catalogs.maintenance.objects(segments=True)}
    assert await log.names_stored() == known
    assert await log.rows() == 4


async def test_a_store_that_fails_is_tried_again(log):
    partitions = await log.add_topic(4)
    await fill(log, partitions, flushes=10)
    await log.seal()
    before = await read_all(log, partitions)

    def fail(operation):
        if operation == "write_segment":
            raise StoreUnavailable("no space left on device")

    log.store.before = fail
    await log.settle()
    assert log.maintenance.stats.errors
    assert await read_all(log, partitions) == before
    log.store.before = None
    assert log.maintenance._merger.writing == set()
    await log.settle()
    assert await log.rows() == 4
    assert await read_all(log, partitions) == before


async def test_an_orphan_waits_for_its_grace_and_goes(log):
    await log.store.write_segment("segments/9/orphan.segment", [b"x"])
    await log.maintenance.run_once()
    assert "segments/9/orphan.segment" in await log.names_stored()
    log.clock.advance(POLICY.garbage_grace_ms)
    await log.maintenance.run_once()
    assert await log.names_stored() == set()


async def test_the_growing_object_is_left_alone(log):
    (partition,) = await log.add_topic(1)
    await log.flush({partition: [filler(300)]})
    await log.delete_records(partition, offset=1)
    await log.settle()
    assert len(await log.names_stored()) == 1
    await log.flush({partition: [filler(300)]})
    assert len(await log.read(partition)) == len(filler(300))
    await log.settle()
    assert len(await log.read(partition)) == len(filler(300))


async def test_cancelling_a_streamed_merge_ends_it_at_once(log):
    (partition,) = await log.add_topic(1)
    for _ in range(24):
        await log.flush({partition: [filler(500_000)]})
    await log.seal()
    before = await log.read(partition)
    reads = 0
    begun = asyncio.Event()

    def count(operation):
        nonlocal reads
        reads += operation == "read"
        if reads == 3:
            begun.set()

    log.store.before = count
    task = asyncio.get_running_loop().create_task(log.maintenance.run_once())
    await begun.wait()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    log.store.before = None
    log.maintenance = log.new_maintenance()
    await log.settle()
    assert await log.read(partition) == before
    assert await log.rows() == 1


# ---------------------------------------------------------------- retention and deletion


async def test_retention_by_size_gives_space_back(log):
    (partition,) = await log.add_topic(1, retention_bytes=MIB)
    for _ in range(20):
        await log.flush({partition: [filler(200_000)] * 5})
        await log.maintenance.run_once()
        log.clock.advance(POLICY.garbage_grace_ms + 1)
        size = (await log.catalogs.log.sizes([partition]))[partition]
        assert size >= MIB or size < 2 * MIB
    await log.settle()
    assert await log.stored_bytes() < 4 * MIB
    size = (await log.catalogs.log.sizes([partition]))[partition]
    assert MIB <= size < 3 * MIB
    state = (await log.catalogs.log.states([partition]))[partition]
    assert state.next_offset == 100
    assert state.log_start > 80
    assert len(await log.read(partition)) == size
    assert log.maintenance.stats.retention_deleted_bytes == 100 * len(filler(200_000)) - size


async def test_retention_by_time_gives_everything_back_and_offsets_go_on(log):
    (old,) = await log.add_topic(1, retention_ms=60_000)
    (kept,) = await log.add_topic(1, name="kept")
    await log.flush({old: [filler(900_000)] * 3, kept: [filler(900)] * 3})
    before = await log.read(kept)
    await log.settle(1)
    assert len(await log.read(old)) > 2 * MIB
    log.clock.advance(61_000)
    await log.settle()
    assert await log.stored_bytes() < 100_000
    assert await log.read(kept) == before
    state = (await log.catalogs.log.states([old]))[old]
    assert (state.log_start, state.next_offset) == (3, 3)
    await log.flush({old: [filler(100, timestamp=log.clock.wall_ms())]})
    await log.settle()
    assert len(await log.read(old)) == len(filler(100))


async def test_hundreds_of_deleted_topics_leave_nothing(log):
    names = [f"topic-{number}" for number in range(300)]
    partitions = {name: await log.add_topic(2, name=name) for name in names}
    (kept,) = await log.add_topic(1, name="kept")
    for _ in range(3):
        await log.flush({**{one: [filler(400)] for some in partitions.values() for one in some}, kept: [filler(400)]})
    await log.seal()
    await log.settle(1)
    before = await log.read(kept)
    for name in names:
        await log.delete_topic(name)
    await log.settle()
    assert await log.rows() == 1
    assert await log.stored_bytes() < 3_000
    assert await log.read(kept) == before
    assert log.maintenance.stats.errors == 0


async def test_a_mostly_deleted_journal_gives_its_space_back_before_it_is_full(log):
    (large,) = await log.add_topic(1, name="large")
    (small,) = await log.add_topic(1, name="small")
    log.policy = MaintenancePolicy(merge_backlog_files=100, merge_age_ms=1 << 40)
    await log.flush({large: [filler(900_000)] * 4, small: [filler(500)]})
    await log.settle(1)
    assert await log.stored_bytes() > 3 * MIB
    await log.delete_topic("large")
    await log.settle()
    assert await log.stored_bytes() < 10_000
    assert len(await log.read(small)) == len(filler(500))


async def test_silent_producers_are_forgotten(log):
    (partition,) = await log.add_topic(1)
    key = (partition, ProducerId(5))
    state = ProducerState(0, (SequenceEntry(0, 0, 0, -1),), NOW_MS)
    log.number += 1
    rows = FlushRows(FlushId(log.incarnation, log.number), "unused", [key], [partition])
    await log.catalogs.log.commit(rows, lambda _: Decision(producers={key: state}))
    await log.maintenance.run_once()
    log.clock.advance(POLICY.producer_expiration_ms)
    await log.maintenance.run_once()
    assert log.maintenance.stats.expired_producers == 0
    log.clock.advance(1)
    await log.maintenance.run_once()
    assert log.maintenance.stats.expired_producers == 1


async def test_run_does_what_is_due_until_it_is_cancelled(log, monkeypatch):
    log.policy = MaintenancePolicy(merge_backlog_files=1, merge_interval_ms=1, garbage_grace_ms=0)
    partitions = await log.add_topic(4)
    await fill(log, partitions, flushes=10)
    await log.seal()
    before = await read_all(log, partitions)
    (journal,) = await log.names_stored()
    deleted = asyncio.Event()
    forget = log.catalogs.maintenance.forget_objects

    async def forgetting(names):
        await forget(names)
        if journal in names:
            deleted.set()

    monkeypatch.setattr(log.catalogs.maintenance, "forget_objects", forgetting)
    task = asyncio.get_running_loop().create_task(log.maintenance.run())
    await deleted.wait()
    task.cancel()
    await asyncio.wait([task])
    assert journal not in await log.names_stored()
    assert await read_all(log, partitions) == before
    assert log.maintenance.stats.errors == 0


async def test_journal_offsets_are_written_into_segments(log):
    """What lies in a segment can be read without the catalog: real offsets and the leader epoch are in the bytes."""
    (partition,) = await log.add_topic(1)
    await log.flush({partition: [filler(600_000, records=2)] * 3})
    await log.seal()
    await log.settle()
    (stored,) = await log.catalogs.log.runs(partition, offset=0, limit=9)
    assert stored.is_segment
    (data,) = await log.store.read([Range(stored.object_name, 0, stored.run.length)])
    assert bytes(data) == await log.read(partition)
    assert stored.object_name.startswith(f"segments/{partition}/{0:020d}-{6:020d}-")
    assert PartitionId(partition) == stored.run.partition_id
