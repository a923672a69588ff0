"""DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.

Codes and messages are those of a running Apache Kafka 4.3, but for the differences that the handlers document.
"""

from __future__ import annotations

from random import Random

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
from fleuve.kafka.api import RequestContext
from fleuve.kafka.config_resources import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC, ConfigChanger, number
from fleuve.kafka.handlers import alter_configs, describe_configs, incremental_alter_configs, list_config_resources
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import alter_configs as replace_wire
from fleuve.wire.generated import incremental_alter_configs as change_wire
from fleuve.wire.generated.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from fleuve.wire.generated.list_config_resources import ListConfigResourcesRequest
from support.calls import Only, call
from support.topics import create_topic, running

NODE = NodeId(1)
SET, DELETE, APPEND, SUBTRACT = range(4)
OK = (ErrorCode.NONE, None)


class Room:
    """The four handlers over configs and topics in memory, with a topic `t`."""

    def __init__(self) -> None:
        store = MemoryConfigStore()
        static = {"num.partitions": "4", "node.id": "1"}
        self.configs = ConfigService(store, registry(), static, node_id=NODE)
        self.topics = TopicService(
            MemoryTopicStore(store),
            configs=self.configs,
            rules=TopicRules(),
            clock=ManualClock(),
            random=Random(0),
            nodes=lambda: (1,),
        )
        self.configs.subscribe(self.topics.configs_changed)
        self.changer = ConfigChanger(self.configs, self.topics, node_id=NODE)

    async def describe(self, kind, name, *, keys=None, synonyms=True, docs=False, version=4, **context):
        handler = describe_configs.Handler(self.configs, self.topics, node_id=NODE)
        resource = DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=keys)
        request = DescribeConfigsRequest(
            resources=[resource], include_synonyms=synonyms, include_documentation=docs and version >= 3
        )
        (result,) = (await call(describe_configs.API, handler, request, version, **context)).results
        assert (result.resource_type, result.resource_name) == (kind, name)
        return result

    async def one(self, kind, name, key):
        (entry,) = (await self.describe(kind, name, keys=[key])).configs
        return entry.value, entry.config_source, [(link.name, link.value, link.source) for link in entry.synonyms]

    async def change(self, kind, name, *changes, times=1, version=1, validate_only=False, **context):
        handler = incremental_alter_configs.Handler(self.changer, node_id=NODE)
        resource = change_wire.AlterConfigsResource(
            resource_type=kind,
            resource_name=name,
            configs=[
                change_wire.AlterableConfig(name=key, config_operation=operation, value=value)
                for key, operation, value in changes
            ],
        )
        request = change_wire.IncrementalAlterConfigsRequest(resources=[resource] * times, validate_only=validate_only)
        responses = (await call(incremental_alter_configs.API, handler, request, version, **context)).responses
        assert len(responses) == times
        assert (responses[0].resource_type, responses[0].resource_name) == (kind, name)
        return responses[0].error_code, responses[0].error_message

    async def replace(self, kind, name, *values, version=2, validate_only=False, **context):
        resource = replace_wire.AlterConfigsResource(
            resource_type=kind,
            resource_name=name,
            configs=[replace_wire.AlterableConfig(name=key, value=value) for key, value in values],
        )
        request = replace_wire.AlterConfigsRequest(resources=[resource], validate_only=validate_only)
        handler = alter_configs.Handler(self.changer)
        (response,) = (await call(alter_configs.API, handler, request, version, **context)).responses
        return response.error_code, response.error_message

    async def listed(self, *kinds, version=1, **context):
        handler = list_config_resources.Handler(self.configs, self.topics, nodes=lambda: (1,))
        request = ListConfigResourcesRequest(resource_types=list(kinds) if version else [])
        response = await call(list_config_resources.API, handler, request, version, **context)
        return response.error_code, [(one.resource_type, one.resource_name) for one in response.config_resources]


@pytest.fixture
async def room():
    made = Room()
    async with running(made.topics):
        await create_topic(made.topics, "t")
        yield made


# ---------------------------------------------------------------- changing


