"""ListOffsets (2): v1-11

Behaviour:
* By timestamp: the first record, in offset order, that is as young; −1 if there is none.
* Special times: −1 latest (read_committed: the last stable offset), −2 earliest, −3 the record with the largest
  timestamp (KIP-734).
* −4, earliest local offset, is the earliest; −5, last tiered offset, and −6, earliest offset pending upload, are −1,
  as in a Kafka without tiered storage.
* A partition twice in one request: INVALID_REQUEST for it, once. A topic without partitions is not answered.
* A client's leader epoch must be the partition's: FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH (KIP-320).

Versions:
* v2: isolation level; throttle time
* v4: leader epochs
* v6: flexible
* v7: −3; v8: −4 (KIP-405); v9: −5 (KIP-1005); v11: −6 (KIP-1023); UNSUPPORTED_VERSION in versions before
* v10: time-out, for tiered storage alone

Differs from Apache Kafka: records that DeleteRecords took are not the youngest any more (Kafka finds them until their
segment goes). An unknown isolation level is READ_UNCOMMITTED (Kafka: UNKNOWN_SERVER_ERROR). No quota, so throttle time
is always 0.
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
from fleuve.wire.generated import list_offsets
from fleuve.wire.generated.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

API = Api(key=2, name="ListOffsets", version_min=1, version_max=11, codec=list_offsets)

READ_COMMITTED = 1
EARLIEST = -2
EARLIEST_LOCAL = -4
TIERED = (-5, -6)
VERSION_MIN = {-1: 1, -2: 1, -3: 7, -4: 8, -5: 9, -6: 11}
"""First version of each special time."""


class Handler:
    """Looks up offsets."""

    def __init__(self, log: LogService, topics: TopicService) -> None:
        self._log = log
        self._topics = topics

    async def __call__(self, request: ListOffsetsRequest, context: RequestContext) -> ListOffsetsResponse:
        """Return an offset for each partition."""
        wanted: dict[str, dict[int, list[ListOffsetsPartition]]] = {}
        for asked in request.topics:
            for partition in asked.partitions:
                wanted.setdefault(asked.name, {}).setdefault(partition.partition_index, []).append(partition)
        committed = request.isolation_level == READ_COMMITTED
        answered: list[ListOffsetsTopicResponse] = []
        for name, by_index in wanted.items():
            topic, code = self._find(name, context)
            partitions = []
            for partition, *more in by_index.values():
                if more:
                    partitions.append(_failed(partition, ErrorCode.INVALID_REQUEST))
                elif topic is None:
                    partitions.append(_failed(partition, code))
                else:
                    partitions.append(await self._look_up(topic, partition, context, read_committed=committed))
            answered.append(ListOffsetsTopicResponse(name=name, partitions=partitions))
        return ListOffsetsResponse(topics=answered)

    def _find(self, name: str, context: RequestContext) -> tuple[Topic | None, ErrorCode]:
        if not context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name):
            return None, ErrorCode.TOPIC_AUTHORIZATION_FAILED
        return self._topics.get(name), ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

    async def _look_up(
        self, topic: Topic, partition: ListOffsetsPartition, context: RequestContext, *, read_committed: bool
    ) -> ListOffsetsPartitionResponse:
        timestamp = partition.timestamp
        if timestamp < 0 and context.api_version < VERSION_MIN.get(timestamp, API.version_max + 1):
            return _failed(partition, ErrorCode.UNSUPPORTED_VERSION)
        if not 0 <= partition.partition_index < len(topic.partition_ids):
            return _failed(partition, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        partition_id = topic.partition_ids[partition.partition_index]
        try:
            await check_leader_epoch(self._log, partition_id, partition.current_leader_epoch)
            if timestamp in TIERED:
                return _failed(partition, ErrorCode.NONE)
            found = await self._log.list_offset(
                partition_id,
                timestamp=EARLIEST if timestamp == EARLIEST_LOCAL else timestamp,
                read_committed=read_committed,
            )
        except FleuveError as error:
            return _failed(partition, code_of(error))
        return ListOffsetsPartitionResponse(
            partition_index=partition.partition_index,
            timestamp=found.timestamp,
            offset=found.offset,
            leader_epoch=found.leader_epoch,
        )


def _failed(partition: ListOffsetsPartition, code: ErrorCode) -> ListOffsetsPartitionResponse:
    return ListOffsetsPartitionResponse(
        partition_index=partition.partition_index, error_code=code, timestamp=-1, offset=-1, leader_epoch=-1
    )
