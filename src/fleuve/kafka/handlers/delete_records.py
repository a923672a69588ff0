"""DeleteRecords (21): v0-2

Behaviour:
* Raises the log start of each partition to the offset; −1 is the high watermark. The new log start comes back.
* An offset beyond the high watermark, or below −1: OFFSET_OUT_OF_RANGE. One below the log start changes nothing.
* A partition that is in a request twice is answered once, as the last of them asks; a topic without partitions is not.
* A topic whose cleanup.policy has no `delete`: POLICY_VIOLATION. An internal topic: INVALID_TOPIC_EXCEPTION.

Versions:
* v2: flexible

Differs from Apache Kafka: the answer comes when the new log start is durable; the time-out is not needed, since no
other replica has to follow. No quota, so throttle time is always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.log.service import LogService
from fleuve.engine.topics.service import Topic, TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import delete_records
from fleuve.wire.generated.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

API = Api(key=21, name="DeleteRecords", version_min=0, version_max=2, codec=delete_records)

HIGH_WATERMARK = -1


class Handler:
    """Deletes the oldest records of partitions."""

    def __init__(self, log: LogService, topics: TopicService) -> None:
        self._log = log
        self._topics = topics

    async def __call__(self, request: DeleteRecordsRequest, context: RequestContext) -> DeleteRecordsResponse:
        """Raise the log start of each partition."""
        # As in Kafka, the last word about a partition counts, and topics without partitions are not answered.
        wanted: dict[str, dict[int, DeleteRecordsPartition]] = {}
        for asked in request.topics:
            for partition in asked.partitions:
                wanted.setdefault(asked.name, {})[partition.partition_index] = partition
        answered = []
        for name, by_index in wanted.items():
            topic = self._topics.get(name)
            refusal = _refusal(name, topic, context)
            partitions = [await self._delete(topic, partition, refusal) for partition in by_index.values()]
            answered.append(DeleteRecordsTopicResult(name=name, partitions=partitions))
        return DeleteRecordsResponse(topics=answered)

    async def _delete(
        self, topic: Topic | None, partition: DeleteRecordsPartition, refusal: ErrorCode | None
    ) -> DeleteRecordsPartitionResult:
        index = partition.partition_index
        if topic is not None and refusal is None and not 0 <= index < len(topic.partition_ids):
            refusal = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        elif refusal is None and partition.offset < HIGH_WATERMARK:
            refusal = ErrorCode.OFFSET_OUT_OF_RANGE
        if topic is None or refusal is not None:
            return DeleteRecordsPartitionResult(partition_index=index, low_watermark=-1, error_code=refusal or 0)
        try:
            low_watermark = await self._log.delete_records(topic.partition_ids[index], offset=partition.offset)
        except FleuveError as error:
            return DeleteRecordsPartitionResult(partition_index=index, low_watermark=-1, error_code=code_of(error))
        return DeleteRecordsPartitionResult(partition_index=index, low_watermark=low_watermark)


def _refusal(name: str, topic: Topic | None, context: RequestContext) -> ErrorCode | None:
    if not context.authorize(Operation.DELETE, ResourceType.TOPIC, name):
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    if topic is None:
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if topic.internal:
        return ErrorCode.INVALID_TOPIC_EXCEPTION
    if not topic.configs.delete:
        return ErrorCode.POLICY_VIOLATION
    return None
