"""OffsetCommit (8): v2-10

Behaviour:
* The offsets are durable before the answer.
* A member commits for its generation (UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION; REBALANCE_IN_PROGRESS
  while the group waits for its assignment); it renews its session by that.
* Generation -1 is a consumer that assigns itself, or a tool: allowed while the group has no members; it makes the
  group.
* Each partition has its own error: UNKNOWN_TOPIC_OR_PARTITION or UNKNOWN_TOPIC_ID, TOPIC_AUTHORIZATION_FAILED,
  OFFSET_METADATA_TOO_LARGE. What is wrong with the member is said for each partition that had no error of its own.
* The empty group id is allowed here, as in Kafka. A topic without partitions is not in the answer.

Versions:
* v2-4: the offsets may have a retention time of their own; -1 for the broker's
* v3: throttle time
* v6: leader epoch of the last record (KIP-320)
* v7: static membership (KIP-345)
* v8: flexible
* v9: a member's commit to a group that does not exist is GROUP_ID_NOT_FOUND; before, ILLEGAL_GENERATION
* v10: topic ids (KIP-848)

Differs from Apache Kafka: no quota, so throttle time is always 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, MemberId, Offset, PartitionIndex
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.commands import Commit
from fleuve.engine.groups.errors import GroupNotFound
from fleuve.engine.groups.offsets import OffsetToCommit
from fleuve.engine.groups.service import GroupService
from fleuve.engine.topics.service import Topic, TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import offset_commit
from fleuve.wire.generated.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

API = Api(key=8, name="OffsetCommit", version_min=2, version_max=10, codec=offset_commit)

RETENTION_VERSIONS = range(2, 5)
GROUP_NOT_FOUND_VERSION = 9
TOPIC_ID_VERSION = 10


class Handler:
    """Remembers where groups are."""

    def __init__(self, groups: GroupService, topics: TopicService) -> None:
        self._groups = groups
        self._topics = topics

    async def __call__(self, request: OffsetCommitRequest, context: RequestContext) -> OffsetCommitResponse:
        """Return what became of each offset."""
        if not context.authorize(Operation.READ, ResourceType.GROUP, request.group_id):
            return _answer(request, ErrorCode.GROUP_AUTHORIZATION_FAILED)
        response = _answer(request, ErrorCode.NONE)
        asked = [topic for topic in request.topics if topic.partitions]
        wanted: list[OffsetToCommit] = []
        answers: list[OffsetCommitResponsePartition] = []
        for topic_request, topic_response in zip(asked, response.topics, strict=True):
            topic = self._topic(topic_request, context)
            for partition, answer in zip(topic_request.partitions, topic_response.partitions, strict=True):
                if isinstance(topic, ErrorCode):
                    answer.error_code = topic
                elif not 0 <= partition.partition_index < len(topic.partition_ids):
                    answer.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                else:
                    answers.append(answer)
                    wanted.append(
                        OffsetToCommit(
                            topic_id=topic.id,
                            partition=PartitionIndex(partition.partition_index),
                            offset=Offset(partition.committed_offset),
                            leader_epoch=partition.committed_leader_epoch,
                            metadata=partition.committed_metadata,
                        )
                    )
        if wanted or not request.topics:
            codes = await self._commit(request, context, wanted)
            for answer, code in zip(answers, codes, strict=True):
                answer.error_code = code
        return response

    def _topic(self, request: OffsetCommitRequestTopic, context: RequestContext) -> Topic | ErrorCode:
        """Return the topic, or what is wrong with it."""
        by_id = context.api_version >= TOPIC_ID_VERSION
        topic = self._topics.by_id(UUID(int=request.topic_id.int)) if by_id else self._topics.get(request.name)
        if topic is None and by_id:
            return ErrorCode.UNKNOWN_TOPIC_ID
        name = request.name if topic is None else topic.name
        if not context.authorize(Operation.READ, ResourceType.TOPIC, name):
            return ErrorCode.TOPIC_AUTHORIZATION_FAILED
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if topic is None else topic

    async def _commit(
        self, request: OffsetCommitRequest, context: RequestContext, wanted: Sequence[OffsetToCommit]
    ) -> list[ErrorCode]:
        own_retention = context.api_version in RETENTION_VERSIONS and request.retention_time_ms != -1
        command = Commit(
            member_id=MemberId(request.member_id),
            instance_id=request.group_instance_id,
            generation=request.generation_id_or_member_epoch,
        )
        try:
            results = await self._groups.commit(
                GroupId(request.group_id),
                command,
                wanted,
                retention_ms=request.retention_time_ms if own_retention else None,
            )
        except GroupNotFound as error:
            old = context.api_version < GROUP_NOT_FOUND_VERSION
            return [ErrorCode.ILLEGAL_GENERATION if old else code_of(error)] * len(wanted)
        except FleuveError as error:
            return [code_of(error)] * len(wanted)
        return [ErrorCode.NONE if error is None else code_of(error) for error in results]


def _answer(request: OffsetCommitRequest, code: ErrorCode) -> OffsetCommitResponse:
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=code)
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
            if topic.partitions
        ]
    )
