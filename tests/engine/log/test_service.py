"""Append and fetch through the whole room, over SQLite and a store in memory."""

from __future__ import annotations

import asyncio

import pytest

from fleuve.engine.log.append import Appended
from fleuve.engine.log.errors import (
    MessageTooLarge,
    OffsetOutOfRange,
    OutOfOrderSequence,
    ProducerFenced,
    ShuttingDown,
    StorageFailed,
    UnknownPartition,
)
from fleuve.engine.log.fetch import FetchWant
from fleuve.engine.log.policy import LogPolicy
from fleuve.ports.errors import CatalogUnavailable
from fleuve.records.errors import CorruptBatch, InvalidTimestamp
from support.batches import NOW_MS, batch
from support.edge import until
from support.logs import ONE, running_log, values_of

SMALL = LogPolicy(tail_cache_bytes=8 << 20, produce_buffer_bytes=4 << 20)


def sequenced(value: bytes, sequence: int, *, epoch: int = 0, producer_id: int = 7, count: int = 1) -> bytearray:
    return batch(*[value] * count, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence)


async def test_batches_get_dense_offsets_in_the_order_they_came(tmp_path):
    async with running_log(tmp_path) as log:
        assert await log.append_all(batch(b"a", b"b"), batch(b"c"), batch(b"d", b"e")) == [0, 2, 3]
        assert await log.values() == [(0, b"a"), (1, b"b"), (2, b"c"), (3, b"d"), (4, b"e")]


async def test_each_partition_counts_for_itself(tmp_path):
    async with running_log(tmp_path) as log:
        results = await asyncio.gather(*[log.append(batch(b"x"), partition=1 + index % 3) for index in range(9)])
        assert [result.base_offset for result in results] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


async def test_the_callers_buffer_may_be_reused_at_once(tmp_path):
    async with running_log(tmp_path) as log:
        buffer = batch(b"before")
        waiting = log.send(buffer)
        buffer[:] = b"\0" * len(buffer)
        assert isinstance(await waiting, Appended)
        assert await log.values() == [(0, b"before")]


async def test_a_bad_batch_fails_alone(tmp_path):
    async with running_log(tmp_path) as log:
        damaged = batch(b"damaged")
        damaged[-1] ^= 1
        good, bad = await asyncio.gather(log.append(batch(b"good")), log.append(damaged))
        assert good.base_offset == 0
        assert isinstance(bad, CorruptBatch)


async def test_a_batch_above_max_message_bytes_is_refused(tmp_path):
    async with running_log(tmp_path) as log:
        assert isinstance(await log.append(batch(b"x" * 200), max_message_bytes=100), MessageTooLarge)


async def test_a_timestamp_too_far_ahead_is_refused(tmp_path):
    async with running_log(tmp_path) as log:
        late = batch(b"x", base_timestamp=NOW_MS + 10_000)
        assert isinstance(await log.append(late, timestamp_after_max_ms=5_000), InvalidTimestamp)


async def test_log_append_time_is_written_and_returned(tmp_path):
    async with running_log(tmp_path) as log:
        result = await log.append(batch(b"x", base_timestamp=5), log_append_time=True)
        assert result.log_append_time_ms == NOW_MS
        found = await log.service.list_offset(ONE, timestamp=NOW_MS, read_committed=False)
        assert found == (0, NOW_MS, 0)


async def test_appending_to_a_partition_that_is_gone_says_so(tmp_path):
    async with running_log(tmp_path) as log:
        assert isinstance(await log.append(batch(b"x"), partition=99), UnknownPartition)


async def test_a_fetch_of_a_partition_that_does_not_exist_says_so(tmp_path):
    async with running_log(tmp_path) as log:
        assert isinstance((await log.fetch(0, partition=99)).error, UnknownPartition)


@pytest.mark.parametrize("offset", [-1, 4, 1_000])
async def test_offsets_outside_the_log_are_out_of_range(tmp_path, offset):
    async with running_log(tmp_path) as log:
        await log.append_all(batch(b"a", b"b", b"c"))
        result = await log.fetch(offset)
        assert isinstance(result.error, OffsetOutOfRange)
        assert (result.log_start_offset, result.high_watermark) == (0, 3)


async def test_a_fetch_in_the_middle_of_a_batch_returns_the_whole_batch(tmp_path):
    async with running_log(tmp_path) as log:
        await log.append_all(batch(b"a", b"b", b"c"), batch(b"d"))
        assert values_of(await log.fetch(1)) == [(0, b"a"), (1, b"b"), (2, b"c"), (3, b"d")]


async def test_the_first_batch_is_returned_even_if_it_is_larger_than_the_limit(tmp_path):
    async with running_log(tmp_path) as log:
        await log.append_all(batch(b"x" * 1000), batch(b"y" * 1000))
        assert values_of(await log.fetch(0, max_bytes=10)) == [(0, b"x" * 1000)]


