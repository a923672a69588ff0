"""Topics in the SQLite catalog."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from uuid import UUID

from fleuve.adapters.sqlite.configs import insert_overrides, remove_overrides
from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.queries import load
from fleuve.base.ids import PartitionId, TimestampMs, TopicId
from fleuve.ports.configs import topic_resource
from fleuve.ports.errors import VersionConflict
from fleuve.ports.topics import NewTopic, StoredTopic


class SqliteTopicStore:
    """A TopicStore in the tables `topic` and `partition`; overrides are in `config`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load_all(self) -> list[StoredTopic]:
        """Return all topics, by name."""
        # As a durable write: it follows whatever came before it, and what it sees does not go away any more.
        return await self._database.write(_load_all)

    async def create(self, topics: Sequence[NewTopic]) -> list[StoredTopic | None]:
        """Create those of `topics` whose name and id are free; None where one is taken."""
        return await self._database.write(lambda connection: [_create(connection, new) for new in topics])

    async def delete(self, topic_ids: Sequence[TopicId]) -> list[tuple[PartitionId, ...] | None]:
        """Delete topics with their partitions and overrides; None where there was no such topic."""
        return await self._database.write(lambda connection: [_delete(connection, id_) for id_ in topic_ids])

    async def add_partitions(
        self, topic_id: TopicId, *, expected_count: int, count: int, now: TimestampMs
    ) -> tuple[PartitionId, ...]:
        """Raise the number of partitions to `count`; raises VersionConflict if it is not `expected_count`."""

        def add(connection: sqlite3.Connection) -> tuple[PartitionId, ...]:
            before = _partitions_of(connection, topic_id)
            # Every topic has partitions: where none are found there is no topic either.
            if len(before) != expected_count or not before:
                raise VersionConflict(f"topic {topic_id} is gone or has not {expected_count} partitions")
            return before + _insert_partitions(connection, topic_id, range(expected_count, count), now)

        return await self._database.write(add)


def _load_all(connection: sqlite3.Connection) -> list[StoredTopic]:
    queries = load("topics")
    partition_ids = {
        topic_id: tuple(PartitionId(number) for _, number in rows)
        for topic_id, rows in groupby(connection.execute(queries["partitions"]), key=itemgetter(0))
    }
    return [
        StoredTopic(
            id=TopicId(UUID(bytes=topic_id)),
            name=name,
            partition_ids=partition_ids[topic_id],
            replication_factor=replication_factor,
            created_ms=TimestampMs(created_ms),
            internal=bool(internal),
        )
        for topic_id, name, replication_factor, created_ms, internal in connection.execute(queries["topics"])
    ]


def _create(connection: sqlite3.Connection, new: NewTopic) -> StoredTopic | None:
    queries = load("topics")
    changed = connection.execute(
        queries["insert_topic"],
        {
            "id": new.id.bytes,
            "name": new.name,
            "replication_factor": new.replication_factor,
            "created_ms": new.created_ms,
            "internal": new.internal,
        },
    ).rowcount
    if not changed:
        return None
    partition_ids = _insert_partitions(connection, new.id, range(new.partition_count), new.created_ms)
    insert_overrides(connection, topic_resource(new.id), new.overrides)
    return StoredTopic(
        id=new.id,
        name=new.name,
        partition_ids=partition_ids,
        replication_factor=new.replication_factor,
        created_ms=new.created_ms,
        internal=new.internal,
    )


def _delete(connection: sqlite3.Connection, topic_id: TopicId) -> tuple[PartitionId, ...] | None:
    queries = load("topics")
    partition_ids = _partitions_of(connection, topic_id)
    connection.execute(queries["delete_partitions"], {"topic_id": topic_id.bytes})
    remove_overrides(connection, topic_resource(topic_id))
    changed = connection.execute(queries["delete_topic"], {"topic_id": topic_id.bytes}).rowcount
    return partition_ids if changed else None


def _partitions_of(connection: sqlite3.Connection, topic_id: TopicId) -> tuple[PartitionId, ...]:
    rows = connection.execute(load("topics")["partitions_of"], {"topic_id": topic_id.bytes})
    return tuple(PartitionId(number) for (number,) in rows)


def _insert_partitions(
    connection: sqlite3.Connection, topic_id: TopicId, indexes: range, now: TimestampMs
) -> tuple[PartitionId, ...]:
    queries = load("topics")
    row = connection.execute(queries["last_partition_id"]).fetchone()
    first = 1 if row is None else row[0] + 1
    partition_ids = tuple(PartitionId(number) for number in range(first, first + len(indexes)))
    key = topic_id.bytes
    connection.executemany(
        queries["insert_partition"],
        (
            {"id": partition_id, "topic_id": key, "partition_index": index, "created_ms": now}
            for partition_id, index in zip(partition_ids, indexes, strict=True)
        ),
    )
    return partition_ids
