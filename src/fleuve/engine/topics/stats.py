"""What the topics room counts."""

from __future__ import annotations

from fleuve.base.metric import Kind, Metric


class TopicStats:
    """Topics as they are, and as they came and went."""

    __slots__ = ("created", "deleted", "partitions", "topics")

    def __init__(self) -> None:
        self.topics = 0
        self.partitions = 0
        self.created = 0
        self.deleted = 0


METRICS = (
    Metric("fleuve_topics", Kind.GAUGE, "Topics of the cluster.", "topics"),
    Metric("fleuve_partitions", Kind.GAUGE, "Partitions of the cluster.", "partitions"),
    Metric("fleuve_topics_created_total", Kind.COUNTER, "Topics created through this broker.", "created"),
    Metric("fleuve_topics_deleted_total", Kind.COUNTER, "Topics deleted through this broker.", "deleted"),
)