async def test_a_fetch_waits_for_what_is_appended(tmp_path):
    async with running_log(tmp_path) as log:
        waiting = asyncio.ensure_future(log.fetch(0, wait_ms=30_000))
        await asyncio.sleep(0)
        await log.append(batch(b"late"))
        assert values_of(await waiting) == [(0, b"late")]


async def test_a_fetch_waits_until_min_bytes_are_there(tmp_path):
    async with running_log(tmp_path) as log:
        waiting = asyncio.ensure_future(log.fetch(0, wait_ms=30_000, min_bytes=300))
        for value in (b"a" * 100, b"b" * 100, b"c" * 100):
            await asyncio.sleep(0)
            await log.append(batch(value))
        # The third may be there, too, when the waiting one gets its turn.
        assert len(values_of(await waiting)) >= 2


async def test_waiting_fetches_return_when_the_broker_stops(tmp_path):
    async with running_log(tmp_path) as log:
        waiting = asyncio.ensure_future(log.fetch(0, wait_ms=30_000))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        log.service.release_fetches()
        assert values_of(await waiting) == []


async def test_appends_are_refused_once_the_broker_stops(tmp_path):
    async with running_log(tmp_path) as log:
        await log.service.close()
        assert isinstance(await log.append(batch(b"x")), ShuttingDown)


async def test_what_left_the_tail_cache_is_read_from_the_store(tmp_path):
    async with running_log(tmp_path, policy=SMALL) as log:
        payloads = [bytes([index]) * 900_000 for index in range(20)]
        for payload in payloads:
            assert isinstance(await log.append(batch(payload)), Appended)
        found = await log.values()
        assert [value for _, value in found] == payloads
        assert [offset for offset, _ in found] == list(range(20))
        assert log.service.stats.catch_up_bytes > 8_000_000


async def test_small_fetches_behind_the_tail_go_on_where_they_were(tmp_path):
    async with running_log(tmp_path, policy=SMALL) as log:
        values = [b"%06d" % index * 50 for index in range(2_000)]
        for start in range(0, 2_000, 100):
            await log.append_all(*[batch(value) for value in values[start : start + 100]])
        for _ in range(12):
            await log.append(batch(b"z" * 1_000_000), partition=2)
        read: list[bytes | None] = []
        while len(read) < 2_000:
            read += [value for _, value in values_of(await log.fetch(len(read), max_bytes=7_000))]
        assert read == values


async def test_a_duplicate_gets_its_first_offset_and_is_not_appended_again(tmp_path):
    async with running_log(tmp_path) as log:
        first = await log.append(sequenced(b"a", 0, count=3))
        again = await log.append(sequenced(b"a", 0, count=3))
        assert (first.base_offset, again.base_offset) == (0, 0)
        assert len(await log.values()) == 3


async def test_a_gap_in_the_sequence_is_refused(tmp_path):
    async with running_log(tmp_path) as log:
        await log.append(sequenced(b"a", 0))
        assert isinstance(await log.append(sequenced(b"c", 2)), OutOfOrderSequence)
        assert (await log.append(sequenced(b"b", 1))).base_offset == 1


async def test_an_older_epoch_is_fenced_and_a_newer_one_begins_at_zero(tmp_path):
    async with running_log(tmp_path) as log:
        await log.append(sequenced(b"a", 0, epoch=1))
        assert isinstance(await log.append(sequenced(b"b", 1, epoch=0)), ProducerFenced)
        assert isinstance(await log.append(sequenced(b"b", 1, epoch=2)), OutOfOrderSequence)
        assert (await log.append(sequenced(b"b", 0, epoch=2))).base_offset == 1


async def test_list_offsets_finds_records_exactly(tmp_path):
    async with running_log(tmp_path) as log:
        for index in range(10):
            await log.append(batch(b"a", b"b", base_timestamp=NOW_MS + index * 10))
        find = log.service.list_offset
        assert (await find(ONE, timestamp=-1, read_committed=False)).offset == 20
        assert (await find(ONE, timestamp=-2, read_committed=False)).offset == 0
        assert await find(ONE, timestamp=-3, read_committed=False) == (18, NOW_MS + 90, 0)
        assert await find(ONE, timestamp=NOW_MS + 41, read_committed=False) == (10, NOW_MS + 50, 0)
        assert await find(ONE, timestamp=NOW_MS + 91, read_committed=False) == (-1, -1, -1)


