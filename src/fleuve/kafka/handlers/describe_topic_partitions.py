"""DescribeTopicPartitions (75): v0

Behaviour:
* Describes topics by name, in the order of their names, or all topics if none is named; a page at a time.
* A page holds as many partitions as the request's limit says, at least one and at most
  `max.request.partition.size.limit`; the cursor in the answer is where the next page begins. A topic that does not
  exist costs nothing of the page.
* A cursor must name one of the topics asked for, and a partition from 0; a partition behind the topic's last is the end
  of that topic. In all topics it need not exist any more: the page begins with the next name.

Versions:
* v0: KIP-966; flexible

Differs from Apache Kafka: there are no eligible leader replicas beyond the in-sync ones, so those lists are empty; an
empty name is INVALID_TOPIC_EXCEPTION (Kafka: UNKNOWN_SERVER_ERROR); throttle time is always 0. At most 32 replicas are
named.
"""

from __future__ import annotations

from collections.abc import Callable

from fleuve.base.errors import FleuveError
from fleuve.base.ids import PartitionId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.brokers.service import BrokerService
from fleuve.engine.topics.names import INTERNAL_NAMES, check_name
from fleuve.engine.topics.service import Topic, TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import describe_topic_partitions
from fleuve.wire.generated.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)

API = Api(key=75, name="DescribeTopicPartitions", version_min=0, version_max=0, codec=describe_topic_partitions)

PARTITION_LIMIT = 2_000
"""Kafka's default of `max.request.partition.size.limit`."""


class Handler:
    """Answers DescribeTopicPartitions. `partition_limit` is the largest page, in partitions."""

    def __init__(
        self,
        topics: TopicService,
        brokers: BrokerService,
        *,
        leader_epoch: Callable[[PartitionId], int],
        partition_limit: int = PARTITION_LIMIT,
    ) -> None:
        self._topics = topics
        self._brokers = brokers
        self._leader_epoch = leader_epoch
        self._partition_limit = partition_limit

    async def __call__(
        self, request: DescribeTopicPartitionsRequest, context: RequestContext
    ) -> DescribeTopicPartitionsResponse:
        """Return one page."""
        cursor = request.cursor
        names = {topic.name for topic in request.topics}
        everything = not names
        if cursor is not None and (cursor.partition_index < 0 or not (everything or cursor.topic_name in names)):
            return _refused(sorted(names))
        if everything:
            names = {topic.name for topic in self._topics.all() if _may_describe(context, topic.name)}
        start, index = (cursor.topic_name, cursor.partition_index) if cursor is not None else ("", 0)
        left = max(1, min(self._partition_limit, request.response_partition_limit))
        response = DescribeTopicPartitionsResponse()
        for name in sorted(name for name in names if name >= start):
            if left == 0:
                response.next_cursor = Cursor(topic_name=name, partition_index=0)
                break
            topic = self._topics.get(name)
            if topic is None or not _may_describe(context, name):
                response.topics.append(_missing(name, context))
                continue
            first = index if name == start else 0
            described = self._described(topic, first, first + left, context)
            response.topics.append(described)
            left -= len(described.partitions)
            end = first + len(described.partitions)
            if end < len(topic.partition_ids):
                response.next_cursor = Cursor(topic_name=name, partition_index=end)
                break
        return response

    def _described(
        self, topic: Topic, first: int, end: int, context: RequestContext
    ) -> DescribeTopicPartitionsResponseTopic:
        partitions = []
        for index, partition_id in enumerate(topic.partition_ids[first:end], first):
            replicas = self._brokers.replicas(partition_id, replication_factor=topic.replication_factor)
            partitions.append(
                DescribeTopicPartitionsResponsePartition(
                    partition_index=index,
                    leader_id=replicas[0],
                    leader_epoch=self._leader_epoch(partition_id),
                    replica_nodes=replicas,
                    isr_nodes=replicas,
                    eligible_leader_replicas=[],
                    last_known_elr=[],
                )
            )
        return DescribeTopicPartitionsResponseTopic(
            name=topic.name,
            topic_id=topic.id,
            is_internal=topic.internal,
            partitions=partitions,
            topic_authorized_operations=context.authorized_operations(ResourceType.TOPIC, topic.name),
        )


def _may_describe(context: RequestContext, name: str) -> bool:
    return context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name)


def _missing(name: str, context: RequestContext) -> DescribeTopicPartitionsResponseTopic:
    if not _may_describe(context, name):
        return DescribeTopicPartitionsResponseTopic(error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, name=name)
    code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    try:
        check_name(name)
    except FleuveError as error:
        code = code_of(error)
    return DescribeTopicPartitionsResponseTopic(
        error_code=code,
        name=name,
        is_internal=name in INTERNAL_NAMES,
        topic_authorized_operations=context.authorized_operations(ResourceType.TOPIC, name),
    )


def _refused(names: list[str]) -> DescribeTopicPartitionsResponse:
    return DescribeTopicPartitionsResponse(
        topics=[DescribeTopicPartitionsResponseTopic(error_code=ErrorCode.INVALID_REQUEST, name=name) for name in names]
    )
