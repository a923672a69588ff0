"""What a request that is made to fail is answered, API by API: the error where that API's answers have it.

As Apache Kafka answers a request of which everything fails: each topic, partition, group or resource of the request
has the error, or else the answer as a whole. Where both have a place, the error goes where brokers put it and clients
look for it. Nothing of the request is done.

`None` is returned where the answer has no place for an error: a request that names nothing, and has no error of its
own in that version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fleuve.engine.log.fetch import FetchResult
from fleuve.kafka.api import Handle, RequestContext
from fleuve.kafka.codes import Refused
from fleuve.kafka.handlers import fetch as fetch_handler
from fleuve.kafka.memory import Holding
from fleuve.kafka.sessions import Turn
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import (
    alter_configs,
    api_versions,
    create_partitions,
    create_topics,
    delete_groups,
    delete_records,
    delete_topics,
    describe_cluster,
    describe_configs,
    describe_groups,
    describe_log_dirs,
    describe_topic_partitions,
    fetch,
    find_coordinator,
    heartbeat,
    incremental_alter_configs,
    init_producer_id,
    join_group,
    leave_group,
    list_config_resources,
    list_groups,
    list_offsets,
    metadata,
    offset_commit,
    offset_delete,
    offset_fetch,
    offset_for_leader_epoch,
    sync_group,
)

MESSAGE = "asked for by the test"
"""What the answer says beside the code, where it can."""

NO_OFFSET = -1

_OF_PARTITIONS = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        ErrorCode.UNSTABLE_OFFSET_COMMIT,
        ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
    }
)
"""Errors of OffsetFetch and OffsetDelete that are said of a partition; all others are the group's."""

_OF_MEMBERS = frozenset({ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_INSTANCE_ID})
"""Errors of LeaveGroup that are said of a member, where there may be several."""

_OF_SESSIONS = frozenset(
    {
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode.INVALID_FETCH_SESSION_EPOCH,
        ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
    }
)
"""Errors of Fetch that are said of the whole answer; all others are a partition's."""


async def refusal(key: int, handle: Handle, request: Any, context: RequestContext, code: ErrorCode) -> Any:
    """Return the answer to a request of API `key` that fails with `code`; None if it has no place for it.

    `handle` is who would answer otherwise. Produce, whose handler is of another kind, is none of these.
    """
    if key == fetch.KEY:
        return await _fetch(handle, request, context, code)
    if key == metadata.KEY:
        return await _metadata(handle, request, context, code)
    return _BY_API[key](request, context.api_version, code)


# ---------------------------------------------------------------- those that need more than the request


class _Failing(fetch_handler.Handler):
    """The Fetch handler, whose partitions all fail: also those that only the fetch session knows."""

    def __init__(self, served: fetch_handler.Handler, code: ErrorCode) -> None:
        vars(self).update(vars(served))
        self._code = code

    async def read(
        self, turn: Turn, request: fetch.FetchRequest, context: RequestContext, holding: Holding
    ) -> list[FetchResult]:
        return [FetchResult(error=Refused(self._code, MESSAGE)) for _ in turn.partitions]


async def _fetch(handle: Handle, request: Any, context: RequestContext, code: ErrorCode) -> Any:
    if code in _OF_SESSIONS:
        return fetch.FetchResponse(error_code=code) if context.api_version >= 7 else None
    assert isinstance(handle, fetch_handler.Handler)
    response = await _Failing(handle, code)(request, context)
    if not response.responses and not response.error_code:
        if context.api_version < 7:
            return None
        response.error_code = code
    return response


async def _metadata(handle: Handle, request: Any, context: RequestContext, code: ErrorCode) -> Any:
    """Let every topic that would be in the answer fail; brokers and controller are told as ever."""
    request.allow_auto_topic_creation = False
    response = await handle(request, context)
    if code == ErrorCode.REBOOTSTRAP_REQUIRED or not response.topics:
        if context.api_version < 13:
            return None
        response.error_code = code
    for topic in response.topics:
        topic.error_code = code
        topic.partitions = []
    return response


# ---------------------------------------------------------------- those that only need the request

_Refuse = Callable[[Any, int, ErrorCode], Any]


def _list_offsets(request: Any, _: int, code: ErrorCode) -> Any:
    topics = [
        list_offsets.ListOffsetsTopicResponse(
            name=topic.name,
            partitions=[
                list_offsets.ListOffsetsPartitionResponse(partition_index=one.partition_index, error_code=code)
                for one in topic.partitions
            ],
        )
        for topic in request.topics
    ]
    return list_offsets.ListOffsetsResponse(topics=topics) if topics else None


def _offset_commit(request: Any, _: int, code: ErrorCode) -> Any:
    topics = [
        offset_commit.OffsetCommitResponseTopic(
            name=topic.name,
            topic_id=topic.topic_id,
            partitions=[
                offset_commit.OffsetCommitResponsePartition(partition_index=one.partition_index, error_code=code)
                for one in topic.partitions
            ],
        )
        for topic in request.topics
    ]
    return offset_commit.OffsetCommitResponse(topics=topics) if topics else None


