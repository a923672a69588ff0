"""kafka-python."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any

from kafka.admin import NewTopic
from kafka.errors import CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError

from clients.driver import RUNTIME, TIMEOUT_S
from clients.records import Delivered, Written
from clients.shortcomings import EMPTY_RECORDS, NULL_HEADER_VALUES
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition


class _Listener(ConsumerRebalanceListener):
    def __init__(self, assignments: list[frozenset[int]]) -> None:
        self._assignments = assignments
        self._held: frozenset[int] = frozenset()

    def on_partitions_revoked(self, revoked: Any) -> None:
        self._held -= {each.partition for each in revoked}
        self._assignments.append(self._held)

    def on_partitions_assigned(self, assigned: Any) -> None:
        self._held |= {each.partition for each in assigned}
        self._assignments.append(self._held)


class KafkaPythonConsumer:
    """`kafka.KafkaConsumer`."""

    def __init__(self, bootstrap: str, topic: str, group: str | None, settings: Mapping[str, Any]) -> None:
        self.assignments: list[frozenset[int]] = []
        self._topic = topic
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=group,
            auto_offset_reset="earliest",
            **{"enable_auto_commit": False, **settings},
        )

    def subscribe(self) -> None:
        self._consumer.subscribe([self._topic], listener=_Listener(self.assignments))
        # Who joins before the partitions are known joins again, and the library may lose the assignment of one of two.
        self._consumer.partitions_for_topic(self._topic)

    def assign(self, partitions: Sequence[int], *, offset: int | None = None) -> None:
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        self._consumer.assign(places)
        if offset is None:
            self._consumer.seek_to_beginning(*places)
        else:
            for place in places:
                self._consumer.seek(place, offset)

    def poll(self, timeout_s: float = 0.2) -> list[Delivered]:
        batches = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
        return [
            Delivered(each.partition, each.offset, each.key, each.value, tuple(each.headers), each.timestamp)
            for batch in batches.values()
            for each in batch
        ]

    def commit(self) -> bool:
        try:
            self._consumer.commit(timeout_ms=int(TIMEOUT_S * 1000))
        except (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError):
            return False
        return True

    def committed(self, partition: int) -> int | None:
        offset: int | None = self._consumer.committed(TopicPartition(self._topic, partition))
        return offset

    def seek(self, partition: int, offset: int) -> None:
        self._consumer.seek(TopicPartition(self._topic, partition), offset)

    def offset_for_time(self, partition: int, timestamp_ms: int) -> int | None:
        place = TopicPartition(self._topic, partition)
        found = self._consumer.offsets_for_times({place: timestamp_ms})[place]
        return None if found is None else found.offset

    def close(self) -> None:
        self._consumer.close()


class KafkaPythonDriver:
    """kafka-python; its producer is idempotent by default."""

    name = "kafka-python"
    version = metadata.version("kafka-python")
    runtime = RUNTIME
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    lacks = {
        EMPTY_RECORDS: "its producer asks for a key or a value",
        NULL_HEADER_VALUES: "its producer takes bytes alone",
    }

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def create_topic(self, topic: str, partition_count: int) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            admin.create_topics([NewTopic(topic, partition_count, 1)])
        finally:
            admin.close()

    def produce(
        self, topic: str, records: Iterable[Written], *, codec: str = "none", settings: Mapping[str, Any] | None = None
    ) -> list[int]:
        producer = KafkaProducer(
            bootstrap_servers=self.bootstrap, compression_type=None if codec == "none" else codec, **(settings or {})
        )
        try:
            futures = [
                producer.send(
                    topic,
                    record.value,
                    record.key,
                    headers=list(record.headers),
                    partition=record.partition,
                    timestamp_ms=record.timestamp_ms,
                )
                for record in records
            ]
            return [future.get(TIMEOUT_S).offset for future in futures]
        finally:
            producer.close(timeout=TIMEOUT_S)

    def auto_create(self) -> Mapping[str, Any]:
        return {}

    def idempotent(self) -> Mapping[str, Any]:
        return {"enable_idempotence": True}

    def consumer(
        self, topic: str, *, group: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> KafkaPythonConsumer:
        return KafkaPythonConsumer(self.bootstrap, topic, group, settings or {})

    def automatic(self) -> Mapping[str, Any]:
        return {"enable_auto_commit": True}

    def static(self, instance: str) -> Mapping[str, Any]:
        return {"group_instance_id": instance}

    def close(self) -> None:
        # It does not close the sockets of connections that were refused; nobody else's test shall find them.
        gc.collect()
