"""Produce: what becomes of a batch, good or bad."""

from __future__ import annotations

from uuid import UUID

from conformance.requests import PRODUCE_VERSION, append, fetched, looked_up, numbered, patched, produced
from conformance.scenario import Kafka, Topic, case, versions
from fleuve.records.record import Record
from fleuve.wire.generated import fetch, find_coordinator, list_offsets, produce
from support.batches import NOW_MS, batch, built

LOG_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}


@case
def every_version(kafka: Kafka) -> None:
    """A batch in every version, with each kind of acknowledgement; what is read back."""
    topic = kafka.topic(2)
    a = kafka.connect()
    for version in versions(produce):
        for acks in -1, 1:
            a.call(produce, produced(topic, {0: batch(b"a", b"b")}, version, acks=acks), version)
        a.send(produce, produced(topic, {1: batch(b"0")}, version, acks=0), version, answered=False)
        a.call(list_offsets, looked_up(topic, {0: -1}), 4)
    a.until(fetch, fetched(topic, {1: 0}), 12, lambda answer: answer.responses[0].partitions[0].high_watermark == 11)
    a.call(fetch, fetched(topic, {0: 0}), 12)


@case
def versions_that_are_advertised_and_not_served(kafka: Kafka) -> None:
    """Versions 0 to 2, and one too many."""
    topic = kafka.topic()
    body = bytes.fromhex("ffff00007530") + (1).to_bytes(4) + len(topic.name).to_bytes(2) + topic.name.encode()
    body += bytes.fromhex("00000001 00000000") + len(batch(b"a")).to_bytes(4) + batch(b"a")
    for version in 0, 1, 2, 14, -1:
        a = kafka.connect()
        a.send_bytes(produce, version, body)
        a.receive()


@case
def times_to_wait(kafka: Kafka) -> None:
    """No time, a negative one, an endless one."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in 3, 9, 13:
        for timeout_ms in 0, -1, 2**31 - 1:
            for acks in 1, -1:
                request = produced(topic, {0: batch(b"a")}, version, acks=acks, timeout_ms=timeout_ms)
                a.call(produce, request, version)


@case
def bad_acks(kafka: Kafka) -> None:
    """Acknowledgements that there are not."""
    topic = kafka.topic()
    for version in versions(produce):
        for acks in 2, -2, 32767:
            a = kafka.connect()
            a.call(produce, produced(topic, {0: batch(b"a"), 1: batch(b"a")}, version, acks=acks), version)


@case
def no_acknowledgement_of_an_error(kafka: Kafka) -> None:
    """acks=0 and a partition that is not there, or a batch that is refused: the connection goes."""
    topic = kafka.topic()
    for version in 3, 9, 13:
        a = kafka.connect()
        a.send(produce, produced(topic, {1: batch(b"a")}, version, acks=0), version)
        a.receive()
        a = kafka.connect()
        wrong = patched(batch(b"a"), 30, b"\x00", right_crc=False)
        a.send(produce, produced(topic, {0: wrong}, version, acks=0), version)
        a.receive()


@case
def unknown_partitions(kafka: Kafka) -> None:
    """Partitions, topics and ids that are not there, names that cannot be, the internal topic."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(produce):
        a.call(produce, produced(topic, {0: batch(b"a"), 1: batch(b"b"), -1: batch(b"c")}, version), version)
        other = Topic(kafka.name("other"), UUID(int=77))
        a.call(produce, produced(other, {0: batch(b"a"), 1: batch(b"b")}, version), version)
        a.call(produce, produced(Topic("", UUID(int=0)), {0: batch(b"a")}, version), version)
        a.call(produce, produced(Topic("not a name!", UUID(int=5)), {0: batch(b"a")}, version), version)


