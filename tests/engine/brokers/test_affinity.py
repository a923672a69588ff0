from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleuve.base.ids import NodeId, PartitionId
from fleuve.engine.brokers import affinity

node_sets = st.sets(st.integers(0, 2**31 - 1).map(NodeId), min_size=1, max_size=8)
partitions = st.integers(1, 2**62).map(PartitionId)

GOLDEN_LEADERS = [3, 2, 3, 3, 3, 3, 1, 2, 1, 3, 3, 2]
GOLDEN_COORDINATORS = [1, 1, 1, 3, 2, 2, 2, 3, 3, 3, 1, 2]
GOLDEN_COORDINATOR_OF_TRANSACTION = 3


@given(partitions, node_sets)
def test_the_leader_is_one_of_the_brokers_whatever_their_order(partition, nodes):
    chosen = affinity.leader(partition, sorted(nodes))
    assert chosen in nodes
    assert affinity.leader(partition, sorted(nodes, reverse=True)) == chosen


@given(partitions, node_sets, st.integers(0, 2**31 - 1).map(NodeId))
def test_a_broker_that_joins_takes_or_nothing_moves(partition, nodes, joined):
    assert affinity.leader(partition, nodes | {joined}) in {affinity.leader(partition, nodes), joined}


@given(partitions, node_sets, st.data())
def test_a_broker_that_leaves_moves_only_what_it_led(partition, nodes, data):
    before = affinity.leader(partition, nodes)
    gone = data.draw(st.sampled_from(sorted(nodes)))
    left = nodes - {gone}
    if left and gone != before:
        assert affinity.leader(partition, left) == before


@given(partitions, node_sets, st.integers(1, 32_767))
def test_replicas_name_existing_brokers_as_often_as_asked_with_the_leader_first(partition, nodes, factor):
    named = affinity.replicas(partition, nodes, replication_factor=factor)
    assert len(named) == min(factor, affinity.REPLICAS_SHOWN_MAX)
    assert named[0] == affinity.leader(partition, nodes)
    assert set(named) <= nodes
    # Nobody is named twice before everybody was named once.
    assert len(set(named)) == min(len(named), len(nodes))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), node_sets)
def test_the_coordinator_is_one_of_the_brokers_whatever_their_order(key, nodes):
    chosen = affinity.coordinator(0, key, sorted(nodes))
    assert chosen in nodes
    assert affinity.coordinator(0, key, sorted(nodes, reverse=True)) == chosen


@pytest.mark.parametrize("count", [2, 3, 5])
def test_shares_are_fair(count):
    nodes = [NodeId(node) for node in range(1, count + 1)]
    by_leader = Counter(affinity.leader(PartitionId(number), nodes) for number in range(1, 10_001))
    by_coordinator = Counter(affinity.coordinator(0, f"group-{number}", nodes) for number in range(10_000))
    for shares in (by_leader, by_coordinator):
        assert set(shares) == set(nodes)
        assert max(shares.values()) < 1.15 * 10_000 / count


def test_the_choice_is_part_of_the_clusters_behaviour():
    # Brokers of different versions live together: these must never change.
    nodes = [NodeId(node) for node in (1, 2, 3)]
    assert [affinity.leader(PartitionId(number), nodes) for number in range(1, 13)] == GOLDEN_LEADERS
    assert [affinity.coordinator(0, f"group-{number}", nodes) for number in range(12)] == GOLDEN_COORDINATORS
    assert affinity.coordinator(1, "group-0", nodes) == GOLDEN_COORDINATOR_OF_TRANSACTION
