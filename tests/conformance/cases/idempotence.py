"""Produce by idempotent producers: sequences, epochs and duplicates."""

from __future__ import annotations

from typing import Any, NamedTuple

from conformance.requests import append, deleted_up_to, fetched, numbered, produced
from conformance.scenario import Connection, Kafka, Topic, case, versions
from fleuve.wire.generated import delete_records, fetch, init_producer_id, produce

SEQUENCE_MAX = 2**31 - 1


class Producer(NamedTuple):
    """An idempotent producer of one partition."""

    a: Connection
    topic: Topic
    id: int

    def send(self, sequence: int, count: int = 1, *, epoch: int = 0, partition: int = 0, version: int = 12) -> Any:
        """Append a batch; return the partition's answer."""
        return append(self.a, self.topic, self.batch(sequence, count, epoch=epoch), partition, version)

    def batch(self, sequence: int, count: int = 1, *, epoch: int = 0, **options: Any) -> bytearray:
        """Return a batch that begins at a sequence number."""
        identity: dict[str, Any] = {"producer_id": self.id, "producer_epoch": epoch, "base_sequence": sequence}
        return numbered(abs(sequence) % 1000, count, **identity, **options)


def producer(kafka: Kafka, partitions: int = 1, *, name: str = "t", configs: dict[str, str] | None = None) -> Producer:
    """Make a topic and a producer id."""
    topic = kafka.topic(partitions, name=name, configs=configs)
    a = kafka.connect()
    request = init_producer_id.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
    return Producer(a, topic, a.call(init_producer_id, request, 4).producer_id)


@case
def sequences_in_every_version(kafka: Kafka) -> None:
    """Batches that follow each other, one again, and one too many."""
    for version in versions(produce):
        one = producer(kafka, name=f"v{version}")
        one.send(0, 2, version=version)
        one.send(2, 3, version=version)
        one.send(2, 3, version=version)
        one.send(6, version=version)
        one.send(5, version=version)


@case
def gaps_and_repetitions(kafka: Kafka) -> None:
    """A gap, a step back, an overlap, a batch of another length at a known sequence, and going on behind them."""
    one = producer(kafka)
    one.send(0, 3)
    for sequence, count in (
        (4, 1),
        (5, 2),
        (1, 2),
        (0, 2),
        (0, 4),
        (2, 1),
        (2, 2),
        (3, 2),
        (3, 2),
        (3, 1),
        (4, 1),
        (5, 1),
    ):
        one.send(sequence, count)
    one.a.call(fetch, fetched(one.topic, {0: 0}), 12)


@case
def duplicates_among_the_last_five(kafka: Kafka) -> None:
    """Each of the last five batches again, and those before them."""
    one = producer(kafka)
    for sequence in range(8):
        one.send(sequence)
    for sequence in range(8):
        one.send(sequence)
    one.send(8)
    one.send(3)
    one.send(4)
    one.send(9)


@case
def a_first_batch_not_from_zero(kafka: Kafka) -> None:
    """A producer that the partition does not know, beginning later than 0."""
    one = producer(kafka, 6)
    for partition, sequence in enumerate((5, 1, SEQUENCE_MAX)):
        one.send(sequence, partition=partition)
        one.send(0, partition=partition)
        one.send(1, partition=partition)
    stranger = one._replace(id=999_999)
    for partition, sequence in (3, 0), (3, 1), (4, 7), (5, 3):
        stranger.send(sequence, partition=partition)


@case
def negative_sequences(kafka: Kafka) -> None:
    """A producer id with a negative sequence."""
    one = producer(kafka)
    one.send(-1)
    one.send(-2)
    one.send(0)
    one.send(-1)


@case
def a_negative_epoch(kafka: Kafka) -> None:
    """A producer id with a negative epoch."""
    one = producer(kafka)
    one.send(0, epoch=-1)


