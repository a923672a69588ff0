"""CreateTopics, DeleteTopics and CreatePartitions. Codes and messages are those of a running Apache Kafka 4.3."""

from __future__ import annotations

from random import Random
from uuid import UUID

import pytest

from fleuve.adapters.memory.configs import MemoryConfigStore
from fleuve.adapters.memory.topics import MemoryTopicStore
from fleuve.app.registry import registry
from fleuve.base.clock import ManualClock
from fleuve.base.ids import NodeId
from fleuve.engine.access.service import CLUSTER_NAME, Operation, ResourceType
from fleuve.engine.topics.config_service import ConfigService
from fleuve.engine.topics.requests import TopicRules
from fleuve.engine.topics.service import TopicService
from fleuve.kafka.handlers import create_partitions, create_topics, delete_topics
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from fleuve.wire.generated.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from fleuve.wire.generated.delete_topics import DeleteTopicsRequest, DeleteTopicState
from fleuve.wire.message import ZERO_UUID
from support.calls import Only, call
from support.topics import create_topic, running

TOPIC = ResourceType.TOPIC


class Room:
    """The three handlers over one topics room in memory."""

    def __init__(self, rules: TopicRules) -> None:
        configs = MemoryConfigStore()
        self.configs = ConfigService(configs, registry(), {}, node_id=NodeId(1))
        self.topics = TopicService(
            MemoryTopicStore(configs),
            configs=self.configs,
            rules=rules,
            clock=ManualClock(),
            random=Random(0),
            nodes=lambda: (1,),
        )

    async def create(self, *topics, version=7, validate_only=False, **context):
        handler = create_topics.Handler(self.topics, self.configs)
        request = CreateTopicsRequest(topics=list(topics), validate_only=validate_only)
        return (await call(create_topics.API, handler, request, version, **context)).topics

    async def delete(self, *names, ids=(), version=6, states=(), **context):
        request = DeleteTopicsRequest(
            topic_names=list(names),
            topics=[
                *(DeleteTopicState(name=name) for name in names),
                *(DeleteTopicState(topic_id=topic_id) for topic_id in ids),
                *states,
            ],
        )
        handler = delete_topics.Handler(self.topics)
        return (await call(delete_topics.API, handler, request, version, **context)).responses

    async def grow(self, *topics, version=3, validate_only=False, **context):
        handler = create_partitions.Handler(self.topics)
        request = CreatePartitionsRequest(topics=list(topics), validate_only=validate_only)
        return (await call(create_partitions.API, handler, request, version, **context)).results


@pytest.fixture
async def room(request):
    made = Room(getattr(request, "param", TopicRules(num_partitions=4)))
    async with running(made.topics):
        yield made


def topic(name="orders", num_partitions=-1, replication_factor=-1, assignments=(), **configs):
    return CreatableTopic(
        name=name,
        num_partitions=num_partitions,
        replication_factor=replication_factor,
        assignments=[CreatableReplicaAssignment(partition_index=index, broker_ids=ids) for index, ids in assignments],
        configs=[CreatableTopicConfig(name=key.replace("_", "."), value=value) for key, value in configs.items()],
    )


def more(name="orders", count=3, assignments=None):
    return CreatePartitionsTopic(
        name=name,
        count=count,
        assignments=None
        if assignments is None
        else [CreatePartitionsAssignment(broker_ids=broker_ids) for broker_ids in assignments],
    )


def said(results):
    """Return (code, message) of the only result."""
    (result,) = results
    return ErrorCode(result.error_code).name, result.error_message


# ---------------------------------------------------------------- CreateTopics


async def test_a_created_topic_is_described(room):
    (result,) = await room.create(topic(retention_ms="86400000"))
    assert (result.error_code, result.error_message) == (0, None)
    assert (result.num_partitions, result.replication_factor) == (4, 1)
    assert result.topic_id == room.topics.get("orders").id
    shown = {config.name: config for config in result.configs}
    assert len(shown) == 33
    assert (shown["retention.ms"].value, shown["retention.ms"].config_source) == ("86400000", 1)
    assert (shown["max.message.bytes"].value, shown["max.message.bytes"].config_source) == ("1048588", 5)
    assert room.topics.get("orders").configs.retention_ms == 86_400_000


