"""`GroupStore` in memory: gone with the process. For `--ephemeral` and for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fleuve.base.ids import GroupId
from fleuve.ports.errors import VersionConflict
from fleuve.ports.groups import CommittedOffset, GroupClaim, OffsetKey, OffsetSurvey, StoredGroup


@dataclass(slots=True)
class _Row:
    epoch: int = 0
    state: bytes | None = None
    offsets: dict[OffsetKey, CommittedOffset] = field(default_factory=dict)


class MemoryGroupStore:
    """Keeps groups in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[GroupId, _Row] = {}
        self._epoch_last = 0

    async def claim(self, group_id: GroupId) -> GroupClaim:
        """Take over the group, which need not exist."""
        row = self._rows.setdefault(group_id, _Row())
        self._epoch_last += 1
        row.epoch = self._epoch_last
        return GroupClaim(row.epoch, _stored(group_id, row))

    async def load(self, group_id: GroupId) -> StoredGroup | None:
        """Return the group, or None if it has neither state nor offsets."""
        row = self._rows.get(group_id)
        return None if row is None or not _exists(row) else _stored(group_id, row)

    async def load_all(self) -> list[StoredGroup]:
        """Return all groups that have state or offsets, by id."""
        return [_stored(group_id, row) for group_id, row in sorted(self._rows.items()) if _exists(row)]

    async def save(self, group_id: GroupId, epoch: int, state: bytes) -> None:
        """Replace the group's state."""
        self._claimed(group_id, epoch).state = state

    async def delete(self, group_id: GroupId, epoch: int) -> None:
        """Delete the group with its offsets."""
        self._claimed(group_id, epoch)
        del self._rows[group_id]

    async def commit_offsets(self, group_id: GroupId, epoch: int, offsets: Sequence[CommittedOffset]) -> None:
        """Put these offsets in place of those that stand for the same partitions."""
        row = self._claimed(group_id, epoch)
        row.offsets.update((offset.key, offset) for offset in offsets)

    async def delete_offsets(self, group_id: GroupId, epoch: int, keys: Sequence[OffsetKey]) -> None:
        """Delete the offsets of these partitions."""
        row = self._claimed(group_id, epoch)
        for key in keys:
            row.offsets.pop(key, None)

    async def survey(self, limit: int) -> OffsetSurvey:
        """Return how many offsets all groups have together, and up to `limit` of them, by group."""
        every = [
            (group_id, offset)
            for group_id, row in sorted(self._rows.items())
            for _, offset in sorted(row.offsets.items())
        ]
        return OffsetSurvey(len(every), every[:limit])

    async def offsets(self, group_id: GroupId) -> list[CommittedOffset]:
        """Return the group's offsets, by topic id and partition."""
        row = self._rows.get(group_id, _Row())
        return [offset for _, offset in sorted(row.offsets.items())]

    def _claimed(self, group_id: GroupId, epoch: int) -> _Row:
        row = self._rows.get(group_id)
        if row is None or row.epoch != epoch:
            raise VersionConflict(f"group {group_id}: claim {epoch} is not the last one")
        return row


def _exists(row: _Row) -> bool:
    return row.state is not None or bool(row.offsets)


def _stored(group_id: GroupId, row: _Row) -> StoredGroup:
    return StoredGroup(group_id=group_id, state=row.state, has_offsets=bool(row.offsets))
