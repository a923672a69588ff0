"""AlterConfigs (33): v0-2

Behaviour:
* Replaces all overrides of a topic, of this broker, of all brokers (the name "") or of a group by those given: what is
  not in the request goes back to its default. Otherwise as IncrementalAlterConfigs, which newer clients use instead.

Versions:
* v1: throttle time · v2: flexible

Differs from Apache Kafka: as IncrementalAlterConfigs does. A resource that is in the request twice is INVALID_REQUEST
both times (Kafka: never answered). Throttle time is always 0.
"""

from __future__ import annotations

from collections import Counter

from fleuve.base.errors import FleuveError
from fleuve.engine.topics.config_changes import InvalidConfigRequest, Replacement
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.kafka.config_resources import ConfigChanger
from fleuve.wire.generated import alter_configs
from fleuve.wire.generated.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)

API = Api(key=33, name="AlterConfigs", version_min=0, version_max=2, codec=alter_configs)


class Handler:
    """Answers AlterConfigs."""

    def __init__(self, changer: ConfigChanger) -> None:
        self._changer = changer

    async def __call__(self, request: AlterConfigsRequest, context: RequestContext) -> AlterConfigsResponse:
        """Change each resource, or say what is wrong with it."""
        counts = Counter((one.resource_type, one.resource_name) for one in request.resources)
        responses = []
        for resource in request.resources:
            kind, name = resource.resource_type, resource.resource_name
            response = AlterConfigsResourceResponse(error_message=None, resource_type=kind, resource_name=name)
            responses.append(response)
            try:
                if counts[kind, name] > 1:
                    raise InvalidConfigRequest("Each resource must appear at most once.")
                replacement = Replacement(tuple((config.name, config.value) for config in resource.configs))
                await self._changer.change(kind, name, replacement, context, validate_only=request.validate_only)
            except FleuveError as error:
                response.error_code = code_of(error)
                response.error_message = str(error) or None
        return AlterConfigsResponse(responses=responses)
