"""OffsetFetch (9): v1-10

Behaviour:
* Tells where a group goes on: offset, leader epoch and metadata as they were committed.
* What was never committed, in a group that exists or not, of a topic that exists or not, is offset -1 without an error.
* Sees every commit that the group had accepted before.
* Topics that the client may not describe: TOPIC_AUTHORIZATION_FAILED; left out if it asks for all topics.

Versions:
* v2: null topics ask for all that the group has; error for the whole answer
* v3: throttle time
* v5: leader epoch (KIP-320)
* v6: flexible
* v7: require_stable (KIP-447): accepted; nothing is ever pending, since there are no transactions
* v8: several groups in one request
* v9: member id and epoch, for the new group protocol: ignored for classic groups
* v10: topic ids (KIP-848); UNKNOWN_TOPIC_ID

Differs from Apache Kafka: no quota, so throttle time is always 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, PartitionIndex, TopicId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.service import GroupService
from fleuve.engine.topics.service import TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.ports.groups import CommittedOffset, OffsetKey
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import offset_fetch
from fleuve.wire.generated.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

API = Api(key=9, name="OffsetFetch", version_min=1, version_max=10, codec=offset_fetch)

TOP_ERROR_VERSION = 2
GROUPS_VERSION = 8
TOPIC_ID_VERSION = 10
NO_OFFSET = -1

Committed = Mapping[OffsetKey, CommittedOffset]


class Handler:
    """Tells groups where they are."""

    def __init__(self, groups: GroupService, topics: TopicService) -> None:
        self._groups = groups
        self._topics = topics

    async def __call__(self, request: OffsetFetchRequest, context: RequestContext) -> OffsetFetchResponse:
        """Return the committed offsets."""
        if context.api_version >= GROUPS_VERSION:
            return OffsetFetchResponse(groups=[await self._group(group, context) for group in request.groups])
        topics = request.topics
        group = OffsetFetchRequestGroup(
            group_id=request.group_id,
            topics=None
            if topics is None
            else [
                OffsetFetchRequestTopics(name=topic.name, partition_indexes=topic.partition_indexes) for topic in topics
            ],
        )
        return _as_single(group, await self._group(group, context), context.api_version)

    async def _group(self, request: OffsetFetchRequestGroup, context: RequestContext) -> OffsetFetchResponseGroup:
        response = OffsetFetchResponseGroup(group_id=request.group_id)
        if not context.authorize(Operation.DESCRIBE, ResourceType.GROUP, request.group_id):
            response.error_code = ErrorCode.GROUP_AUTHORIZATION_FAILED
            return response
        try:
            committed = await self._groups.committed(GroupId(request.group_id))
        except FleuveError as error:
            response.error_code = code_of(error)
            return response
        if request.topics is None:
            response.topics = self._all_topics(committed, context)
        else:
            response.topics = [self._topic(topic, committed, context) for topic in request.topics]
        return response

    def _all_topics(self, committed: Committed, context: RequestContext) -> list[OffsetFetchResponseTopics]:
        by_topic: dict[TopicId, list[OffsetFetchResponsePartitions]] = {}
        for key, offset in committed.items():
            by_topic.setdefault(key.topic_id, []).append(_partition(key.partition, offset))
        answers = []
        for topic_id, partitions in by_topic.items():
            topic = self._topics.by_id(topic_id)
            if topic is not None and context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, topic.name):
                answers.append(OffsetFetchResponseTopics(name=topic.name, topic_id=topic_id, partitions=partitions))
        return answers

    def _topic(
        self, request: OffsetFetchRequestTopics, committed: Committed, context: RequestContext
    ) -> OffsetFetchResponseTopics:
        response = OffsetFetchResponseTopics(name=request.name, topic_id=request.topic_id)
        by_id = context.api_version >= TOPIC_ID_VERSION
        topic = self._topics.by_id(UUID(int=request.topic_id.int)) if by_id else self._topics.get(request.name)
        code = ErrorCode.NONE
        if topic is None and by_id:
            code = ErrorCode.UNKNOWN_TOPIC_ID
        elif not context.authorize(
            Operation.DESCRIBE, ResourceType.TOPIC, request.name if topic is None else topic.name
        ):
            code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        for index in request.partition_indexes:
            key = None if topic is None or code else OffsetKey(topic.id, PartitionIndex(index))
            response.partitions.append(_partition(index, None if key is None else committed.get(key), code))
        return response


def _partition(
    index: int, offset: CommittedOffset | None, code: ErrorCode = ErrorCode.NONE
) -> OffsetFetchResponsePartitions:
    if offset is None:
        return OffsetFetchResponsePartitions(partition_index=index, committed_offset=NO_OFFSET, error_code=code)
    return OffsetFetchResponsePartitions(
        partition_index=index,
        committed_offset=offset.offset,
        committed_leader_epoch=offset.leader_epoch,
        metadata=offset.metadata,
    )


def _as_single(request: OffsetFetchRequestGroup, group: OffsetFetchResponseGroup, version: int) -> OffsetFetchResponse:
    """Return the answer in the form of one group; in v1 an error can only be said of each partition."""
    if group.error_code and version < TOP_ERROR_VERSION:
        asked: Sequence[OffsetFetchRequestTopics] = request.topics or ()
        group.topics = [
            OffsetFetchResponseTopics(
                name=topic.name,
                partitions=[_partition(index, None, ErrorCode(group.error_code)) for index in topic.partition_indexes],
            )
            for topic in asked
        ]
    return OffsetFetchResponse(
        error_code=group.error_code,
        topics=[
            OffsetFetchResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetFetchResponsePartition(
                        partition_index=partition.partition_index,
                        committed_offset=partition.committed_offset,
                        committed_leader_epoch=partition.committed_leader_epoch,
                        metadata=partition.metadata,
                        error_code=partition.error_code,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in group.topics
        ],
    )
