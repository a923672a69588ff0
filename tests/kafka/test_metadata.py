"""Metadata, DescribeCluster and DescribeTopicPartitions."""

from __future__ import annotations

import asyncio
from random import Random
from uuid import UUID

import pytest

from fleuve.adapters.memory.brokers import MemoryBrokerStore
from fleuve.base.clock import ManualClock
from fleuve.base.ids import NodeId
from fleuve.engine.access.service import CLUSTER_NAME, Operation, ResourceType
from fleuve.engine.brokers.service import BrokerService
from fleuve.engine.topics.requests import TopicRules
from fleuve.kafka.handlers import describe_cluster, describe_topic_partitions, metadata
from fleuve.ports.brokers import Address
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated.describe_cluster import DescribeClusterRequest
from fleuve.wire.generated.describe_topic_partitions import Cursor, DescribeTopicPartitionsRequest, TopicRequest
from fleuve.wire.generated.metadata import MetadataRequest, MetadataRequestTopic
from fleuve.wire.message import ZERO_UUID
from support.calls import Only, call
from support.topics import create_topic, running, topic_service

TOPIC = ResourceType.TOPIC
NO_OPERATIONS = -(2**31)
TOPIC_OPERATIONS, CLUSTER_OPERATIONS = 3576, 8096
"""What a running Apache Kafka 4.3 without an authorizer says."""


class Cluster:
    """Brokers 1 and, if there is one, 2, seen from broker 1."""

    def __init__(self, rules: TopicRules) -> None:
        self.store = MemoryBrokerStore(ManualClock())
        self.brokers = BrokerService(self.store, random=Random(0))
        self.topics = topic_service(rules=rules)
        self.epochs: dict[int, int] = {}

    def epoch(self, partition_id):
        return self.epochs.get(partition_id, 0)

    async def join(self, node_id, host, rack=None, listeners=("PLAINTEXT",)):
        other = BrokerService(self.store, random=Random(0))
        await other.start(
            node_id=NodeId(node_id), listeners={name: Address(host, 9092) for name in listeners}, rack=rack
        )
        await self.brokers.renew()

    async def metadata(self, *topics, version=13, everything=False, creating=True, **context):
        request = MetadataRequest(
            topics=None if everything else [_asked(topic) for topic in topics],
            allow_auto_topic_creation=creating,
            include_cluster_authorized_operations=8 <= version <= 10,
            include_topic_authorized_operations=version >= 8,
        )
        handler = metadata.Handler(self.topics, self.brokers, leader_epoch=self.epoch)
        return await call(metadata.API, handler, request, version, **context)

    async def partitions(self, *names, limit=2_000, cursor=None, **context):
        handler = describe_topic_partitions.Handler(
            self.topics, self.brokers, leader_epoch=self.epoch, partition_limit=5
        )
        request = DescribeTopicPartitionsRequest(
            topics=[TopicRequest(name=name) for name in names],
            response_partition_limit=limit,
            cursor=None if cursor is None else Cursor(topic_name=cursor[0], partition_index=cursor[1]),
        )
        return await call(describe_topic_partitions.API, handler, request, **context)

    async def describe(self, version=2, **fields):
        handler = describe_cluster.Handler(self.brokers)
        context = fields.pop("context", {})
        return await call(describe_cluster.API, handler, DescribeClusterRequest(**fields), version, **context)


def _asked(topic):
    if isinstance(topic, MetadataRequestTopic):
        return topic
    if isinstance(topic, UUID):
        return MetadataRequestTopic(name=None, topic_id=topic)
    return MetadataRequestTopic(name=topic)


@pytest.fixture
async def cluster(request):
    made = Cluster(getattr(request, "param", TopicRules()))
    await made.brokers.start(node_id=NodeId(1), listeners={"PLAINTEXT": Address("localhost", 9092)}, rack="a")
    async with running(made.topics):
        yield made


