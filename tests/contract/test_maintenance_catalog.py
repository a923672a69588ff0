"""What every MaintenanceCatalog does."""

from __future__ import annotations

import pytest

from contract.test_log_catalog import JOURNAL, ONE, TWO, Flushes, run
from fleuve.base.ids import PartitionId, ProducerId
from fleuve.ports.log import ProducerState, SequenceEntry, StoredRun
from fleuve.ports.maintenance import Swap
from support.batches import NOW_MS
from support.maintained import catalogs

SECOND = "journal/0000000001-00000002.journal"
SEGMENT = "segments/1/a.segment"


@pytest.fixture(params=["memory", "sqlite"])
async def opened(request, tmp_path):
    async with catalogs(request.param, tmp_path) as found:
        await found.add_topic(2)
        yield found


@pytest.fixture
def catalog(opened):
    return opened.maintenance


@pytest.fixture
async def flushes(opened):
    return Flushes(opened.log, await opened.begin_incarnation())


@pytest.fixture
async def filled(flushes):
    """Two journal objects: partition 1 with offsets 0..40, partition 2 with 0..20."""
    await flushes.commit(run(0, 10), run(0, 10, partition=TWO, position=100))
    await flushes.commit(run(10, 20, position=200))
    await flushes.commit(run(20, 40, position=0), run(10, 20, partition=TWO, position=100), name=SECOND)
    return flushes


async def stored(opened, partition=ONE):
    return await opened.log.runs(partition, offset=0, limit=100)


async def swap_of(opened, first, stop, *, name=SEGMENT, log_start=0, partition=ONE) -> Swap:
    old = (await stored(opened, partition))[first:stop]
    new = old[-1].run._replace(offset_first=old[0].run.offset_first, position=0, length=300)
    return Swap(old, new, name, True, log_start)


# ---------------------------------------------------------------- objects and runs


async def test_objects_are_listed_oldest_first(opened, catalog, filled):
    assert [row.name for row in await catalog.objects(segments=False)] == [JOURNAL, SECOND]
    assert (await catalog.objects(segments=False))[0].created_ms == NOW_MS
    await catalog.swap([await swap_of(opened, 0, 2)])
    assert [row.name for row in await catalog.objects(segments=False)] == [JOURNAL, SECOND]
    rows = await catalog.objects(segments=True)
    assert [(row.name, row.is_segment) for row in rows] == [(JOURNAL, False), (SECOND, False), (SEGMENT, True)]


async def test_usage_counts_what_is_left(catalog, filled):
    assert await catalog.usage([JOURNAL, SECOND, "none"]) == {JOURNAL: (3, 300), SECOND: (2, 200), "none": (0, 0)}


async def test_runs_of_objects_come_in_pages_by_partition_and_offset(catalog, filled):
    everything = await catalog.runs_of_objects([JOURNAL, SECOND], after=None, limit=100)
    keys = [(found.run.partition_id, found.run.offset_first) for found in everything]
    assert keys == [(ONE, 0), (ONE, 10), (ONE, 20), (TWO, 0), (TWO, 10)]
    paged, after = [], None
    while page := await catalog.runs_of_objects([JOURNAL, SECOND], after=after, limit=2):
        paged += page
        after = (page[-1].run.partition_id, page[-1].run.offset_first)
    assert paged == everything
    assert [found.object_name for found in await catalog.runs_of_objects([SECOND], after=None, limit=9)] == [SECOND] * 2
    assert await catalog.runs_of_objects(["none"], after=None, limit=9) == []
    assert await catalog.runs_of_objects([], after=None, limit=9) == []


async def test_partitions_with_runs_come_in_pages(catalog, filled):
    assert await catalog.partitions_with_runs(after=PartitionId(0), limit=9) == [ONE, TWO]
    assert await catalog.partitions_with_runs(after=PartitionId(0), limit=1) == [ONE]
    assert await catalog.partitions_with_runs(after=ONE, limit=9) == [TWO]
    assert await catalog.partitions_with_runs(after=TWO, limit=9) == []


# ---------------------------------------------------------------- swap


async def test_a_swap_puts_one_run_in_the_place_of_many(opened, catalog, filled):
    swap = await swap_of(opened, 0, 3)
    assert await catalog.swap([swap]) == [True]
    assert await stored(opened) == [StoredRun(swap.new, SEGMENT, is_segment=True)]
    assert (await opened.log.states([ONE]))[ONE].next_offset == 40
    assert len(await stored(opened, TWO)) == 2


async def test_several_swaps_share_an_object(opened, catalog, filled):
    name = "segments/gathered/01-x/000001.gathered"
    one = await swap_of(opened, 0, 3, name=name)
    two = await swap_of(opened, 0, 2, name=name, partition=TWO)
    shared = [swap._replace(is_segment=False) for swap in (one, two)]
    assert await catalog.swap(shared[:1]) == [True]
    assert await catalog.swap(shared[1:]) == [True]
    assert await stored(opened) == [StoredRun(one.new, name, is_segment=False)]
    assert (await catalog.usage([name]))[name].runs == 2
    assert name in [row.name for row in await catalog.objects(segments=False)]


