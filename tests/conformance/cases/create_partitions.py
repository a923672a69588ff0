"""CreatePartitions: topics grow."""

from __future__ import annotations

from typing import Any

from conformance.groups import offsets_topic
from conformance.scenario import Connection, Kafka, case, versions
from fleuve.wire.generated import create_partitions, metadata


def grown(name: str, count: int, assignments: list[list[int]] | None = None) -> create_partitions.CreatePartitionsTopic:
    """Return what is wanted of a topic."""
    by_hand = None
    if assignments is not None:
        by_hand = [create_partitions.CreatePartitionsAssignment(broker_ids=brokers) for brokers in assignments]
    return create_partitions.CreatePartitionsTopic(name=name, count=count, assignments=by_hand)


def grow(
    a: Connection,
    version: int,
    *topics: create_partitions.CreatePartitionsTopic,
    timeout_ms: int = 30_000,
    validate_only: bool = False,
) -> Any:
    """Let topics grow."""
    request = create_partitions.CreatePartitionsRequest(
        topics=list(topics), timeout_ms=timeout_ms, validate_only=validate_only
    )
    return a.call(create_partitions, request, version)


def has(a: Connection, name: str, count: int) -> None:
    """Ask until a topic has so many partitions, and all are led."""
    asked = metadata.MetadataRequest(topics=[metadata.MetadataRequestTopic(name=name)], allow_auto_topic_creation=False)

    def led(answer: Any) -> bool:
        partitions = answer.topics[0].partitions
        return len(partitions) == count and all(one.leader_id >= 0 and not one.error_code for one in partitions)

    a.until(metadata, asked, 12, led)


@case
def a_topic_in_every_version(kafka: Kafka) -> None:
    """It grows, and neither shrinks nor stays as it is."""
    a = kafka.connect()
    topic = kafka.topic()
    for version in versions(create_partitions):
        count = version + 2
        grow(a, version, grown(topic.name, count), validate_only=True)
        has(a, topic.name, count - 1)
        grow(a, version, grown(topic.name, count))
        has(a, topic.name, count)
        for other in count, count - 1, 1, 0, -1, -2_147_483_648:
            grow(a, version, grown(topic.name, other))
            grow(a, version, grown(topic.name, other), validate_only=True)
        grow(a, version)


@case
def topics_that_are_not_there(kafka: Kafka) -> None:
    """Unknown ones, names that cannot be, the same twice, and one beside one that is there."""
    a = kafka.connect()
    topic = kafka.topic()
    for version in versions(create_partitions):
        for name in kafka.name("none"), "", "..", "a b":
            grow(a, version, grown(name, 2))
        grow(a, version, grown(kafka.name("none"), 9), grown(topic.name, version + 2))
        has(a, topic.name, version + 2)
        grow(a, version, grown(topic.name, 50), grown(topic.name, 51))
        grow(a, version, grown(topic.name, 50), grown(topic.name, 50), grown(kafka.name("none"), 9))


@case
def assignments_by_hand(kafka: Kafka) -> None:
    """Good ones, and every way to get them wrong."""
    a = kafka.connect()
    wrong: list[list[list[int]]] = [
        [], [[]], [[2]], [[-1]], [[1, 1]], [[1, 2]], [[1]], [[1], [1], [1]], [[1], []], [[1], [2]],
    ]  # fmt: skip
    for version in versions(create_partitions):
        topic = kafka.topic(name=f"v{version}")
        for assignments in wrong:
            grow(a, version, grown(topic.name, 3, assignments))
            grow(a, version, grown(topic.name, 3, assignments), validate_only=True)
            grow(a, version, grown(topic.name, 1, assignments))
        grow(a, version, grown(topic.name, 3, [[1], [1]]))
        has(a, topic.name, 3)


@case
def too_many(kafka: Kafka) -> None:
    """More partitions than a request may bring."""
    a = kafka.connect()
    topic = kafka.topic()
    for version in versions(create_partitions):
        for count in 10_002, 2_147_483_647:
            grow(a, version, grown(topic.name, count), validate_only=True)


@case
def time_outs(kafka: Kafka) -> None:
    """A time-out that is long."""
    a = kafka.connect()
    topic = kafka.topic()
    grow(a, 3, grown(topic.name, 2), timeout_ms=2_147_483_647)
    has(a, topic.name, 2)


@case
def the_internal_topic(kafka: Kafka) -> None:
    """`__consumer_offsets` may be asked for, too."""
    a = kafka.connect()
    offsets_topic(a)
    grow(a, 3, grown("__consumer_offsets", 1))
    grow(a, 3, grown("__consumer_offsets", 0))
