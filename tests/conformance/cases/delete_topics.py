"""DeleteTopics: by name and by id."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from conformance.scenario import Connection, Kafka, case, versions
from fleuve.wire.generated import create_topics, delete_topics, metadata

IDS_FROM = 6
NOBODY = UUID("6b1f1c40-3c1a-4bd5-8e1d-0a3d1c8f7a11")
ZERO = UUID(int=0)


def delete(a: Connection, version: int, *names: str, timeout_ms: int = 30_000) -> Any:
    """Delete topics by name."""
    if version < IDS_FROM:
        request = delete_topics.DeleteTopicsRequest(topic_names=list(names), timeout_ms=timeout_ms)
        return a.call(delete_topics, request, version)
    return delete_any(a, *((name, ZERO) for name in names), timeout_ms=timeout_ms)


def delete_any(a: Connection, *topics: tuple[str | None, UUID], timeout_ms: int = 30_000) -> Any:
    """Delete topics by name, id, or both."""
    states = [delete_topics.DeleteTopicState(name=name, topic_id=topic_id) for name, topic_id in topics]
    return a.call(delete_topics, delete_topics.DeleteTopicsRequest(topics=states, timeout_ms=timeout_ms), IDS_FROM)


def gone(a: Connection, name: str) -> None:
    """Ask until a topic is not there."""
    asked = metadata.MetadataRequest(topics=[metadata.MetadataRequestTopic(name=name)], allow_auto_topic_creation=False)
    a.until(metadata, asked, 12, lambda answer: bool(answer.topics[0].error_code))


@case
def a_topic_in_every_version(kafka: Kafka) -> None:
    """Deleted, deleted again, and made anew: with another id."""
    a = kafka.connect()
    for version in versions(delete_topics):
        topic = kafka.topic(2, name=f"v{version}")
        delete(a, version, topic.name)
        gone(a, topic.name)
        delete(a, version, topic.name)
        delete(a, version)
        again = create_topics.CreatableTopic(name=topic.name, num_partitions=1, replication_factor=1)
        a.call(create_topics, create_topics.CreateTopicsRequest(topics=[again]), 4)


@case
def topics_that_are_not_there(kafka: Kafka) -> None:
    """Unknown names, names that cannot be, and one beside one that is there."""
    a = kafka.connect()
    for version in versions(delete_topics):
        delete(a, version, kafka.name("none"))
        for name in "", "..", "a b", "x" * 250:
            delete(a, version, name)
        topic = kafka.topic(name=f"v{version}")
        delete(a, version, kafka.name("none"), topic.name, "")
        gone(a, topic.name)


@case
def a_topic_twice(kafka: Kafka) -> None:
    """In one request: by its name, by its id, by both."""
    a = kafka.connect()
    topic, other = kafka.topic(), kafka.topic(name="other")
    for version in versions(delete_topics):
        delete(a, version, topic.name, topic.name)
        delete(a, version, kafka.name("none"), kafka.name("none"))
    delete_any(a, (None, topic.id), (None, topic.id))
    delete_any(a, (None, NOBODY), (None, NOBODY))
    delete_any(a, (topic.name, ZERO), (None, topic.id))
    delete(a, 5, other.name, other.name, kafka.name("none"))


@case
def by_id(kafka: Kafka) -> None:
    """A topic's id, one that nobody has, none, and with a name beside it."""
    a = kafka.connect()
    topic = kafka.topic()
    delete_any(a, (None, NOBODY))
    delete_any(a, (None, ZERO))
    delete_any(a, ("", ZERO))
    delete_any(a, (topic.name, topic.id))
    delete_any(a, (topic.name, NOBODY))
    delete_any(a, (kafka.name("none"), NOBODY), (None, NOBODY), (kafka.name("other"), ZERO))
    delete_any(a, (None, topic.id))
    gone(a, topic.name)
    delete_any(a, (None, topic.id))


@case
def time_outs(kafka: Kafka) -> None:
    """A time-out that is long."""
    a = kafka.connect()
    topic = kafka.topic()
    delete(a, 4, topic.name, timeout_ms=2_147_483_647)
    gone(a, topic.name)
