"""What can be wrong with a request about topics."""

from __future__ import annotations

from fleuve.base.errors import FleuveError, Verdict


class InvalidTopicName(FleuveError, verdict=Verdict.REJECT):
    """The name is not one that Kafka allows, or collides with a topic's: `.` and `_` are one character in metrics."""


class TopicExists(FleuveError, verdict=Verdict.REJECT):
    """There is a topic of that name."""


class UnknownTopic(FleuveError, verdict=Verdict.REFRESH):
    """There is no topic of that name."""


class UnknownTopicId(FleuveError, verdict=Verdict.REFRESH):
    """There is no topic with that id (any more)."""


class InvalidPartitions(FleuveError, verdict=Verdict.REJECT):
    """The number of partitions is not positive, or does not grow."""


class InvalidReplicationFactor(FleuveError, verdict=Verdict.REJECT):
    """The replication factor is not positive, or, where it is strict, larger than the number of brokers."""


class InvalidReplicaAssignment(FleuveError, verdict=Verdict.REJECT):
    """A manual assignment is not consecutive, or names a broker twice or one that does not exist."""


class InvalidTopicRequest(FleuveError, verdict=Verdict.REJECT):
    """The request contradicts itself: a topic twice, a count beside a manual assignment."""


class TooManyPartitions(FleuveError, verdict=Verdict.REJECT):
    """More partitions than one request, or the cluster, may have."""


class TopicDeletionDisabled(FleuveError, verdict=Verdict.REJECT):
    """`delete.topic.enable` is false."""
