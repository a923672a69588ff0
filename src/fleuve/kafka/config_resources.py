"""The resources of the config APIs: what clients may name, who may ask, and what a name stands for."""

from __future__ import annotations

from fleuve.base.ids import GroupId, NodeId
from fleuve.engine.access.service import CLUSTER_NAME, Operation
from fleuve.engine.access.service import ResourceType as AccessType
from fleuve.engine.topics.config_changes import Edit, InvalidConfigRequest
from fleuve.engine.topics.config_service import ConfigService
from fleuve.engine.topics.errors import UnknownTopic
from fleuve.engine.topics.names import check_name
from fleuve.engine.topics.service import TopicService
from fleuve.kafka.api import RequestContext
from fleuve.kafka.codes import Refused
from fleuve.ports.configs import ALL_BROKERS, ConfigResource, ResourceType, broker_resource, topic_resource
from fleuve.wire.errors import ErrorCode

TOPIC, BROKER, GROUP = (int(kind) for kind in (ResourceType.TOPIC, ResourceType.BROKER, ResourceType.GROUP))
BROKER_LOGGER = 8
CLIENT_METRICS = 16

NO_CLIENT_METRICS = "Client metrics are not supported by this version of the broker."


def authorize(context: RequestContext, operation: Operation, kind: int, name: str) -> None:
    """Raise Refused if the client may not do `operation` to the resource."""
    if kind == TOPIC:
        asked, on, code = AccessType.TOPIC, name, ErrorCode.TOPIC_AUTHORIZATION_FAILED
    elif kind == GROUP:
        asked, on, code = AccessType.GROUP, name, ErrorCode.GROUP_AUTHORIZATION_FAILED
    else:
        asked, on, code = AccessType.CLUSTER, CLUSTER_NAME, ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    if not context.authorize(operation, asked, on):
        raise Refused(code)


class ConfigChanger:
    """Makes one resource's change, for AlterConfigs and IncrementalAlterConfigs."""

    def __init__(self, configs: ConfigService, topics: TopicService, *, node_id: NodeId) -> None:
        self._configs = configs
        self._topics = topics
        self._node_id = node_id

    async def change(self, kind: int, name: str, edit: Edit, context: RequestContext, *, validate_only: bool) -> None:
        """Change the configs of the resource a client calls `name`. Raises FleuveError."""
        authorize(context, Operation.ALTER_CONFIGS, kind, name)
        if kind == TOPIC:
            resource = self._topic(name, edit)
        elif kind == BROKER:
            resource = self._broker(name)
        elif kind == GROUP:
            if not name:
                raise InvalidConfigRequest("Default group resources are not allowed.")
            resource = ConfigResource(ResourceType.GROUP, GroupId(name))
        elif kind == CLIENT_METRICS:
            raise InvalidConfigRequest(NO_CLIENT_METRICS)
        else:
            raise InvalidConfigRequest(f"Unknown resource type {kind}")
        await self._configs.change(resource, edit, validate_only=validate_only)

    def _topic(self, name: str, edit: Edit) -> ConfigResource:
        if not name:
            raise InvalidConfigRequest("Default topic resources are not allowed.")
        topic = self._topics.get(name)
        if topic is None:
            # What is wrong with the change is said first, as Kafka does.
            self._configs.check(ResourceType.TOPIC, edit)
            check_name(name)
            raise UnknownTopic(f"The topic '{name}' does not exist.")
        return topic_resource(topic.id)

    def _broker(self, name: str) -> ConfigResource:
        if not name:
            return ALL_BROKERS
        node_id = number(name)
        if node_id is None:
            raise InvalidConfigRequest(f"Node id must be an integer, but it is: {name}")
        if node_id != self._node_id:
            raise InvalidConfigRequest(f"Unexpected broker id, expected {self._node_id}, but received {name}")
        return broker_resource(self._node_id)


def number(text: str) -> int | None:
    """Return the whole number that `text` is, as Java reads one; None if it is none."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    return int(text) if digits.isdecimal() and digits.isascii() else None
