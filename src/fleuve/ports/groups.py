"""Consumer groups and their committed offsets, as the catalog keeps them.

A group has an opaque state and an *epoch*: whoever coordinates the group claims it and gets an epoch that nobody
had before, and every change names the epoch of its claim. A change with another epoch is refused: of two brokers
that both believe that they coordinate a group only the one that claimed it last can write. Offsets are kept by the
topic's id, so that a topic that is deleted and made again does not inherit them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from fleuve.base.ids import GroupId, Offset, PartitionIndex, TimestampMs, TopicId


class OffsetKey(NamedTuple):
    """What an offset is committed for, within a group."""

    topic_id: TopicId
    partition: PartitionIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedOffset:
    """Where a group goes on reading a partition."""

    topic_id: TopicId
    partition: PartitionIndex
    offset: Offset
    leader_epoch: int = -1
    """As the client gave it; −1 if it did not."""
    metadata: str = ""
    committed_ms: TimestampMs
    expires_ms: TimestampMs | None = None
    """Set where the client asked for a retention of its own (OffsetCommit v2–4)."""

    @property
    def key(self) -> OffsetKey:
        """What the offset is committed for."""
        return OffsetKey(self.topic_id, self.partition)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredGroup:
    """A group as it is stored."""

    group_id: GroupId
    state: bytes | None
    """None for a group that has nothing but offsets, or was only claimed."""
    has_offsets: bool


class GroupClaim(NamedTuple):
    """The right to change a group, until somebody else claims it."""

    epoch: int
    stored: StoredGroup


class OffsetSurvey(NamedTuple):
    """Some offsets of all groups."""

    total: int
    """How many there are in all."""
    some: list[tuple[GroupId, CommittedOffset]]


class GroupStore(Protocol):
    """Keeps groups. Every change is durable when its method returns, and changes are made in the order of the calls.

    All methods raise CatalogUnavailable where nothing happened, CommitOutcomeUnknown where that is not known; those
    with an epoch raise VersionConflict, changing nothing, where the group was claimed or deleted since.
    """

    async def claim(self, group_id: GroupId) -> GroupClaim:
        """Take over the group, which need not exist.

        Settles the outcome of earlier changes that ended in CommitOutcomeUnknown: what it returns is durable.
        """
        ...

    async def load(self, group_id: GroupId) -> StoredGroup | None:
        """Return the group, or None if it has neither state nor offsets. Claims nothing."""
        ...

    async def load_all(self) -> list[StoredGroup]:
        """Return all groups that have state or offsets, by id."""
        ...

    async def save(self, group_id: GroupId, epoch: int, state: bytes) -> None:
        """Replace the group's state."""
        ...

    async def delete(self, group_id: GroupId, epoch: int) -> None:
        """Delete the group with its offsets, and with it the claim."""
        ...

    async def commit_offsets(self, group_id: GroupId, epoch: int, offsets: Sequence[CommittedOffset]) -> None:
        """Put these offsets in place of those that stand for the same partitions; all or none."""
        ...

    async def delete_offsets(self, group_id: GroupId, epoch: int, keys: Sequence[OffsetKey]) -> None:
        """Delete the offsets of these partitions, where there are any."""
        ...

    async def survey(self, limit: int) -> OffsetSurvey:
        """Return how many offsets all groups have together, and up to `limit` of them, by group."""
        ...

    async def offsets(self, group_id: GroupId) -> list[CommittedOffset]:
        """Return the group's offsets, by topic id and partition. Sees every change that has returned."""
        ...
