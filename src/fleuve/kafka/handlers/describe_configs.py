"""DescribeConfigs (32): v1-4

Behaviour:
* Topics, this broker (by its node id), all brokers (the name ""), groups, whether they exist or not.
* Every setting is listed with its value, where that comes from, and, if asked, what it hides: topic or group, this
  broker, all brokers, what the broker was started with, default. Secrets have no value.
* All brokers' description holds only what is set there.
* With keys, only these; keys that don't exist are left out. An empty list of keys asks for all.
* The settings that Fleuve accepts without effect say so in their documentation, as do those it refuses.

Versions:
* v1: synonyms and sources · v2: no change · v3: type and documentation of each setting · v4: flexible

Differs from Apache Kafka: entries come by name; those of the broker include Fleuve's own (`fleuve.…`), and their
documentation is Fleuve's, too. `flush.messages` and `log.flush.interval.messages` are 1 by default, and
`min.insync.replicas` has no value for all brokers (Kafka sets one with its eligible leader replicas). A broker has no
loggers to describe. Client metrics are INVALID_REQUEST. Throttle time is always 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, NodeId
from fleuve.base.setting import ValueType
from fleuve.engine.access.service import Operation
from fleuve.engine.topics.config_changes import InvalidConfigRequest
from fleuve.engine.topics.config_service import ConfigService
from fleuve.engine.topics.errors import UnknownTopic
from fleuve.engine.topics.names import check_name
from fleuve.engine.topics.resolution import ConfigEntry
from fleuve.engine.topics.service import TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.kafka.config_resources import (
    BROKER,
    BROKER_LOGGER,
    CLIENT_METRICS,
    GROUP,
    NO_CLIENT_METRICS,
    TOPIC,
    authorize,
    number,
)
from fleuve.wire.generated import describe_configs
from fleuve.wire.generated.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

API = Api(key=32, name="DescribeConfigs", version_min=1, version_max=4, codec=describe_configs)

TYPE_CODES = {
    ValueType.BOOLEAN: 1,
    ValueType.STRING: 2,
    ValueType.INT: 3,
    ValueType.SHORT: 4,
    ValueType.LONG: 5,
    ValueType.DOUBLE: 6,
    ValueType.LIST: 7,
    ValueType.CLASS: 8,
    ValueType.PASSWORD: 9,
}

RESOURCES_AT_ONCE = 50
"""Described before others get their turn: consoles ask for the configs of all topics in one request."""


class Handler:
    """Answers DescribeConfigs."""

    def __init__(self, configs: ConfigService, topics: TopicService, *, node_id: NodeId) -> None:
        self._configs = configs
        self._topics = topics
        self._node_id = node_id

    async def __call__(self, request: DescribeConfigsRequest, context: RequestContext) -> DescribeConfigsResponse:
        """Describe each resource, or say what is wrong with it."""
        results = []
        # A resource that is asked for again costs no memory again.
        shown: dict[tuple[int, str, tuple[str, ...] | None], list[DescribeConfigsResourceResult]] = {}
        for index, resource in enumerate(request.resources):
            if index % RESOURCES_AT_ONCE == RESOURCES_AT_ONCE - 1:
                await asyncio.sleep(0)
            kind, name = resource.resource_type, resource.resource_name
            result = DescribeConfigsResult(resource_type=kind, resource_name=name)
            results.append(result)
            keys = resource.configuration_keys
            asked = (kind, name, None if keys is None else tuple(keys))
            try:
                authorize(context, Operation.DESCRIBE_CONFIGS, kind, name)
                if asked not in shown:
                    shown[asked] = _shown(self._entries(kind, name), keys, request)
            except FleuveError as error:
                result.error_code = code_of(error)
                result.error_message = str(error)
                continue
            result.configs = shown[asked]
        return DescribeConfigsResponse(results=results)

    def _entries(self, kind: int, name: str) -> list[ConfigEntry]:
        if kind == TOPIC:
            check_name(name)
            topic = self._topics.get(name)
            if topic is None:
                raise UnknownTopic
            return self._configs.describe_topic(topic.id)
        if kind == BROKER:
            return self._broker_entries(name)
        if kind == GROUP:
            if not name:
                raise InvalidConfigRequest("Group name must not be empty")
            return self._configs.describe_group(GroupId(name))
        if kind == BROKER_LOGGER:
            if not name:
                raise InvalidConfigRequest("Broker id must not be empty")
            if self._is_other(name):
                raise InvalidConfigRequest(f"Unexpected broker id, expected {self._node_id} but received {name}")
            return []
        if kind == CLIENT_METRICS:
            raise InvalidConfigRequest(NO_CLIENT_METRICS)
        raise InvalidConfigRequest(f"Unknown resource type {kind}")

    def _broker_entries(self, name: str) -> list[ConfigEntry]:
        if not name:
            return self._configs.describe_all_brokers()
        if self._is_other(name):
            raise InvalidConfigRequest(
                f"Unexpected broker id, expected {self._node_id} or empty string, but received {name}"
            )
        return self._configs.describe_broker()

    def _is_other(self, name: str) -> bool:
        node_id = number(name)
        if node_id is None:
            raise InvalidConfigRequest(f"Broker id must be an integer, but it is: {name}")
        return node_id != self._node_id


def _shown(
    entries: list[ConfigEntry], keys: Collection[str] | None, request: DescribeConfigsRequest
) -> list[DescribeConfigsResourceResult]:
    if keys:
        wanted = set(keys)
        entries = [entry for entry in entries if entry.name in wanted]
    return [
        DescribeConfigsResourceResult(
            name=entry.name,
            value=entry.value,
            read_only=entry.read_only,
            config_source=entry.source,
            is_sensitive=entry.sensitive,
            synonyms=[
                DescribeConfigsSynonym(name=link.name, value=link.value, source=link.source) for link in entry.synonyms
            ]
            if request.include_synonyms
            else [],
            config_type=TYPE_CODES[entry.type],
            documentation=entry.doc if request.include_documentation else None,
        )
        for entry in entries
    ]
