"""Reads behind the tail, against a list of batches: any shape of runs, any limits, objects that change under way."""

from __future__ import annotations

import random

import pytest

from fleuve.adapters.memory.offload import InlineOffload
from fleuve.adapters.memory.store import MemoryStore
from fleuve.base.clock import ManualClock
from fleuve.base.log import SilentLogger
from fleuve.engine.log.catch_up import CatchUpReader
from fleuve.engine.log.errors import StorageFailed
from fleuve.engine.log.lookup import Lookups
from fleuve.engine.log.reading import ReadFailures
from fleuve.engine.log.segment import SegmentIndex
from fleuve.engine.log.stats import LogStats
from fleuve.engine.log.views import PartitionViews
from fleuve.ports.log import Run, StoredRun
from fleuve.records.batch import patch, walk
from fleuve.simulation.loop import virtually
from support.batches import NOW_MS, batch
from support.logs import FOREVER, ONE, MemoryCatalog


class Stored:
    """A partition's batches, stored in runs of both kinds."""

    def __init__(self, seed: int, *, large: bool = False) -> None:
        self.chance = random.Random(seed)
        self.large = large
        self.store = MemoryStore()
        self.catalog = MemoryCatalog(ManualClock(NOW_MS))
        self.batches: list[tuple[int, int, bytes, int]] = []
        """First and last offset, bytes as a reader gets them, timestamp."""
        self.names = 0
        self.reader = CatchUpReader(
            self.catalog.log, self.store, reads_max=2, stats=LogStats(), failures=ReadFailures(SilentLogger())
        )

    @property
    def end(self) -> int:
        return self.batches[-1][1] + 1

    async def fill(self, count: int, *, timestamps: list[int] | None = None) -> None:
        await self.catalog.add_partitions(ONE)
        offset = self.chance.choice([0, 5_000])
        for index in range(count):
            size = 1_500_000 if self.large and self.chance.random() < 0.2 else self.chance.choice([1, 80, 30_000])
            records = self.chance.randrange(1, 4)
            timestamp = NOW_MS if timestamps is None else timestamps[index]
            data = batch(bytes([index % 251]) * size, *[b""] * (records - 1), base_timestamp=timestamp)
            patch(data, 0, offset, 0)
            self.batches.append((offset, offset + records - 1, bytes(data), timestamp))
            offset += records
        self.catalog.log.rows.logs[ONE] = (self.batches[0][0], offset, 0)
        first = 0
        while first < count:
            stop = min(count, first + self.chance.randrange(1, 12))
            await self.store_run(first, stop, is_segment=self.chance.random() < 0.4)
            first = stop

    async def store_run(self, first: int, stop: int, *, is_segment: bool) -> None:
        """Store the batches as one run of an object of its own, in place of what held them."""
        self.names += 1
        name = f"{'segments' if is_segment else 'journal'}/{self.names}"
        index = SegmentIndex()
        data = bytearray()
        # What lies before it in the object belongs to others.
        position = 0 if is_segment else self.chance.randrange(100)
        data += b"\xee" * position
        for base_offset, _, content, timestamp in self.batches[first:stop]:
            index.add(base_offset, len(data), timestamp)
            written = bytearray(content)
            if not is_segment:
                patch(written, 0, 0, -1)
            data += written
        run = Run(
            ONE,
            self.batches[first][0],
            self.batches[stop - 1][1] + 1,
            position,
            len(data) - position,
            max(timestamp for *_, timestamp in self.batches[first:stop]),
            0,
        )
        data += index.encode(ONE) if is_segment else b"\xee" * self.chance.randrange(100)
        await self.store.write_segment(name, [data])
        rows = self.catalog.log.rows
        inside = [
            place
            for place, stored in enumerate(rows.runs.get(ONE, []))
            if run.offset_first <= stored.run.offset_first < run.offset_end
        ]
        gone = [rows.runs[ONE][place].object_name for place in inside]
        if inside:
            rows.drop_runs(ONE, inside[0], inside[-1] + 1)
        rows.add_runs([StoredRun(run, name, is_segment)])
        await self.store.delete(gone)

    async def merge(self) -> None:
        """Put one segment in the place of some runs that follow each other."""
        runs = self.catalog.log.rows.runs[ONE]
        first = self.chance.randrange(len(runs))
        stop = self.chance.randrange(first, min(len(runs), first + 4))
        begin, end = runs[first].run.offset_first, runs[stop].run.offset_end
        places = [place for place, stored in enumerate(self.batches) if begin <= stored[0] < end]
        await self.store_run(places[0], places[-1] + 1, is_segment=True)

    async def check(self, offset: int, max_bytes: int, *, at_least_one: bool) -> int:
        """Read, compare, and return where to go on."""
        views, size = await self.reader.read(
            ONE, offset, end_offset=FOREVER, max_bytes=max_bytes, at_least_one=at_least_one
        )
        found = b"".join(views)
        assert len(found) == size
        expected = [(last, content) for _, last, content, _ in self.batches if last >= offset]
        taken = 0
        while len(found) > sum(len(content) for _, content in expected[:taken]):
            taken += 1
        assert found == b"".join(content for _, content in expected[:taken])
        assert size <= max_bytes or (at_least_one and taken == 1)
        if expected and (at_least_one or len(expected[0][1]) <= max_bytes // 2):
            assert taken or not at_least_one
        return expected[taken - 1][0] + 1 if taken else offset


@pytest.mark.parametrize("seed", range(60))
def test_any_read_returns_whole_batches_in_order(seed):
    async def read() -> None:
        stored = Stored(seed, large=seed % 6 == 0)
        await stored.fill(stored.chance.randrange(1, 60))
        for _ in range(20):
            offset = stored.chance.randrange(stored.batches[0][0], stored.end)
            max_bytes = stored.chance.choice([0, 1, 61, 500, 40_000, 1 << 20])
            at_least_one = stored.chance.random() < 0.7
            # A client that goes on from there, with objects that are merged under way.
            for _ in range(8):
                if offset >= stored.end:
                    break
                offset = await stored.check(offset, max_bytes, at_least_one=at_least_one)
                if stored.chance.random() < 0.1:
                    await stored.merge()

    virtually(read())


@pytest.mark.parametrize("seed", range(20))
def test_a_reader_reaches_the_end_and_reads_history_about_once(seed):
    async def read() -> None:
        stored = Stored(seed)
        await stored.fill(40)
        fetched = 0
        reading = stored.store.read

        async def counted(ranges):
            nonlocal fetched
            fetched += sum(wanted.length for wanted in ranges)
            return await reading(ranges)

        stored.store.read = counted
        offset, max_bytes = stored.batches[0][0], stored.chance.choice([5_000, 50_000, 500_000])
        while offset < stored.end:
            offset = await stored.check(offset, max_bytes, at_least_one=True)
        assert fetched < 1.2 * sum(len(content) for _, _, content, _ in stored.batches) + 10_000

    virtually(read())


def test_a_batch_that_is_larger_than_what_is_read_ahead_is_found_at_once():
    """The index leads to a position before it; what is read ends before its header does."""

    async def read() -> None:
        for filler in range(40):
            stored = Stored(1)
            await stored.catalog.add_partitions(ONE)
            small, large = batch(b"s" * filler), batch(b"x" * 3_000_000)
            patch(large, 0, 1, 0)
            stored.batches = [(0, 0, bytes(small), 0), (1, 1, bytes(large), 0)]
            stored.catalog.log.rows.logs[ONE] = (0, 2, 0)
            await stored.store_run(0, 2, is_segment=True)
            (run,) = stored.catalog.log.rows.runs[ONE]
            stored.catalog.log.rows.runs[ONE] = [run]
            for limit in (len(small), len(small) + 30, len(small) + 61):
                # As much as that is read at first.
                planned = stored.reader._plan

                async def plan(runs, offset, max_bytes, planned=planned, limit=limit):
                    return [piece._replace(length=limit) for piece in await planned(runs, offset, max_bytes)]

                stored.reader._plan = plan
                assert await stored.check(1, 10, at_least_one=True) == 2
                stored.reader._plan = planned

    virtually(read())


def test_a_batch_that_goes_beyond_its_run_is_an_error_and_no_endless_loop():
    async def read() -> None:
        stored = Stored(1)
        await stored.fill(1)
        (run,) = stored.catalog.log.rows.runs[ONE]
        stored.catalog.log.rows.runs[ONE] = [run._replace(run=run.run._replace(length=run.run.length - 1))]
        with pytest.raises(StorageFailed, match="beyond the end"):
            await stored.reader.read(ONE, stored.batches[0][0], end_offset=FOREVER, max_bytes=100, at_least_one=True)

    virtually(read())


def test_an_object_that_is_gone_for_good_is_an_error():
    async def read() -> None:
        stored = Stored(1)
        await stored.fill(3)
        await stored.store.delete([run.object_name for run in stored.catalog.log.rows.runs[ONE]])
        with pytest.raises(StorageFailed):
            await stored.reader.read(ONE, stored.batches[0][0], end_offset=FOREVER, max_bytes=100, at_least_one=True)

    virtually(read())


@pytest.mark.parametrize("seed", range(40))
def test_an_offset_by_time_is_that_of_the_first_record_as_young_behind_the_log_start(seed):
    async def look() -> None:
        stored = Stored(seed)
        timestamps = [NOW_MS + stored.chance.randrange(100) for _ in range(50)]
        await stored.fill(50, timestamps=timestamps)
        lookups = Lookups(
            stored.catalog.log,
            stored.reader,
            PartitionViews(stored.catalog.log),
            offload=InlineOffload(),
            failures=ReadFailures(SilentLogger()),
        )
        log_start = stored.chance.randrange(stored.batches[0][0], stored.end)
        await stored.catalog.log.advance_log_start(ONE, offset=log_start)
        for timestamp in range(NOW_MS - 1, NOW_MS + 101):
            found = await lookups.list_offset(ONE, timestamp=timestamp)
            expected = next(
                (
                    (max(first, log_start), when, 0)
                    for first, last, _, when in stored.batches
                    if when >= timestamp and last >= log_start
                ),
                (-1, -1, -1),
            )
            assert found == expected

    virtually(look())


def test_nothing_is_read_that_begins_at_the_given_end_or_above():
    async def read() -> None:
        stored = Stored(1, large=False)
        await stored.fill(10)
        for end_offset in [first for first, *_ in stored.batches[1:]]:
            views, _ = await stored.reader.read(ONE, 0, end_offset=end_offset, max_bytes=1 << 20, at_least_one=True)
            last = max(batch[1] for batch in stored.batches if batch[0] < end_offset)
            (*_, (_, _, base_offset, last_delta, _)) = walk(b"".join(views), 0, sum(map(len, views)))
            assert base_offset + last_delta == last < end_offset

    virtually(read())
