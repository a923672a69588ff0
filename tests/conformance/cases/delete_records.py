"""DeleteRecords: where a log starts."""

from __future__ import annotations

from uuid import UUID

from conformance.requests import append, deleted_up_to, fetched, looked_up, numbered
from conformance.scenario import Kafka, Topic, case, versions
from fleuve.wire.generated import delete_records as api
from fleuve.wire.generated import fetch, list_offsets


@case
def up_to_every_offset(kafka: Kafka) -> None:
    """Within a batch, at a batch, back again, to the end, beyond it, and by −1; what is left."""
    a = kafka.connect()
    for version in versions(api):
        topic = kafka.topic(name=f"v{version}")
        append(a, topic, numbered(0, 3))
        append(a, topic, numbered(3, 3))
        for offset in 0, 1, 3, 2, 3, 7, -2, 6, 5, -1:
            a.call(api, deleted_up_to(topic, {0: offset}), version)
            a.call(list_offsets, looked_up(topic, {0: -2}), 7)
            a.call(fetch, fetched(topic, {0: 0}), 12)
        append(a, topic, numbered(6, 1))
        a.call(api, deleted_up_to(topic, {0: -1}), version)


@case
def an_empty_partition(kafka: Kafka) -> None:
    """Nothing to delete."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(api):
        for offset in 0, 1, -1, -2:
            a.call(api, deleted_up_to(topic, {0: offset}), version)


@case
def unknown_partitions(kafka: Kafka) -> None:
    """Partitions and topics that are not there, beside one that is; the internal topic; a compacted one."""
    topic = kafka.topic()
    compacted = kafka.topic(name="compacted", configs={"cleanup.policy": "compact"})
    both = kafka.topic(name="both", configs={"cleanup.policy": "compact,delete"})
    a = kafka.connect()
    for version in versions(api):
        a.call(api, deleted_up_to(topic, {0: 0, 1: 0, -1: 0}), version)
        for name in kafka.name("other"), "", "not a name!":
            a.call(api, deleted_up_to(Topic(name, UUID(int=0)), {0: 0}), version)
        for one in compacted, both:
            append(a, one, numbered(0, 1, key=b"k"))
            a.call(api, deleted_up_to(one, {0: 1}), version)


@case
def requests_of_odd_shape(kafka: Kafka) -> None:
    """Nothing asked; a topic without partitions; a partition twice; no time."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(api):
        append(a, topic, numbered(0, 3))
        a.call(api, api.DeleteRecordsRequest(timeout_ms=1000), version)
        a.call(api, deleted_up_to(topic, {}), version)
        twice = deleted_up_to(topic, {0: 0})
        twice.topics[0].partitions += deleted_up_to(topic, {0: 1}).topics[0].partitions
        a.call(api, twice, version)
        hurried = deleted_up_to(topic, {0: 1})
        hurried.timeout_ms = 0
        a.call(api, hurried, version)
