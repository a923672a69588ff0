"""Topics and their partitions, as the catalog keeps them.

The store decides who won: names and ids are unique, and each change names what it saw. It numbers partitions
(`PartitionId`) and never gives a number twice, so that what else is kept of a partition (its log, committed offsets)
can be joined by number and swept after its row is gone. It knows no rule about names, counts or configs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fleuve.base.ids import PartitionId, TimestampMs, TopicId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTopic:
    """A topic that shall be."""

    id: TopicId
    name: str
    partition_count: int
    replication_factor: int
    created_ms: TimestampMs
    overrides: Mapping[str, str] = field(default_factory=dict)
    """Config overrides given at creation, as text; they become durable together with the topic."""
    internal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTopic:
    """A topic that is. Its overrides are read through the configs' port."""

    id: TopicId
    name: str
    partition_ids: tuple[PartitionId, ...]
    """The index is the partition number."""
    replication_factor: int
    created_ms: TimestampMs
    internal: bool = False


class TopicStore(Protocol):
    """Keeps topics. Every change is durable when its method returns.

    All methods raise CatalogUnavailable where nothing happened, CommitOutcomeUnknown where that is not known.
    """

    async def load_all(self) -> list[StoredTopic]:
        """Return all topics, by name. Also settles the outcome of a change that ended in CommitOutcomeUnknown."""
        ...

    async def create(self, topics: Sequence[NewTopic]) -> list[StoredTopic | None]:
        """Create those of `topics` whose name and id are free, all in one transaction; None where one is taken.

        The results are in the order of `topics`; of two with one name the first is created.
        """
        ...

    async def delete(self, topic_ids: Sequence[TopicId]) -> list[tuple[PartitionId, ...] | None]:
        """Delete topics with their partitions' rows and overrides, all in one transaction.

        Returns the ids of the partitions that went, in the order of `topic_ids`; None where there was no such topic.
        """
        ...

    async def add_partitions(
        self, topic_id: TopicId, *, expected_count: int, count: int, now: TimestampMs
    ) -> tuple[PartitionId, ...]:
        """Raise the number of partitions to `count` and return the ids of all of them.

        Raises VersionConflict where the topic is gone or has not `expected_count` partitions.
        """
        ...
