"""Fetch: what is read where, and how much of it; sessions are in `fetch_sessions`."""

from __future__ import annotations

from uuid import UUID

from conformance.requests import FETCH_IDS, append, deleted_up_to, fetched, numbered, produced
from conformance.scenario import Kafka, Topic, case, versions
from fleuve.wire.generated import delete_records, produce
from fleuve.wire.generated import fetch as api
from support.batches import batch

OFFSETS = (0, 1, 2, 3, 5, 6, 7, 8, 100, -1, -2)


@case
def every_offset(kafka: Kafka) -> None:
    """The start, the middle of a batch, the high watermark, beyond it, and negative ones; in every version."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    append(a, topic, numbered(3, 4, compression=1))
    for version in versions(api):
        for offset in OFFSETS if version in {4, 12, 18} else (1, 7, 8):
            a.call(api, fetched(topic, {0: offset}, version), version)


@case
def an_empty_partition(kafka: Kafka) -> None:
    """Where nothing was written."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(api):
        for offset in 0, 1, -1:
            a.call(api, fetched(topic, {0: offset}, version), version)


@case
def after_records_were_deleted(kafka: Kafka) -> None:
    """Before, at and behind a log start in the middle of a batch."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 4))
    append(a, topic, numbered(4, 2))
    for start in 1, 5, 6:
        a.call(delete_records, deleted_up_to(topic, {0: start}), 2)
        for version in 4, 12, 18:
            for offset in range(8):
                a.call(api, fetched(topic, {0: offset}, version), version)


@case
def limits_of_bytes(kafka: Kafka) -> None:
    """A partition's and the request's limit, below, at and above the size of a batch; several partitions."""
    topic = kafka.topic(3)
    a = kafka.connect()
    size = len(numbered(0, 1))
    for partition in range(3):
        for number in range(4):
            append(a, topic, numbered(number, 1), partition)
    for version in 4, 12:
        for limit in 0, 1, size - 1, size, size + 1, 2 * size, 3 * size + 5, 100 * size:
            a.call(api, fetched(topic, {0: 0}, version, partition_max_bytes=limit), version)
            a.call(api, fetched(topic, {0: 1}, version, max_bytes=limit), version)
            a.call(api, fetched(topic, {0: 0, 1: 2, 2: 4}, version, max_bytes=limit), version)
            a.call(api, fetched(topic, {0: 0, 1: 2, 2: 0}, version, partition_max_bytes=limit), version)


@case
def negative_limits(kafka: Kafka) -> None:
    """Limits below zero."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 1))
    for version in 4, 12, 18:
        a.call(api, fetched(topic, {0: 0}, version, max_bytes=-1), version)
        a.call(api, fetched(topic, {0: 0}, version, partition_max_bytes=-1), version)
        a.call(api, fetched(topic, {0: 0}, version, min_bytes=-1, max_wait_ms=-1), version)


@case
def more_bytes_wanted_than_allowed(kafka: Kafka) -> None:
    """At least more than at most: what there is comes at once, or when the time is up."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 1))
    append(a, topic, numbered(1, 1))
    for version in 4, 12, 18:
        a.call(api, fetched(topic, {0: 0}, version, min_bytes=1 << 20, max_bytes=80, max_wait_ms=50), version)
        request = fetched(topic, {0: 0}, version, min_bytes=1 << 20, partition_max_bytes=80, max_wait_ms=50)
        a.call(api, request, version)
        a.call(api, fetched(topic, {0: 2}, version, min_bytes=2**31 - 1, max_wait_ms=50), version)


@case
def several_topics(kafka: Kafka) -> None:
    """Topics in the order of the request share its limit."""
    first, second = kafka.topic(name="u"), kafka.topic(name="t")
    a = kafka.connect()
    size = len(numbered(0, 1))
    for topic in first, second:
        append(a, topic, numbered(0, 1))
        append(a, topic, numbered(1, 1))
    for version in 4, 12:
        for limit in 1, 2 * size, 3 * size, 4 * size:
            request = fetched(first, {0: 0}, version, max_bytes=limit)
            request.topics += fetched(second, {0: 0}, version).topics
            a.call(api, request, version)


@case
def waiting_for_bytes(kafka: Kafka) -> None:
    """A fetch waits for enough bytes, for its time, or for nothing where a partition is in error."""
    topic = kafka.topic(2)
    a, b = kafka.connect(), kafka.connect()
    size = len(numbered(0, 1))
    for version in 4, 12, 18:
        offset = append(b, topic, numbered(0, 1)).base_offset
        a.send(api, fetched(topic, {0: offset + 1}, version, min_bytes=1, max_wait_ms=20_000), version)
        append(b, topic, numbered(1, 1), 1)
        a.waits()
        append(b, topic, numbered(1, 1))
        a.receive()
        a.send(api, fetched(topic, {0: offset + 1}, version, min_bytes=3 * size, max_wait_ms=20_000), version)
        append(b, topic, numbered(2, 1))
        a.waits()
        append(b, topic, numbered(3, 1))
        a.receive()
        a.call(api, fetched(topic, {0: offset + 4}, version, min_bytes=1, max_wait_ms=50), version)
        a.call(api, fetched(topic, {0: offset + 4}, version, min_bytes=0, max_wait_ms=20_000), version)
        a.call(api, fetched(topic, {0: offset + 4, 1: 1000}, version, min_bytes=1, max_wait_ms=20_000), version)
        a.call(api, fetched(topic, {0: offset + 4, 7: 0}, version, min_bytes=1, max_wait_ms=50), version)
        a.call(api, fetched(topic, {}, version, min_bytes=1, max_wait_ms=50), version)


@case
def leader_epochs(kafka: Kafka) -> None:
    """The current one, an older and a newer one."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    for version in range(9, 19):
        for epoch in -1, 0, 1, 100, -2:
            a.call(api, fetched(topic, {0: 0}, version, epoch=epoch), version)


