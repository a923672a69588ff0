"""ListOffsets: the offset of a time, and of the special ones."""

from __future__ import annotations

from uuid import UUID

from conformance.requests import append, deleted_up_to, looked_up, numbered
from conformance.scenario import Connection, Kafka, Topic, case, versions
from fleuve.records.record import Record
from fleuve.wire.generated import delete_records
from fleuve.wire.generated import list_offsets as api
from support.batches import NOW_MS, batch, built

SPECIAL = (-1, -2, -3, -4, -5, -6, -7, -100)


def ask_all(a: Connection, topic: Topic, timestamps: tuple[int, ...], version: int, partition: int = 0) -> None:
    """Ask for one time after another: a partition cannot be in a request twice."""
    for timestamp in timestamps:
        a.call(api, looked_up(topic, {partition: timestamp}), version)


@case
def an_empty_partition(kafka: Kafka) -> None:
    """Special times and others where nothing was written."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(api):
        ask_all(a, topic, (*SPECIAL, 0, NOW_MS), version)


@case
def times_around_records(kafka: Kafka) -> None:
    """Before the first, at each, between, at the last, after it; three batches of several records."""
    topic = kafka.topic()
    a = kafka.connect()
    for first, compression in (0, 0), (3, 1), (6, 4):
        append(a, topic, numbered(first, 3, compression=compression))
    times = (0, NOW_MS - 1, *range(NOW_MS, NOW_MS + 91, 5), NOW_MS + 10_000, 2**63 - 1)
    for version in versions(api):
        ask_all(a, topic, SPECIAL, version)
    for version in 1, 5, 6, 11:
        ask_all(a, topic, times, version)


@case
def times_that_do_not_increase(kafka: Kafka) -> None:
    """Records older than those before them, within a batch and from batch to batch; equal times; times of −1."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, built([Record(0, 50, None, b"a"), Record(1, 0, None, b"b"), Record(2, 50, None, b"c")]))
    append(a, topic, built([Record(0, 10, None, b"d"), Record(1, 90, None, b"e"), Record(2, 90, None, b"f")]))
    append(a, topic, built([Record(0, 0, None, b"g")], base_timestamp=NOW_MS - 500))
    append(a, topic, batch(b"h", base_timestamp=-1))
    times = (NOW_MS - 501, NOW_MS - 500, NOW_MS - 1, NOW_MS, NOW_MS + 10, NOW_MS + 50, NOW_MS + 51, NOW_MS + 90)
    for version in 1, 7, 11:
        ask_all(a, topic, (*SPECIAL[:3], *times, NOW_MS + 91), version)


@case
def no_times_at_all(kafka: Kafka) -> None:
    """Records whose timestamp is −1."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, batch(b"a", b"b", base_timestamp=-1))
    for version in 1, 11:
        ask_all(a, topic, (*SPECIAL[:3], 0, NOW_MS), version)


@case
def append_times(kafka: Kafka) -> None:
    """A topic whose timestamps are the broker's: all records of a batch have one."""
    topic = kafka.topic(configs={"message.timestamp.type": "LogAppendTime"})
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    append(a, topic, numbered(3, 3, compression=1))
    for version in 1, 11:
        ask_all(a, topic, (-1, -2, NOW_MS, 4_000_000_000_000), version)


@case
def after_records_were_deleted(kafka: Kafka) -> None:
    """The log's start in the middle of a batch, at a batch, and at the end."""
    a = kafka.connect()
    for start in 1, 3, 4, 6:
        topic = kafka.topic(name=f"from-{start}")
        append(a, topic, numbered(0, 3))
        append(a, topic, numbered(3, 3))
        a.call(delete_records, deleted_up_to(topic, {0: start}), 2)
        for version in 1, 11:
            ask_all(a, topic, (-1, -2, -4, NOW_MS, NOW_MS + 20, NOW_MS + 30, NOW_MS + 50, NOW_MS + 60), version)


@case
def the_youngest_after_records_were_deleted(kafka: Kafka) -> None:
    """The record with the largest timestamp, once it is deleted."""
    a = kafka.connect()
    for start in 1, 2, 3:
        topic = kafka.topic(name=f"from-{start}")
        append(a, topic, batch(b"youngest", base_timestamp=NOW_MS + 1000))
        append(a, topic, numbered(1, 2))
        a.call(delete_records, deleted_up_to(topic, {0: start}), 2)
        ask_all(a, topic, (-3,), 11)


@case
def isolation_levels(kafka: Kafka) -> None:
    """Committed and uncommitted, without transactions."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    for version in versions(api):
        for level in 0, 1:
            for timestamp in -1, -2, NOW_MS + 10:
                a.call(api, looked_up(topic, {0: timestamp}, isolation_level=level), version)


@case
def an_unknown_isolation_level(kafka: Kafka) -> None:
    """A level that there is not."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    for version in 2, 11:
        for level in 2, -1:
            a.call(api, looked_up(topic, {0: -1}, isolation_level=level), version)


@case
def leader_epochs(kafka: Kafka) -> None:
    """The current one, an older one and a newer one."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    for version in range(4, 12):
        for epoch in -1, 0, 1, 100, -2:
            a.call(api, looked_up(topic, {0: -1}, epoch=epoch), version)


@case
def unknown_partitions(kafka: Kafka) -> None:
    """Partitions and topics that are not there, beside one that is; names that cannot be."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(api):
        a.call(api, looked_up(topic, {0: -1, 1: -1, -1: -1}), version)
        for name in kafka.name("other"), "", "not a name!":
            a.call(api, looked_up(Topic(name, UUID(int=0)), {0: -1}), version)


@case
def requests_of_odd_shape(kafka: Kafka) -> None:
    """Nothing asked; a topic without partitions; a partition twice; a topic twice; a replica that asks."""
    topic = kafka.topic(2)
    a = kafka.connect()
    for version in 1, 5, 6, 11:
        a.call(api, api.ListOffsetsRequest(replica_id=-1), version)
        a.call(api, looked_up(topic, {}), version)
        twice = looked_up(topic, {0: -1, 1: -2})
        twice.topics[0].partitions += looked_up(topic, {0: -2}).topics[0].partitions
        a.call(api, twice, version)
        both = looked_up(topic, {0: -1})
        both.topics += looked_up(topic, {1: -1}).topics
        a.call(api, both, version)
        for replica in -2, 1, 7:
            asked = looked_up(topic, {0: -1})
            asked.replica_id = replica
            a.call(api, asked, version)