def _offset_fetch(request: Any, version: int, code: ErrorCode) -> Any:
    if version >= 8:
        groups = [_offset_fetch_group(group, code) for group in request.groups]
        return offset_fetch.OffsetFetchResponse(groups=groups) if groups else None
    of_partitions = version < 2 or (code in _OF_PARTITIONS and request.topics)
    if not of_partitions:
        return offset_fetch.OffsetFetchResponse(error_code=code)
    topics = [
        offset_fetch.OffsetFetchResponseTopic(
            name=topic.name,
            partitions=[
                offset_fetch.OffsetFetchResponsePartition(
                    partition_index=index, committed_offset=NO_OFFSET, error_code=code
                )
                for index in topic.partition_indexes
            ],
        )
        for topic in request.topics or ()
    ]
    return offset_fetch.OffsetFetchResponse(topics=topics) if topics else None


def _offset_fetch_group(group: Any, code: ErrorCode) -> Any:
    if code not in _OF_PARTITIONS or not group.topics:
        return offset_fetch.OffsetFetchResponseGroup(group_id=group.group_id, error_code=code)
    topics = [
        offset_fetch.OffsetFetchResponseTopics(
            name=topic.name,
            topic_id=topic.topic_id,
            partitions=[
                offset_fetch.OffsetFetchResponsePartitions(
                    partition_index=index, committed_offset=NO_OFFSET, error_code=code
                )
                for index in topic.partition_indexes
            ],
        )
        for topic in group.topics
    ]
    return offset_fetch.OffsetFetchResponseGroup(group_id=group.group_id, topics=topics)


def _find_coordinator(request: Any, version: int, code: ErrorCode) -> Any:
    if version < 4:
        return find_coordinator.FindCoordinatorResponse(
            error_code=code, error_message=MESSAGE, node_id=-1, host="", port=-1
        )
    coordinators = [
        find_coordinator.Coordinator(key=key, node_id=-1, port=-1, error_code=code, error_message=MESSAGE)
        for key in request.coordinator_keys
    ]
    return find_coordinator.FindCoordinatorResponse(coordinators=coordinators) if coordinators else None


def _join_group(request: Any, version: int, code: ErrorCode) -> Any:
    return join_group.JoinGroupResponse(
        error_code=code, member_id=request.member_id, protocol_name=None if version >= 7 else ""
    )


def _leave_group(request: Any, version: int, code: ErrorCode) -> Any:
    if version < 3 or code not in _OF_MEMBERS or not request.members:
        return leave_group.LeaveGroupResponse(error_code=code)
    members = [
        leave_group.MemberResponse(
            member_id=member.member_id, group_instance_id=member.group_instance_id, error_code=code
        )
        for member in request.members
    ]
    return leave_group.LeaveGroupResponse(members=members)


def _describe_groups(request: Any, _: int, code: ErrorCode) -> Any:
    groups = [
        describe_groups.DescribedGroup(group_id=group, error_code=code, error_message=MESSAGE)
        for group in request.groups
    ]
    return describe_groups.DescribeGroupsResponse(groups=groups) if groups else None


def _create_topics(request: Any, _: int, code: ErrorCode) -> Any:
    topics = [
        create_topics.CreatableTopicResult(name=topic.name, error_code=code, error_message=MESSAGE)
        for topic in request.topics
    ]
    return create_topics.CreateTopicsResponse(topics=topics) if topics else None


def _delete_topics(request: Any, version: int, code: ErrorCode) -> Any:
    if version >= 6:
        results = [
            delete_topics.DeletableTopicResult(
                name=topic.name, topic_id=topic.topic_id, error_code=code, error_message=MESSAGE
            )
            for topic in request.topics
        ]
    else:
        results = [
            delete_topics.DeletableTopicResult(name=name, error_code=code, error_message=MESSAGE)
            for name in request.topic_names
        ]
    return delete_topics.DeleteTopicsResponse(responses=results) if results else None


def _delete_records(request: Any, _: int, code: ErrorCode) -> Any:
    topics = [
        delete_records.DeleteRecordsTopicResult(
            name=topic.name,
            partitions=[
                delete_records.DeleteRecordsPartitionResult(
                    partition_index=one.partition_index, low_watermark=NO_OFFSET, error_code=code
                )
                for one in topic.partitions
            ],
        )
        for topic in request.topics
    ]
    return delete_records.DeleteRecordsResponse(topics=topics) if topics else None


def _offset_for_leader_epoch(request: Any, _: int, code: ErrorCode) -> Any:
    topics = [
        offset_for_leader_epoch.OffsetForLeaderTopicResult(
            topic=topic.topic,
            partitions=[
                offset_for_leader_epoch.EpochEndOffset(partition=one.partition, error_code=code)
                for one in topic.partitions
            ],
        )
        for topic in request.topics
    ]
    return offset_for_leader_epoch.OffsetForLeaderEpochResponse(topics=topics) if topics else None