@case
def nothing_to_append(kafka: Kafka) -> None:
    """Requests without topics, topics without partitions, partitions with no bytes."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(produce):
        a.call(produce, produce.ProduceRequest(acks=-1, timeout_ms=1000), version)
        a.call(produce, produced(topic, {}, version), version)
        a.call(produce, produced(topic, {0: b""}, version), version)


@case
def null_records(kafka: Kafka) -> None:
    """Records that are null."""
    topic = kafka.topic()
    for version in 3, 12:
        a = kafka.connect()
        a.send(produce, produced(topic, {0: None}, version), version)
        a.silent()


@case
def damaged_batches(kafka: Kafka) -> None:
    """Bytes that are no batch, a wrong checksum, other formats, wrong lengths; beside a good one."""
    topic = kafka.topic(23)
    a = kafka.connect()
    good = bytes(batch(b"a", b"b"))
    broken = [
        b"\x00",
        good[:16],
        good[:17],
        good[:60],
        good[:-1],
        patched(good, 17, b"\x00\x00\x00\x00", right_crc=False),
        patched(good, len(good) - 1, b"\x07", right_crc=False),
        patched(good, 16, b"\x00"),
        patched(good, 16, b"\x01"),
        patched(good, 16, b"\x03"),
        patched(good, 16, b"\xff"),
        patched(good, 8, (len(good) - 11).to_bytes(4)),
        patched(good, 8, (len(good) - 13).to_bytes(4)),
        patched(good, 8, (0).to_bytes(4)),
        patched(good, 8, (14).to_bytes(4)),
        patched(good, 8, (48).to_bytes(4)),
        patched(good, 8, (-1).to_bytes(4, signed=True)),
        good + good,
        good + good[:5],
        good + good[:30],
        good + b"\x00" * 20,
        good + b"\xff" * 20,
    ]
    for version in 3, 8, 13:
        for records in broken:
            append(a, topic, records, version=version)
    for number, records in enumerate(broken):
        a.call(produce, produced(topic, {0: records, number + 1: good}, 12), 12)
    a.call(fetch, fetched(topic, dict.fromkeys(range(23), 0)), 12)


@case
def wrong_fields(kafka: Kafka) -> None:
    """A batch with a right checksum and fields that do not fit."""
    topic = kafka.topic()
    a = kafka.connect()
    good = bytes(batch(b"a", b"b", b"c"))
    wrong = {
        "base offset": patched(good, 0, (1).to_bytes(8)),
        "negative base offset": patched(good, 0, (-1).to_bytes(8, signed=True)),
        "leader epoch": patched(good, 12, (5).to_bytes(4)),
        "too few by count": patched(good, 57, (2).to_bytes(4)),
        "too many by count": patched(good, 57, (4).to_bytes(4)),
        "no record by count": patched(good, 57, (0).to_bytes(4)),
        "negative count": patched(good, 57, (-1).to_bytes(4, signed=True)),
        "last offset delta too small": patched(good, 23, (1).to_bytes(4)),
        "last offset delta too large": patched(good, 23, (3).to_bytes(4)),
        "negative last offset delta": patched(good, 23, (-1).to_bytes(4, signed=True)),
        "control": patched(good, 21, (0x20).to_bytes(2)),
        "transactional without a producer": patched(good, 21, (0x10).to_bytes(2)),
        "unused attributes": patched(good, 21, (0x1F00).to_bytes(2)),
    }
    for version in 3, 8, 12, 13:
        for records in wrong.values():
            append(a, topic, records, version=version)
    a.call(fetch, fetched(topic, {0: 0}), 12)


@case
def unknown_compression(kafka: Kafka) -> None:
    """Codecs that there are not, and that a version does not have."""
    topic = kafka.topic()
    a = kafka.connect()
    for code in 5, 6, 7:
        for version in 3, 12:
            append(a, topic, patched(batch(b"a"), 21, code.to_bytes(2)), version=version)
    for version in 3, 6, 7, 8:
        append(a, topic, batch(b"a", compression=4), version=version)


@case
def a_set_bit_of_append_time(kafka: Kafka) -> None:
    """A batch that says that its timestamps are the broker's."""
    topic = kafka.topic(2)
    stamped = kafka.topic(2, name="stamped", configs=LOG_APPEND_TIME)
    a = kafka.connect()
    for partition, version in enumerate((3, 12)):
        for one in topic, stamped:
            append(a, one, patched(batch(b"a"), 21, (8).to_bytes(2)), partition, version)
    a.call(fetch, fetched(stamped, {0: 0}), 12)


