"""One line of the broker is changed at a time, and within a bounded number of seeds the simulation notices."""

from __future__ import annotations

import pytest

from fleuve.engine.groups import classic
from fleuve.engine.log import arena, catch_up, decide, fetch, flush, partition, recovery, service, slab
from fleuve.engine.maintenance import garbage, planning
from fleuve.simulation.world import World
from support.sabotages import each, line, sabotaged

SEEDS = 150

SABOTAGES = [
    # Producers
    line(decide, "return Duplicate(entry.base_offset, entry.append_time_ms)", "return offset"),
    line(decide, "elif batch.producer_epoch < state.epoch:", "elif False:"),
    line(decide, "        if first != expected:", "        if first > expected + 5:"),
    line(decide, "            offset += batch.last_offset_delta + 1\n", "            offset += 1\n"),
    # Flushes and commits
    line(flush, "durable=any(batch.sync_after_messages <= 1 for batch in batches)", "durable=False"),
    line(flush, "batches.sort(key=_partition_id)", "batches.sort(key=lambda b: (b.partition_id, -b.sequence))"),
    line(flush, "            await self._resolve(flush)\n            return\n", "            return\n"),
    line(service, "        patch(batch.slab.view, batch.start, outcome, view.leader_epoch)\n", "        pass\n"),
    line(service, "            view.wake()", "            pass"),
    # Recovery
    line(recovery, "after=number)", "after=number + 1)"),
    # Reads
    line(partition, "        self.high_watermark = offset_end\n", "        self.high_watermark = offset_end + 1\n"),
    line(catch_up, "                if last_offset < offset:", "                if False:"),
    line(catch_up, "        patch(data, position, offset, run.leader_epoch)", "        pass"),
    line(catch_up, "full = first_offset >= end_offset or", "full ="),
    line(fetch, "if _begins_above(result.records, offset) if", "if False if"),
    # Memory that is used again
    line(slab, "            free = False\n", "            free, self.used = True, 0\n"),
    line(arena, "            partition.evict(piece)\n", "            pass\n"),
    # Maintenance
    line(planning, "if now_ms - youngest <= retention.time_ms:", "if now_ms - youngest <= retention.time_ms // 2:"),
    line(garbage, "if not info.growing and info.name not in known and", "if not info.growing and"),
    # Groups
    line(classic, "if generation != group.generation:", "if generation > group.generation:"),
]


def notices() -> int | None:
    """Return the first seed that shows something."""
    for seed in range(1, SEEDS + 1):
        try:
            World(seed).run()
        except Exception:
            return seed
    return None


@pytest.mark.sabotage
@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")
@each(SABOTAGES)
def test_a_sabotage_is_noticed(sabotage, record_property):
    with sabotaged(sabotage):
        seed = notices()
    assert seed is not None, f"{SEEDS} seeds have shown nothing"
    record_property("ran", f"noticed by seed {seed}: {sabotage.promise}")
