"""What every LogCatalog and RecoveryCatalog does."""

from __future__ import annotations

import pytest

from fleuve.base.ids import FlushId, Incarnation, PartitionId, ProducerId
from fleuve.ports.errors import Fenced
from fleuve.ports.log import Decision, FlushRows, ProducerState, Run, SequenceEntry, StoredRun
from support.batches import NOW_MS
from support.maintained import catalogs

ONE, TWO = PartitionId(1), PartitionId(2)
JOURNAL = "journal/0000000001-00000001.journal"


def run(offset_first, offset_end, *, partition=ONE, position=0, length=100, timestamp=NOW_MS, epoch=0) -> Run:
    return Run(partition, offset_first, offset_end, position, length, timestamp, epoch)


class Flushes:
    """Commits of one incarnation, each with the number after the last one's."""

    def __init__(self, catalog, incarnation) -> None:
        self.catalog = catalog
        self.incarnation = incarnation
        self.number = 0

    async def commit(self, *runs: Run, name=JOURNAL, producers=None, number=None) -> Decision:
        self.number = self.number + 1 if number is None else number
        partitions = sorted({one.partition_id for one in runs})

        def decide(states):
            decision = Decision(runs=list(runs), producers=producers or {}, outcome="decided")
            for one in runs:
                decision.logs[one.partition_id] = states.logs[one.partition_id]._replace(next_offset=one.offset_end)
            return decision

        rows = FlushRows(FlushId(self.incarnation, self.number), name, list(producers or {}), partitions)
        return await self.catalog.commit(rows, decide)


@pytest.fixture(params=["memory", "sqlite"])
async def opened(request, tmp_path):
    async with catalogs(request.param, tmp_path) as found:
        row = await found.add_topic(2)
        assert row.partition_ids == (ONE, TWO)
        yield found


@pytest.fixture
def catalog(opened):
    return opened.log


@pytest.fixture
async def flushes(opened):
    return Flushes(opened.log, await opened.begin_incarnation())


# ---------------------------------------------------------------- commit


async def test_a_new_partition_stands_at_the_beginning(catalog):
    states = await catalog.states([ONE, PartitionId(99)])
    assert states == {ONE: (0, 0, 0, NOW_MS)}
    assert await catalog.runs(ONE, offset=0, limit=10) == []
    assert await catalog.run_latest(ONE) is None
    assert await catalog.epochs(ONE) == []
    assert await catalog.sizes([ONE]) == {ONE: 0}


async def test_a_commit_writes_what_was_decided_and_returns_it(catalog, flushes):
    decision = await flushes.commit(run(0, 5), run(0, 3, partition=TWO, position=100))
    assert decision.outcome == "decided"
    states = await catalog.states([ONE, TWO])
    assert (states[ONE].next_offset, states[TWO].next_offset) == (5, 3)
    assert await catalog.runs(TWO, offset=0, limit=10) == [
        StoredRun(run(0, 3, partition=TWO, position=100), JOURNAL, is_segment=False)
    ]
    assert await catalog.sizes([ONE, TWO]) == {ONE: 100, TWO: 100}


async def test_a_decision_that_raises_leaves_nothing(catalog, flushes):
    def decide(states):
        raise ValueError(str(states.logs[ONE].next_offset))

    rows = FlushRows(FlushId(flushes.incarnation, 1), JOURNAL, [], [ONE])
    with pytest.raises(ValueError, match="0"):
        await catalog.commit(rows, decide)
    await flushes.commit(run(0, 1))
    assert (await catalog.states([ONE]))[ONE].next_offset == 1


async def test_decide_sees_producers_and_when_unproven_ids_were_handed_out(opened, catalog, flushes):
    first = await opened.producers.allocate(10)
    state = ProducerState(3, (SequenceEntry(0, 4, 0, -1),), NOW_MS)
    await flushes.commit(run(0, 5), producers={(ONE, ProducerId(first)): state})
    seen = []

    def decide(states):
        seen.append(states)
        return Decision()

    keys = [(ONE, ProducerId(first)), (TWO, ProducerId(first)), (TWO, ProducerId(777))]
    rows = FlushRows(FlushId(flushes.incarnation, 2), JOURNAL, keys, [ONE, TWO], [ProducerId(first), ProducerId(777)])
    await catalog.commit(rows, decide)
    assert dict(seen[0].producers) == {keys[0]: state}
    assert dict(seen[0].producer_allocated_ms) == {first: NOW_MS}
    assert set(seen[0].logs) == {ONE, TWO}


async def test_flushes_are_committed_in_order_and_each_once(catalog, flushes):
    await flushes.commit(run(0, 1))
    for number in (1, 3):
        with pytest.raises(Fenced):
            await flushes.commit(run(1, 2), number=number)
    assert (await catalog.states([ONE]))[ONE].next_offset == 1
    await flushes.commit(run(1, 2), number=2)


async def test_a_fenced_incarnation_commits_and_voids_nothing(opened, catalog, flushes):
    await flushes.commit(run(0, 1))
    await opened.brokers.fence(flushes.incarnation)
    with pytest.raises(Fenced):
        await flushes.commit(run(1, 2))
    with pytest.raises(Fenced):
        await catalog.void(FlushId(flushes.incarnation, 2))


