"""Committed offsets: which may be stored, deleted and forgotten. Pure rules; `classic` says who may commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from fleuve.base.ids import Offset, PartitionIndex, TimestampMs, TopicId
from fleuve.engine.groups.errors import (
    GroupError,
    GroupNotFound,
    NonEmptyGroup,
    OffsetMetadataTooLarge,
    SubscribedToTopic,
)
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.state import CONSUMER_PROTOCOL_TYPE, Group, Phase
from fleuve.ports.groups import CommittedOffset, OffsetKey

NEVER_MS = TimestampMs(2**63 - 1)
"""The latest time that can be stored: a client may ask for any retention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetToCommit:
    """What a client wants to be remembered."""

    topic_id: TopicId
    partition: PartitionIndex
    offset: Offset
    leader_epoch: int = -1
    metadata: str | None = None


def accepted(
    offsets: Iterable[OffsetToCommit], policy: GroupPolicy, *, retention_ms: int | None, now: TimestampMs
) -> tuple[list[CommittedOffset], list[GroupError | None]]:
    """Return what is to be stored, and for each of `offsets` what is wrong with it, or None."""
    stored: list[CommittedOffset] = []
    results: list[GroupError | None] = []
    expires_ms = None if retention_ms is None else min(TimestampMs(now + retention_ms), NEVER_MS)
    for offset in offsets:
        metadata = offset.metadata or ""
        if len(metadata) > policy.offset_metadata_bytes_max:
            results.append(OffsetMetadataTooLarge(f"offset.metadata.max.bytes is {policy.offset_metadata_bytes_max}"))
            continue
        results.append(None)
        stored.append(
            CommittedOffset(
                topic_id=offset.topic_id,
                partition=offset.partition,
                offset=offset.offset,
                leader_epoch=offset.leader_epoch,
                metadata=metadata,
                committed_ms=now,
                expires_ms=expires_ms,
            )
        )
    return stored, results


def check_deletion(group: Group) -> None:
    """Raise unless offsets of the group may be deleted: its members must be consumers, or nobody."""
    if not group.exists:
        raise GroupNotFound(f"there is no group {group.group_id}")
    if group.phase is not Phase.EMPTY and group.protocol_type != CONSUMER_PROTOCOL_TYPE:
        raise NonEmptyGroup(f"group {group.group_id} has members, and what they read is not known")


def check_topic_deletion(group: Group, topic: str) -> SubscribedToTopic | None:
    """Return what forbids deleting the group's offsets of `topic`, or None."""
    if group.is_subscribed(topic):
        return SubscribedToTopic(f"members of group {group.group_id} are subscribed to {topic}")
    return None


def expired(
    group: Group,
    offsets: Iterable[CommittedOffset],
    topic_name: Callable[[TopicId], str | None],
    policy: GroupPolicy,
    *,
    now: TimestampMs,
) -> list[OffsetKey]:
    """Return the offsets that nobody needs any more, by `offsets.retention.minutes` (KIP-211).

    An empty group's age counts from the moment that it became empty; those of a stable group of consumers, which are
    subscribed to something else now, and of a group that never had members, from their commit. Offsets of topics that
    are gone go at once.
    """
    gone: list[OffsetKey] = []
    for offset in offsets:
        topic = topic_name(offset.topic_id)
        if topic is None or (
            not group.is_subscribed(topic) and _is_expired(group, offset, policy.offsets_retention_ms, now)
        ):
            gone.append(offset.key)
    return gone


def _is_expired(group: Group, offset: CommittedOffset, retention_ms: int, now: TimestampMs) -> bool:
    since = _unused_since(group, offset)
    if since is None:
        return False
    if offset.expires_ms is not None:
        return now >= offset.expires_ms
    return now - since >= retention_ms


def _unused_since(group: Group, offset: CommittedOffset) -> TimestampMs | None:
    if group.protocol_type is None:
        return offset.committed_ms
    if group.phase is Phase.EMPTY:
        return group.state_since
    if (
        group.phase is Phase.STABLE
        and group.protocol_type == CONSUMER_PROTOCOL_TYPE
        and group.subscribed_topics is not None
    ):
        return offset.committed_ms
    return None
