"""DescribeTopicPartitions: topics, a page at a time."""

from __future__ import annotations

from typing import Any

from conformance.scenario import Kafka, case
from fleuve.wire.generated import describe_topic_partitions as api
from fleuve.wire.generated import find_coordinator


def asked(*names: str, cursor: tuple[str, int] | None = None, **options: Any) -> api.DescribeTopicPartitionsRequest:
    """Ask for topics."""
    return api.DescribeTopicPartitionsRequest(
        topics=[api.TopicRequest(name=name) for name in names],
        cursor=None if cursor is None else api.Cursor(topic_name=cursor[0], partition_index=cursor[1]),
        **options,
    )


@case
def pages(kafka: Kafka) -> None:
    """Limits of every size, and cursors at every place."""
    names = [kafka.topic(3, name="a").name, kafka.topic(1, name="b").name, kafka.topic(2, name="c").name]
    a = kafka.connect()
    for limit in 1, 2, 3, 4, 5, 6, 7, 2000, 0, -1:
        a.call(api, asked(*names, response_partition_limit=limit), 0)
    for topic in names:
        for index in range(5):
            a.call(api, asked(*names, response_partition_limit=2, cursor=(topic, index)), 0)


@case
def order_and_repetition(kafka: Kafka) -> None:
    """Names out of order, twice, and not there."""
    first, second = kafka.topic(2, name="a").name, kafka.topic(1, name="b").name
    a = kafka.connect()
    a.call(api, asked(second, first), 0)
    a.call(api, asked(first, first), 0)
    a.call(api, asked(second, kafka.name("aa"), first), 0)
    a.call(api, asked(kafka.name("other"), response_partition_limit=1), 0)
    a.call(api, asked("not a name!"), 0)


@case
def wrong_cursors(kafka: Kafka) -> None:
    """A cursor at another topic, a negative partition, one too far."""
    first, second = kafka.topic(2, name="a").name, kafka.topic(1, name="b").name
    a = kafka.connect()
    for cursor in (kafka.name("aa"), 0), (first, -1), (first, 2), (second, 100), ("", 0), (kafka.name("other"), 0):
        a.call(api, asked(first, second, cursor=cursor), 0)


@case
def all_topics(kafka: Kafka) -> None:
    """No topic named: all of them."""
    kafka.topic(2, name="b")
    kafka.topic(1, name="a")
    a = kafka.connect()
    a.call(api, asked(), 0)


@case
def an_empty_name(kafka: Kafka) -> None:
    """A topic without a name."""
    a = kafka.connect()
    a.call(api, asked(""), 0)


@case
def internal_topics(kafka: Kafka) -> None:
    """The topic of the groups' offsets, and names that Kafka keeps for itself."""
    a = kafka.connect()
    wanted = find_coordinator.FindCoordinatorRequest(coordinator_keys=[kafka.name("group")])
    a.call(find_coordinator, wanted, 4)
    a.call(api, asked("__consumer_offsets"), 0)
    a.call(api, asked("__cluster_metadata"), 0)