def names_and_codes(response):
    return [(topic.name, ErrorCode(topic.error_code).name) for topic in response.topics]


# ---------------------------------------------------------------- Metadata


@pytest.mark.parametrize("version", range(14))
async def test_every_version_describes_a_topic(cluster, version):
    topic = await create_topic(cluster.topics, "orders", 2)
    cluster.epochs[topic.partition_ids[1]] = 3
    response = await cluster.metadata("orders", version=version)
    (broker,) = response.brokers
    assert (broker.node_id, broker.host, broker.port, broker.rack) == (
        1,
        "localhost",
        9092,
        "a" if version >= 1 else None,
    )
    assert response.controller_id == (1 if version >= 1 else -1)
    assert response.cluster_id == (cluster.brokers.cluster_id if version >= 2 else None)
    assert response.cluster_authorized_operations == (CLUSTER_OPERATIONS if 8 <= version <= 10 else NO_OPERATIONS)
    (shown,) = response.topics
    assert (shown.error_code, shown.name, shown.is_internal) == (0, "orders", False)
    assert shown.topic_id == (topic.id if version >= 10 else ZERO_UUID)
    assert shown.topic_authorized_operations == (TOPIC_OPERATIONS if version >= 8 else NO_OPERATIONS)
    assert [partition.partition_index for partition in shown.partitions] == [0, 1]
    for partition in shown.partitions:
        assert (partition.error_code, partition.leader_id) == (0, 1)
        assert (partition.replica_nodes, partition.isr_nodes, partition.offline_replicas) == ([1], [1], [])
    # An epoch that is advertised is never -1.
    assert [partition.leader_epoch for partition in shown.partitions] == ([0, 3] if version >= 7 else [-1, -1])


async def test_all_topics_are_null_and_in_v0_an_empty_list(cluster):
    for name in ("a", "b"):
        await create_topic(cluster.topics, name)
    assert len((await cluster.metadata(version=0)).topics) == 2
    for version in range(1, 14):
        assert len((await cluster.metadata(version=version, everything=True)).topics) == 2
        assert (await cluster.metadata(version=version)).topics == []


async def test_a_topic_is_described_once_however_often_it_is_asked_for(cluster):
    topic = await create_topic(cluster.topics, "orders")
    assert len((await cluster.metadata("orders", "orders", topic.id, topic.id)).topics) == 1


async def test_topics_by_id(cluster):
    topic = await create_topic(cluster.topics, "orders")
    for version in (12, 13):
        response = await cluster.metadata(topic.id, version=version)
        assert [(shown.name, shown.topic_id) for shown in response.topics] == [("orders", topic.id)]
    (unknown,) = (await cluster.metadata(UUID(int=77))).topics
    assert (unknown.name, unknown.topic_id) == (None, UUID(int=77))
    assert unknown.error_code == ErrorCode.UNKNOWN_TOPIC_ID
    # The id counts where both are given, as in Kafka.
    (shown,) = (await cluster.metadata(MetadataRequestTopic(name="x", topic_id=topic.id))).topics
    assert shown.name == "orders"


@pytest.mark.parametrize("version", [10, 11])
async def test_ids_before_v12_and_neither_name_nor_id_are_invalid(cluster, version):
    topic = await create_topic(cluster.topics, "orders")
    (shown,) = (await cluster.metadata(topic.id, version=version)).topics
    assert shown.error_code == ErrorCode.INVALID_REQUEST
    (shown,) = (await cluster.metadata(ZERO_UUID)).topics
    assert shown.error_code == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("cluster", [TopicRules(num_partitions=3)], indirect=True)
@pytest.mark.parametrize("version", range(14))
async def test_a_topic_that_is_asked_for_is_created_and_described_at_once(cluster, version):
    (shown,) = (await cluster.metadata("orders", version=version)).topics
    assert (shown.error_code, len(shown.partitions)) == (0, 3)
    assert cluster.topics.get("orders") is not None


