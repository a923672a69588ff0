"""Produce (0): v3-13

Behaviour:
* Each partition of a request stands for itself: one that is refused does not stop the others.
* The answer comes when every partition's batch is as durable as its topic promises; acks 1 and all are the same.
* acks=0: no answer; if something was refused, the connection is closed, which is all the client can notice.
* A topic without partitions in the request is not in the answer.
* Unknown topic: UNKNOWN_TOPIC_OR_PARTITION, by id UNKNOWN_TOPIC_ID. Internal topics: INVALID_TOPIC_EXCEPTION.
* Requests of one connection overlap; answers keep their order.
* The time-out bounds the wait for room in the produce buffer and for the flush: REQUEST_TIMED_OUT, whatever comes
  of the batch.

Versions:
* v3-4: no log start offset in the answer
* v7: zstd (KIP-110)
* v8: errors of single records, and a message (KIP-467)
* v9: flexible
* v10: current leader in the answer, only for NOT_LEADER_OR_FOLLOWER, which has no leader to tell of here
* v13: topic ids instead of names (KIP-516)
* 0-2 are advertised and not served: librdkafka before 2.11.1 disables compression otherwise (KAFKA-18659)

Differs from Apache Kafka: no transactions, so a transactional id is refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
as is, alone, a transactional batch without one (Kafka: its whole request); one batch for each partition in every
version, as Kafka wants it since v3; min.insync.replicas never refuses; no quota, so throttle time is always 0. Every
refused batch gets a message, and −1 as log start offset (Kafka tells the log start with some errors). A batch whose
size or format cannot be is CORRUPT_MESSAGE for its own partition (Kafka: for the whole request); one that is
transactional without a producer id INVALID_RECORD; records whose timestamps are out of bounds are not named one by one
(Kafka names them, with INVALID_TIMESTAMP). No records at all (null) are INVALID_RECORD (Kafka never answers). A
partition that is in a request twice gets both batches, in order (Kafka: the last one). An unknown codec is
UNSUPPORTED_COMPRESSION_TYPE (Kafka: UNKNOWN_SERVER_ERROR); a batch that says it has the log's append time is
INVALID_TIMESTAMP (Kafka: rewritten); a producer id with a negative epoch INVALID_RECORD (Kafka: taken). A duplicate has
an append time only where the topic's timestamps are append times (Kafka: always the batch's largest timestamp). A
producer that the partition does not know begins with sequence 0, unless its id is so old that what was known of it may
be forgotten (Kafka: with any).

This handler is synchronous up to the log, which copies the batches: the bytes of a request are not needed after
`begin`. `Pending` is the request while its batches are on their way, and knows how it will be answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fleuve.base.errors import FleuveError
from fleuve.base.ids import TopicId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.log.append import Appended, AppendRequest
from fleuve.engine.log.service import LogService
from fleuve.engine.topics.service import Topic, TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import Refused, code_of
from fleuve.kafka.stats import KafkaStats
from fleuve.records.errors import InvalidRecord
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import produce
from fleuve.wire.generated.produce import (
    BatchIndexAndErrorMessage,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)

API = Api(key=0, name="Produce", version_min=0, version_max=13, served_min=3, codec=produce)

TOPIC_ID_VERSION = 13
ZSTD_VERSION = 7
ACKS = (-1, 0, 1)

_WRITE, _TOPIC = Operation.WRITE, ResourceType.TOPIC
_ATTRIBUTES_LOW = 22
_COMPRESSION, _ZSTD = 0x07, 4
_encode = produce.encode_response


class Pending(AppendRequest):
    """A Produce request whose batches are on their way. `results` has one entry for each partition, in order."""

    __slots__ = ("acks", "correlation_id", "deadline", "done", "received", "request", "size", "version")

    def __init__(self, count: int, on_complete: Callable[[Any], None], request: ProduceRequest, version: int) -> None:
        super().__init__(count or 1, on_complete)
        self.request = request
        self.version = version
        self.acks = request.acks
        self.done = False
        if not count:
            self.results = []
        # The connection's own:
        self.correlation_id = 0
        self.size = 0
        self.received = 0.0
        self.deadline = 0.0


class Checked:
    """What the slow path found out about a request before `begin`: partitions with keyless records, by slot."""

    __slots__ = ("failed", "timed_out")

    def __init__(self) -> None:
        self.failed: dict[int, FleuveError] = {}
        self.timed_out = False


class Handler:
    """Hands batches to the log, and turns what became of them into answers."""

    def __init__(self, log: LogService, topics: TopicService, stats: KafkaStats) -> None:
        self._log = log
        self._append = log.append
        self._topic_named = topics.get
        self._topic_by_id = topics.by_id
        self._stats = stats

    def begin(
        self,
        request: ProduceRequest,
        context: RequestContext,
        on_complete: Callable[[Any], None],
        checked: Checked | None = None,
    ) -> Pending | None:
        """Hand the batches to the log. `on_complete` gets the result once; maybe before this returns.

        Returns None, and has done nothing, if something must be awaited first: then call `check`, and this again with
        what it returned.
        """
        if checked is None and not self._log.has_room:
            return None
        version = context.api_version
        count = 0
        topics: list[Topic | Refused] = []
        for data in request.topic_data:
            count += len(data.partition_data)
            found = self._find(data, context)
            if checked is None and type(found) is Topic and found.configs.compact:
                return None
            topics.append(found)
        pending = Pending(count, on_complete, request, version)
        if not count:
            on_complete(pending)
            return pending
        refusal = self._request_refusal(request, checked)
        slot = 0
        for data, found in zip(request.topic_data, topics, strict=True):
            for partition in data.partition_data:
                records = partition.records
                # The answer needs the index only; a view would keep a large buffer alive until then.
                partition.records = None
                if type(found) is Refused:
                    pending.fail(slot, found)
                elif refusal is not None and 0 <= partition.index < len(found.partition_ids):  # type: ignore[union-attr]
                    pending.fail(slot, refusal)
                else:
                    self._append_one(pending, slot, found, partition.index, records, checked)  # type: ignore[arg-type]
                slot += 1
        return pending

    def _append_one(
        self,
        pending: Pending,
        slot: int,
        topic: Topic,
        index: int,
        records: memoryview | None,
        checked: Checked | None,
    ) -> None:
        partition_ids = topic.partition_ids
        if not 0 <= index < len(partition_ids):
            pending.fail(slot, Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
            return
        if checked is not None and slot in checked.failed:
            pending.fail(slot, checked.failed[slot])
            return
        if (
            pending.version < ZSTD_VERSION
            and records is not None
            and len(records) > _ATTRIBUTES_LOW
            and records[_ATTRIBUTES_LOW] & _COMPRESSION == _ZSTD
        ):
            pending.fail(slot, Refused(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, "zstd needs Produce v7 or later"))
            return
        self._append(pending, slot, partition_ids[index], topic.configs, records)

    def _find(self, data: TopicProduceData, context: RequestContext) -> Topic | Refused:
        if context.api_version < TOPIC_ID_VERSION:
            topic = self._topic_named(data.name)
            if topic is None:
                allowed = context.authorize(_WRITE, _TOPIC, data.name)
                missing = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                return Refused(missing if allowed else ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        else:
            topic = self._topic_by_id(TopicId(data.topic_id))
            if topic is None:
                return Refused(ErrorCode.UNKNOWN_TOPIC_ID)
        if not context.authorize(_WRITE, _TOPIC, topic.name):
            return Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        if topic.internal:
            return Refused(ErrorCode.INVALID_TOPIC_EXCEPTION, "the topic is internal")
        return topic

    async def check(self, request: ProduceRequest, context: RequestContext) -> Checked:
        """Wait for room in the log's buffer, and check the keys of records for compacted topics."""
        checked = Checked()
        if not self._log.has_room:
            try:
                async with asyncio.timeout(max(0, request.timeout_ms) / 1000):
                    await self._log.wait_for_room()
            except TimeoutError:
                checked.timed_out = True
                return checked
        slot = 0
        for data in request.topic_data:
            found = self._find(data, context)
            for partition in data.partition_data:
                if isinstance(found, Topic) and found.configs.compact and partition.records is not None:
                    try:
                        await self._log.check_keys(memoryview(partition.records))
                    except FleuveError as error:
                        checked.failed[slot] = error
                slot += 1
        return checked

    def _request_refusal(self, request: ProduceRequest, checked: Checked | None) -> Refused | None:
        if request.acks not in ACKS:
            return Refused(ErrorCode.INVALID_REQUIRED_ACKS)
        if request.transactional_id is not None:
            return Refused(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "there are no transactions yet")
        if checked is not None and checked.timed_out:
            return Refused(ErrorCode.REQUEST_TIMED_OUT, "the broker's produce buffer stayed full")
        return None

    def answer(self, pending: Pending) -> bytes | None:
        """Return the body of the answer; None if there is none (acks=0). Partitions without a result timed out."""
        if pending.acks == 0:
            return None
        version = pending.version
        results = pending.results
        topics = []
        slot = 0
        for data in pending.request.topic_data:
            partitions = []
            for partition in data.partition_data:
                result = results[slot]
                slot += 1
                if type(result) is Appended:
                    base_offset, append_time_ms, log_start_offset = result
                    partitions.append(
                        PartitionProduceResponse(
                            index=partition.index,
                            base_offset=base_offset,
                            log_append_time_ms=append_time_ms,
                            log_start_offset=log_start_offset,
                        )
                    )
                else:
                    partitions.append(self._failed(partition.index, result))  # type: ignore[arg-type]
            if partitions:
                topics.append(
                    TopicProduceResponse(name=data.name, topic_id=data.topic_id, partition_responses=partitions)
                )
        return _encode(ProduceResponse(responses=topics), version)

    def was_refused(self, pending: Pending) -> bool:
        """Return whether any partition was: then a connection with acks=0 has to go."""
        return any(type(result) is not Appended for result in pending.results)

    def _failed(self, index: int, error: FleuveError | None) -> PartitionProduceResponse:
        code = ErrorCode.REQUEST_TIMED_OUT if error is None else code_of(error)
        self._stats.error(API.name, code)
        records = error.records if isinstance(error, InvalidRecord) else ()
        return PartitionProduceResponse(
            index=index,
            error_code=code,
            base_offset=-1,
            error_message=str(error) or None if error is not None else None,
            record_errors=[
                BatchIndexAndErrorMessage(batch_index=record.batch_index, batch_index_error_message=record.message)
                for record in records
            ],
        )
