"""aiokafka: its coroutines run on an event loop in a thread of their own, so that scenarios can block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from importlib import metadata
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from clients.driver import RUNTIME, TIMEOUT_S
from clients.records import Delivered, Written
from clients.shortcomings import EMPTY_RECORDS

T = TypeVar("T")


class LoopThread:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="aiokafka")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float = 2 * TIMEOUT_S) -> T:
        """Run a coroutine on the loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    def close(self) -> None:
        """Stop the loop and wait for its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Listener(ConsumerRebalanceListener):
    def __init__(self, assignments: list[frozenset[int]]) -> None:
        self._assignments = assignments

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self._assignments.append(frozenset())

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._assignments.append(frozenset(each.partition for each in assigned))


class AioConsumer:
    """`aiokafka.AIOKafkaConsumer`."""

    def __init__(
        self, loop: LoopThread, bootstrap: str, topic: str, group: str | None, settings: Mapping[str, Any]
    ) -> None:
        self.assignments: list[frozenset[int]] = []
        self._topic = topic
        self._loop = loop

        async def started() -> AIOKafkaConsumer:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=bootstrap,
                group_id=group,
                auto_offset_reset="earliest",
                **{"enable_auto_commit": False, **settings},
            )
            await consumer.start()
            return consumer

        self._consumer = loop.run(started())

    def subscribe(self) -> None:
        async def subscribe() -> None:
            self._consumer.subscribe([self._topic], listener=_Listener(self.assignments))

        self._loop.run(subscribe())

    def assign(self, partitions: Sequence[int], *, offset: int | None = None) -> None:
        async def assign() -> None:
            places = [TopicPartition(self._topic, partition) for partition in partitions]
            self._consumer.assign(places)
            if offset is None:
                await self._consumer.seek_to_beginning(*places)
            else:
                for place in places:
                    self._consumer.seek(place, offset)

        self._loop.run(assign())

    def poll(self, timeout_s: float = 0.2) -> list[Delivered]:
        batches = self._loop.run(self._consumer.getmany(timeout_ms=int(timeout_s * 1000)))
        return [
            Delivered(each.partition, each.offset, each.key, each.value, tuple(each.headers), each.timestamp)
            for batch in batches.values()
            for each in batch
        ]

    def commit(self) -> bool:
        try:
            self._loop.run(self._consumer.commit())
        except IllegalStateError:  # Nothing is assigned at this moment.
            return False
        except (CommitFailedError, IllegalGenerationError, RebalanceInProgressError, UnknownMemberIdError):
            return False
        return True

    def committed(self, partition: int) -> int | None:
        offset: int | None = self._loop.run(self._consumer.committed(TopicPartition(self._topic, partition)))
        return offset

    def seek(self, partition: int, offset: int) -> None:
        async def seek() -> None:
            self._consumer.seek(TopicPartition(self._topic, partition), offset)

        self._loop.run(seek())

    def offset_for_time(self, partition: int, timestamp_ms: int) -> int | None:
        place = TopicPartition(self._topic, partition)
        found = self._loop.run(self._consumer.offsets_for_times({place: timestamp_ms}))[place]
        return None if found is None else found.offset

    def close(self) -> None:
        self._loop.run(self._consumer.stop())


class AioDriver:
    """aiokafka."""

    name = "aiokafka"
    version = metadata.version("aiokafka")
    runtime = RUNTIME
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    lacks = {EMPTY_RECORDS: "its producer asks for a key or a value"}

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.loop = LoopThread()

    def create_topic(self, topic: str, partition_count: int) -> None:
        async def create() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await admin.start()
            try:
                await admin.create_topics([NewTopic(topic, partition_count, 1)])
            finally:
                await admin.close()

        self.loop.run(create())

    def produce(
        self, topic: str, records: Iterable[Written], *, codec: str = "none", settings: Mapping[str, Any] | None = None
    ) -> list[int]:
        async def produce() -> list[int]:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.bootstrap,
                compression_type=None if codec == "none" else codec,
                **(settings or {}),
            )
            await producer.start()
            try:
                sent = [
                    await producer.send(
                        topic,
                        record.value,
                        record.key,
                        partition=record.partition,
                        timestamp_ms=record.timestamp_ms,
                        headers=list(record.headers),
                    )
                    for record in records
                ]
                return [(await each).offset for each in sent]
            finally:
                await producer.stop()

        return self.loop.run(produce())

    def auto_create(self) -> Mapping[str, Any]:
        return {}

    def idempotent(self) -> Mapping[str, Any]:
        return {"enable_idempotence": True}

    def consumer(
        self, topic: str, *, group: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> AioConsumer:
        return AioConsumer(self.loop, self.bootstrap, topic, group, settings or {})

    def automatic(self) -> Mapping[str, Any]:
        return {"enable_auto_commit": True}

    def static(self, instance: str) -> Mapping[str, Any]:
        return {"group_instance_id": instance}

    def close(self) -> None:
        self.loop.close()