@pytest.mark.parametrize("version", range(4, 14))
async def test_a_client_may_forbid_creation_since_v4(cluster, version):
    response = await cluster.metadata("orders", version=version, creating=False)
    assert names_and_codes(response) == [("orders", "UNKNOWN_TOPIC_OR_PARTITION")]
    assert not cluster.topics.all()


@pytest.mark.parametrize("cluster", [TopicRules(auto_create=False)], indirect=True)
async def test_a_broker_may_forbid_creation(cluster):
    for version in (0, 3, 13):
        response = await cluster.metadata("orders", version=version)
        assert names_and_codes(response) == [("orders", "UNKNOWN_TOPIC_OR_PARTITION")]


async def test_many_who_ask_for_one_topic_create_it_once(cluster):
    responses = await asyncio.gather(*(cluster.metadata("orders") for _ in range(20)))
    assert len({response.topics[0].topic_id for response in responses}) == 1


@pytest.mark.parametrize("creating", [True, False])
async def test_names_that_no_topic_can_have(cluster, creating):
    response = await cluster.metadata("a b", "", "x" * 250, creating=creating)
    assert [code for _, code in names_and_codes(response)] == ["INVALID_TOPIC_EXCEPTION"] * 3


async def test_krafts_own_log_is_not_created(cluster):
    response = await cluster.metadata("__cluster_metadata")
    assert names_and_codes(response) == [("__cluster_metadata", "UNKNOWN_TOPIC_OR_PARTITION")]


async def test_a_name_that_collides_is_told_so(cluster):
    await create_topic(cluster.topics, "a.b")
    assert names_and_codes(await cluster.metadata("a_b", "c")) == [("a_b", "INVALID_TOPIC_EXCEPTION"), ("c", "NONE")]