def _describe_configs(request: Any, _: int, code: ErrorCode) -> Any:
    results = [
        describe_configs.DescribeConfigsResult(
            error_code=code, error_message=MESSAGE, resource_type=one.resource_type, resource_name=one.resource_name
        )
        for one in request.resources
    ]
    return describe_configs.DescribeConfigsResponse(results=results) if results else None


def _alter_configs(request: Any, _: int, code: ErrorCode) -> Any:
    results = [
        alter_configs.AlterConfigsResourceResponse(
            error_code=code, error_message=MESSAGE, resource_type=one.resource_type, resource_name=one.resource_name
        )
        for one in request.resources
    ]
    return alter_configs.AlterConfigsResponse(responses=results) if results else None


def _incremental_alter_configs(request: Any, _: int, code: ErrorCode) -> Any:
    results = [
        incremental_alter_configs.AlterConfigsResourceResponse(
            error_code=code, error_message=MESSAGE, resource_type=one.resource_type, resource_name=one.resource_name
        )
        for one in request.resources
    ]
    return incremental_alter_configs.IncrementalAlterConfigsResponse(responses=results) if results else None


def _describe_log_dirs(_: Any, version: int, code: ErrorCode) -> Any:
    if version >= 3:
        return describe_log_dirs.DescribeLogDirsResponse(error_code=code)
    return describe_log_dirs.DescribeLogDirsResponse(results=[describe_log_dirs.DescribeLogDirsResult(error_code=code)])


def _create_partitions(request: Any, _: int, code: ErrorCode) -> Any:
    results = [
        create_partitions.CreatePartitionsTopicResult(name=topic.name, error_code=code, error_message=MESSAGE)
        for topic in request.topics
    ]
    return create_partitions.CreatePartitionsResponse(results=results) if results else None


def _delete_groups(request: Any, _: int, code: ErrorCode) -> Any:
    results = [delete_groups.DeletableGroupResult(group_id=name, error_code=code) for name in request.groups_names]
    return delete_groups.DeleteGroupsResponse(results=results) if results else None


def _offset_delete(request: Any, _: int, code: ErrorCode) -> Any:
    if code not in _OF_PARTITIONS or not request.topics:
        return offset_delete.OffsetDeleteResponse(error_code=code)
    topics = [
        offset_delete.OffsetDeleteResponseTopic(
            name=topic.name,
            partitions=[
                offset_delete.OffsetDeleteResponsePartition(partition_index=one.partition_index, error_code=code)
                for one in topic.partitions
            ],
        )
        for topic in request.topics
    ]
    return offset_delete.OffsetDeleteResponse(topics=topics)


def _describe_topic_partitions(request: Any, _: int, code: ErrorCode) -> Any:
    topics = [
        describe_topic_partitions.DescribeTopicPartitionsResponseTopic(name=topic.name, error_code=code)
        for topic in request.topics
    ]
    return describe_topic_partitions.DescribeTopicPartitionsResponse(topics=topics) if topics else None


_BY_API: dict[int, _Refuse] = {
    alter_configs.KEY: _alter_configs,
    api_versions.KEY: lambda _, __, code: api_versions.ApiVersionsResponse(error_code=code),
    create_partitions.KEY: _create_partitions,
    create_topics.KEY: _create_topics,
    delete_groups.KEY: _delete_groups,
    delete_records.KEY: _delete_records,
    delete_topics.KEY: _delete_topics,
    describe_cluster.KEY: lambda _, __, code: describe_cluster.DescribeClusterResponse(
        error_code=code, error_message=MESSAGE
    ),
    describe_configs.KEY: _describe_configs,
    describe_groups.KEY: _describe_groups,
    describe_log_dirs.KEY: _describe_log_dirs,
    describe_topic_partitions.KEY: _describe_topic_partitions,
    find_coordinator.KEY: _find_coordinator,
    heartbeat.KEY: lambda _, __, code: heartbeat.HeartbeatResponse(error_code=code),
    incremental_alter_configs.KEY: _incremental_alter_configs,
    init_producer_id.KEY: lambda _, __, code: init_producer_id.InitProducerIdResponse(
        error_code=code, producer_epoch=-1
    ),
    join_group.KEY: _join_group,
    leave_group.KEY: _leave_group,
    list_config_resources.KEY: lambda _, __, code: list_config_resources.ListConfigResourcesResponse(error_code=code),
    list_groups.KEY: lambda _, __, code: list_groups.ListGroupsResponse(error_code=code),
    list_offsets.KEY: _list_offsets,
    offset_commit.KEY: _offset_commit,
    offset_delete.KEY: _offset_delete,
    offset_fetch.KEY: _offset_fetch,
    offset_for_leader_epoch.KEY: _offset_for_leader_epoch,
    sync_group.KEY: lambda _, __, code: sync_group.SyncGroupResponse(error_code=code),
}