@case
def each_compression(kafka: Kafka) -> None:
    """Every codec, as produced and as a topic's own; what is read back."""
    values = [b"value %d" % number for number in range(5)]
    for wanted in "producer", "uncompressed", "gzip", "snappy", "lz4", "zstd":
        topic = kafka.topic(name=wanted, configs={"compression.type": wanted})
        a = kafka.connect()
        for code in range(5):
            append(a, topic, batch(*values, key=b"k", compression=code))
        a.call(fetch, fetched(topic, {0: 0}), 12)


@case
def damaged_inside(kafka: Kafka) -> None:
    """A right checksum around records that cannot be decoded, or are fewer than the header says."""
    good = bytes(batch(b"a", b"b"))
    damaged = [
        patched(good, 61, b"\x00"),
        patched(good, 61, b"\x7e"),
        patched(good, 66, b"\x7f"),
        patched(good, len(good) - 1, b"\x02"),
        patched(patched(good, 57, (3).to_bytes(4)), 23, (2).to_bytes(4)),
        patched(batch(b"a" * 50, compression=1), 70, b"\x00\x01\x02\x03"),
        patched(batch(b"a" * 50, compression=3), 65, b"\x00\x01\x02\x03"),
        patched(batch(b"a" * 50, compression=4), 65, b"\x00\x01\x02\x03"),
        patched(good, 21, (1).to_bytes(2)),
    ]
    topic = kafka.topic(len(damaged))
    a = kafka.connect()
    for partition, records in enumerate(damaged):
        append(a, topic, records, partition)


@case
def keys_headers_and_nulls(kafka: Kafka) -> None:
    """Records with keys, headers, null and empty values."""
    topic = kafka.topic()
    a = kafka.connect()
    records = [
        Record(0, 0, b"k", b"v", ((b"h", b"1"), (b"h", None), (b"", b""))),
        Record(1, -5, None, None),
        Record(2, 5, b"", b""),
    ]
    append(a, topic, built(records))
    a.call(fetch, fetched(topic, {0: 0}), 12)


@case
def a_compacted_topic_wants_keys(kafka: Kafka) -> None:
    """Records without a key in a compacted topic: each is named, from version 8 on."""
    topic = kafka.topic(2, configs={"cleanup.policy": "compact"})
    a = kafka.connect()
    for version in versions(produce):
        mixed = built(
            [Record(0, 0, b"k", b"v"), Record(1, 0, None, b"v"), Record(2, 0, b"k", None), Record(3, 0, None, b"")]
        )
        a.call(produce, produced(topic, {0: mixed, 1: batch(b"v", key=b"k")}, version), version)
        append(a, topic, batch(b"v", compression=2), version=version)


@case
def append_time(kafka: Kafka) -> None:
    """A topic whose timestamps are the broker's."""
    topic = kafka.topic(configs=LOG_APPEND_TIME)
    a = kafka.connect()
    for version in versions(produce):
        append(a, topic, batch(b"a", b"b"), version=version)
    append(a, topic, batch(b"c" * 100, b"d" * 100, compression=1))
    append(a, topic, batch(b"c", base_timestamp=-1))
    a.call(fetch, fetched(topic, {0: 0}), 12)