async def test_consumer_offsets_is_internal_there_or_not(cluster):
    (shown,) = (await cluster.metadata("__consumer_offsets", creating=False)).topics
    assert (shown.is_internal, shown.error_code) == (True, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    await cluster.topics.ensure_internal()
    (shown,) = (await cluster.metadata("__consumer_offsets", creating=False)).topics
    assert (shown.is_internal, shown.error_code, len(shown.partitions)) == (True, 0, 50)


async def test_any_replication_factor_is_shown_back_by_naming_existing_brokers(cluster):
    await create_topic(cluster.topics, "orders", 20, replication_factor=3)
    (shown,) = (await cluster.metadata("orders")).topics
    assert {tuple(partition.replica_nodes) for partition in shown.partitions} == {(1, 1, 1)}
    await cluster.join(2, "other")
    (shown,) = (await cluster.metadata("orders")).topics
    for partition in shown.partitions:
        assert partition.replica_nodes == partition.isr_nodes
        assert (partition.replica_nodes[0], len(partition.replica_nodes)) == (partition.leader_id, 3)
        assert set(partition.replica_nodes) == {1, 2}
    assert {partition.leader_id for partition in shown.partitions} == {1, 2}


async def test_brokers_are_named_by_the_address_of_the_clients_listener(cluster):
    await cluster.join(2, "other", rack="b", listeners=("PLAINTEXT", "OUTSIDE"))
    response = await cluster.metadata(listener="OUTSIDE", advertised=("outside.example", 29092))
    assert [(broker.node_id, broker.host, broker.port, broker.rack) for broker in response.brokers] == [
        (1, "outside.example", 29092, "a"),
        (2, "other", 9092, "b"),
    ]
    # A broker that has no such listener cannot be reached by this client.
    response = await cluster.metadata(listener="INSIDE", advertised=("inside.example", 1))
    assert [broker.host for broker in response.brokers] == ["inside.example"]


async def test_names_beside_ids_are_not_looked_at(cluster):
    topic = await create_topic(cluster.topics, "a")
    await create_topic(cluster.topics, "b")
    assert names_and_codes(await cluster.metadata("b", topic.id)) == [("a", "NONE")]


async def test_what_may_not_be_described_is_not_shown(cluster):
    topic = await create_topic(cluster.topics, "secret")
    await create_topic(cluster.topics, "open")
    reader = Only((Operation.DESCRIBE, TOPIC, "open"))
    assert names_and_codes(await cluster.metadata(everything=True, authorizer=reader)) == [("open", "NONE")]
    response = await cluster.metadata("secret", "nope", "open", authorizer=reader)
    assert names_and_codes(response) == [
        ("secret", "TOPIC_AUTHORIZATION_FAILED"),
        ("nope", "TOPIC_AUTHORIZATION_FAILED"),
        ("open", "NONE"),
    ]
    assert names_and_codes(await cluster.metadata(topic.id, authorizer=reader)) == [(None, "UNKNOWN_TOPIC_ID")]
    assert response.topics[2].topic_authorized_operations == 1 << Operation.DESCRIBE


async def test_creation_by_metadata_needs_the_right_to_create(cluster):
    reader = Only((Operation.DESCRIBE, TOPIC, "orders"))
    response = await cluster.metadata("orders", authorizer=reader)
    assert names_and_codes(response) == [("orders", "TOPIC_AUTHORIZATION_FAILED")]
    for operation in ((Operation.CREATE, TOPIC, "orders"), (Operation.CREATE, ResourceType.CLUSTER, CLUSTER_NAME)):
        creator = Only(*reader.allowed, operation)
        assert names_and_codes(await cluster.metadata("orders", authorizer=creator)) == [("orders", "NONE")]


# ---------------------------------------------------------------- DescribeCluster


@pytest.mark.parametrize("version", range(3))
async def test_every_version_describes_the_cluster(cluster, version):
    await cluster.join(2, "other", rack="b")
    response = await cluster.describe(version, include_cluster_authorized_operations=True)
    assert (response.error_code, response.error_message, response.endpoint_type) == (0, None, 1)
    assert (response.cluster_id, response.controller_id) == (cluster.brokers.cluster_id, 1)
    assert [(broker.broker_id, broker.host, broker.rack) for broker in response.brokers] == [
        (1, "localhost", "a"),
        (2, "other", "b"),
    ]
    assert response.cluster_authorized_operations == CLUSTER_OPERATIONS
    assert (await cluster.describe(version)).cluster_authorized_operations == NO_OPERATIONS


@pytest.mark.parametrize(
    ("endpoint_type", "code", "message"),
    [
        (
            2,
            "MISMATCHED_ENDPOINT_TYPE",
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER",
        ),
        (7, "UNSUPPORTED_ENDPOINT_TYPE", "Unsupported endpoint type 7"),
    ],
)
async def test_a_broker_is_no_controller(cluster, endpoint_type, code, message):
    response = await cluster.describe(endpoint_type=endpoint_type)
    assert (ErrorCode(response.error_code).name, response.error_message, response.brokers) == (code, message, [])


async def test_the_clusters_operations_are_told_to_who_may_describe_it(cluster):
    response = await cluster.describe(include_cluster_authorized_operations=True, context={"authorizer": Only()})
    assert (response.error_code, len(response.brokers), response.cluster_authorized_operations) == (0, 1, 0)


# ---------------------------------------------------------------- DescribeTopicPartitions


def pages(response):
    cursor = response.next_cursor
    return (
        [(topic.name, [partition.partition_index for partition in topic.partitions]) for topic in response.topics],
        None if cursor is None else (cursor.topic_name, cursor.partition_index),
    )


@pytest.fixture
async def abc(cluster):
    for name, count in (("c", 2), ("a", 3), ("b", 3)):
        await create_topic(cluster.topics, name, count, replication_factor=2)
    return cluster


async def test_partitions_are_described(abc):
    (topic,) = (await abc.partitions("c")).topics
    assert (topic.error_code, topic.name, topic.topic_id) == (0, "c", abc.topics.get("c").id)
    assert (topic.is_internal, topic.topic_authorized_operations) == (False, TOPIC_OPERATIONS)
    partition = topic.partitions[1]
    assert (partition.error_code, partition.partition_index, partition.leader_id, partition.leader_epoch) == (
        0,
        1,
        1,
        0,
    )
    assert (partition.replica_nodes, partition.isr_nodes, partition.offline_replicas) == ([1, 1], [1, 1], [])
    assert (partition.eligible_leader_replicas, partition.last_known_elr) == ([], [])


@pytest.mark.parametrize(
    ("names", "limit", "cursor", "page"),
    [
        (["a"], 2_000, None, ([("a", [0, 1, 2])], None)),
        (["b", "a"], 4, None, ([("a", [0, 1, 2]), ("b", [0])], ("b", 1))),
        (["a", "b"], 3, None, ([("a", [0, 1, 2])], ("b", 0))),
        (["a", "b"], 1, ("a", 2), ([("a", [2])], ("b", 0))),
        (["a", "b"], 2, ("b", 0), ([("b", [0, 1])], ("b", 2))),
        (["a", "b"], 2, ("b", 2), ([("b", [2])], None)),
        (["a"], 0, None, ([("a", [0])], ("a", 1))),
        (["a"], -5, None, ([("a", [0])], ("a", 1))),
        (["a"], 2, ("a", 9), ([("a", [])], None)),
        # The broker's limit (5 here) is above the client's.
        (["a", "b"], 2_000, None, ([("a", [0, 1, 2]), ("b", [0, 1])], ("b", 2))),
        (["a", "zz"], 3, None, ([("a", [0, 1, 2])], ("zz", 0))),
        ([], 5, None, ([("a", [0, 1, 2]), ("b", [0, 1])], ("b", 2))),
        ([], 5, ("b", 2), ([("b", [2]), ("c", [0, 1])], None)),
        # A topic that went while a client was paging.
        ([], 5, ("aa", 7), ([("b", [0, 1, 2]), ("c", [0, 1])], None)),
        ([], 5, ("zzz", 0), ([], None)),
    ],
)
async def test_pages_are_kafkas(abc, names, limit, cursor, page):
    assert pages(await abc.partitions(*names, limit=limit, cursor=cursor)) == page


async def test_following_the_cursor_shows_every_partition_once(abc):
    seen, cursor = [], None
    while True:
        response = await abc.partitions(limit=2, cursor=cursor)
        page, cursor = pages(response)
        seen += [(name, index) for name, indexes in page for index in indexes]
        if cursor is None:
            break
    assert seen == [(name, index) for name, count in (("a", 3), ("b", 3), ("c", 2)) for index in range(count)]


@pytest.mark.parametrize("cursor", [("a", -1), ("a", -2), ("x", 0), ("", 0)])
async def test_cursors_that_make_no_sense(abc, cursor):
    response = await abc.partitions("a", "b", cursor=cursor)
    assert names_and_codes(response) == [("a", "INVALID_REQUEST"), ("b", "INVALID_REQUEST")]


async def test_topics_that_are_not_there_are_told_as_kafka_does(abc):
    response = await abc.partitions("nope", "a b", "c", "c")
    assert names_and_codes(response) == [
        ("a b", "INVALID_TOPIC_EXCEPTION"),
        ("c", "NONE"),
        ("nope", "UNKNOWN_TOPIC_OR_PARTITION"),
    ]
    assert len(abc.topics.all()) == 3


async def test_partitions_that_may_not_be_described(abc):
    reader = Only((Operation.DESCRIBE, TOPIC, "b"))
    assert names_and_codes(await abc.partitions("a", "b", authorizer=reader)) == [
        ("a", "TOPIC_AUTHORIZATION_FAILED"),
        ("b", "NONE"),
    ]
    assert names_and_codes(await abc.partitions(authorizer=reader)) == [("b", "NONE")]
