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
GROUPS = "fleuve.engine.groups."
SABOTAGES = [
    Sabotage(
        "offset_for_leader_epoch: the end of an epoch is one too far",
        HANDLERS + "offset_for_leader_epoch",
        "end_offset=end)",
        "end_offset=end + 1)",
    ),
    Sabotage(
        "group_join: a group may have one member more",
        GROUPS + "classic",
        "len(group.members) < turn.policy.members_max",
        "len(group.members) <= turn.policy.members_max",
    ),
    Sabotage(
        "group_rebalance: a commit between two generations is taken",
        GROUPS + "classic",
        "    if group.phase is Phase.COMPLETING_REBALANCE:\n        raise RebalanceInProgress",
        "    if group.phase is Phase.DEAD:\n        raise RebalanceInProgress",
    ),
    Sabotage(
        "group_static: a static member that comes back makes everybody join again",
        GROUPS + "classic",
        "group.phase is Phase.STABLE and group.selected_protocol() == group.protocol_name",
        "group.phase is Phase.DEAD",
    ),
    Sabotage(
        "group_offsets: members do not keep others from committing",
        GROUPS + "classic",
        "if command.generation < 0 and group.phase is Phase.EMPTY:",
        "if command.generation < 0:",
    ),
    Sabotage(
        "group_administration: metadata is shown before the group is stable",
        HANDLERS + "describe_groups",
        "    stable = group.phase is Phase.STABLE",
        "    stable = group.phase is not Phase.EMPTY",
    ),
]


@pytest.mark.sabotage
@each(SABOTAGES)
def test_the_replay_notices(sabotage, tmp_path):
    """A sabotage's name begins with the recording that shows it."""
    topic = sabotage.promise.partition(":")[0]
    with BrokerThread(tmp_path, SETTINGS) as broker, sabotaged(sabotage):
        cases = (Replay(broker.address, recorded).run() for recorded in read(RECORDINGS / f"{topic}.txt"))
        assert any(judge(topic, case.mismatches, declared())[0] for case in cases)
