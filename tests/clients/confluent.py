"""confluent-kafka, which is librdkafka."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from confluent_kafka import (
    TIMESTAMP_CREATE_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
    libversion,
)
from confluent_kafka.admin import AdminClient, NewTopic

from clients.driver import RUNTIME, TIMEOUT_S
from clients.records import Delivered, Written

# The group moved on: what was read is someone else's now.
_STALE = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError._ASSIGNMENT_LOST,
}


class ConfluentConsumer:
    """`confluent_kafka.Consumer`."""

    def __init__(self, bootstrap: str, topic: str, group: str | None, settings: Mapping[str, Any]) -> None:
        self.assignments: list[frozenset[int]] = []
        self.errors: list[KafkaError] = []
        self._topic = topic
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group or "without a group",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "error_cb": self.errors.append,
                **settings,
            }
        )

    def subscribe(self) -> None:
        held: set[int] = set()

        def gained(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
            held.update(each.partition for each in partitions)
            self.assignments.append(frozenset(held))

        def lost(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
            held.difference_update(each.partition for each in partitions)
            self.assignments.append(frozenset(held))

        self._consumer.subscribe([self._topic], on_assign=gained, on_revoke=lost)

    def assign(self, partitions: Sequence[int], *, offset: int | None = None) -> None:
        start = 0 if offset is None else offset
        self._consumer.assign([TopicPartition(self._topic, partition, start) for partition in partitions])

    def poll(self, timeout_s: float = 0.2) -> list[Delivered]:
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        return [self._delivered(message) for message in [first, *self._consumer.consume(500, 0)]]

    def _delivered(self, message: Message) -> Delivered:
        if (error := message.error()) is not None:
            raise KafkaException(error)
        kind, timestamp_ms = message.timestamp()
        assert kind == TIMESTAMP_CREATE_TIME
        headers = tuple((header[0], header[1]) for header in message.headers() or ())
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        return Delivered(partition, offset, message.key(), message.value(), headers, timestamp_ms)  # type: ignore[arg-type]

    def commit(self) -> bool:
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError._NO_OFFSET:  # Nothing new to commit.
                return True
            if code in _STALE:
                return False
            raise
        return True

    def committed(self, partition: int) -> int | None:
        [found] = self._consumer.committed([TopicPartition(self._topic, partition)], timeout=TIMEOUT_S)
        assert found.error is None
        return None if found.offset < 0 else found.offset

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(TopicPartition(self._topic, partition, offset))

    def offset_for_time(self, partition: int, timestamp_ms: int) -> int | None:
        asked = TopicPartition(self._topic, partition, timestamp_ms)
        [found] = self._consumer.offsets_for_times([asked], timeout=TIMEOUT_S)
        assert found.error is None
        return None if found.offset < 0 else found.offset

    def has(self, partition: int) -> bool:
        """Return whether the broker knows and leads the partition."""
        try:
            self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), timeout=TIMEOUT_S)
        except KafkaException:
            return False
        return True

    def close(self) -> None:
        self._consumer.close()


class ConfluentDriver:
    """librdkafka through its Python binding."""

    name = "confluent-kafka"
    version = metadata.version("confluent-kafka")
    runtime = f"librdkafka {libversion()[0]}, {RUNTIME}"
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    lacks: Mapping[str, str] = {}

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def create_topic(self, topic: str, partition_count: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        admin.create_topics([NewTopic(topic, partition_count)])[topic].result(TIMEOUT_S)

    def produce(
        self, topic: str, records: Iterable[Written], *, codec: str = "none", settings: Mapping[str, Any] | None = None
    ) -> list[int]:
        producer = Producer({"bootstrap.servers": self.bootstrap, "compression.type": codec, **(settings or {})})
        offsets: dict[int, int | None] = {}
        failures: list[KafkaError] = []
        for index, record in enumerate(records):

            def acknowledged(error: KafkaError | None, message: Message, index: int = index) -> None:
                if error is not None:
                    failures.append(error)
                offsets[index] = message.offset()

            producer.produce(
                topic,
                record.value,
                record.key,
                record.partition,
                on_delivery=acknowledged,
                timestamp=record.timestamp_ms,
                headers=list(record.headers),
            )
            producer.poll(0)
        assert producer.flush(TIMEOUT_S) == 0
        assert failures == []
        return [offset for _, offset in sorted(offsets.items()) if offset is not None]

    def auto_create(self) -> Mapping[str, Any]:
        return {}

    def idempotent(self) -> Mapping[str, Any]:
        return {"enable.idempotence": True}

    def consumer(
        self, topic: str, *, group: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> ConfluentConsumer:
        return ConfluentConsumer(self.bootstrap, topic, group, settings or {})

    def automatic(self) -> Mapping[str, Any]:
        return {"enable.auto.commit": True}

    def static(self, instance: str) -> Mapping[str, Any]:
        return {"group.instance.id": instance}

    def close(self) -> None:
        pass
