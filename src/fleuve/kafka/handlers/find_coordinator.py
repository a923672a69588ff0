"""FindCoordinator (10): v0-6

Behaviour:
* The coordinator of every group and of every transactional id is this broker, at the address of the listener that the
  client came through.
* The first look-up of a group makes `__consumer_offsets` appear, which tools look for; nothing is stored in it. If it
  cannot be made: COORDINATOR_NOT_AVAILABLE, which clients retry.
* INVALID_REQUEST for other types of keys: share groups do not exist here.

Versions:
* v1: type of the key; throttle time; error message
* v3: flexible
* v4: several keys in one request (KIP-699)
* v5: TRANSACTION_ABORTABLE may be answered (KIP-890); it never is
* v6: share groups (KIP-932)

Differs from Apache Kafka: the first look-up of a group finds its coordinator at once, where Kafka says
COORDINATOR_NOT_AVAILABLE until the internal topic is there; `__transaction_state` is never made. An unknown type of key
is refused with words in every version (Kafka: without, for share groups). No quota, so throttle time is always 0.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fleuve.base.errors import FleuveError
from fleuve.base.ids import NodeId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.kafka.api import Api, RequestContext
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import find_coordinator
from fleuve.wire.generated.find_coordinator import Coordinator, FindCoordinatorRequest, FindCoordinatorResponse

API = Api(key=10, name="FindCoordinator", version_min=0, version_max=6, codec=find_coordinator)

KEYS_VERSION = 4
GROUP = 0
_RESOURCES = {
    GROUP: (ResourceType.GROUP, ErrorCode.GROUP_AUTHORIZATION_FAILED),
    1: (ResourceType.TRANSACTIONAL_ID, ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
}
"""What a key may name, by its type, and what is answered who may not describe it."""


class Handler:
    """Tells clients whom to ask about groups.

    `node_id` is asked each time: it may be known late. `ensure_offsets_topic` makes the internal topic, once.
    """

    def __init__(self, node_id: Callable[[], NodeId], *, ensure_offsets_topic: Callable[[], Awaitable[object]]) -> None:
        self._node_id = node_id
        self._ensure_offsets_topic = ensure_offsets_topic

    async def __call__(self, request: FindCoordinatorRequest, context: RequestContext) -> FindCoordinatorResponse:
        """Return the coordinator of each key."""
        batched = context.api_version >= KEYS_VERSION
        keys = request.coordinator_keys if batched else [request.key]
        found = [self._find(key, request.key_type, context) for key in keys]
        if request.key_type == GROUP and not all(coordinator.error_code for coordinator in found):
            try:
                await self._ensure_offsets_topic()
            except FleuveError as error:
                code = ErrorCode.COORDINATOR_NOT_AVAILABLE
                found = [one if one.error_code else _refused(one.key, code, str(error)) for one in found]
        if batched:
            return FindCoordinatorResponse(coordinators=found)
        (one,) = found
        return FindCoordinatorResponse(
            error_code=one.error_code,
            # Kafka's word for it, in these versions.
            error_message=one.error_message if one.error_code else ErrorCode.NONE.name,
            node_id=one.node_id,
            host=one.host,
            port=one.port,
        )

    def _find(self, key: str, key_type: int, context: RequestContext) -> Coordinator:
        if key_type not in _RESOURCES:
            return _refused(key, ErrorCode.INVALID_REQUEST, "there is no coordinator for this type of key")
        resource_type, not_authorized = _RESOURCES[key_type]
        if not context.authorize(Operation.DESCRIBE, resource_type, key):
            return _refused(key, not_authorized, "not authorized")
        host, port = context.advertised
        return Coordinator(key=key, node_id=self._node_id(), host=host, port=port)


def _refused(key: str, code: ErrorCode, message: str) -> Coordinator:
    return Coordinator(key=key, node_id=-1, host="", port=-1, error_code=code, error_message=message)
