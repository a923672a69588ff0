"""What the groups room counts."""

from __future__ import annotations

from fleuve.base.metric import Kind, Metric


class GroupStats:
    """Plain numbers; the gauges are brought up to date by `GroupService.refresh_stats`."""

    __slots__ = (
        "groups",
        "groups_loaded",
        "lag",
        "members",
        "metadata_bytes",
        "offset_commits",
        "offset_fetches",
        "offsets",
        "offsets_committed",
        "offsets_expired",
        "rebalances",
        "sessions_expired",
    )

    def __init__(self) -> None:
        self.rebalances = 0
        self.sessions_expired = 0
        self.offset_commits = 0
        self.offset_fetches = 0
        self.offsets_committed = 0
        self.offsets_expired = 0
        self.groups: dict[str, int] = {}
        self.groups_loaded = 0
        self.members = 0
        self.metadata_bytes = 0
        self.offsets = 0
        self.lag: dict[tuple[str, str, str], int] = {}


METRICS = (
    Metric("fleuve_groups_rebalances_total", Kind.COUNTER, "Generations that became stable.", "rebalances"),
    Metric(
        "fleuve_groups_sessions_expired_total",
        Kind.COUNTER,
        "Members that were given up because they were not heard of in time.",
        "sessions_expired",
    ),
    Metric("fleuve_groups_offset_commits_total", Kind.COUNTER, "OffsetCommit requests taken.", "offset_commits"),
    Metric(
        "fleuve_groups_offset_fetches_total", Kind.COUNTER, "Groups whose offsets were asked for.", "offset_fetches"
    ),
    Metric("fleuve_groups_offsets_committed_total", Kind.COUNTER, "Offsets committed.", "offsets_committed"),
    Metric(
        "fleuve_groups_offsets_expired_total",
        Kind.COUNTER,
        "Offsets forgotten: unused for offsets.retention.minutes, or their topic is gone.",
        "offsets_expired",
    ),
    Metric("fleuve_groups", Kind.GAUGE, "Groups, by state.", "groups", ("state",)),
    Metric("fleuve_groups_loaded", Kind.GAUGE, "Groups in memory.", "groups_loaded"),
    Metric("fleuve_groups_members", Kind.GAUGE, "Members of all groups.", "members"),
    Metric(
        "fleuve_groups_metadata_bytes",
        Kind.GAUGE,
        "What the members of groups in memory say of themselves.",
        "metadata_bytes",
    ),
    Metric("fleuve_groups_offsets", Kind.GAUGE, "Committed offsets of all groups.", "offsets"),
    Metric(
        "fleuve_groups_lag",
        Kind.GAUGE,
        "Offsets between what a group has committed and the end of the partition.",
        "lag",
        ("group", "topic", "partition"),
    ),
)
