"""`GroupStore` in SQLite: two tables, and the claim checked in the transaction of every change."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.queries import load
from fleuve.base.ids import GroupId, Offset, PartitionIndex, TimestampMs, TopicId
from fleuve.ports.errors import VersionConflict
from fleuve.ports.groups import CommittedOffset, GroupClaim, OffsetKey, OffsetSurvey, StoredGroup

T = TypeVar("T")

_SQL = load("groups")


class SqliteGroupStore:
    """Keeps groups in the catalog. Concurrent changes share one flush."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, group_id: GroupId) -> GroupClaim:
        """Take over the group, which need not exist."""

        def work(connection: sqlite3.Connection) -> GroupClaim:
            ((epoch,),) = connection.execute(_SQL["next_epoch"]).fetchall()
            connection.execute(_SQL["claim"], {"group_id": group_id, "epoch": epoch})
            (row,) = connection.execute(_SQL["claimed"], {"group_id": group_id}).fetchall()
            return GroupClaim(epoch, _stored(row))

        return await self._database.write(work)

    async def load(self, group_id: GroupId) -> StoredGroup | None:
        """Return the group, or None if it has neither state nor offsets."""

        def work(connection: sqlite3.Connection) -> StoredGroup | None:
            row = connection.execute(_SQL["load"], {"group_id": group_id}).fetchone()
            return None if row is None else _stored(row)

        return await self._database.read(work)

    async def load_all(self) -> list[StoredGroup]:
        """Return all groups that have state or offsets, by id."""
        return await self._database.read(
            lambda connection: [_stored(row) for row in connection.execute(_SQL["load_all"])]
        )

    async def save(self, group_id: GroupId, epoch: int, state: bytes) -> None:
        """Replace the group's state."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_SQL["save"], {"group_id": group_id, "state": state})

        await self._change(group_id, epoch, work)

    async def delete(self, group_id: GroupId, epoch: int) -> None:
        """Delete the group with its offsets."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(_SQL["delete_all_offsets"], {"group_id": group_id})
            connection.execute(_SQL["delete"], {"group_id": group_id})

        await self._change(group_id, epoch, work)

    async def commit_offsets(self, group_id: GroupId, epoch: int, offsets: Sequence[CommittedOffset]) -> None:
        """Put these offsets in place of those that stand for the same partitions."""
        rows = [
            {
                "group_id": group_id,
                "topic_id": offset.topic_id.bytes,
                "partition_index": offset.partition,
                "offset": offset.offset,
                "leader_epoch": offset.leader_epoch,
                "metadata": offset.metadata,
                "committed_ms": offset.committed_ms,
                "expires_ms": offset.expires_ms,
            }
            for offset in offsets
        ]
        await self._change(group_id, epoch, lambda connection: _run_many(connection, "commit_offset", rows))

    async def delete_offsets(self, group_id: GroupId, epoch: int, keys: Sequence[OffsetKey]) -> None:
        """Delete the offsets of these partitions."""
        rows = [
            {"group_id": group_id, "topic_id": key.topic_id.bytes, "partition_index": key.partition} for key in keys
        ]
        await self._change(group_id, epoch, lambda connection: _run_many(connection, "delete_offset", rows))

    async def survey(self, limit: int) -> OffsetSurvey:
        """Return how many offsets all groups have together, and up to `limit` of them, by group."""

        def work(connection: sqlite3.Connection) -> OffsetSurvey:
            (count,) = connection.execute(_SQL["count_offsets"]).fetchone()
            rows = connection.execute(_SQL["some_offsets"], {"limit": limit})
            return OffsetSurvey(count, [(GroupId(group_id), _offset(row)) for group_id, *row in rows])

        return await self._database.read(work)

    async def offsets(self, group_id: GroupId) -> list[CommittedOffset]:
        """Return the group's offsets, by topic id and partition."""

        def work(connection: sqlite3.Connection) -> list[CommittedOffset]:
            return [_offset(row) for row in connection.execute(_SQL["offsets"], {"group_id": group_id})]

        return await self._database.read(work)

    async def _change(self, group_id: GroupId, epoch: int, change: Callable[[sqlite3.Connection], T]) -> T:
        def work(connection: sqlite3.Connection) -> T:
            claim = {"group_id": group_id, "epoch": epoch}
            if connection.execute(_SQL["check_claim"], claim).fetchone() is None:
                raise VersionConflict(f"group {group_id}: claim {epoch} is not the last one")
            return change(connection)

        return await self._database.write(work)


def _run_many(connection: sqlite3.Connection, query: str, rows: Sequence[Mapping[str, object]]) -> None:
    connection.executemany(_SQL[query], rows)


def _stored(row: tuple[str, bytes | None, int]) -> StoredGroup:
    group_id, state, has_offsets = row
    return StoredGroup(group_id=GroupId(group_id), state=state, has_offsets=bool(has_offsets))


def _offset(row: Iterable[Any]) -> CommittedOffset:
    topic_id, partition, offset, leader_epoch, metadata, committed_ms, expires_ms = row
    return CommittedOffset(
        topic_id=TopicId(UUID(bytes=topic_id)),
        partition=PartitionIndex(partition),
        offset=Offset(offset),
        leader_epoch=leader_epoch,
        metadata=metadata,
        committed_ms=TimestampMs(committed_ms),
        expires_ms=None if expires_ms is None else TimestampMs(expires_ms),
    )
