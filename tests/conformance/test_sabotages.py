"""One line of the broker at a time is broken: the replay of the recordings must notice."""

from __future__ import annotations

import pytest

from conformance.brokers import SETTINGS
from conformance.differences import declared, judge
from conformance.recording import RECORDINGS, read
from conformance.replay import Replay
from support.broker_thread import BrokerThread
from support.sabotages import Sabotage, each, sabotaged

HANDLERS = "fleuve.kafka.handlers."
SABOTAGES = [
    Sabotage(
        "offset_for_leader_epoch: the end of an epoch is one too far",
        HANDLERS + "offset_for_leader_epoch",
        "end_offset=end)",
        "end_offset=end + 1)",
    ),
]


@pytest.mark.sabotage
@each(SABOTAGES)
def test_the_replay_notices(sabotage, tmp_path):
    """A sabotage's name begins with the recording that shows it."""
    topic = sabotage.promise.partition(":")[0]
    with BrokerThread(tmp_path, SETTINGS) as broker, sabotaged(sabotage):
        replays = [Replay(broker.address, recorded).run() for recorded in read(RECORDINGS / f"{topic}.txt")]
    undeclared, idle = judge(topic, [one for replay in replays for one in replay.mismatches], declared())
    assert undeclared or idle
