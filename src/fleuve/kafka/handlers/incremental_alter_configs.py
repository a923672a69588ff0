"""IncrementalAlterConfigs (44): v0-1

Behaviour:
* Sets, deletes, appends to and subtracts from single settings of topics, of this broker, of all brokers (the name "")
  and of groups (KIP-339). Each resource changes as a whole or not at all; when the answer comes the change is durable
  and in force.
* A resource that is in the request twice is refused both times, a setting that is named twice refuses its resource.
* Values are checked as at start; a setting that is refused there is refused here. What is fixed at start can be
  deleted, but not set.
* With `validate_only` nothing changes, and the answer is what it would have been.

Versions:
* v1: flexible

Differs from Apache Kafka: an unknown broker setting is INVALID_CONFIG (Kafka keeps it for its plugins), an unknown
operation INVALID_REQUEST. Listeners, limits of connections and `producer.id.expiration.ms` are fixed at start, though
they are shown as Kafka shows them. Numbers of threads may change to any (Kafka: to half or double at most), and so may
the brokers' `min.insync.replicas` (Kafka: not with its eligible leader replicas). Spaces around words that are appended
or subtracted do not count (Kafka keeps them). There are no loggers and no client metrics to change. Throttle time is
always 0.
"""

from __future__ import annotations

from collections import Counter

from fleuve.base.errors import FleuveError
from fleuve.base.ids import NodeId
from fleuve.base.setting import InvalidConfig
from fleuve.engine.access.service import Operation as Access
from fleuve.engine.topics.config_changes import Change, InvalidConfigRequest, Operation
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.kafka.config_resources import BROKER_LOGGER, ConfigChanger, authorize, number
from fleuve.wire.generated import incremental_alter_configs
from fleuve.wire.generated.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)

API = Api(key=44, name="IncrementalAlterConfigs", version_min=0, version_max=1, codec=incremental_alter_configs)


class Handler:
    """Answers IncrementalAlterConfigs."""

    def __init__(self, changer: ConfigChanger, *, node_id: NodeId) -> None:
        self._changer = changer
        self._node_id = node_id

    async def __call__(
        self, request: IncrementalAlterConfigsRequest, context: RequestContext
    ) -> IncrementalAlterConfigsResponse:
        """Change each resource, or say what is wrong with it."""
        counts = Counter((one.resource_type, one.resource_name) for one in request.resources)
        responses = []
        for resource in request.resources:
            response = AlterConfigsResourceResponse(
                error_message=None, resource_type=resource.resource_type, resource_name=resource.resource_name
            )
            responses.append(response)
            try:
                if counts[resource.resource_type, resource.resource_name] > 1:
                    raise InvalidConfigRequest("Each resource must appear at most once.")
                await self._change(resource, context, validate_only=request.validate_only)
            except FleuveError as error:
                response.error_code = code_of(error)
                response.error_message = str(error) or None
        return IncrementalAlterConfigsResponse(responses=responses)

    async def _change(self, resource: AlterConfigsResource, context: RequestContext, *, validate_only: bool) -> None:
        kind, name = resource.resource_type, resource.resource_name
        changes = [_change(config) for config in resource.configs]
        if kind == BROKER_LOGGER:
            authorize(context, Access.ALTER_CONFIGS, kind, name)
            self._refuse_loggers(name, changes)
            return
        await self._changer.change(kind, name, changes, context, validate_only=validate_only)

    def _refuse_loggers(self, name: str, changes: list[Change]) -> None:
        node_id = number(name)
        if node_id is None:
            raise InvalidConfigRequest(f"Node id must be an integer, but it is: {name}")
        if node_id != self._node_id:
            raise InvalidConfigRequest(f"Unexpected node id. Expected {self._node_id}, but received {name}")
        if nulls := [one.name for one in changes if one.operation is not Operation.DELETE and one.value is None]:
            raise InvalidConfigRequest(f"Null value not supported for : {','.join(nulls)}")
        for change in changes:
            if change.operation in (Operation.APPEND, Operation.SUBTRACT):
                raise InvalidConfigRequest(
                    f"{change.operation.name} operation is not allowed for the BROKER_LOGGER resource"
                )
            raise InvalidConfig(f"Logger {change.name} does not exist!")


def _change(config: AlterableConfig) -> Change:
    try:
        operation = Operation(config.config_operation)
    except ValueError:
        raise InvalidConfigRequest(f"Unknown operation type {config.config_operation}") from None
    return Change(config.name, operation, config.value)