async def test_deleted_records_are_gone_for_everybody(tmp_path):
    async with running_log(tmp_path) as log:
        await log.append_all(*[batch(b"x") for _ in range(10)])
        assert await log.service.delete_records(ONE, offset=4) == 4
        assert isinstance((await log.fetch(3)).error, OffsetOutOfRange)
        assert (await log.fetch(4)).log_start_offset == 4
        assert await log.service.delete_records(ONE, offset=-1) == 10
        assert await log.append_all(batch(b"next")) == [10]


async def test_deleting_beyond_the_end_is_out_of_range(tmp_path):
    async with running_log(tmp_path) as log:
        await log.append(batch(b"x"))
        with pytest.raises(OffsetOutOfRange):
            await log.service.delete_records(ONE, offset=2)


async def test_the_buffer_bounds_what_waits_for_a_flush(tmp_path):
    policy = LogPolicy(tail_cache_bytes=8 << 20, produce_buffer_bytes=1 << 20)
    async with running_log(tmp_path, policy=policy) as log:
        waiting = [log.send(batch(b"x" * 600_000)) for _ in range(2)]
        assert not log.service.has_room
        await log.service.wait_for_room()
        assert log.service.has_room
        await asyncio.gather(*waiting)


async def test_a_view_that_missed_a_deletion_does_not_answer_with_nothing_for_ever(tmp_path):
    async with running_log(tmp_path) as log:
        await log.append_all(batch(b"a"), batch(b"b"))
        # As if the deletion had come between the catalog's answer and the view that was made of it.
        await log.catalog.log.advance_log_start(ONE, offset=2)
        log.service._views.get(ONE)._tail.clear()
        assert isinstance((await log.fetch(0)).error, OffsetOutOfRange)
        assert (await log.fetch(2)).log_start_offset == 2


class Counted:
    """Memory for a fetch, and how much of it is taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def take(self, size: int) -> int:
        self.taken += size
        return size

    def adjust(self, size: int) -> None:
        self.taken += size


async def jumps_over_nothing(log, delete):
    """Let records be deleted between a fetch's look at its view and its look at the index; it must say so."""
    for value in (b"a", b"b", b"c"):
        await log.append(batch(value))
    log.service._views.get(ONE)._tail.clear()
    runs = log.catalog.log.runs

    async def overtaken(partition_id, *, offset, limit):
        await delete()
        return await runs(partition_id, offset=offset, limit=limit)

    log.service._fetcher._reader._catalog = type("Overtaken", (), {"runs": staticmethod(overtaken)})()
    memory = Counted()
    (result,) = await log.service.fetch(
        [FetchWant(ONE, 0, 1 << 20)],
        max_wait_ms=0,
        min_bytes=1,
        max_bytes=1 << 20,
        read_committed=False,
        memory=memory,
    )
    assert isinstance(result.error, OffsetOutOfRange)
    assert (result.records, result.log_start_offset, result.high_watermark) == ([], 2, 3)
    assert memory.taken == 0
    assert values_of(await log.fetch(2)) == [(2, b"c")]


async def test_a_fetch_behind_the_tail_that_delete_records_overtakes_jumps_over_no_record(tmp_path):
    async with running_log(tmp_path) as log:
        await jumps_over_nothing(log, lambda: log.service.delete_records(ONE, offset=2))


async def test_a_fetch_behind_the_tail_that_retention_overtakes_jumps_over_no_record(tmp_path):
    async with running_log(tmp_path) as log:
        # Another broker's: it asks the catalog, and knows of no view here.
        await jumps_over_nothing(log, lambda: log.catalog.log.advance_log_start(ONE, offset=2))


async def test_a_fetch_whose_partition_cannot_be_looked_up_is_told_of_the_storage_and_not_of_an_unknown_partition(
    tmp_path,
):
    async with running_log(tmp_path) as log:
        await log.append(batch(b"a"))

        async def states(partition_ids):
            raise CatalogUnavailable("disk I/O error")

        waiting = asyncio.ensure_future(log.fetch(1, wait_ms=60_000))
        await until(lambda: log.service._views.get(ONE)._waiters)
        log.service._views._catalog = type("Failing", (), {"states": staticmethod(states)})()
        log.service._views.drop(ONE)
        assert isinstance((await waiting).error, StorageFailed)


async def test_a_partition_that_goes_out_of_mind_while_it_is_looked_up_is_looked_up_again(tmp_path):
    async with running_log(tmp_path) as log:
        await log.append(batch(b"a"))
        views = log.service._views
        ask = log.catalog.log.states
        asked = []

        async def states(partition_ids):
            found = await ask(partition_ids)
            asked.append(partition_ids)
            if len(asked) == 1:
                # As when the outcome of a commit was lost: whatever was known is to be forgotten.
                views.drop(ONE)
            return found

        views._catalog = type("Asked", (), {"states": staticmethod(states)})()
        assert isinstance((await log.fetch(5)).error, OffsetOutOfRange)
        assert len(asked) == 2
