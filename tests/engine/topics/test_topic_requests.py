import pytest

from fleuve.engine.topics.errors import (
    InvalidPartitions,
    InvalidReplicaAssignment,
    InvalidReplicationFactor,
    InvalidTopicRequest,
)
from fleuve.engine.topics.requests import TopicRules, TopicSpec, shape

RULES = TopicRules(num_partitions=4, default_replication_factor=2)
NODES = (1, 2)


def of(partition_count=-1, replication_factor=-1, assignments=(), rules=RULES):
    spec = TopicSpec(
        name="t", partition_count=partition_count, replication_factor=replication_factor, assignments=assignments
    )
    return shape(spec, rules, nodes=NODES)


def test_minus_one_is_the_brokers_default():
    assert of() == (4, 2)


@pytest.mark.parametrize("factor", [1, 2, 3, 32_767])
def test_any_replication_factor_from_one_is_taken(factor):
    assert of(3, factor) == (3, factor)


def test_a_strict_broker_wants_as_many_brokers_as_replicas():
    strict = TopicRules(strict_replication=True)
    assert of(1, 2, rules=strict) == (1, 2)
    with pytest.raises(InvalidReplicationFactor, match=r"The target replication factor of 3 cannot be reached"):
        of(1, 3, rules=strict)


@pytest.mark.parametrize("factor", [0, -2])
def test_a_replication_factor_is_positive(factor):
    # Checked before the number of partitions, as Kafka does.
    with pytest.raises(InvalidReplicationFactor) as raised:
        of(0, factor)
    assert str(raised.value) == "Replication factor must be larger than 0, or -1 to use the default value."


@pytest.mark.parametrize("count", [0, -2])
def test_a_number_of_partitions_is_positive(count):
    with pytest.raises(InvalidPartitions) as raised:
        of(count, 1)
    assert str(raised.value) == "Number of partitions was set to an invalid non-positive value."


def test_a_manual_assignment_gives_both_numbers():
    assert of(assignments=[(1, [2, 1]), (0, [1, 2])]) == (2, 2)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        ([(0, [9])], "The manual partition assignment includes broker 9, but no such broker is registered."),
        ([(0, [1, 1])], "The manual partition assignment includes the broker 1 more than once."),
        ([(0, [])], "The manual partition assignment includes an empty replica list."),
        ([(0, [1]), (2, [1])], "partitions should be a consecutive 0-based integer sequence"),
        ([(1, [1])], "partitions should be a consecutive 0-based integer sequence"),
        ([(0, [1]), (0, [1])], "Found multiple manual partition assignments for partition 0"),
        (
            [(0, [1]), (1, [1, 2])],
            (
                "The manual partition assignment includes a partition with 2 replica(s), but this is not consistent "
                "with previous partitions, which have 1 replica(s)."
            ),
        ),
    ],
)
def test_manual_assignments_that_make_no_sense(assignments, message):
    with pytest.raises(InvalidReplicaAssignment) as raised:
        of(assignments=assignments)
    assert str(raised.value) == message


def test_a_manual_assignment_stands_alone():
    with pytest.raises(InvalidTopicRequest, match="numPartitions was not set to -1"):
        of(partition_count=1, assignments=[(0, [1])])
    with pytest.raises(InvalidTopicRequest, match="replication factor was not set to -1"):
        of(replication_factor=1, assignments=[(0, [1])])
