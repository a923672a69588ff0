"""What is asked for, and the rules that decide whether it can be had. Pure: no storage, no waiting.

The order of the checks and the words of the messages are Apache Kafka's: clients show them to people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from fleuve.engine.topics.errors import (
    InvalidPartitions,
    InvalidReplicaAssignment,
    InvalidReplicationFactor,
    InvalidTopicRequest,
)

PARTITIONS_PER_REQUEST_MAX = 10_000
"""Kafka's bound on what one request may create: it bounds a transaction."""

PARTITIONS_MAX = 200_000
"""Partitions of one cluster. Each costs a broker memory, and every client that asks for all topics a reply's bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicRules:
    """The broker settings that this room obeys, with Kafka's defaults."""

    num_partitions: int = 1
    default_replication_factor: int = 1
    auto_create: bool = True
    delete_enabled: bool = True
    offsets_partitions: int = 50
    offsets_replication_factor: int = 3
    offsets_segment_bytes: int = 104_857_600
    strict_replication: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """A topic as somebody asks for it."""

    name: str
    partition_count: int = -1
    """-1: `num.partitions`."""
    replication_factor: int = -1
    """-1: `default.replication.factor`."""
    assignments: Sequence[tuple[int, Sequence[int]]] = ()
    """Partition number and node ids, where the replicas are placed by hand."""
    overrides: Mapping[str, str | None] = field(default_factory=dict)


def shape(spec: TopicSpec, rules: TopicRules, *, nodes: Collection[int]) -> tuple[int, int]:
    """Return the number of partitions and the replication factor that `spec` comes to.

    `nodes` are the ids of the brokers that exist. Raises InvalidPartitions, InvalidReplicationFactor,
    InvalidReplicaAssignment, InvalidTopicRequest.
    """
    if spec.assignments:
        return _assigned_shape(spec, nodes=nodes)
    if spec.replication_factor < -1 or spec.replication_factor == 0:
        raise InvalidReplicationFactor("Replication factor must be larger than 0, or -1 to use the default value.")
    if spec.partition_count < -1 or spec.partition_count == 0:
        raise InvalidPartitions("Number of partitions was set to an invalid non-positive value.")
    partition_count = rules.num_partitions if spec.partition_count == -1 else spec.partition_count
    replication_factor = rules.default_replication_factor if spec.replication_factor == -1 else spec.replication_factor
    if rules.strict_replication and replication_factor > len(nodes):
        raise InvalidReplicationFactor(
            f"Unable to replicate the partition {replication_factor} time(s): The target replication factor of "
            f"{replication_factor} cannot be reached because only {len(nodes)} broker(s) are registered."
        )
    return partition_count, replication_factor


def _assigned_shape(spec: TopicSpec, *, nodes: Collection[int]) -> tuple[int, int]:
    if spec.replication_factor != -1:
        raise InvalidTopicRequest(
            "A manual partition assignment was specified, but replication factor was not set to -1."
        )
    if spec.partition_count != -1:
        raise InvalidTopicRequest("A manual partition assignment was specified, but numPartitions was not set to -1.")
    seen: set[int] = set()
    replication_factor = 0
    for index, replicas in spec.assignments:
        if index in seen:
            raise InvalidReplicaAssignment(f"Found multiple manual partition assignments for partition {index}")
        seen.add(index)
        check_replicas(replicas, nodes=nodes)
        replication_factor = replication_factor or len(replicas)
        if len(replicas) != replication_factor:
            raise InvalidReplicaAssignment(
                f"The manual partition assignment includes a partition with {len(replicas)} replica(s), but this is "
                f"not consistent with previous partitions, which have {replication_factor} replica(s)."
            )
    if seen != set(range(len(seen))):
        raise InvalidReplicaAssignment("partitions should be a consecutive 0-based integer sequence")
    return len(seen), replication_factor


def check_replicas(replicas: Sequence[int], *, nodes: Collection[int]) -> None:
    """Raise InvalidReplicaAssignment unless `replicas` names existing brokers, at least one, each once."""
    if not replicas:
        raise InvalidReplicaAssignment("The manual partition assignment includes an empty replica list.")
    previous = None
    for node in sorted(replicas):
        if node == previous:
            raise InvalidReplicaAssignment(
                f"The manual partition assignment includes the broker {node} more than once."
            )
        if node not in nodes:
            raise InvalidReplicaAssignment(
                f"The manual partition assignment includes broker {node}, but no such broker is registered."
            )
        previous = node