@pytest.mark.parametrize(
    ("resource", "changes", "code", "message"),
    [
        ((TOPIC, "t"), [("retention.ms", SET, "1000")], "NONE", None),
        ((TOPIC, "t"), [("retention.ms", SET, " 5000 ")], "NONE", None),
        ((TOPIC, "t"), [], "NONE", None),
        ((TOPIC, "t"), [("nope", DELETE, None)], "NONE", None),
        ((TOPIC, "t"), [("cleanup.policy", SET, "")], "NONE", None),
        ((TOPIC, "t"), [("cleanup.policy", SET, "delete,delete")], "NONE", None),
        ((TOPIC, "t"), [("leader.replication.throttled.replicas", SET, "0:1,1:2")], "NONE", None),
        ((TOPIC, "t"), [("leader.replication.throttled.replicas", SET, "*")], "NONE", None),
        ((TOPIC, "t"), [("leader.replication.throttled.replicas", SET, "0:1,")], "NONE", None),
        (
            (TOPIC, "t"),
            [("leader.replication.throttled.replicas", SET, "none")],
            "INVALID_CONFIG",
            (
                "Invalid value none for configuration leader.replication.throttled.replicas: Value must be the "
                "literal '*' or a list of replicas in the following format: "
                "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
            ),
        ),
        ((TOPIC, "t"), [("local.retention.ms", SET, "999999999999")], "NONE", None),
        (
            (TOPIC, "t"),
            [("retention.ms", SET, "abc")],
            "INVALID_CONFIG",
            "Invalid value abc for configuration retention.ms: Not a number of type LONG",
        ),
        (
            (TOPIC, "t"),
            [("retention.ms", SET, "-2")],
            "INVALID_CONFIG",
            "Invalid value -2 for configuration retention.ms: Value must be at least -1",
        ),
        (
            (TOPIC, "t"),
            [("retention.ms", SET, None)],
            "INVALID_REQUEST",
            "Null value not supported for : retention.ms",
        ),
        ((TOPIC, "t"), [("nope", SET, "1")], "INVALID_CONFIG", "Unknown topic config name: nope"),
        (
            (TOPIC, "t"),
            [("retention.ms", APPEND, "1")],
            "INVALID_CONFIG",
            "Can't APPEND to key retention.ms because its type is not LIST.",
        ),
        (
            (TOPIC, "t"),
            [("nope", SUBTRACT, "1")],
            "INVALID_CONFIG",
            "Can't SUBTRACT to key nope because its type is not LIST.",
        ),
        (
            (TOPIC, "t"),
            [("cleanup.policy", APPEND, "foo")],
            "INVALID_CONFIG",
            "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
        ),
        (
            (TOPIC, "t"),
            [("retention.ms", SET, "1"), ("retention.ms", DELETE, None)],
            "INVALID_REQUEST",
            "Error due to duplicate config keys",
        ),
        (
            (TOPIC, "t"),
            [("compression.gzip.level", SET, "0")],
            "INVALID_CONFIG",
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
        ),
        (
            (TOPIC, "t"),
            [("remote.storage.enable", SET, "true")],
            "INVALID_CONFIG",
            (
                "Tiered Storage functionality is disabled in the broker. "
                "Topic cannot be configured with remote log storage."
            ),
        ),
        (
            (TOPIC, "t"),
            [("max.compaction.lag.ms", SET, "5"), ("min.compaction.lag.ms", SET, "6")],
            "INVALID_CONFIG",
            "conflict topic config setting min.compaction.lag.ms (6) > max.compaction.lag.ms (5)",
        ),
        (
            (TOPIC, "nope"),
            [("retention.ms", SET, "1")],
            "UNKNOWN_TOPIC_OR_PARTITION",
            "The topic 'nope' does not exist.",
        ),
        ((TOPIC, "nope"), [("nope", SET, "1")], "INVALID_CONFIG", "Unknown topic config name: nope"),
        ((TOPIC, ""), [], "INVALID_REQUEST", "Default topic resources are not allowed."),
        (
            (TOPIC, "bad name"),
            [],
            "INVALID_TOPIC_EXCEPTION",
            (
                "Topic name is invalid: 'bad name' contains one or more characters other than ASCII alphanumerics, "
                "'.', '_' and '-'"
            ),
        ),
        ((BROKER, "1"), [("log.retention.ms", SET, "7000")], "NONE", None),
        ((BROKER, "01"), [("log.retention.ms", SET, "7000")], "NONE", None),
        ((BROKER, ""), [("log.retention.ms", SET, "-2")], "NONE", None),
        ((BROKER, "1"), [("num.partitions", DELETE, None)], "NONE", None),
        (
            (BROKER, "1"),
            [("num.partitions", SET, "7")],
            "INVALID_REQUEST",
            "Cannot update these configs dynamically: [num.partitions]",
        ),
        (
            (BROKER, ""),
            [("cordoned.log.dirs", SET, "a")],
            "INVALID_REQUEST",
            "Cannot update these configs at default cluster level, broker id must be specified: [cordoned.log.dirs]",
        ),
        (
            (BROKER, "1"),
            [("listeners", SET, "PLAINTEXT://:1")],
            "INVALID_REQUEST",
            "Cannot update these configs dynamically: [listeners]",
        ),
        (
            (BROKER, "1"),
            [("log.retention.ms", SET, "x")],
            "INVALID_REQUEST",
            "Invalid value x for configuration log.retention.ms: Not a number of type LONG",
        ),
        (
            (BROKER, ""),
            [("background.threads", SET, "0")],
            "INVALID_REQUEST",
            "Invalid value 0 for configuration background.threads: Value must be at least 1",
        ),
        (
            (BROKER, ""),
            [("log.retention.ms", SET, "0")],
            "INVALID_REQUEST",
            "log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
        ),
        (
            (BROKER, ""),
            [("log.roll.ms", SET, "0")],
            "INVALID_REQUEST",
            "Invalid value 0 for configuration log.roll.ms: Value must be at least 1",
        ),
        (
            (BROKER, "1"),
            [("log.flush.interval.messages", APPEND, "5")],
            "INVALID_CONFIG",
            "Config value append is not allowed for config key: log.flush.interval.messages",
        ),
        ((BROKER, "1"), [("nope", APPEND, "5")], "INVALID_CONFIG", "Unknown config name: nope"),
        ((BROKER, "1"), [("nope", SET, "5")], "INVALID_CONFIG", "Unknown broker config name: nope"),
        (
            (BROKER, "7"),
            [("log.retention.ms", SET, "1")],
            "INVALID_REQUEST",
            "Unexpected broker id, expected 1, but received 7",
        ),
        ((BROKER, "x"), [], "INVALID_REQUEST", "Node id must be an integer, but it is: x"),
        ((GROUP, "g"), [("consumer.session.timeout.ms", SET, "50000")], "NONE", None),
        ((GROUP, "g"), [("share.auto.offset.reset", SET, "by_duration:PT1H")], "NONE", None),
        (
            (GROUP, "g"),
            [("consumer.session.timeout.ms", SET, "5")],
            "INVALID_CONFIG",
            "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms",
        ),
        (
            (GROUP, "g"),
            [("consumer.heartbeat.interval.ms", SET, "50000")],
            "INVALID_CONFIG",
            "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms",
        ),
        (
            (GROUP, "g"),
            [("share.isolation.level", SET, "x")],
            "INVALID_CONFIG",
            (
                "Invalid value x for configuration share.isolation.level: "
                "String must be one of: read_committed, read_uncommitted"
            ),
        ),
        ((GROUP, "g"), [("nope", SET, "x")], "INVALID_CONFIG", "Unknown group config name: nope"),
        ((GROUP, ""), [], "INVALID_REQUEST", "Default group resources are not allowed."),
        (
            (GROUP, "g"),
            [("streams.num.standby.replicas", SET, "3")],
            "INVALID_CONFIG",
            "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas",
        ),
        ((BROKER_LOGGER, "1"), [], "NONE", None),
        ((BROKER_LOGGER, "1"), [("kafka", SET, None)], "INVALID_REQUEST", "Null value not supported for : kafka"),
        ((BROKER_LOGGER, "1"), [("kafka", SET, "DEBUG")], "INVALID_CONFIG", "Logger kafka does not exist!"),
        (
            (BROKER_LOGGER, "1"),
            [("kafka", APPEND, "INFO")],
            "INVALID_REQUEST",
            "APPEND operation is not allowed for the BROKER_LOGGER resource",
        ),
        ((BROKER_LOGGER, "2"), [], "INVALID_REQUEST", "Unexpected node id. Expected 1, but received 2"),
        ((BROKER_LOGGER, ""), [], "INVALID_REQUEST", "Node id must be an integer, but it is: "),
        ((64, "x"), [], "INVALID_REQUEST", "Unknown resource type 64"),
        ((TOPIC, "t"), [("retention.ms", 7, "1")], "INVALID_REQUEST", "Unknown operation type 7"),
        (
            (CLIENT_METRICS, "cm"),
            [],
            "INVALID_REQUEST",
            "Client metrics are not supported by this version of the broker.",
        ),
    ],
)
async def test_a_change_is_answered_as_kafka_answers_it(room, resource, changes, code, message):
    assert await room.change(*resource, *changes) == (ErrorCode[code], message)


