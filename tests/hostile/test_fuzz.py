"""A minute, or as long as FLEUVE_FUZZ_SECONDS says, of requests and batches with lies inside.

All the time another client is served; in the end, and after a crash, all that was acknowledged to it is there.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleuve.app.surroundings import OFFLOAD_THREADS
from fleuve.engine.log.service import DECODED_BYTES_MAX
from hostile.campaign import Campaign
from hostile.control import Control
from support.broker_process import BrokerProcess
from support.kills import address_of

SECONDS = float(os.environ.get("FLEUVE_FUZZ_SECONDS", "60"))
SEED = int(os.environ.get("FLEUVE_SEED", "1"))
INPUTS = os.environ.get("FLEUVE_FUZZ_INPUTS", "")
"""The first and the last number of inputs that are to be sent again, as 80-119."""
MIB = 1 << 20
SETTINGS: dict[str, str | int] = {
    "fleuve.tail.cache.bytes": 8 * MIB,
    "fleuve.produce.buffer.bytes": 4 * MIB,
    "fleuve.request.memory.bytes": 8 * MIB,
    "fleuve.fetch.memory.bytes": 8 * MIB,
    "group.initial.rebalance.delay.ms": 0,
    # What was stored is read and written again all the time.
    "fleuve.journal.file.bytes": MIB,
    "fleuve.merge.interval.ms": 100,
    "fleuve.merge.backlog.files": 1,
    "fleuve.garbage.grace.ms": 0,
    "log.retention.ms": -1,
}
MEMORY_BYTES_MAX = 240 * MIB + OFFLOAD_THREADS * DECODED_BYTES_MAX
"""The broker itself, twice its bounds, and what threads hold that look into batches."""


def numbers() -> Iterator[int]:
    if not INPUTS:
        return itertools.count()
    first, last = INPUTS.split("-")
    return iter(range(int(first), int(last) + 1))


@pytest.mark.soak
@pytest.mark.timeout(SECONDS * 3 + 120)
def test_requests_and_batches_that_lie_cost_their_own_connection_at_most(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with BrokerProcess(tmp_path / "broker", settings=SETTINGS) as broker:
        campaign = Campaign(broker, tmp_path, seed=SEED, memory_bytes_max=MEMORY_BYTES_MAX)
        with Control(address_of(broker)) as control:
            campaign.run(numbers(), seconds=SECONDS)
            stored = campaign.read_everything()
        control.look_again(address_of(broker))
        broker.kill()
        broker.start()
        control.look_again(address_of(broker))
        campaign.read_everything()
    outcomes = ", ".join(f"{count:,} {outcome.value}" for outcome, count in campaign.outcomes.items())
    record_property(
        "ran",
        f"seed {SEED}: {campaign.sent:,} inputs, {outcomes}; {control.summary()}; "
        f"{campaign.resident_bytes_max / MIB:.0f} MiB of memory, {stored:,} bytes read again",
    )
