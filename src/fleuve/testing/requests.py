"""What a test itself asks of its broker: topics, records. No client library, no network, and no faults in between.

The requests are Kafka's, handed to the broker's own handlers: what is refused to a client is refused here, too. All of
it is for the broker's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from fleuve.base.clock import Clock
from fleuve.base.errors import FleuveError, Verdict
from fleuve.kafka.api import RequestContext
from fleuve.kafka.codes import code_of
from fleuve.kafka.table import Table
from fleuve.records import record as stored
from fleuve.records.batch import is_control, is_log_append_time, read_header, walk
from fleuve.testing.partitioning import partition_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import create_topics, fetch, list_offsets, metadata, produce

CREATE_TOPICS_VERSION = 7
METADATA_VERSION = 12
PRODUCE_VERSION = 9
LIST_OFFSETS_VERSION = 5
FETCH_VERSION = 12
LATEST, EARLIEST = -1, -2
CREATION_S_MAX = 10.0
POLL_S = 0.005
FETCH_BYTES = 8 << 20
PAYLOAD_BYTES_MAX = 1 << 30
"""What one batch may become when it is decompressed."""

Headers = Mapping[str, str | bytes | None] | Sequence[tuple[str, str | bytes | None]]


class BrokerError(FleuveError, verdict=Verdict.REJECT):
    """The broker refused what the test asked for."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        """Kafka's error code."""
        self.name = ErrorCode(code).name
        """Its name, as in `UNKNOWN_TOPIC_OR_PARTITION`."""
        super().__init__(f"{self.name}: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as it is in the log."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since 1970, as clients have it."""
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Requests:
    """Asks the handlers of a broker, as they are before anything is put in front of them."""

    def __init__(self, table: Table, clock: Clock) -> None:
        assert table.produce is not None
        self._routes = dict(table.routes)
        self._produce = table.produce
        self._clock = clock

    async def _ask(self, codec: Any, request: Any, version: int) -> Any:
        route = self._routes[codec.KEY]
        assert route.handle is not None
        try:
            return await route.handle(request, _context(version))
        except FleuveError as error:
            raise BrokerError(code_of(error), str(error)) from error

    # ------------------------------------------------------------ topics

    async def create_topic(self, name: str, partitions: int | None, configs: Mapping[str, str]) -> None:
        """Create a topic, with `num.partitions` partitions if nothing else is said. Raises BrokerError."""
        wanted = create_topics.CreatableTopic(
            name=name,
            num_partitions=-1 if partitions is None else partitions,
            replication_factor=-1,
            configs=[create_topics.CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
        )
        request = create_topics.CreateTopicsRequest(topics=[wanted])
        response = await self._ask(create_topics, request, CREATE_TOPICS_VERSION)
        (topic,) = response.topics
        if topic.error_code:
            raise BrokerError(topic.error_code, topic.error_message or f"topic {name!r}")

    async def _partitions(self, topic: str, *, create: bool) -> list[int]:
        """Return the partitions of a topic, which is created as for a client if it may be. Raises BrokerError."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + CREATION_S_MAX
        request = metadata.MetadataRequest(
            topics=[metadata.MetadataRequestTopic(name=topic)], allow_auto_topic_creation=create
        )
        while True:
            response = await self._ask(metadata, request, METADATA_VERSION)
            (found,) = response.topics
            if not found.error_code:
                return sorted(partition.partition_index for partition in found.partitions)
            # A topic that is just being created has no leader yet.
            if found.error_code != ErrorCode.LEADER_NOT_AVAILABLE or loop.time() > give_up:
                _refuse(found.error_code, topic)
            await asyncio.sleep(POLL_S)

    # ------------------------------------------------------------ records

    async def produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        headers: tuple[tuple[str, bytes | None], ...],
        partition: int | None,
        timestamp: int | None,
    ) -> Record:
        """Append a record and return it as it is in the log. Raises BrokerError."""
        partitions = await self._partitions(topic, create=True)
        if partition is None:
            partition = 0 if key is None else partition_of(key, len(partitions))
        if timestamp is None:
            timestamp = self._clock.wall_ms()
        named = tuple((name.encode(), content) for name, content in headers)
        batch = stored.build_batch([stored.Record(0, 0, key, value, named)], base_timestamp=timestamp)
        data = produce.PartitionProduceData(index=partition, records=memoryview(batch))
        request = produce.ProduceRequest(
            acks=-1, timeout_ms=30_000, topic_data=[produce.TopicProduceData(name=topic, partition_data=[data])]
        )
        (answer,) = (await self._append(request)).responses
        (appended,) = answer.partition_responses
        if appended.error_code:
            what = appended.error_message or f"topic {topic!r}, partition {partition}"
            raise BrokerError(appended.error_code, what)
        if appended.log_append_time_ms >= 0:
            timestamp = appended.log_append_time_ms
        return Record(
            topic=topic,
            partition=partition,
            offset=appended.base_offset,
            timestamp=timestamp,
            key=key,
            value=value,
            headers=headers,
        )

    async def _append(self, request: Any) -> Any:
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        context = _context(PRODUCE_VERSION)
        pending = self._produce.begin(request, context, done.set_result)
        if pending is None:
            checked = await self._produce.check(request, context)
            pending = self._produce.begin(request, context, done.set_result, checked)
        assert pending is not None
        await done
        body = self._produce.answer(pending)
        assert body is not None
        return produce.decode_response(memoryview(body), 0, PRODUCE_VERSION)

    async def records(self, topic: str, *, partition: int | None, count_min: int, timeout_s: float) -> list[Record]:
        """Return all records of a topic, by partition and offset, once there are `count_min` of them.

        Raises BrokerError, and TimeoutError when there are too few for too long.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + timeout_s
        while True:
            found: list[Record] = []
            missing: BrokerError | None = None
            try:
                partitions = await self._partitions(topic, create=False)
                for index in partitions if partition is None else [partition]:
                    found += await self._read(topic, index)
            except BrokerError as error:
                missing = error
            if missing is None and len(found) >= count_min:
                return found
            if missing is not None and not (count_min and missing.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION):
                raise missing
            if loop.time() >= give_up:
                there = "is not there" if missing is not None else f"has {len(found)} records"
                raise TimeoutError(f"topic {topic!r} {there} after {timeout_s:g} s; {count_min} were waited for")
            await asyncio.sleep(POLL_S)

    async def _read(self, topic: str, partition: int) -> list[Record]:
        offset = await self._offset(topic, partition, EARLIEST)
        end = await self._offset(topic, partition, LATEST)
        found: list[Record] = []
        while offset < end:
            wanted = fetch.FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=FETCH_BYTES)
            request = fetch.FetchRequest(
                max_bytes=FETCH_BYTES, session_epoch=-1, topics=[fetch.FetchTopic(topic=topic, partitions=[wanted])]
            )
            response = await self._ask(fetch, request, FETCH_VERSION)
            (answer,) = response.responses[0].partitions if response.responses else (response,)
            if answer.error_code:
                _refuse(answer.error_code, topic, partition)
            batches = answer.records
            data = batches if isinstance(batches, bytes) else b"".join(batches)
            if not data:
                break
            offset = _decode(topic, partition, data, offset, found)
        return found

    async def _offset(self, topic: str, partition: int, timestamp: int) -> int:
        wanted = list_offsets.ListOffsetsPartition(partition_index=partition, timestamp=timestamp)
        request = list_offsets.ListOffsetsRequest(
            replica_id=-1, topics=[list_offsets.ListOffsetsTopic(name=topic, partitions=[wanted])]
        )
        response = await self._ask(list_offsets, request, LIST_OFFSETS_VERSION)
        answer = response.topics[0].partitions[0]
        if answer.error_code:
            _refuse(answer.error_code, topic, partition)
        offset: int = answer.offset
        return offset


def _context(version: int) -> RequestContext:
    return RequestContext(api_version=version, client_id="fleuve.testing", takes_answers=True)


def _refuse(code: int, topic: str, partition: int | None = None) -> NoReturn:
    raise BrokerError(code, f"topic {topic!r}" if partition is None else f"topic {topic!r}, partition {partition}")


def _decode(topic: str, partition: int, data: bytes, offset_first: int, into: list[Record]) -> int:
    """Add the records of these batches from an offset on; return the offset behind them."""
    next_offset = offset_first
    for position, size_bytes, base_offset, last_offset_delta, _ in walk(data, 0, len(data)):
        next_offset = base_offset + last_offset_delta + 1
        batch = data[position : position + size_bytes]
        header = read_header(memoryview(batch))
        if is_control(header.attributes) or not header.records_count:
            continue
        append_time = header.max_timestamp if is_log_append_time(header.attributes) else None
        for one in stored.decode(batch, size_bytes_max=PAYLOAD_BYTES_MAX):
            if base_offset + one.offset_delta < offset_first:
                continue
            into.append(
                Record(
                    topic=topic,
                    partition=partition,
                    offset=base_offset + one.offset_delta,
                    timestamp=header.base_timestamp + one.timestamp_delta if append_time is None else append_time,
                    key=one.key,
                    value=one.value,
                    headers=tuple((name.decode("utf-8", "replace"), content) for name, content in one.headers),
                )
            )
    return next_offset