@pytest.mark.parametrize("version", [0, 1])
async def test_a_change_is_in_force_when_the_answer_comes(room, version):
    assert await room.change(TOPIC, "t", ("max.message.bytes", SET, "99"), version=version) == OK
    topic = room.topics.get("t")
    assert topic is not None
    assert topic.configs.max_message_bytes == 99


async def test_lists_grow_and_shrink_from_what_is_in_force(room):
    await room.change(TOPIC, "t", ("cleanup.policy", APPEND, "compact,delete"))
    assert (await room.one(TOPIC, "t", "cleanup.policy"))[0] == "delete,compact"
    await room.change(TOPIC, "t", ("cleanup.policy", SUBTRACT, "delete"))
    assert (await room.one(TOPIC, "t", "cleanup.policy"))[0] == "compact"
    await room.change(TOPIC, "t", ("cleanup.policy", SUBTRACT, "compact"))
    assert await room.one(TOPIC, "t", "cleanup.policy") == (
        "",
        1,
        [("cleanup.policy", "", 1), ("log.cleanup.policy", "delete", 5)],
    )


async def test_nothing_cannot_be_appended_to_a_list(room):
    code, _ = await room.change(TOPIC, "t", ("cleanup.policy", APPEND, ""))
    assert code == ErrorCode.INVALID_CONFIG
    assert await room.change(TOPIC, "t", ("cleanup.policy", SUBTRACT, "")) == OK


