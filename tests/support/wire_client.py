"""A blocking Kafka client of few words, over the project's own codecs: for faults and benchmarks.

It hides nothing: a connection that ends is an OSError, an answer is what the broker sent. Real clients retry, refresh
and reorder; where a test must know what was asked and what was answered, it asks with this one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fleuve.records.batch import check_batch, walk
from fleuve.records.record import decode
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import (
    create_topics,
    delete_records,
    delete_topics,
    describe_configs,
    fetch,
    incremental_alter_configs,
    init_producer_id,
    list_offsets,
    metadata,
    offset_commit,
    offset_fetch,
    produce,
)
from fleuve.wire.header import (
    RequestHeader,
    decode_response_header,
    encode_request_header,
    response_is_flexible,
)

PRODUCE_VERSION = 9
FETCH_VERSION = 12
"""The newest with topic names."""
RECORD_BYTES_MAX = 1 << 26
_TOPIC = 2
"""A kind of resource that has configs."""
LATEST, EARLIEST = -1, -2

Address = tuple[str, int]
Stored = tuple[int, bytes]
"""Offset and value of a record."""


class RefusedError(Exception):
    """The broker answered with an error code."""

    def __init__(self, code: int, message: str | None = None) -> None:
        self.code = ErrorCode(code)
        super().__init__(f"{self.code.name}: {message}")


class Client:
    """One connection."""

    def __init__(self, address: Address, *, client_id: str = "wire-client", timeout_s: float = 10.0) -> None:
        self._socket = socket.create_connection(address, timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client_id = client_id
        self._correlation_id = 0
        self._received = bytearray()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def frame(self, codec: Any, request: Any, version: int) -> bytes:
        """Return a request as it goes over the wire, with the next correlation id."""
        self._correlation_id += 1
        return request_frame(codec, request, version, self._correlation_id, self._client_id)

    def send(self, *frames: bytes) -> None:
        """Send requests; their answers come in this order."""
        self._socket.sendall(b"".join(frames))

    def receive(self, codec: Any, version: int) -> tuple[int, Any]:
        """Return the next answer and its correlation id. Raises OSError if the connection ends."""
        view = memoryview(self.receive_bytes())
        flexible = response_is_flexible(codec.KEY, version)
        correlation_id, position = decode_response_header(view, flexible)
        return correlation_id, codec.decode_response(view, position, version)

    def receive_bytes(self) -> bytes:
        """Return the next answer with its header. Raises OSError if the connection ends."""
        return self._exactly(int.from_bytes(self._exactly(4), "big"))

    def call(self, codec: Any, request: Any, version: int) -> Any:
        """Send one request and return its answer."""
        self.send(self.frame(codec, request, version))
        correlation_id, response = self.receive(codec, version)
        assert correlation_id == self._correlation_id
        return response

    def _exactly(self, size: int) -> bytes:
        received = self._received
        while len(received) < size:
            chunk = self._socket.recv(1 << 18)
            if not chunk:
                raise ConnectionResetError("the broker closed the connection")
            received += chunk
        taken = bytes(received[:size])
        del received[:size]
        return taken

    # ------------------------------------------------------------ what tests ask most

    def create_topic(self, name: str, partitions: int, configs: Mapping[str, str] | None = None) -> None:
        """Create a topic. Raises RefusedError."""
        self.create_topics({name: partitions}, configs)

    def create_topics(self, topics: Mapping[str, int], configs: Mapping[str, str] | None = None) -> None:
        """Create topics with so many partitions each, in one request. Raises RefusedError."""
        wanted = [
            create_topics.CreatableTopic(
                name=name,
                num_partitions=partitions,
                replication_factor=-1,
                configs=[
                    create_topics.CreatableTopicConfig(name=key, value=value) for key, value in (configs or {}).items()
                ],
            )
            for name, partitions in topics.items()
        ]
        response = self.call(create_topics, create_topics.CreateTopicsRequest(topics=wanted, timeout_ms=30_000), 5)
        for topic in response.topics:
            _raise_if_refused(topic.error_code, topic.error_message)

    def delete_topic(self, name: str) -> None:
        """Delete a topic. Raises RefusedError."""
        request = delete_topics.DeleteTopicsRequest(topic_names=[name], timeout_ms=30_000)
        for result in self.call(delete_topics, request, 5).responses:
            _raise_if_refused(result.error_code, result.error_message)

    def topics(self) -> dict[str, int]:
        """Return all topics with the number of their partitions."""
        response = self.call(metadata, metadata.MetadataRequest(topics=None, allow_auto_topic_creation=False), 8)
        return {topic.name: len(topic.partitions) for topic in response.topics if not topic.error_code}

    def init_producer_id(self) -> tuple[int, int]:
        """Return a new producer id and its epoch. Raises RefusedError."""
        request = init_producer_id.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
        response = self.call(init_producer_id, request, 4)
        _raise_if_refused(response.error_code)
        return response.producer_id, response.producer_epoch

    def produce(self, topic: str, partition: int, batch: bytes | bytearray, *, acks: int = -1) -> int:
        """Append one batch; return its base offset. Raises RefusedError."""
        response = self.call(produce, produce_request(topic, partition, batch, acks=acks), PRODUCE_VERSION)
        answer = response.responses[0].partition_responses[0]
        _raise_if_refused(answer.error_code, answer.error_message)
        return int(answer.base_offset)

    def produce_all(self, topic: str, partitions: Iterable[int], batch: bytes) -> None:
        """Append one batch to each of these partitions, in one request. Raises RefusedError."""
        data = [produce.PartitionProduceData(index=index, records=batch) for index in partitions]
        request = produce.ProduceRequest(
            acks=-1, timeout_ms=30_000, topic_data=[produce.TopicProduceData(name=topic, partition_data=data)]
        )
        for answer in self.call(produce, request, PRODUCE_VERSION).responses[0].partition_responses:
            _raise_if_refused(answer.error_code, answer.error_message)

    def start_offset(self, topic: str, partition: int) -> int:
        """Return the offset that the log starts at. Raises RefusedError."""
        return self._offset(topic, partition, EARLIEST)

    def end_offset(self, topic: str, partition: int) -> int:
        """Return the high watermark. Raises RefusedError."""
        return self._offset(topic, partition, LATEST)

    def _offset(self, topic: str, partition: int, timestamp: int) -> int:
        wanted = list_offsets.ListOffsetsTopic(
            name=topic, partitions=[list_offsets.ListOffsetsPartition(partition_index=partition, timestamp=timestamp)]
        )
        response = self.call(list_offsets, list_offsets.ListOffsetsRequest(replica_id=-1, topics=[wanted]), 5)
        answer = response.topics[0].partitions[0]
        _raise_if_refused(answer.error_code)
        return int(answer.offset)

    def delete_records(self, topic: str, partition: int, offset: int) -> int:
        """Delete the records below an offset; return the log start. Raises RefusedError."""
        wanted = delete_records.DeleteRecordsTopic(
            name=topic, partitions=[delete_records.DeleteRecordsPartition(partition_index=partition, offset=offset)]
        )
        request = delete_records.DeleteRecordsRequest(topics=[wanted], timeout_ms=30_000)
        answer = self.call(delete_records, request, 2).topics[0].partitions[0]
        _raise_if_refused(answer.error_code)
        return int(answer.low_watermark)

    def configure(self, topic: str, name: str, value: str) -> None:
        """Set a config of a topic. Raises RefusedError."""
        wanted = incremental_alter_configs.AlterConfigsResource(
            resource_type=_TOPIC,
            resource_name=topic,
            configs=[incremental_alter_configs.AlterableConfig(name=name, config_operation=0, value=value)],
        )
        request = incremental_alter_configs.IncrementalAlterConfigsRequest(resources=[wanted])
        answer = self.call(incremental_alter_configs, request, 1).responses[0]
        _raise_if_refused(answer.error_code, answer.error_message)

    def config(self, topic: str, name: str) -> str | None:
        """Return a config of a topic. Raises RefusedError."""
        wanted = describe_configs.DescribeConfigsResource(
            resource_type=_TOPIC, resource_name=topic, configuration_keys=[name]
        )
        answer = self.call(describe_configs, describe_configs.DescribeConfigsRequest(resources=[wanted]), 4).results[0]
        _raise_if_refused(answer.error_code, answer.error_message)
        found: str | None = answer.configs[0].value
        return found

    def fetch(
        self, topic: str, partition: int, offset: int, *, max_bytes: int = 8 << 20
    ) -> tuple[memoryview | bytes, int]:
        """Return the batches from `offset` on, as they are, and the high watermark; no waiting. Raises RefusedError."""
        wanted = fetch.FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=max_bytes)
        request = fetch.FetchRequest(
            max_wait_ms=0,
            min_bytes=0,
            max_bytes=max_bytes,
            topics=[fetch.FetchTopic(topic=topic, partitions=[wanted])],
        )
        answer = self.call(fetch, request, FETCH_VERSION).responses[0].partitions[0]
        _raise_if_refused(answer.error_code)
        return answer.records or b"", answer.high_watermark

    def read(self, topic: str, partition: int, offset: int = 0) -> Iterator[Stored]:
        """Yield (offset, value) of each record from `offset` to the high watermark. Raises RefusedError."""
        while True:
            records, high_watermark = self.fetch(topic, partition, offset)
            following = offset
            for base_offset, values in batches_of(records):
                for delta, value in values:
                    if base_offset + delta >= offset:
                        yield base_offset + delta, value
                    following = base_offset + delta + 1
            if following == offset:
                assert offset == high_watermark, f"nothing at {offset}, the high watermark is {high_watermark}"
                return
            offset = following

    def commit(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Commit offsets as a consumer that is in no generation. Raises RefusedError."""
        request = offset_commit.OffsetCommitRequest(
            group_id=group,
            topics=[
                offset_commit.OffsetCommitRequestTopic(
                    name=topic,
                    partitions=[
                        offset_commit.OffsetCommitRequestPartition(partition_index=index, committed_offset=offset)
                        for index, offset in offsets.items()
                    ],
                )
            ],
        )
        for answered in self.call(offset_commit, request, 7).topics:
            for partition in answered.partitions:
                _raise_if_refused(partition.error_code)

    def committed(self, group: str, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return the committed offset of each partition, -1 where there is none. Raises RefusedError."""
        request = offset_fetch.OffsetFetchRequest(
            group_id=group,
            topics=[offset_fetch.OffsetFetchRequestTopic(name=topic, partition_indexes=list(partitions))],
        )
        response = self.call(offset_fetch, request, 5)
        _raise_if_refused(response.error_code)
        return {
            partition.partition_index: partition.committed_offset
            for answered in response.topics
            for partition in answered.partitions
        }


def request_frame(codec: Any, request: Any, version: int, correlation_id: int, client_id: str) -> bytes:
    """Return a request as it goes over the wire."""
    header = RequestHeader(api_key=codec.KEY, api_version=version, correlation_id=correlation_id, client_id=client_id)
    body: bytes = encode_request_header(header) + codec.encode_request(request, version)
    return len(body).to_bytes(4, "big") + body


def produce_request(topic: str, partition: int, batch: bytes | bytearray, *, acks: int = -1) -> Any:
    """Return a Produce request with one batch."""
    data = produce.PartitionProduceData(index=partition, records=batch)
    return produce.ProduceRequest(
        acks=acks,
        timeout_ms=30_000,
        topic_data=[produce.TopicProduceData(name=topic, partition_data=[data])],
    )


def batches_of(records: Any) -> Iterator[tuple[int, list[tuple[int, bytes]]]]:
    """Yield each batch's base offset and its records as (offset delta, value). Raises CorruptBatch."""
    view = memoryview(records)
    for position, size, base_offset, *_ in walk(view, 0, len(view)):
        batch = view[position : position + size]
        check_batch(view, position, position + size, control_allowed=True)
        yield (
            base_offset,
            [(record.offset_delta, record.value or b"") for record in decode(batch, size_bytes_max=RECORD_BYTES_MAX)],
        )


def _raise_if_refused(code: int, message: str | None = None) -> None:
    if code:
        raise RefusedError(code, message)
