"""The log room's tests would notice if a rule broke: one line of the source is changed, and something must fail.

The line is changed in memory. What is asked is the sentences of this folder that need no fixture, reads against their
model, and some seeds of the simulation.
"""

from __future__ import annotations

import asyncio
import inspect
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path

import pytest

from fleuve.engine.log import arena, catch_up, decide, fetch, flush, partition, recovery, service, slab, views
from fleuve.simulation.loop import virtually
from support.sabotages import Sabotage, each, line, sabotaged
from support.sentences import Sentence, failure, load, of_files

HERE = Path(__file__).parent
SEEDS = 90

SABOTAGES = [
    # What is decided
    line(decide, "            offset += batch.last_offset_delta + 1\n", "            offset += 1\n"),
    line(decide, "return Duplicate(entry.base_offset, entry.append_time_ms)", "return Duplicate(offset, -1)"),
    line(decide, "        if first != expected:", "        if first > expected + 5:"),
    line(decide, "elif batch.producer_epoch < state.epoch:", "elif False:"),
    line(decide, "decision.producers.get(key) or states", "states"),
    line(decide, "key in circumstances.unsettled or not", "not"),
    line(decide, "(*entries, entry)[-ENTRIES_MAX:]", "(entry,)"),
    line(decide, "position + batch.size, -1", "position, -1"),
    # Flushes
    line(flush, "batches.sort(key=_partition_id)", "batches.sort(key=lambda b: (b.partition_id, -b.sequence))"),
    line(flush, "durable=any(batch.sync_after_messages <= 1 for batch in batches)", "durable=False"),
    line(flush, "            await flush.written\n", ""),
    line(flush, "await self._void_doomed(flush)", "pass"),
    line(flush, "        flush.unsettled = self._unsettled_of(batches)\n", ""),
    line(
        flush,
        "if not await self._catalog.void(flush.flush_id):",
        "if await self._catalog.void(flush.flush_id) is None:",
    ),
    line(flush, "        if self._unresolved is not None:\n", "        if False:\n"),
    line(flush, "            await self._resolve(flush)\n            return\n", "            return\n"),
    line(service, "        patch(batch.slab.view, batch.start, outcome, view.leader_epoch)\n", "        pass\n"),
    line(service, "self._note_refused(partition_id, records)", "pass"),
    line(service, "            view.wake()", "            pass"),
    Sabotage(
        "commit whichever flush is written first",
        flush.__name__,
        "            flush = self._under_way[0]\n"
        "            await flush.written\n"
        "            await self._commit(flush)\n"
        "            self._under_way.popleft()\n",
        "            written = [flush for flush in self._under_way if flush.written.done()]\n"
        "            flush = (written or self._under_way)[0]\n"
        "            await flush.written\n"
        "            await self._commit(flush)\n"
        "            self._under_way.remove(flush)\n",
    ),
    # Recovery
    line(recovery, "after=number)", "after=number + 1)"),
    line(recovery, "                await self._recovery.skip(FlushId(unfinished.incarnation, number))\n", ""),
    line(recovery, "whole = unfinished.whole", "whole = True"),
    line(recovery, "count = 0 if self._catalog.produce_commits_durable else", "count = 0 if True else"),
    line(recovery, "filled += await self._fill(incarnation)", "filled += 0"),
    line(recovery, "batch.max_timestamp if is_log_append_time(batch.attributes) else -1", "-1"),
    line(recovery, "set(header.unsettled)", "set()"),
    # Reads
    line(partition, "        self.high_watermark = offset_end\n", ""),
    line(partition, "if base_offset + last_offset_delta >= offset:", "if base_offset >= offset:"),
    line(fetch, "            await self._views.refresh(want.partition_id)", "            pass"),
    line(catch_up, "                if last_offset < offset:", "                if False:"),
    line(catch_up, "        patch(data, position, offset, run.leader_epoch)", "        pass"),
    line(catch_up, "leftover=buffers[0])", "leftover=buffers[0][1:])"),
    line(catch_up, "cursor.object_name == stored.object_name and", ""),
    line(fetch, "if _begins_above(result.records, offset) if", "if False if"),
    line(
        fetch,
        'self._failures.failed(f"where partition {partition_id} stands", error)',
        "UnknownPartition(str(error))",
    ),
    line(catch_up, "full = first_offset >= end_offset or", "full ="),
    line(views, "            if self._dropped == dropped:\n", "            if True:\n"),
    # Memory that is used again
    line(slab, "            free = False\n", "            free, self.used = True, 0\n"),
    line(arena, "if not self._slabs or self._slabs[0].pending:", "if not self._slabs:"),
    line(arena, "            partition.evict(piece)\n", "            pass\n"),
    line(arena, "if slab.size == self.slab_bytes and slab.recycled():", "if slab.size == self.slab_bytes:"),
    line(service, "            batch.slab.pending -= 1\n            if", "            if"),
]


def _with_a_directory(name: str) -> list[Callable[[Path | None], Coroutine[None, None, None]]]:
    return [
        function
        for test, function in vars(load(HERE, name)).items()
        if test.startswith("test_") and list(inspect.signature(function).parameters) == ["tmp_path"]
    ]


def _in_memory(function: Callable[[Path | None], Coroutine[None, None, None]]) -> None:
    virtually(asyncio.wait_for(function(None), 300))


def _in_a_directory(function: Callable[[Path | None], Coroutine[None, None, None]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(function(Path(directory)))


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    reads, simulation = load(HERE, "catch_up"), load(HERE, "simulation")
    return [
        *of_files(HERE, ("flush", "catch_up", "decide", "arena")),
        *(partial(_in_memory, function) for function in _with_a_directory("service")),
        *(partial(_in_a_directory, function) for function in _with_a_directory("recovery")),
        *(partial(reads.test_any_read_returns_whole_batches_in_order, seed) for seed in range(1, 9)),
        *(partial(simulation.simulate, seed) for seed in range(SEEDS)),
    ]


def test_without_a_sabotage_everything_holds(sentences):
    assert failure(sentences) is None


@pytest.mark.sabotage
@pytest.mark.filterwarnings("ignore")
@each(SABOTAGES)
def test_a_sabotage_is_noticed(sabotage, sentences):
    with sabotaged(sabotage):
        assert failure(sentences) is not None
