"""Which partitions are read, and from which offset to which: looked up once, before anything is read.

Offsets are looked up as the consumer's isolation level sees them. Nothing here creates a topic.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, Message, TopicPartition
from confluent_kafka.admin import ClusterMetadata, OffsetSpec

from fleuve.app.options import UsageError
from fleuve.cli.client.cluster import Cluster
from fleuve.cli.client.errors import CommandFailed, failure
from fleuve.cli.client.topics import is_internal, is_pattern, matching

LOOK_UP_S_MAX = 10.0

Where = tuple[str, int]
"""A topic and one of its partitions."""


def where_of(message: Message) -> Where:
    """Return the topic and the partition of a record, or of an event about a partition."""
    topic, partition = message.topic(), message.partition()
    assert topic is not None
    assert partition is not None
    return topic, partition


def offset_of(message: Message) -> int:
    """Return the offset of a record, or of an event about an offset."""
    offset = message.offset()
    assert offset is not None
    return offset


@dataclass(frozen=True, slots=True)
class Range:
    """The offsets of a partition: those it has are from `low` on, below `end`; `start` is where reading begins."""

    low: int
    start: int
    end: int


def topics_of(metadata: ClusterMetadata, names: Sequence[str]) -> list[str]:
    """Return the topics that `names` mean: patterns as a shell's, and regular expressions, which begin with ^.

    Raises CommandFailed for one that does not exist, and for a pattern that fits none.
    """
    found: dict[str, None] = {}
    for name in names:
        if name.startswith("^"):
            found.update(dict.fromkeys(_matching(metadata, name)))
            continue
        if is_pattern(name):
            matched = matching([name], metadata.topics)
            if not matched:
                raise CommandFailed(f"no topic matches {name!r}; see `fleuve topic list`")
            found.update(dict.fromkeys(matched))
            continue
        topic = metadata.topics.get(name)
        if topic is None:
            raise CommandFailed(f"topic {name}: does not exist; see `fleuve topic list`")
        if topic.error is not None:
            raise failure(topic.error, what=f"topic {name}")
        found[name] = None
    return list(found)


def _matching(metadata: ClusterMetadata, text: str) -> list[str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"{text!r} is not a regular expression: {error}") from None
    # Kafka's own topics are read by those who name them.
    internal = text.startswith("^__")
    names = sorted(name for name in metadata.topics if pattern.match(name) and (internal or not is_internal(name)))
    if not names:
        raise CommandFailed(f"no topic matches {text!r}; see `fleuve topic list`")
    return names


def partitions_of(metadata: ClusterMetadata, topics: Iterable[str], chosen: Sequence[int]) -> list[Where]:
    """Return the partitions of the topics, or of these the chosen ones. Raises CommandFailed if one has them not."""
    found: list[Where] = []
    for topic in topics:
        there = sorted(metadata.topics[topic].partitions)
        for partition in chosen:
            if partition not in there:
                raise CommandFailed(f"topic {topic} has no partition {partition}: it has {_span(there)}")
        found += [(topic, partition) for partition in (sorted(set(chosen)) or there)]
    return found


def _span(partitions: Sequence[int]) -> str:
    return f"{partitions[0]} to {partitions[-1]}" if len(partitions) > 1 else "only partition 0"


class Offsets:
    """Looks up offsets of partitions."""

    def __init__(self, there: Cluster, isolation_level: Any) -> None:
        self._there = there
        self._isolation_level = isolation_level

    def low(self, partitions: Iterable[Where]) -> dict[Where, int]:
        """Return the first offset that each has."""
        return self._of(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def end(self, partitions: Iterable[Where]) -> dict[Where, int]:
        """Return the offset behind the last one of each."""
        return self._of(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def at(self, timestamp_ms: int, *, otherwise: Mapping[Where, int]) -> dict[Where, int]:
        """Return the partitions' first offset that is of this time or later; where there is none, `otherwise`."""
        found = self._of(otherwise, OffsetSpec.for_timestamp(timestamp_ms))
        return {where: offset if offset >= 0 else otherwise[where] for where, offset in found.items()}

    def _of(self, partitions: Iterable[Where], spec: OffsetSpec) -> dict[Where, int]:
        asked = {TopicPartition(*where): spec for where in partitions}
        if not asked:
            return {}
        futures = self._there.admin.list_offsets(
            asked, isolation_level=self._isolation_level, request_timeout=LOOK_UP_S_MAX
        )
        found: dict[Where, int] = {}
        for partition, future in futures.items():
            try:
                found[partition.topic, partition.partition] = future.result().offset
            except KafkaException as error:
                raise failure(error, what=f"{partition.topic} [{partition.partition}]: offsets") from None
        return found


OffsetOf = Mapping[Where, int]
Start = Callable[[Offsets, OffsetOf, OffsetOf], OffsetOf]
"""Takes the low and end offsets of partitions; returns where reading begins."""


def from_beginning(_: Offsets, low: OffsetOf, __: OffsetOf) -> OffsetOf:
    """Begin with the first record there is."""
    return low


def from_end(_: Offsets, __: OffsetOf, end: OffsetOf) -> OffsetOf:
    """Begin with the next record that is written."""
    return end


def from_offset(offset: int) -> Start:
    """Begin with this offset in each partition. Raises CommandFailed where a partition does not have it."""

    def start(_: Offsets, low: OffsetOf, end: OffsetOf) -> OffsetOf:
        for where, first in low.items():
            if not first <= offset <= end[where]:
                topic, partition = where
                last = end[where] - 1
                has = f"it has {first} to {last}" if last >= first else f"it is empty, and goes on at {first}"
                raise CommandFailed(
                    f"{topic} [{partition}]: offset {offset} is out of range: {has}; choose partitions with --partition"
                )
        return dict.fromkeys(low, offset)

    return start


def from_time(timestamp_ms: int) -> Start:
    """Begin with the first record of this time or later; where there is none, with the next one that is written."""

    def start(offsets: Offsets, _: OffsetOf, end: OffsetOf) -> OffsetOf:
        return offsets.at(timestamp_ms, otherwise=end)

    return start


def ranges(
    offsets: Offsets, partitions: Sequence[Where], start: Start, *, until_ms: int | None = None
) -> dict[Where, Range]:
    """Return what of each partition is to be read, up to its end as it is now, or the first record of `until_ms`."""
    low, end = offsets.low(partitions), offsets.end(partitions)
    begin = start(offsets, low, end)
    if until_ms is not None:
        end = offsets.at(until_ms, otherwise=end)
    return {where: Range(low[where], begin[where], end[where]) for where in partitions}
