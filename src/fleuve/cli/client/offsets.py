"""Where partitions begin and end, and which offset a time has: asked for all of them at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from fleuve.cli.client.cluster import REQUEST_S_MAX, Cluster
from fleuve.cli.client.errors import failure
from fleuve.cli.client.partitions import Partition

_SILENCE = frozenset({KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})
_SPEC: Any = OffsetSpec  # Its methods have no types.
_EARLIEST, _LATEST = _SPEC.earliest(), _SPEC.latest()


@dataclass(frozen=True, slots=True)
class Range:
    """The offsets that a partition has: from `earliest` up to, and without, `latest`; None where nobody told."""

    earliest: int | None
    latest: int | None

    @property
    def records(self) -> int | None:
        """How many records it has at most: compaction and transactions leave gaps."""
        if self.earliest is None or self.latest is None:
            return None
        return self.latest - self.earliest


def ranges(cluster: Cluster, partitions: Collection[Partition]) -> dict[Partition, Range]:
    """Return where each partition begins and ends now."""
    earliest = _asked(cluster, partitions, _EARLIEST)
    latest = _asked(cluster, partitions, _LATEST)
    first, end = _answers(earliest), _answers(latest)
    return {partition: Range(first.get(partition), end.get(partition)) for partition in partitions}


def ends(cluster: Cluster, partitions: Collection[Partition]) -> dict[Partition, int]:
    """Return where partitions end now; those are missing whose leader does not tell."""
    return _answers(_asked(cluster, partitions, _LATEST))


def at_time(cluster: Cluster, partitions: Collection[Partition], timestamp_ms: int) -> dict[Partition, int | None]:
    """Return the first offset of each partition at or after a time; None where no record is that young."""
    told = _answers(_asked(cluster, partitions, OffsetSpec.for_timestamp(timestamp_ms)))
    return {partition: offset if offset >= 0 else None for partition, offset in told.items()}


def _asked(cluster: Cluster, partitions: Collection[Partition], spec: Any) -> Mapping[TopicPartition, Any]:
    if not partitions:
        return {}
    asked = {TopicPartition(topic, index): spec for topic, index in partitions}
    told: Mapping[TopicPartition, Any] = cluster.admin.list_offsets(asked, request_timeout=REQUEST_S_MAX)
    return told


def _answers(futures: Mapping[TopicPartition, Any]) -> dict[Partition, int]:
    found = {}
    error = None
    for partition, future in futures.items():
        try:
            found[partition.topic, partition.partition] = future.result().offset
        except KafkaException as refused:
            # A partition without a leader, or a topic that has just been deleted: its numbers are not known.
            error = refused
    if error is not None and not found and error.args[0].code() in _SILENCE:
        raise failure(error, what="nobody tells where partitions begin and end")
    return found
