"""The campaigns of kills and power cuts, tried on brokers that break a promise: each must be noticed."""

from __future__ import annotations

import pytest

from support.kills import kill_again_and_again
from support.sabotage import SABOTAGES

NEED_A_POWER_CUT = {
    "acknowledge before it is flushed",
    "flush nothing",
    "flush nothing of the catalog",
    "skip the replay",
    "replay the first batch of each flush",
}
"""A process that is killed loses nothing that the system has."""
KILLS_MAX = 20
"""Most power cuts leave something to find, and a campaign ends when a client finds it."""
KILLS = {"decide without sequence numbers": 12}
"""Where three do not surely do: a batch must have been stored, and its answer lost."""

pytestmark = [pytest.mark.faults, pytest.mark.sabotage, pytest.mark.timeout(180)]


@pytest.mark.parametrize("sabotage", SABOTAGES)
def test_a_campaign_notices_a_broker_that_would(sabotage, tmp_path):
    power = sabotage in NEED_A_POWER_CUT
    kills = KILLS_MAX if power else KILLS.get(sabotage, 3)
    report = kill_again_and_again(tmp_path, kills=kills, seed=5, power=power, sabotage=sabotage, real_clients=False)
    assert report.findings
