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
MEMORY_GROWTH_KIB_MAX = 12 * 1024
"""Of the whole process between the second quarter and the last, the simulation's own notes and the heap's holes
included: what a record takes, kept for each, would be more."""


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
    assert typical(after, "objects") <= typical(before, "objects") * 1.1
    assert typical(after, "memory_kib") <= typical(before, "memory_kib") + MEMORY_GROWTH_KIB_MAX
    record_property(
        "ran",
        f"{HOURS:g} hours of virtual time, {hours.flushes:,} flushes, {hours.play.acknowledged:,} records, "
        f"{typical(after, 'rows'):.0f} rows and {typical(after, 'files'):.0f} files in the end",
    )