@case
def timestamps_out_of_bounds(kafka: Kafka) -> None:
    """Timestamps too long ago, too far ahead, and none at all."""
    open_topic = kafka.topic(name="open")
    narrow = kafka.topic(
        name="narrow", configs={"message.timestamp.before.max.ms": "1000", "message.timestamp.after.max.ms": "1000"}
    )
    a = kafka.connect()
    for version in 3, 7, 8, 12, 13:
        for topic in open_topic, narrow:
            for timestamp in NOW_MS, 1, -1, 4_000_000_000_000:
                append(a, topic, batch(b"a", b"b", base_timestamp=timestamp), version=version)
    append(a, open_topic, batch(b"a", base_timestamp=-2))
    append(a, open_topic, built([Record(0, 0, None, b"a"), Record(1, -NOW_MS - 5, None, b"b")]))
    a.call(fetch, fetched(open_topic, {0: 0}), 12)


@case
def too_large(kafka: Kafka) -> None:
    """Batches beyond a topic's bound, beside one that fits."""
    topic = kafka.topic(2, configs={"max.message.bytes": "200"})
    a = kafka.connect()
    fits = batch(b"a" * (200 - len(batch(b"")) - 2))
    for version in versions(produce):
        a.call(produce, produced(topic, {0: batch(b"a" * 300), 1: batch(b"a")}, version), version)
    for records in fits, batch(b"a" * 129), batch(b"a" * 130), batch(b"a" * 131), batch(b"a" * 132):
        append(a, topic, records)
    append(a, topic, batch(b"a" * 5000, compression=1))
    append(kafka.connect(), kafka.topic(name="large"), batch(b"a" * 1_048_588))
    append(kafka.connect(), kafka.topic(name="largest"), batch(b"a" * 1_048_500))


@case
def one_bad_partition_of_several(kafka: Kafka) -> None:
    """Partitions of one request stand for themselves, in two topics."""
    topic, other = kafka.topic(3), kafka.topic(1, name="other")
    a = kafka.connect()
    for version in versions(produce):
        request = produced(
            topic, {2: batch(b"a"), 0: patched(batch(b"a"), 17, b"1234", right_crc=False), 1: batch(b"b")}, version
        )
        request.topic_data += produced(other, {0: batch(b"a"), 1: batch(b"b")}, version).topic_data
        a.call(produce, request, version)


@case
def a_partition_twice(kafka: Kafka) -> None:
    """One partition twice in one request."""
    topic = kafka.topic(3)
    a = kafka.connect()
    for index, version in enumerate((3, PRODUCE_VERSION, 13)):
        request, other = (produced(topic, {index: batch(value)}, version) for value in (b"a", b"b"))
        request.topic_data[0].partition_data += other.topic_data[0].partition_data
        a.call(produce, request, version)


@case
def the_internal_topic(kafka: Kafka) -> None:
    """Records for the topic of the groups' offsets."""
    a = kafka.connect()
    wanted = find_coordinator.FindCoordinatorRequest(coordinator_keys=[kafka.name("group")])
    a.call(find_coordinator, wanted, 4)
    for version in 3, 12:
        append(a, Topic("__consumer_offsets", UUID(int=0)), batch(b"a", key=b"k"), version=version)


@case
def a_transactional_id(kafka: Kafka) -> None:
    """A transactional id with a batch of no transaction, and a batch of a transaction without an id."""
    topic = kafka.topic(14)
    a = kafka.connect()
    for version in versions(produce):
        request = produced(topic, {version: batch(b"a")}, version)
        request.transactional_id = kafka.name("id")
        a.call(produce, request, version)
        marked = batch(b"a", attributes=0x10, producer_id=999_999, producer_epoch=0, base_sequence=0)
        append(a, topic, marked, version, version)


@case
def requests_of_one_connection_overlap(kafka: Kafka) -> None:
    """Three requests before the first answer; the answers keep their order."""
    topic = kafka.topic()
    a = kafka.connect()
    for number in range(3):
        a.send(produce, produced(topic, {0: numbered(number, 1)}, 9), 9)
    for _ in range(3):
        a.receive()
