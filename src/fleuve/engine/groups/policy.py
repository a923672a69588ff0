"""The settings that groups work by, as values."""

from __future__ import annotations

from dataclasses import dataclass

NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000
"""How long a JoinGroup of a new member may wait. It cannot heartbeat yet, and a client that gave up leaves no other
trace; Kafka uses the same five minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPolicy:
    """What the coordinator allows. Times in milliseconds; the comment names the setting."""

    initial_rebalance_delay_ms: int = 3_000  # group.initial.rebalance.delay.ms
    session_timeout_ms_min: int = 6_000  # group.min.session.timeout.ms
    session_timeout_ms_max: int = 1_800_000  # group.max.session.timeout.ms
    members_max: int = 2_147_483_647  # group.max.size
    offset_metadata_bytes_max: int = 4_096  # offset.metadata.max.bytes
    offsets_retention_ms: int = 10_080 * 60_000  # offsets.retention.minutes
    offsets_retention_check_interval_ms: int = 600_000  # offsets.retention.check.interval.ms
    offsets_commit_timeout_ms: int = 5_000  # offsets.commit.timeout.ms
    pending_members_max: int = 10_000
    """Ids handed out in one group that nobody has joined with yet. Ours: Kafka has no bound."""
    group_bytes_max: int = 32 * 1024 * 1024
    """Metadata of a group's members; assignments of one generation. Ours: in Kafka a group must fit into one record."""
    metadata_bytes_max: int = 256 * 1024 * 1024
    """Metadata of the members of all groups. Ours: Kafka has no bound."""
    groups_loaded_max: int = 100_000
    """Groups in memory at once. Ours: Kafka has no bound."""

    def __post_init__(self) -> None:
        if not 0 < self.session_timeout_ms_min <= self.session_timeout_ms_max:
            raise ValueError("group.min.session.timeout.ms: want 0 < min <= group.max.session.timeout.ms")
        if self.members_max < 1:
            raise ValueError("group.max.size: want at least 1")