async def test_a_voided_flush_is_not_committed_any_more(catalog, flushes):
    assert await catalog.void(FlushId(flushes.incarnation, 1))
    assert not await catalog.void(FlushId(flushes.incarnation, 1))
    with pytest.raises(Fenced):
        await flushes.commit(run(0, 1), number=1)
    await flushes.commit(run(0, 1), number=2)
    assert not await catalog.void(FlushId(flushes.incarnation, 2))


# ---------------------------------------------------------------- the index


async def test_runs_are_found_by_offset(catalog, flushes):
    for first in range(0, 100, 10):
        await flushes.commit(run(first, first + 10, position=first * 10))
    assert [found.run.offset_first for found in await catalog.runs(ONE, offset=35, limit=3)] == [30, 40, 50]
    assert [found.run.offset_first for found in await catalog.runs(ONE, offset=40, limit=1)] == [40]
    assert await catalog.runs(ONE, offset=100, limit=3) == []
    await catalog.advance_log_start(ONE, offset=30)
    assert [found.run.offset_first for found in await catalog.runs(ONE, offset=0, limit=2)] == [30, 40]


async def test_runs_are_found_by_time(catalog, flushes):
    for first, timestamp in enumerate((10, 50, 20, 50, 40)):
        await flushes.commit(run(first, first + 1, timestamp=timestamp))
    assert [found.run.offset_first for found in await catalog.runs_since(ONE, timestamp=40, limit=2)] == [1, 3]
    assert await catalog.runs_since(ONE, timestamp=51, limit=2) == []
    assert (await catalog.run_latest(ONE)).run.offset_first == 1


async def test_the_log_start_only_goes_up_and_takes_whole_runs_along(catalog, flushes):
    for first in range(0, 30, 10):
        await flushes.commit(run(first, first + 10))
    assert (await catalog.advance_log_start(ONE, offset=15)).log_start == 15
    assert [found.run.offset_first for found in await catalog.runs(ONE, offset=0, limit=9)] == [10, 20]
    assert (await catalog.advance_log_start(ONE, offset=5)).log_start == 15
    assert (await catalog.advance_log_start(ONE, offset=30)).log_start == 30
    assert await catalog.runs(ONE, offset=0, limit=9) == []
    assert (await catalog.states([ONE]))[ONE].next_offset == 30
    assert await catalog.advance_log_start(PartitionId(99), offset=1) is None


# ---------------------------------------------------------------- recovery


async def test_what_is_not_closed_is_unfinished(opened, catalog, flushes):
    await flushes.commit(run(0, 1))
    assert await catalog.unfinished() == [(flushes.incarnation, 1, True)]
    await catalog.close_incarnation(flushes.incarnation)
    assert await catalog.unfinished() == []
    assert await opened.begin_incarnation() == flushes.incarnation + 1


async def test_an_incarnation_of_which_a_flush_is_missing_is_not_whole_any_more(catalog, flushes):
    await flushes.commit(run(0, 1))
    await catalog.skip(FlushId(flushes.incarnation, 2))
    await flushes.commit(run(1, 2), number=3)
    assert await catalog.unfinished() == [(flushes.incarnation, 3, False)]
    with pytest.raises(Fenced):
        await catalog.skip(FlushId(flushes.incarnation, 3))


async def test_an_incarnation_s_objects_and_what_lies_behind_a_position(catalog, flushes):
    await flushes.commit(run(0, 5, position=0, length=50), run(0, 5, partition=TWO, position=50, length=50))
    await flushes.commit(run(5, 9, position=100, length=50))
    await flushes.commit(run(9, 10), name="journal/0000000001-00000002.journal")
    assert await catalog.objects_of(flushes.incarnation) == [JOURNAL, "journal/0000000001-00000002.journal"]
    assert await catalog.objects_of(Incarnation(77)) == []
    beyond = await catalog.runs_beyond(JOURNAL, position=60)
    assert [(found.partition_id, found.offset_first) for found in beyond] == [(ONE, 5), (TWO, 0)]
    assert await catalog.runs_beyond(JOURNAL, position=150) == []
    assert await catalog.runs_beyond("journal/none", position=0) == []


async def test_lost_runs_are_replaced_and_the_epoch_is_raised(catalog, flushes):
    await flushes.commit(run(0, 5))
    await flushes.commit(run(5, 9, position=100))
    await flushes.commit(run(9, 12, position=200))
    lost = await catalog.runs_beyond(JOURNAL, position=100)
    fill = run(5, 12, length=61, timestamp=-1, epoch=1)
    await catalog.replace_lost(lost, [fill], object_name="segments/1/x.segment", epoch_starts={ONE: 5})
    assert await catalog.runs(ONE, offset=0, limit=9) == [
        StoredRun(run(0, 5), JOURNAL, is_segment=False),
        StoredRun(fill, "segments/1/x.segment", is_segment=True),
    ]
    assert await catalog.epochs(ONE) == [(1, 5)]
    assert (await catalog.states([ONE]))[ONE].leader_epoch == 1
