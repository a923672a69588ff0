"""Topics that were deleted, and made again under the same name, to clients that still know the old ones."""

from __future__ import annotations

from conformance.requests import append, deleted_up_to, fetched, looked_up, numbered, produced
from conformance.scenario import Connection, Kafka, Topic, case
from fleuve.wire.generated import (
    delete_records,
    delete_topics,
    describe_topic_partitions,
    fetch,
    list_offsets,
    metadata,
    offset_for_leader_epoch,
    produce,
)

UNKNOWN = 3


def delete(a: Connection, topic: Topic) -> None:
    """Delete a topic, and wait until the broker that serves it knows."""
    request = delete_topics.DeleteTopicsRequest(topic_names=[topic.name], timeout_ms=30_000)
    a.call(delete_topics, request, 5)
    a.until(
        list_offsets, looked_up(topic, {0: -1}), 5, lambda found: found.topics[0].partitions[0].error_code == UNKNOWN
    )


def ask_everything(a: Connection, topic: Topic) -> None:
    """Ask all that needs a topic, by name and by id."""
    for version in 3, 9, 12, 13:
        a.call(produce, produced(topic, {0: numbered(0, 1)}, version), version)
    for version in 4, 11, 12, 13, 18:
        a.call(fetch, fetched(topic, {0: 0}, version), version)
    for version in 1, 11:
        a.call(list_offsets, looked_up(topic, {0: -1}), version)
    a.call(delete_records, deleted_up_to(topic, {0: 0}), 2)
    by_name = metadata.MetadataRequestTopic(name=topic.name)
    by_id = metadata.MetadataRequestTopic(name=None, topic_id=topic.id)
    for one in by_name, by_id:
        a.call(metadata, metadata.MetadataRequest(topics=[one], allow_auto_topic_creation=False), 12)
    wanted = describe_topic_partitions.TopicRequest(name=topic.name)
    a.call(describe_topic_partitions, describe_topic_partitions.DescribeTopicPartitionsRequest(topics=[wanted]), 0)
    epochs = offset_for_leader_epoch.OffsetForLeaderTopic(
        topic=topic.name, partitions=[offset_for_leader_epoch.OffsetForLeaderPartition(leader_epoch=0)]
    )
    request = offset_for_leader_epoch.OffsetForLeaderEpochRequest(replica_id=-1, topics=[epochs])
    a.call(offset_for_leader_epoch, request, 4)


@case
def a_deleted_topic(kafka: Kafka) -> None:
    """Everything that can be asked about a topic, when it is gone."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    delete(a, topic)
    ask_everything(a, topic)


@case
def a_topic_made_again(kafka: Kafka) -> None:
    """The old id and the new one, when there is another topic of the name."""
    old = kafka.topic(2)
    a = kafka.connect()
    append(a, old, numbered(0, 3))
    append(a, old, numbered(0, 3), 1)
    delete(a, old)
    new = kafka.topic()
    append(a, new, numbered(7, 1))
    ask_everything(a, old)
    ask_everything(a, new)


@case
def sessions_and_topics_made_again(kafka: Kafka) -> None:
    """Fetch sessions by name and by id, whose topic is deleted and made again."""
    old = kafka.topic()
    a = kafka.connect()
    append(a, old, numbered(0, 3))
    by_name = a.call(fetch, fetched(old, {0: 0}, 12, session_epoch=0), 12).session_id
    by_id = a.call(fetch, fetched(old, {0: 0}, 18, session_epoch=0), 18).session_id
    delete(a, old)
    for version, session in (12, by_name), (18, by_id):
        for epoch in 1, 2:
            a.call(fetch, fetched(old, {}, version, session_id=session, session_epoch=epoch), version)
    new = kafka.topic()
    append(a, new, numbered(7, 1))
    for version, session in (12, by_name), (18, by_id):
        for epoch in 3, 4:
            a.call(fetch, fetched(old, {}, version, session_id=session, session_epoch=epoch), version)
        a.call(fetch, fetched(new, {0: 0}, version, session_id=session, session_epoch=5), version)
        a.call(fetch, fetched(new, {}, version, session_id=session, session_epoch=6), version)


@case
def a_fetch_that_waits_for_a_deleted_topic(kafka: Kafka) -> None:
    """A topic that is deleted while a fetch waits for it."""
    a, b = kafka.connect(), kafka.connect()
    for version in 12, 18:
        topic = kafka.topic(name=f"v{version}")
        a.send(fetch, fetched(topic, {0: 0}, version, min_bytes=1, max_wait_ms=2_000), version)
        delete(b, topic)
        a.receive()
