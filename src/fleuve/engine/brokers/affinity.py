"""Which broker leads a partition, and which coordinates a group: a rendezvous hash. Pure.

Each (broker, key) pair has a score, and the broker with the highest one is chosen. A broker that joins takes only
what it scores highest for, and one that leaves gives up only what it had: nothing else moves. All brokers compute
the same from the same set, now and in later versions: the function is part of the cluster's behaviour.

Leadership is affinity, not ownership: it makes caches warm and batches large; correctness comes from the catalog.
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b

from fleuve.base.ids import NodeId, PartitionId

REPLICAS_SHOWN_MAX = 32
"""Replicas that a partition shows. A client may ask for 32,767, and each would cost every reply its bytes."""

_MASK = (1 << 64) - 1


def leader(partition_id: PartitionId, nodes: Collection[NodeId]) -> NodeId:
    """Return the broker of `nodes`, at least one, that is shown as the partition's leader."""
    return _chosen(partition_id, nodes)


def replicas(partition_id: PartitionId, nodes: Collection[NodeId], *, replication_factor: int) -> list[int]:
    """Return the brokers that are shown as the partition's replicas, its leader first.

    Any replication factor is shown back, and every replica is a broker that exists: where there are fewer brokers
    than replicas, brokers are named again. The engine below replicates; no broker holds a copy of its own.
    """
    count = min(replication_factor, REPLICAS_SHOWN_MAX)
    if len(nodes) == 1 or count == 1:
        return [leader(partition_id, nodes)] * count
    ranked = sorted(nodes, key=lambda node: (_score(partition_id, node), node), reverse=True)
    return [ranked[index % len(ranked)] for index in range(count)]


def coordinator(kind: int, key: str, nodes: Collection[NodeId]) -> NodeId:
    """Return the broker of `nodes`, at least one, that coordinates the group or transactional id `key`.

    `kind` tells apart what has the same name: Kafka's key types 0 (group), 1 (transaction), 2 (share).
    """
    digest = blake2b(bytes([kind]) + key.encode(), digest_size=8).digest()
    return _chosen(int.from_bytes(digest, "big"), nodes)


def _chosen(key: int, nodes: Collection[NodeId]) -> NodeId:
    assert nodes
    if len(nodes) == 1:
        (only,) = nodes
        return only
    # Of equal scores the higher id: a tie is as good as impossible, but all must break it alike.
    return max(nodes, key=lambda node: (_score(key, node), node))


def _score(key: int, node: NodeId) -> int:
    return _mixed(_mixed(key & _MASK) ^ _mixed(~node & _MASK))


def _mixed(value: int) -> int:
    """Return the 64-bit finaliser of SplitMix64: every bit of the input changes half of the output's."""
    value = (value + 0x9E3779B97F4A7C15) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
