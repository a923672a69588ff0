"""Heartbeat (12): v0-4

Behaviour:
* Renews the member's session; never blocks.
* A rebalance is announced here: REBALANCE_IN_PROGRESS tells the member to join again, and still renews its session.
* UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION.

Versions:
* v1: throttle time
* v3: static membership (KIP-345); the group instance id is checked before the member id
* v4: flexible

Differs from Apache Kafka: no quota, so throttle time is always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, MemberId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.commands import Heartbeat
from fleuve.engine.groups.service import GroupService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import heartbeat
from fleuve.wire.generated.heartbeat import HeartbeatRequest, HeartbeatResponse

API = Api(key=12, name="Heartbeat", version_min=0, version_max=4, codec=heartbeat)


class Handler:
    """Hears that members are alive."""

    def __init__(self, groups: GroupService) -> None:
        self._groups = groups

    async def __call__(self, request: HeartbeatRequest, context: RequestContext) -> HeartbeatResponse:
        """Return whether all is well with the member."""
        if not context.authorize(Operation.READ, ResourceType.GROUP, request.group_id):
            return HeartbeatResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
        command = Heartbeat(
            member_id=MemberId(request.member_id),
            instance_id=request.group_instance_id,
            generation=request.generation_id,
        )
        try:
            await self._groups.heartbeat(GroupId(request.group_id), command)
        except FleuveError as error:
            return HeartbeatResponse(error_code=code_of(error))
        return HeartbeatResponse()
