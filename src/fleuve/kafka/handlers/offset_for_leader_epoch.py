"""OffsetForLeaderEpoch (23): v2-4

Behaviour:
* The largest leader epoch up to the one asked for, and the offset where it ends; −1 and −1 for an epoch that the
  partition has not had. So a client finds out whether the log was cut below what it has read (KIP-320).
* A partition's leader epoch is raised by a recovery that had to fill a gap, and by nothing else.

Versions:
* v2: the client's current leader epoch
* v3: replica id
* v4: flexible

Differs from Apache Kafka: no followers ask here, so DESCRIBE on the topic is what everybody needs. Epochs below −1 are
unknown (Kafka answers with them and offset 0). No quota, so throttle time is always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.log.service import LogService
from fleuve.engine.topics.service import Topic, TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.kafka.epochs import check_leader_epoch
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import offset_for_leader_epoch
from fleuve.wire.generated.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)

API = Api(key=23, name="OffsetForLeaderEpoch", version_min=2, version_max=4, codec=offset_for_leader_epoch)


class Handler:
    """Tells where leader epochs end."""

    def __init__(self, log: LogService, topics: TopicService) -> None:
        self._log = log
        self._topics = topics

    async def __call__(
        self, request: OffsetForLeaderEpochRequest, context: RequestContext
    ) -> OffsetForLeaderEpochResponse:
        """Return the end of an epoch for each partition."""
        answered = []
        for asked in request.topics:
            allowed = context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, asked.topic)
            topic = self._topics.get(asked.topic) if allowed else None
            missing = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if allowed else ErrorCode.TOPIC_AUTHORIZATION_FAILED
            partitions = []
            for partition in asked.partitions:
                if topic is None or not 0 <= partition.partition < len(topic.partition_ids):
                    partitions.append(_failed(partition, missing))
                else:
                    partitions.append(await self._find(topic, partition))
            answered.append(OffsetForLeaderTopicResult(topic=asked.topic, partitions=partitions))
        return OffsetForLeaderEpochResponse(topics=answered)

    async def _find(self, topic: Topic, partition: OffsetForLeaderPartition) -> EpochEndOffset:
        partition_id = topic.partition_ids[partition.partition]
        try:
            await check_leader_epoch(self._log, partition_id, partition.current_leader_epoch)
            epoch, end = await self._log.epoch_end(partition_id, epoch=partition.leader_epoch)
        except FleuveError as error:
            return _failed(partition, code_of(error))
        return EpochEndOffset(partition=partition.partition, leader_epoch=epoch, end_offset=end)


def _failed(partition: OffsetForLeaderPartition, code: ErrorCode) -> EpochEndOffset:
    return EpochEndOffset(error_code=code, partition=partition.partition, leader_epoch=-1, end_offset=-1)