async def test_a_resource_twice_in_a_request_changes_neither_time(room):
    answer = await room.change(TOPIC, "t", ("retention.ms", SET, "6"), times=2)
    assert answer == (ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")
    assert (await room.one(TOPIC, "t", "retention.ms"))[0] == "604800000"


async def test_a_validated_change_does_not_happen(room):
    assert await room.change(TOPIC, "t", ("retention.ms", SET, "6"), validate_only=True) == OK
    assert await room.replace(TOPIC, "t", ("retention.ms", "6"), validate_only=True) == OK
    assert (await room.one(TOPIC, "t", "retention.ms"))[0] == "604800000"


async def test_a_setting_that_is_refused_at_start_is_refused_here(room):
    code, message = await room.change(BROKER, "1", ("ssl.keystore.location", SET, "/x"))
    assert code == ErrorCode.INVALID_CONFIG
    assert "TLS is not supported" in message


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_a_replacement_forgets_what_it_does_not_name(room, version):
    assert await room.replace(TOPIC, "t", ("retention.ms", "99"), version=version) == OK
    assert await room.replace(TOPIC, "t", ("flush.messages", "5"), version=version) == OK
    assert await room.one(TOPIC, "t", "retention.ms") == ("604800000", 5, [])
    assert (await room.one(TOPIC, "t", "flush.messages"))[:2] == ("5", 1)


@pytest.mark.parametrize(
    ("resource", "values", "code", "message"),
    [
        ((TOPIC, "t"), [], "NONE", None),
        ((BROKER, "1"), [], "NONE", None),
        (
            (TOPIC, "t"),
            [("retention.ms", None)],
            "INVALID_REQUEST",
            "Null value not supported for : retention.ms",
        ),
        (
            (TOPIC, "t"),
            [("retention.ms", "1"), ("retention.ms", "2")],
            "INVALID_REQUEST",
            "Error due to duplicate config keys",
        ),
        ((TOPIC, "t"), [("nope", "1")], "INVALID_CONFIG", "Unknown topic config name: nope"),
        (
            (TOPIC, "nope"),
            [("retention.ms", "1")],
            "UNKNOWN_TOPIC_OR_PARTITION",
            "The topic 'nope' does not exist.",
        ),
        (
            (BROKER, ""),
            [("num.partitions", "2")],
            "INVALID_REQUEST",
            "Cannot update these configs dynamically: [num.partitions]",
        ),
        ((BROKER_LOGGER, "1"), [], "INVALID_REQUEST", "Unknown resource type 8"),
        ((0, "x"), [], "INVALID_REQUEST", "Unknown resource type 0"),
    ],
)
async def test_a_replacement_is_answered_as_kafka_answers_it(room, resource, values, code, message):
    assert await room.replace(*resource, *values) == (ErrorCode[code], message)


# ---------------------------------------------------------------- describing


async def test_a_brokers_change_shows_in_its_topics(room):
    await room.change(BROKER, "1", ("log.retention.ms", SET, "7000"))
    await room.change(BROKER, "", ("log.retention.ms", SET, "8000"))
    links = [("log.retention.ms", "7000", 2), ("log.retention.ms", "8000", 3), ("log.retention.hours", "168", 5)]
    assert await room.one(TOPIC, "t", "retention.ms") == ("7000", 2, links)
    assert await room.one(BROKER, "1", "log.retention.ms") == ("7000", 2, links)
    (entry,) = (await room.describe(BROKER, "")).configs
    assert (entry.name, entry.value, entry.config_source) == ("log.retention.ms", "8000", 3)


async def test_static_values_are_shown_as_static(room):
    assert await room.one(BROKER, "1", "num.partitions") == (
        "4",
        4,
        [("num.partitions", "4", 4), ("num.partitions", "1", 5)],
    )


async def test_every_setting_has_a_type_and_documentation_if_asked(room):
    described = (await room.describe(BROKER, "1", docs=True)).configs
    assert len(described) >= 340
    assert all(1 <= entry.config_type <= 9 and entry.documentation for entry in described)
    assert [entry.name for entry in described] == sorted(entry.name for entry in described)
    assert all(entry.documentation is None for entry in (await room.describe(TOPIC, "t")).configs)


@pytest.mark.parametrize("version", range(1, 5))
async def test_synonyms_are_there_if_asked_for(room, version):
    for synonyms in (True, False):
        result = await room.describe(TOPIC, "t", keys=["max.message.bytes"], synonyms=synonyms, version=version)
        (entry,) = result.configs
        assert [link.name for link in entry.synonyms] == (["message.max.bytes"] if synonyms else [])


async def test_keys_choose_and_unknown_ones_are_left_out(room):
    chosen = (await room.describe(TOPIC, "t", keys=["retention.ms", "nope", "cleanup.policy"])).configs
    assert [entry.name for entry in chosen] == ["cleanup.policy", "retention.ms"]
    everything = (await room.describe(TOPIC, "t", keys=None)).configs
    assert len(everything) == len((await room.describe(TOPIC, "t", keys=[])).configs) == 33


@pytest.mark.parametrize(
    ("resource", "code", "message"),
    [
        ((TOPIC, "nope"), "UNKNOWN_TOPIC_OR_PARTITION", ""),
        ((TOPIC, ""), "INVALID_TOPIC_EXCEPTION", "Topic name is invalid: the empty string is not allowed"),
        ((BROKER, "x"), "INVALID_REQUEST", "Broker id must be an integer, but it is: x"),
        (
            (BROKER, "7"),
            "INVALID_REQUEST",
            "Unexpected broker id, expected 1 or empty string, but received 7",
        ),
        ((GROUP, ""), "INVALID_REQUEST", "Group name must not be empty"),
        ((BROKER_LOGGER, "1"), "NONE", ""),
        ((BROKER_LOGGER, ""), "INVALID_REQUEST", "Broker id must not be empty"),
        ((BROKER_LOGGER, "7"), "INVALID_REQUEST", "Unexpected broker id, expected 1 but received 7"),
        ((CLIENT_METRICS, "cm"), "INVALID_REQUEST", "Client metrics are not supported by this version of the broker."),
        ((64, "x"), "INVALID_REQUEST", "Unknown resource type 64"),
    ],
)
async def test_what_cannot_be_described_is_said_as_kafka_says_it(room, resource, code, message):
    result = await room.describe(*resource)
    assert (result.error_code, result.error_message, result.configs) == (ErrorCode[code], message, [])


async def test_groups_are_described_whether_they_exist_or_not(room):
    assert len((await room.describe(GROUP, "anything")).configs) == 17


# ---------------------------------------------------------------- listing


async def test_what_has_configs_is_listed_by_type(room):
    await room.change(GROUP, "g", ("consumer.session.timeout.ms", SET, "50000"))
    everything = [(GROUP, "g"), (BROKER_LOGGER, "1"), (BROKER, "1"), (TOPIC, "t")]
    assert await room.listed() == (0, everything)
    for one in everything:
        assert await room.listed(one[0]) == (0, [one])
    assert await room.listed(CLIENT_METRICS) == (0, [])
    assert await room.listed(version=0) == (0, [])


async def test_an_unknown_type_cannot_be_listed(room):
    assert await room.listed(99) == (ErrorCode.UNSUPPORTED_VERSION, [])


# ---------------------------------------------------------------- permissions


async def test_without_permission_nothing_is_shown_or_changed(room):
    nobody = {"authorizer": Only()}
    for kind, name, code in (
        (TOPIC, "t", ErrorCode.TOPIC_AUTHORIZATION_FAILED),
        (GROUP, "g", ErrorCode.GROUP_AUTHORIZATION_FAILED),
        (BROKER, "1", ErrorCode.CLUSTER_AUTHORIZATION_FAILED),
        (BROKER_LOGGER, "1", ErrorCode.CLUSTER_AUTHORIZATION_FAILED),
    ):
        assert (await room.describe(kind, name, **nobody)).error_code == code
        assert (await room.change(kind, name, **nobody))[0] == code
        assert (await room.replace(kind, name, **nobody))[0] == code
    assert (await room.listed(**nobody))[0] == ErrorCode.CLUSTER_AUTHORIZATION_FAILED


async def test_permissions_are_asked_by_resource(room):
    for operation, ask in ((Operation.DESCRIBE_CONFIGS, room.describe), (Operation.ALTER_CONFIGS, room.change)):
        topic = {"authorizer": Only((operation, ResourceType.TOPIC, "t"))}
        cluster = {"authorizer": Only((operation, ResourceType.CLUSTER, CLUSTER_NAME))}
        for (kind, name), allowed in (((TOPIC, "t"), topic), ((BROKER, "1"), cluster)):
            answer = await ask(kind, name, **allowed)
            assert (answer[0] if isinstance(answer, tuple) else answer.error_code) == 0


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("-1", -1), ("+3", 3), ("01", 1), ("", None), (" 1", None), ("٣", None), ("x", None)]
)
def test_node_ids_are_read_as_java_reads_them(text, value):
    assert number(text) == value


async def test_a_resource_that_is_asked_for_again_and_again_costs_memory_once(room):
    handler = describe_configs.Handler(room.configs, room.topics, node_id=NODE)
    resource = DescribeConfigsResource(resource_type=2, resource_name="t", configuration_keys=None)
    response = await handler(DescribeConfigsRequest(resources=[resource] * 3), RequestContext(api_version=4))
    assert len({id(result.configs) for result in response.results}) == 1
    assert len(response.results) == 3
