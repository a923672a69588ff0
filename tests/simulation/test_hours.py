"""Eight hours of virtual time on SQLite and the journal: nothing that is used of anything grows with time.

FLEUVE_HOURS sets how many hours, FLEUVE_SEED the seed.
"""

from __future__ import annotations

import os
from statistics import median

import pytest

from fleuve.simulation.hours import Hours

HOURS = float(os.environ.get("FLEUVE_HOURS", "8"))
SEED = int(os.environ.get("FLEUVE_SEED", "1"))
FLUSHES_PER_HOUR_MIN = 1_250
MEMORY_GROWTH_KIB_MAX = 2 * 1024
"""Of the whole process between the second quarter and the last, the heap's holes included."""
FLUSHES_PER_OBJECT_MIN = 4
FLUSHES_PER_BLOCK_MIN = 1
"""What Python has may grow by so little meanwhile: whatever is kept for each flush is more. The simulation's own notes
of what was committed, and of what is in the log, take some."""


def typical(looks, what):
    return median(getattr(look, what) for look in looks)


@pytest.mark.timeout(3_000)
def test_hours_of_mixed_load_leave_everything_level(tmp_path, record_property):
    hours = Hours(SEED, HOURS * 3_600, tmp_path / "data")
    hours.run()
    assert hours.flushes >= FLUSHES_PER_HOUR_MIN * HOURS
    quarter = len(hours.looks) // 4
    before, after = hours.looks[quarter : 2 * quarter], hours.looks[-quarter:]
    for what in ("rows", "files", "file_bytes", "descriptors"):
        assert typical(after, what) <= typical(before, what) * 1.3 + 5, what
    meanwhile = hours.flushes / 2
    assert typical(after, "objects") <= typical(before, "objects") + meanwhile / FLUSHES_PER_OBJECT_MIN
    assert typical(after, "blocks") <= typical(before, "blocks") + meanwhile / FLUSHES_PER_BLOCK_MIN
    growth_kib = typical(after, "memory_kib") - typical(before, "memory_kib")
    assert growth_kib <= MEMORY_GROWTH_KIB_MAX
    record_property(
        "ran",
        f"{HOURS:g} hours of virtual time, {hours.flushes:,} flushes, {hours.play.acknowledged:,} records, "
        f"{typical(after, 'rows'):.0f} rows and {typical(after, 'files'):.0f} files in the end, "
        f"{growth_kib / 1024:.1f} MiB more memory than after a quarter",
    )