@case
def sequences_wrap(kafka: Kafka) -> None:
    """Sequences that go on at 0 behind the largest, within a batch and between batches."""
    stranger = producer(kafka, 2)._replace(id=888_888)
    for sequence, count in (SEQUENCE_MAX - 2, 2), (SEQUENCE_MAX, 3), (2, 1), (SEQUENCE_MAX, 3), (3, 1), (5, 1), (4, 1):
        stranger.send(sequence, count)
    for sequence, count in (SEQUENCE_MAX - 1, 2), (0, 1), (1, 1), (SEQUENCE_MAX - 1, 2):
        stranger.send(sequence, count, partition=1)
    stranger.a.call(fetch, fetched(stranger.topic, {0: 0, 1: 0}), 12)


@case
def epochs(kafka: Kafka) -> None:
    """A higher epoch must begin at 0; an older one is fenced; one epoch's batches are no duplicates of another's."""
    for version in 3, 9, 12, 13:
        one = producer(kafka, name=f"v{version}")
        for sequence, epoch in (
            *((0, 0), (1, 0), (2, 1), (1, 1), (0, 1), (1, 1), (0, 1), (2, 0), (0, 0), (2, 1), (0, 5), (1, 5)),
            *((3, 1), (0, 4), (1, 6), (0, 32767), (1, 32767), (0, 6)),
        ):
            one.send(sequence, epoch=epoch, version=version)


@case
def partitions_have_their_own_sequences(kafka: Kafka) -> None:
    """One producer in two partitions, one request with both; a gap in one of them."""
    one = producer(kafka, 2)
    for first, second in (0, 0), (1, 1), (2, 3), (3, 2), (2, 2), (3, 4):
        request = produced(one.topic, {0: one.batch(first), 1: one.batch(second)}, 12)
        one.a.call(produce, request, 12)


@case
def two_producers_of_one_partition(kafka: Kafka) -> None:
    """Their sequences do not touch each other."""
    one = producer(kafka)
    request = init_producer_id.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
    two = one._replace(id=one.a.call(init_producer_id, request, 4).producer_id)
    for sequence in range(3):
        one.send(sequence)
        two.send(sequence)
    one.send(1)
    two.send(4)
    append(one.a, one.topic, numbered(0, 1))
    one.send(3)
    one.a.call(fetch, fetched(one.topic, {0: 0}), 12)


@case
def after_records_were_deleted(kafka: Kafka) -> None:
    """All of a producer's batches are deleted: what it sends next, and again."""
    one = producer(kafka)
    for sequence in range(3):
        one.send(sequence)
    one.a.call(delete_records, deleted_up_to(one.topic, {0: 3}), 2)
    one.send(3)
    one.send(2)
    one.send(5)


@case
def overlapping_requests(kafka: Kafka) -> None:
    """Five requests before the first answer, in order; then with a gap, and what follows it."""
    one = producer(kafka)
    for sequence in 0, 1, 2, 3, 4, 6, 7, 5, 6:
        one.a.send(produce, produced(one.topic, {0: one.batch(sequence)}, 12), 12)
    for _ in range(9):
        one.a.receive()


@case
def refused_batches_have_no_sequence(kafka: Kafka) -> None:
    """A batch that is too large uses up no sequence; a duplicate that is too large is refused as such."""
    one = producer(kafka, configs={"max.message.bytes": "200"})
    one.send(0)
    one.send(1, 30)
    one.send(1)
    one.send(0, 30)


@case
def append_times_of_duplicates(kafka: Kafka) -> None:
    """What a duplicate answers where timestamps are the broker's."""
    one = producer(kafka, configs={"message.timestamp.type": "LogAppendTime"})
    one.send(0)
    one.send(0)
    two = producer(kafka, name="plain")
    two.send(0)
    two.send(0)


@case
def compressed_batches(kafka: Kafka) -> None:
    """Sequences do not depend on compression."""
    one = producer(kafka)
    append(one.a, one.topic, one.batch(0, 10, compression=1))
    append(one.a, one.topic, one.batch(0, 10, compression=4))
    append(one.a, one.topic, one.batch(10, 10, compression=4))
    append(one.a, one.topic, one.batch(15, 5))
