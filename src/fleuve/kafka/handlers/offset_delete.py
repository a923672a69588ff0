"""OffsetDelete (47): v0

Behaviour:
* Forgets committed offsets of single partitions; what was not there is no error.
* GROUP_SUBSCRIBED_TO_TOPIC where members of the group want the topic; NON_EMPTY_GROUP for the whole request if they are
  no consumers, so that nobody knows what they want; GROUP_ID_NOT_FOUND, INVALID_GROUP_ID.
* UNKNOWN_TOPIC_OR_PARTITION and TOPIC_AUTHORIZATION_FAILED for each partition. A topic without partitions is not in
  the answer.

Differs from Apache Kafka: no quota, so throttle time is always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, PartitionIndex
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.service import GroupService
from fleuve.engine.topics.service import TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.ports.groups import OffsetKey
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import offset_delete
from fleuve.wire.generated.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)

API = Api(key=47, name="OffsetDelete", version_min=0, version_max=0, codec=offset_delete)


class Handler:
    """Forgets committed offsets."""

    def __init__(self, groups: GroupService, topics: TopicService) -> None:
        self._groups = groups
        self._topics = topics

    async def __call__(self, request: OffsetDeleteRequest, context: RequestContext) -> OffsetDeleteResponse:
        """Return what became of each offset."""
        if not context.authorize(Operation.DELETE, ResourceType.GROUP, request.group_id):
            return OffsetDeleteResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
        response = OffsetDeleteResponse()
        asked: list[tuple[OffsetKey, OffsetDeleteResponsePartition]] = []
        for topic_request in request.topics:
            topic = self._topics.get(topic_request.name)
            code = ErrorCode.NONE
            if not context.authorize(Operation.READ, ResourceType.TOPIC, topic_request.name):
                code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
            elif topic is None:
                code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            answer = OffsetDeleteResponseTopic(name=topic_request.name)
            if topic_request.partitions:
                response.topics.append(answer)
            for partition in topic_request.partitions:
                index = partition.partition_index
                one = OffsetDeleteResponsePartition(partition_index=index, error_code=code)
                answer.partitions.append(one)
                if topic is not None and not code:
                    if 0 <= index < len(topic.partition_ids):
                        asked.append((OffsetKey(topic.id, PartitionIndex(index)), one))
                    else:
                        one.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        try:
            results = await self._groups.delete_offsets(GroupId(request.group_id), [key for key, _ in asked])
        except FleuveError as error:
            return OffsetDeleteResponse(error_code=code_of(error))
        for key, one in asked:
            error_or_none = results[key]
            one.error_code = ErrorCode.NONE if error_or_none is None else code_of(error_or_none)
        return response
