"""Topics in memory: for tests, and for a broker that keeps nothing."""

from __future__ import annotations

from collections.abc import Sequence

from fleuve.adapters.memory.configs import MemoryConfigStore
from fleuve.base.ids import PartitionId, TimestampMs, TopicId
from fleuve.ports.configs import topic_resource
from fleuve.ports.errors import VersionConflict
from fleuve.ports.topics import NewTopic, StoredTopic


class MemoryTopicStore:
    """A TopicStore whose content goes with it.

    `partitions` maps the id of each partition that exists to when it was created, for the other memory stores.
    """

    def __init__(self, configs: MemoryConfigStore | None = None) -> None:
        self.partitions: dict[PartitionId, TimestampMs] = {}
        self._configs = MemoryConfigStore() if configs is None else configs
        self._topics: dict[TopicId, StoredTopic] = {}
        self._ids: dict[str, TopicId] = {}
        self._last_partition_id = 0

    async def load_all(self) -> list[StoredTopic]:
        """Return all topics, by name."""
        return sorted(self._topics.values(), key=lambda topic: topic.name)

    async def create(self, topics: Sequence[NewTopic]) -> list[StoredTopic | None]:
        """Create those of `topics` whose name and id are free; None where one is taken."""
        return [self._create(new) for new in topics]

    async def delete(self, topic_ids: Sequence[TopicId]) -> list[tuple[PartitionId, ...] | None]:
        """Delete topics with their partitions and overrides; None where there was no such topic."""
        return [self._delete(topic_id) for topic_id in topic_ids]

    async def add_partitions(
        self, topic_id: TopicId, *, expected_count: int, count: int, now: TimestampMs
    ) -> tuple[PartitionId, ...]:
        """Raise the number of partitions to `count`; raises VersionConflict if it is not `expected_count`."""
        topic = self._topics.get(topic_id)
        if topic is None or len(topic.partition_ids) != expected_count:
            raise VersionConflict(f"topic {topic_id} is gone or has not {expected_count} partitions")
        partition_ids = topic.partition_ids + self._allocate(count - expected_count, now)
        self._topics[topic_id] = StoredTopic(
            id=topic.id,
            name=topic.name,
            partition_ids=partition_ids,
            replication_factor=topic.replication_factor,
            created_ms=topic.created_ms,
            internal=topic.internal,
        )
        return partition_ids

    def _create(self, new: NewTopic) -> StoredTopic | None:
        if new.name in self._ids or new.id in self._topics:
            return None
        topic = StoredTopic(
            id=new.id,
            name=new.name,
            partition_ids=self._allocate(new.partition_count, new.created_ms),
            replication_factor=new.replication_factor,
            created_ms=new.created_ms,
            internal=new.internal,
        )
        self._topics[new.id] = topic
        self._ids[new.name] = new.id
        self._configs.insert(topic_resource(new.id), new.overrides)
        return topic

    def _delete(self, topic_id: TopicId) -> tuple[PartitionId, ...] | None:
        topic = self._topics.pop(topic_id, None)
        if topic is None:
            return None
        del self._ids[topic.name]
        for partition_id in topic.partition_ids:
            del self.partitions[partition_id]
        self._configs.remove(topic_resource(topic_id))
        return topic.partition_ids

    def _allocate(self, count: int, now: TimestampMs) -> tuple[PartitionId, ...]:
        first = self._last_partition_id + 1
        self._last_partition_id += count
        allocated = tuple(PartitionId(number) for number in range(first, first + count))
        self.partitions.update(dict.fromkeys(allocated, now))
        return allocated
