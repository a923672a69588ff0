"""The power is cut at the places of a broker's life, one after another, and the next broker must keep what was told.

The disk is a model below the file layer, SQLite's own files included. FLEUVE_CUTS sets how many cuts, at random places
(`make soak` cuts at every place, in every way), FLEUVE_SEED the seed.
"""

from __future__ import annotations

import os

import pytest

from support.cuts import Cutter, rehearse

CUTS = int(os.environ.get("FLEUVE_CUTS", "160")) // 2
SEED = int(os.environ.get("FLEUVE_SEED", "1"))
TURNS = 60
SECONDS_PER_CUT_MAX = 3

pytestmark = [pytest.mark.faults, pytest.mark.timeout(60 + CUTS * SECONDS_PER_CUT_MAX)]


@pytest.mark.soak
@pytest.mark.parametrize("failures", [False, True], ids=["healthy disk", "failing disk"])
async def test_a_broker_keeps_what_it_told_wherever_in_its_life_the_power_is_cut(tmp_path, failures, record_property):
    lived = await rehearse(tmp_path / "life", SEED, turns=TURNS, failures=failures)
    cutter = Cutter(tmp_path, SEED)
    if len(lived.history) <= CUTS:
        await cutter.cut_everywhere(lived)
    else:
        await cutter.cut_somewhere(lived, CUTS)
    report = cutter.report
    record_property(
        "ran",
        f"{report.cuts:,} power cuts in a life of {len(lived.history):,} changes on the disk,"
        f" and {report.again:,} in the lives after them",
    )
    assert report.findings == []


async def test_a_first_start_that_is_killed_and_a_power_cut_after_it_leave_what_the_next_can_start_on(tmp_path):
    lived = await rehearse(tmp_path / "life", SEED, turns=0)
    cutter = Cutter(tmp_path, SEED)
    await cutter.kill_the_start(lived)
    assert cutter.report.findings == []
