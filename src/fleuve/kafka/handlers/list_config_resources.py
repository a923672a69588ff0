"""ListConfigResources (74): v0-1

Behaviour:
* Lists what has configs, by type: groups with overrides, brokers (as brokers and as loggers), topics (KIP-1142). No
  types ask for all.

Versions:
* v0: client metrics alone, of which there are none · v1: types of resources

Differs from Apache Kafka: no client metrics. Throttle time is always 0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from fleuve.engine.access.service import Operation
from fleuve.engine.topics.config_service import ConfigService
from fleuve.engine.topics.service import TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.config_resources import BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import list_config_resources
from fleuve.wire.generated.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

API = Api(key=74, name="ListConfigResources", version_min=0, version_max=1, codec=list_config_resources)

TYPES = (GROUP, CLIENT_METRICS, BROKER_LOGGER, BROKER, TOPIC)


class Handler:
    """Answers ListConfigResources. `nodes` returns the ids of the brokers that exist."""

    def __init__(self, configs: ConfigService, topics: TopicService, *, nodes: Callable[[], Collection[int]]) -> None:
        self._configs = configs
        self._topics = topics
        self._nodes = nodes

    async def __call__(
        self, request: ListConfigResourcesRequest, context: RequestContext
    ) -> ListConfigResourcesResponse:
        """List the resources of the types asked for."""
        if not context.authorize_cluster(Operation.DESCRIBE_CONFIGS):
            return ListConfigResourcesResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
        wanted = {CLIENT_METRICS} if context.api_version == 0 else set(request.resource_types) or set(TYPES)
        if not wanted.issubset(TYPES):
            return ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION)
        return ListConfigResourcesResponse(
            config_resources=[
                ConfigResource(resource_name=name, resource_type=kind)
                for kind in TYPES
                if kind in wanted
                for name in self._names(kind)
            ]
        )

    def _names(self, kind: int) -> Iterator[str]:
        if kind == GROUP:
            yield from self._configs.groups_with_overrides()
        elif kind in (BROKER, BROKER_LOGGER):
            yield from (str(node_id) for node_id in sorted(self._nodes()))
        elif kind == TOPIC:
            yield from sorted(topic.name for topic in self._topics.all())
