"""Which topics a command means: names, or patterns as a shell's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from confluent_kafka.admin import ClusterMetadata, PartitionMetadata

from fleuve.cli.client.errors import CommandFailed
from fleuve.cli.client.partitions import Partition

# None of these can stand in a topic's name.
_PATTERN_CHARACTERS = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that is there."""

    name: str
    metadata: Mapping[int, PartitionMetadata]

    @property
    def partitions(self) -> list[Partition]:
        """All its partitions, in order."""
        return [(self.name, index) for index in sorted(self.metadata)]


def is_internal(name: str) -> bool:
    """Return whether a topic is one that brokers keep for themselves, by the way Kafka names them."""
    return name.startswith("__")


def is_pattern(text: str) -> bool:
    """Return whether what was given for a topic cannot be its name, but a pattern."""
    return not _PATTERN_CHARACTERS.isdisjoint(text)


def matching(wanted: Sequence[str], names: Iterable[str], *, internal: bool = False) -> list[str]:
    """Return the `names` that are `wanted`, or match a pattern of it, sorted; all of them if nothing is wanted.

    As with a shell's hidden files, internal topics are matched if `internal` is set, or by a pattern that itself
    begins with two underscores.
    """

    def wants(name: str, pattern: str) -> bool:
        hidden = is_internal(name) and not (internal or is_internal(pattern))
        return fnmatchcase(name, pattern) and not hidden

    patterns = wanted or ["*"]
    return sorted(name for name in names if any(wants(name, pattern) for pattern in patterns))


def chosen(wanted: Sequence[str], metadata: ClusterMetadata) -> tuple[list[Topic], list[CommandFailed]]:
    """Return the topics that are wanted, by name or pattern, and what to say of those that are not there."""
    found = topics_named(matching(wanted, metadata.topics), metadata)
    missing = [CommandFailed(_missing(text)) for text in wanted if not matching([text], metadata.topics)]
    return found, missing


def topics_named(names: Iterable[str], metadata: ClusterMetadata) -> list[Topic]:
    """Return topics that are there."""
    return [Topic(name, metadata.topics[name].partitions) for name in names]


def _missing(text: str) -> str:
    if is_pattern(text):
        return f"no topic matches {text!r}; see `fleuve topic list`"
    return f"topic {text}: does not exist; see `fleuve topic list`"


def partitions_of(topics: Iterable[Topic]) -> list[Partition]:
    """Return all partitions of topics."""
    return [partition for topic in topics for partition in topic.partitions]


def named_partitions(metadata: ClusterMetadata, topic: str, indexes: Sequence[int] | None) -> list[Partition]:
    """Return the partitions of a topic, or those with `indexes`. Raises CommandFailed if one is not there."""
    found = metadata.topics.get(topic)
    if found is None:
        raise CommandFailed(_missing(topic))
    for index in indexes or ():
        if index not in found.partitions:
            raise CommandFailed(f"topic {topic}: has no partition {index}; it has {len(found.partitions)}, from 0 on")
    return [(topic, index) for index in (sorted(found.partitions) if indexes is None else indexes)]
