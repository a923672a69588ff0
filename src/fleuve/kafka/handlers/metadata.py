"""Metadata (3): v0-13

Behaviour:
* Names the brokers that live, by the address of the listener that the client came through, and the cluster's id.
* Describes all topics, or those asked for by name or id, each once. A topic that is not there is created if
  `auto.create.topics.enable` and the request allow it (before v4 a request always does), and is usable at once:
  the answer already describes it.
* A name that no topic can have is INVALID_TOPIC_EXCEPTION, created or not; an unknown id is UNKNOWN_TOPIC_ID.
  Where one topic is asked for by id, those asked for by name are not answered.
* Every broker can take any request: the leader is the broker whose caches are warm (affinity), replicas and
  in-sync replicas name existing brokers, as many as the replication factor says.
* What the client may not describe is left out of "all topics", and is as good as unknown by id.

Versions:
* v0: an empty list of topics means all; from v1 on, null does, and empty means none
* v1: rack, controller, internal topics · v2: cluster id · v3: throttle time · v4: the client may forbid creation
* v5: offline replicas (always empty) · v7: leader epoch · v8: authorized operations (the cluster's until v10)
* v9: flexible · v10: topic ids in answers · v12: topics asked for by id · v13: top-level error

Differs from Apache Kafka: a topic that is created by its first Metadata is described in that very answer, where
Kafka says UNKNOWN_TOPIC_OR_PARTITION once; a name that collides with a topic's gets INVALID_TOPIC_EXCEPTION, where
Kafka says UNKNOWN_TOPIC_OR_PARTITION for ever; a request with an id before v12 is INVALID_REQUEST for that topic
alone; one with neither name nor id is, too, in every version (Kafka: UNKNOWN_SERVER_ERROR). Throttle time is always 0.
At most 32 replicas are named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from fleuve.base.errors import FleuveError
from fleuve.base.ids import PartitionId
from fleuve.engine.access.service import CLUSTER_NAME, Operation, ResourceType
from fleuve.engine.brokers.service import BrokerService
from fleuve.engine.topics.names import CLUSTER_METADATA, INTERNAL_NAMES, check_name
from fleuve.engine.topics.service import Topic, TopicService
from fleuve.kafka.addresses import reachable
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import metadata
from fleuve.wire.generated.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from fleuve.wire.message import ZERO_UUID

API = Api(key=3, name="Metadata", version_min=0, version_max=13, codec=metadata)

CREATION_CHOSEN_SINCE = 4
IDS_SINCE = 12
CLUSTER_OPERATIONS_UNTIL = 10


class Handler:
    """Answers Metadata. `leader_epoch` tells a partition's epoch from memory."""

    def __init__(
        self, topics: TopicService, brokers: BrokerService, *, leader_epoch: Callable[[PartitionId], int]
    ) -> None:
        self._topics = topics
        self._brokers = brokers
        self._leader_epoch = leader_epoch

    async def __call__(self, request: MetadataRequest, context: RequestContext) -> MetadataResponse:
        """Return the brokers and the topics asked for."""
        version = context.api_version
        if request.topics is None or (version == 0 and not request.topics):
            topics = [
                self._described(topic) for topic in list(self._topics.all()) if _may_describe(context, topic.name)
            ]
        else:
            allowed = version < CREATION_CHOSEN_SINCE or request.allow_auto_topic_creation
            topics = await self._asked_for(request.topics, context, creating=allowed and self._topics.rules.auto_create)
        if request.include_topic_authorized_operations:
            _add_operations(topics, context)
        response = MetadataResponse(
            brokers=[
                MetadataResponseBroker(node_id=broker.node_id, host=host, port=port, rack=broker.rack)
                for broker, (host, port) in reachable(self._brokers, context)
            ],
            cluster_id=self._brokers.cluster_id,
            controller_id=self._brokers.controller_id,
            topics=topics,
        )
        if request.include_cluster_authorized_operations and version <= CLUSTER_OPERATIONS_UNTIL:
            response.cluster_authorized_operations = context.authorized_operations(ResourceType.CLUSTER, CLUSTER_NAME)
        return response

    async def _asked_for(
        self, wanted: Sequence[MetadataRequestTopic], context: RequestContext, *, creating: bool
    ) -> list[MetadataResponseTopic]:
        found: dict[str | UUID, MetadataResponseTopic | None] = {}
        missing: list[str] = []
        by_id = context.api_version >= IDS_SINCE and any(want.topic_id != ZERO_UUID for want in wanted)
        for want in wanted:
            if by_id and want.topic_id == ZERO_UUID:
                continue
            if want.topic_id != ZERO_UUID or want.name is None:
                found[want.topic_id] = self._by_id(want, context)
            elif want.name not in found:
                found[want.name] = self._by_name(want.name, context, creating=creating)
                if found[want.name] is None:
                    missing.append(want.name)
        if missing:
            found.update(await self._created(missing))
        described = [topic for topic in found.values() if topic is not None]
        # A topic may have been asked for by its name and by its id.
        return list({topic.name or topic.topic_id: topic for topic in described}.values())

    def _by_id(self, want: MetadataRequestTopic, context: RequestContext) -> MetadataResponseTopic:
        if context.api_version < IDS_SINCE or want.topic_id == ZERO_UUID:
            return MetadataResponseTopic(
                error_code=ErrorCode.INVALID_REQUEST, name=want.name or "", topic_id=want.topic_id
            )
        topic = self._topics.by_id(want.topic_id)
        if topic is None or not _may_describe(context, topic.name):
            return MetadataResponseTopic(error_code=ErrorCode.UNKNOWN_TOPIC_ID, name=None, topic_id=want.topic_id)
        return self._described(topic)

    def _by_name(self, name: str, context: RequestContext, *, creating: bool) -> MetadataResponseTopic | None:
        """Return the description, or None where the topic is to be created."""
        if not _may_describe(context, name):
            return MetadataResponseTopic(error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, name=name)
        topic = self._topics.get(name)
        if topic is not None:
            return self._described(topic)
        try:
            check_name(name)
        except FleuveError as error:
            return _failed(name, error)
        if not creating or name == CLUSTER_METADATA:
            return MetadataResponseTopic(
                error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, name=name, is_internal=name in INTERNAL_NAMES
            )
        if not (
            context.authorize_cluster(Operation.CREATE) or context.authorize(Operation.CREATE, ResourceType.TOPIC, name)
        ):
            return MetadataResponseTopic(error_code=ErrorCode.TOPIC_AUTHORIZATION_FAILED, name=name)
        return None

    async def _created(self, names: list[str]) -> dict[str, MetadataResponseTopic]:
        try:
            outcomes = await self._topics.auto_create(names)
        except FleuveError as error:
            return {name: _failed(name, error) for name in names}
        return {
            name: self._described(outcome) if isinstance(outcome, Topic) else _failed(name, outcome)
            for name, outcome in zip(names, outcomes, strict=True)
        }

    def _described(self, topic: Topic) -> MetadataResponseTopic:
        replicas_of, epoch_of, factor = self._brokers.replicas, self._leader_epoch, topic.replication_factor
        partitions = []
        for index, partition_id in enumerate(topic.partition_ids):
            replicas = replicas_of(partition_id, replication_factor=factor)
            partitions.append(
                MetadataResponsePartition(
                    partition_index=index,
                    leader_id=replicas[0],
                    leader_epoch=epoch_of(partition_id),
                    replica_nodes=replicas,
                    isr_nodes=replicas,
                )
            )
        return MetadataResponseTopic(
            name=topic.name, topic_id=topic.id, is_internal=topic.internal, partitions=partitions
        )


def _may_describe(context: RequestContext, name: str) -> bool:
    return context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, name)


def _failed(name: str, error: FleuveError) -> MetadataResponseTopic:
    return MetadataResponseTopic(error_code=code_of(error), name=name, is_internal=name in INTERNAL_NAMES)


def _add_operations(topics: Sequence[MetadataResponseTopic], context: RequestContext) -> None:
    for topic in topics:
        # A name that does not exist has operations, too: what the client might do with a topic of this name.
        if topic.name is not None and topic.error_code != ErrorCode.TOPIC_AUTHORIZATION_FAILED:
            topic.topic_authorized_operations = context.authorized_operations(ResourceType.TOPIC, topic.name)