@case
def the_epoch_fetched_last(kafka: Kafka) -> None:
    """A consumer that names the epoch of the record before: the same, an older and a newer one, at several offsets."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    for version in 12, 13, 18:
        for epoch in 0, 1, 5, -2:
            for offset in 0, 3, 4:
                request = fetched(topic, {0: offset}, version, epoch=0)
                request.topics[0].partitions[0].last_fetched_epoch = epoch
                a.call(api, request, version)


@case
def unknown_partitions(kafka: Kafka) -> None:
    """Partitions, topics and ids that are not there, beside one that is; names that cannot be."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 1))
    for version in versions(api):
        a.call(api, fetched(topic, {0: 0, 1: 0, -1: 0}, version), version)
        for other in (
            Topic(kafka.name("other"), UUID(int=77)),
            Topic("", UUID(int=0)),
            Topic("not a name!", UUID(int=5)),
        ):
            request = fetched(other, {0: 0}, version)
            request.topics += fetched(topic, {0: 0}, version).topics
            a.call(api, request, version)


@case
def isolation_levels(kafka: Kafka) -> None:
    """Committed and uncommitted, without transactions: at the end, in the middle, out of range."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    for version in versions(api):
        for offset in 0, 3, 4:
            a.call(api, fetched(topic, {0: offset}, version, isolation_level=1), version)


@case
def an_unknown_isolation_level(kafka: Kafka) -> None:
    """A level that there is not."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 1))
    for version in 4, 12, 18:
        for level in 2, -1:
            a.call(api, fetched(topic, {0: 0}, version, isolation_level=level), version)


@case
def replicas_that_ask(kafka: Kafka) -> None:
    """A replica id: of this broker, of one that there is not, of the debugging consumer."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 1))
    for version in 4, 12, 14, 15, 18:
        for replica in 7, -2:
            request = fetched(topic, {0: 0}, version)
            if version < 15:
                request.replica_id = replica
            else:
                request.replica_state = api.ReplicaState(replica_id=replica, replica_epoch=-1)
            a.call(api, request, version)


@case
def a_partition_twice(kafka: Kafka) -> None:
    """One partition twice in one request, at two offsets; a topic twice; racks."""
    topic = kafka.topic(2)
    a = kafka.connect()
    append(a, topic, numbered(0, 1))
    append(a, topic, numbered(1, 1))
    for version in 4, 12, 18:
        request = fetched(topic, {0: 0}, version)
        request.topics[0].partitions += fetched(topic, {0: 1}, version).topics[0].partitions
        a.call(api, request, version)
        request = fetched(topic, {0: 0}, version)
        request.topics += fetched(topic, {1: 0}, version).topics
        a.call(api, request, version)
    for version in 11, 12, 18:
        a.call(api, fetched(topic, {0: 0}, version, rack_id="a-rack"), version)
        a.call(api, fetched(topic, {0: 0}, version, cluster_id="another cluster"), version)


@case
def old_versions_and_new_compressions(kafka: Kafka) -> None:
    """A batch of every compression, to every version: zstd needs version 10."""
    topic = kafka.topic(5)
    a = kafka.connect()
    request = produced(topic, {code: batch(b"a" * 100, b"b", compression=code) for code in range(5)}, 12)
    a.call(produce, request, 12)
    for version in versions(api):
        for code in range(5):
            a.call(api, fetched(topic, {code: 0}, version), version)


@case
def ids_of_deleted_topics(kafka: Kafka) -> None:
    """A null id, and nothing asked at all."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(api):
        a.call(api, fetched(topic, {}, version), version)
        if version >= FETCH_IDS:
            a.call(api, fetched(Topic("", UUID(int=0)), {0: 0}, version), version)