@pytest.mark.parametrize("change", ["log start", "trimmed", "swapped", "other object", "missing between"])
async def test_a_swap_that_saw_something_else_is_discarded_and_the_others_are_not(opened, catalog, filled, change):
    swap = await swap_of(opened, 0, 3)
    if change == "log start":
        await opened.log.advance_log_start(ONE, offset=5)
    elif change == "trimmed":
        await opened.log.advance_log_start(ONE, offset=10)
        swap = swap._replace(log_start_seen=10)
    elif change == "swapped":
        await catalog.swap([await swap_of(opened, 0, 2, name="segments/1/b.segment")])
    elif change == "other object":
        swap = swap._replace(old=[swap.old[0]._replace(object_name="other"), *swap.old[1:]])
    else:
        swap = swap._replace(old=[swap.old[0], swap.old[2]])
    before = await stored(opened)
    other = await swap_of(opened, 0, 2, name="segments/2/c.segment", partition=TWO)
    assert await catalog.swap([swap, other]) == [False, True]
    assert await stored(opened) == before
    assert len(await stored(opened, TWO)) == 1
    assert SEGMENT not in [row.name for row in await catalog.objects(segments=True)]


async def test_a_swap_may_begin_later_where_records_were_deleted(opened, catalog, filled):
    await opened.log.advance_log_start(ONE, offset=7)
    swap = await swap_of(opened, 0, 3, log_start=7)
    swap = swap._replace(new=swap.new._replace(offset_first=5))
    assert await catalog.swap([swap]) == [True]
    assert [found.run.offset_first for found in await stored(opened)] == [5]


async def test_a_swap_of_a_deleted_partition_is_discarded(opened, catalog, filled):
    swap = await swap_of(opened, 0, 3)
    (topic,) = await opened.topics.load_all()
    await opened.topics.delete([topic.id])
    assert await catalog.swap([swap]) == [False]


# ---------------------------------------------------------------- garbage


async def test_an_object_without_a_run_becomes_garbage_and_is_forgotten(opened, catalog, filled):
    assert await catalog.unreferenced() == []
    await catalog.swap([await swap_of(opened, 0, 3), await swap_of(opened, 0, 2, name="segments/2/b", partition=TWO)])
    assert [row.name for row in await catalog.unreferenced()] == [JOURNAL, SECOND]
    await catalog.mark_garbage([JOURNAL, SEGMENT, "none"])
    assert [row.name for row in await catalog.unreferenced()] == [SECOND]
    assert await catalog.garbage(before_ms=NOW_MS - 1) == []
    opened.clock.advance(10)
    await catalog.mark_garbage([JOURNAL, SECOND])
    assert await catalog.garbage(before_ms=NOW_MS) == [JOURNAL]
    assert await catalog.garbage(before_ms=NOW_MS + 10) == [JOURNAL, SECOND]
    await catalog.forget_objects([JOURNAL, SEGMENT, "none"])
    assert [row.name for row in await catalog.objects(segments=True)] == [SECOND, SEGMENT, "segments/2/b"]
    assert await catalog.garbage(before_ms=NOW_MS + 10) == [SECOND]


async def test_nothing_is_changed_by_empty_lists(catalog, filled):
    await catalog.mark_garbage([])
    await catalog.forget_objects([])
    assert await catalog.swap([]) == []


# ---------------------------------------------------------------- deletion and expiry


async def test_deleted_partitions_are_swept_a_little_at_a_time(opened, catalog, filled):
    for first in range(40, 60):
        await filled.commit(run(first, first + 1), name=SECOND)
    await opened.add_topic(1, name="kept")
    kept = PartitionId(3)
    await filled.commit(run(0, 4, partition=kept), name=SECOND)
    assert await catalog.sweep_deleted(limit=10) == 0
    gone = next(row for row in await opened.topics.load_all() if row.name == "topic")
    await opened.topics.delete([gone.id])
    swept = 0
    while count := await catalog.sweep_deleted(limit=7):
        swept += count
    assert swept == 3 + 2 + 20 + 2
    assert await stored(opened) == []
    assert await stored(opened, TWO) == []
    assert await catalog.partitions_with_runs(after=PartitionId(0), limit=9) == [kept]
    assert (await opened.log.states([kept]))[kept].next_offset == 4


async def test_silent_producers_expire(opened, catalog, flushes):
    def state(when):
        return ProducerState(0, (SequenceEntry(0, 0, 0, -1),), when)

    producers = {(ONE, ProducerId(number)): state(NOW_MS + number) for number in range(10)}
    await flushes.commit(run(0, 10), producers=producers)
    assert await catalog.expire_producers(before_ms=NOW_MS + 4) == 4
    assert await catalog.expire_producers(before_ms=NOW_MS + 4) == 0
    assert await catalog.expire_producers(before_ms=NOW_MS + 100) == 6


async def test_more_producers_than_one_transaction_takes_expire(opened, catalog, flushes):
    state = ProducerState(0, (SequenceEntry(0, 0, 0, -1),), NOW_MS)
    await flushes.commit(run(0, 10), producers={(ONE, ProducerId(number)): state for number in range(12_000)})
    assert await catalog.expire_producers(before_ms=NOW_MS + 1) == 12_000