@pytest.mark.parametrize("version", range(2, 8))
async def test_every_version_creates(room, version):
    (result,) = await room.create(topic(num_partitions=2, replication_factor=3), version=version)
    assert (result.error_code, result.name) == (0, "orders")
    assert len(room.topics.get("orders").partition_ids) == 2
    if version >= 5:
        assert (result.num_partitions, result.replication_factor, len(result.configs)) == (2, 3, 33)
    assert (result.topic_id != ZERO_UUID) == (version >= 7)
    assert said(await room.create(topic(), version=version)) == (
        "TOPIC_ALREADY_EXISTS",
        "Topic 'orders' already exists.",
    )


@pytest.mark.parametrize(
    ("wanted", "code", "message"),
    [
        (topic(""), "INVALID_TOPIC_EXCEPTION", "Topic name is invalid: the empty string is not allowed"),
        (
            topic("a b"),
            "INVALID_TOPIC_EXCEPTION",
            (
                "Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', "
                "'_' and '-'"
            ),
        ),
        (
            topic(num_partitions=0),
            "INVALID_PARTITIONS",
            "Number of partitions was set to an invalid non-positive value.",
        ),
        (
            topic(replication_factor=0, num_partitions=1),
            "INVALID_REPLICATION_FACTOR",
            "Replication factor must be larger than 0, or -1 to use the default value.",
        ),
        (topic(num_partitions=10_001), "POLICY_VIOLATION", "Excessively large number of partitions per request."),
        (
            topic(num_partitions=1, assignments=[(0, [1])]),
            "INVALID_REQUEST",
            "A manual partition assignment was specified, but numPartitions was not set to -1.",
        ),
        (
            topic(assignments=[(0, [99])]),
            "INVALID_REPLICA_ASSIGNMENT",
            "The manual partition assignment includes broker 99, but no such broker is registered.",
        ),
        (topic(foo="bar"), "INVALID_CONFIG", "Unknown topic config name: foo"),
        (
            topic(retention_ms="bar"),
            "INVALID_CONFIG",
            "Invalid value bar for configuration retention.ms: Not a number of type LONG",
        ),
        (topic(retention_ms=None), "INVALID_CONFIG", "Null value not supported for topic configs: retention.ms"),
        (
            topic("__cluster_metadata"),
            "INVALID_REQUEST",
            "Creation of internal topic __cluster_metadata is prohibited.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else "",
)
async def test_what_kafka_refuses_is_refused_in_its_words(room, wanted, code, message):
    for validate_only in (True, False):
        (result,) = await room.create(wanted, validate_only=validate_only)
        assert said([result]) == (code, message)
        assert (result.num_partitions, result.replication_factor, result.configs) == (-1, -1, [])
    assert not room.topics.all()


async def test_a_topic_given_twice_is_refused_once_and_the_others_are_created(room):
    results = await room.create(topic("a"), topic("b", 1), topic("b", 2))
    assert [(result.name, result.error_code) for result in results] == [("a", 0), ("b", ErrorCode.INVALID_REQUEST)]
    assert results[1].error_message == "Duplicate topic name."
    assert room.topics.get("b") is None


async def test_validate_only_answers_and_creates_nothing(room):
    (result,) = await room.create(topic(num_partitions=3), validate_only=True)
    assert (result.error_code, result.num_partitions, len(result.configs)) == (0, 3, 33)
    assert not room.topics.all()


async def test_manual_assignments_give_the_numbers(room):
    (result,) = await room.create(topic(assignments=[(1, [1]), (0, [1])]))
    assert (result.num_partitions, result.replication_factor) == (2, 1)


@pytest.mark.parametrize("room", [TopicRules(strict_replication=True)], indirect=True)
async def test_a_strict_broker_refuses_more_replicas_than_brokers(room):
    code, message = said(await room.create(topic(num_partitions=1, replication_factor=3)))
    assert code == "INVALID_REPLICATION_FACTOR"
    assert message.startswith("Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot")


async def test_an_internal_name_makes_an_internal_topic(room):
    await room.create(topic("__consumer_offsets"))
    assert room.topics.get("__consumer_offsets").internal


async def test_creating_needs_the_right_to_create(room):
    refused = await room.create(topic(), authorizer=Only())
    assert said(refused) == (
        "TOPIC_AUTHORIZATION_FAILED",
        "Authorization failed.",
    )
    creator = Only((Operation.CREATE, TOPIC, "orders"))
    (result,) = await room.create(topic(), authorizer=creator)
    assert result.error_code == 0
    # Creating is not describing.
    assert result.topic_config_error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
    assert (result.num_partitions, result.configs) == (-1, None)
    anywhere = Only((Operation.CREATE, ResourceType.CLUSTER, CLUSTER_NAME))
    (result,) = await room.create(topic("b"), authorizer=anywhere)
    assert result.error_code == 0


# ---------------------------------------------------------------- DeleteTopics


@pytest.mark.parametrize("version", range(1, 7))
async def test_every_version_deletes_by_name(room, version):
    made = await create_topic(room.topics, "orders")
    await create_topic(room.topics, "kept")
    results = await room.delete("orders", "nope", version=version)
    assert {result.name: ErrorCode(result.error_code).name for result in results} == {
        "orders": "NONE",
        "nope": "UNKNOWN_TOPIC_OR_PARTITION",
    }
    assert [each.name for each in room.topics.all()] == ["kept"]
    by_name = {result.name: result for result in results}
    if version >= 5:
        assert by_name["nope"].error_message == "This server does not host this topic-partition."
    assert by_name["orders"].topic_id == (made.id if version >= 6 else ZERO_UUID)


async def test_topics_are_deleted_by_id(room):
    made = await create_topic(room.topics, "orders")
    (result,) = await room.delete(ids=[made.id])
    assert (result.name, result.topic_id, result.error_code, result.error_message) == ("orders", made.id, 0, None)
    (result,) = await room.delete(ids=[made.id])
    assert (result.name, result.topic_id) == (None, made.id)
    assert said([result]) == ("UNKNOWN_TOPIC_ID", "This server does not host this topic ID.")


async def test_deletions_that_make_no_sense_are_told_as_kafka_does(room):
    made = await create_topic(room.topics, "orders")
    assert said(await room.delete("orders", "orders")) == ("INVALID_REQUEST", "Duplicate topic name.")
    assert said(await room.delete(ids=[made.id, made.id])) == ("INVALID_REQUEST", "Duplicate topic id.")
    both = [DeleteTopicState(name="orders", topic_id=made.id)]
    assert said(await room.delete(states=both)) == (
        "INVALID_REQUEST",
        "You may not specify both topic name and topic id.",
    )
    neither = await room.delete(ids=[ZERO_UUID, ZERO_UUID])
    assert [said([result]) for result in neither] == [
        ("INVALID_REQUEST", "Neither topic name nor id were specified.")
    ] * 2
    assert room.topics.get("orders") is not None


async def test_a_topic_named_by_its_name_and_its_id_is_refused(room):
    made = await create_topic(room.topics, "orders")
    (result,) = await room.delete("orders", ids=[made.id])
    assert (result.name, result.topic_id) == ("orders", made.id)
    assert said([result]) == (
        "INVALID_REQUEST",
        "The provided topic name maps to an ID that was already supplied.",
    )
    assert room.topics.get("orders") is not None


@pytest.mark.parametrize("room", [TopicRules(delete_enabled=False)], indirect=True)
async def test_deletion_can_be_disabled(room):
    await create_topic(room.topics, "orders")
    assert said(await room.delete("orders")) == ("TOPIC_DELETION_DISABLED", "Topic deletion is disabled.")
    assert said(await room.delete("orders", version=2))[0] == "INVALID_REQUEST"
    assert room.topics.get("orders") is not None


async def test_deleting_needs_the_right_to_delete(room):
    made = await create_topic(room.topics, "orders")
    nobody = Only()
    assert said(await room.delete("orders", authorizer=nobody))[0] == "TOPIC_AUTHORIZATION_FAILED"
    # An id that may not be described is as good as unknown.
    (result,) = await room.delete(ids=[made.id], authorizer=nobody)
    assert (result.name, result.error_code) == (None, ErrorCode.UNKNOWN_TOPIC_ID)
    reader = Only((Operation.DESCRIBE, TOPIC, "orders"))
    assert said(await room.delete(ids=[made.id], authorizer=reader))[0] == "TOPIC_AUTHORIZATION_FAILED"
    assert room.topics.get("orders") is not None


async def test_an_id_that_nobody_gave_is_unknown(room):
    assert said(await room.delete(ids=[UUID(int=5)]))[0] == "UNKNOWN_TOPIC_ID"


# ---------------------------------------------------------------- CreatePartitions


@pytest.mark.parametrize("version", range(4))
async def test_every_version_lets_a_topic_grow_and_answers_for_each(room, version):
    await create_topic(room.topics, "orders", 2)
    results = await room.grow(more(count=5), more("nope"), version=version)
    assert [(result.name, ErrorCode(result.error_code).name) for result in results] == [
        ("orders", "NONE"),
        ("nope", "UNKNOWN_TOPIC_OR_PARTITION"),
    ]
    assert len(room.topics.get("orders").partition_ids) == 5


@pytest.mark.parametrize(
    ("wanted", "code", "message"),
    [
        (more(count=2), "INVALID_PARTITIONS", "Topic already has 2 partition(s)."),
        (
            more(count=0),
            "INVALID_PARTITIONS",
            "The topic orders currently has 2 partition(s); 0 would not be an increase.",
        ),
        (more("nope"), "UNKNOWN_TOPIC_OR_PARTITION", None),
        (
            more(assignments=[[1], [1]]),
            "INVALID_REPLICA_ASSIGNMENT",
            "Attempted to add 1 additional partition(s), but only 2 assignment(s) were specified.",
        ),
        (
            more(assignments=[[1, 1]]),
            "INVALID_REPLICA_ASSIGNMENT",
            "The manual partition assignment includes the broker 1 more than once.",
        ),
        (more(count=20_000), "POLICY_VIOLATION", "Excessively large number of partitions per request."),
    ],
)
async def test_growth_that_kafka_refuses_is_refused_in_its_words(room, wanted, code, message):
    await create_topic(room.topics, "orders", 2)
    for validate_only in (True, False):
        assert said(await room.grow(wanted, validate_only=validate_only)) == (code, message)
    assert len(room.topics.get("orders").partition_ids) == 2


async def test_a_topic_that_shall_grow_twice_is_refused_once(room):
    await create_topic(room.topics, "orders", 2)
    assert said(await room.grow(more(count=3), more(count=4))) == ("INVALID_REQUEST", "Duplicate topic name.")


async def test_validating_growth_changes_nothing(room):
    await create_topic(room.topics, "orders", 2)
    assert said(await room.grow(more(), validate_only=True)) == ("NONE", None)
    assert len(room.topics.get("orders").partition_ids) == 2


async def test_growing_needs_the_right_to_alter(room):
    await create_topic(room.topics, "orders", 2)
    assert said(await room.grow(more(), authorizer=Only()))[0] == "TOPIC_AUTHORIZATION_FAILED"
    assert said(await room.grow(more(), authorizer=Only((Operation.ALTER, TOPIC, "orders"))))[0] == "NONE"
