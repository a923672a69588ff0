"""`kill -9` and power cuts at random instants under load, again and again.

FLEUVE_KILLS sets how many (10 if it is not set; `make soak` sets more), FLEUVE_SEED the seed.
"""

from __future__ import annotations

import os

import pytest

from support.kills import kill_again_and_again

KILLS = int(os.environ.get("FLEUVE_KILLS", "10"))
SEED = int(os.environ.get("FLEUVE_SEED", "1"))
SECONDS_PER_KILL_MAX = 10

pytestmark = [pytest.mark.faults, pytest.mark.soak, pytest.mark.timeout(120 + KILLS * SECONDS_PER_KILL_MAX)]


def test_a_killed_broker_keeps_what_it_acknowledged_once_in_order_and_without_holes(tmp_path, record_property):
    report = kill_again_and_again(tmp_path, kills=KILLS, seed=SEED)
    record_property("ran", f"{report.kills} kills, {report.records:,} records acknowledged")
    assert report.findings == []
    assert report.kills == KILLS


def test_a_broker_without_power_keeps_what_it_acknowledged_once_in_order_and_without_holes(tmp_path, record_property):
    report = kill_again_and_again(tmp_path, kills=KILLS // 2 or 1, seed=SEED, power=True)
    record_property("ran", f"{report.kills} power cuts, {report.records:,} records acknowledged")
    assert report.findings == []
