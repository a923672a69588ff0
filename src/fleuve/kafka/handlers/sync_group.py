"""SyncGroup (14): v0-5

Behaviour:
* Waits until the leader has brought the assignment and it is stored; in a stable group it answers at once.
* A member that does not come within the rebalance timeout is taken out of the group.
* UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL; REBALANCE_IN_PROGRESS if the
  next rebalance has begun.

Versions:
* v1: throttle time
* v3: static membership (KIP-345)
* v4: flexible
* v5: protocol type and name, which must be there and be the group's

Differs from Apache Kafka: a consumer that the leader forgot gets an assignment of no partitions in the consumer
protocol's format, where Kafka sends no bytes at all, which some clients cannot read. A request that waits is answered
REBALANCE_IN_PROGRESS when its member asks again on another connection (Kafka: never answered). No quota, so throttle
time is always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, MemberId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.commands import Sync
from fleuve.engine.groups.service import GroupService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import sync_group
from fleuve.wire.generated.sync_group import SyncGroupRequest, SyncGroupResponse

API = Api(key=14, name="SyncGroup", version_min=0, version_max=5, codec=sync_group)

PROTOCOL_VERSION = 5


class Handler:
    """Gives members their assignment."""

    def __init__(self, groups: GroupService) -> None:
        self._groups = groups

    async def __call__(self, request: SyncGroupRequest, context: RequestContext) -> SyncGroupResponse:
        """Return the answer when the assignment is there."""
        if context.api_version >= PROTOCOL_VERSION and None in (request.protocol_type, request.protocol_name):
            return SyncGroupResponse(error_code=ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        if not context.authorize(Operation.READ, ResourceType.GROUP, request.group_id):
            return SyncGroupResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
        command = Sync(
            member_id=MemberId(request.member_id),
            instance_id=request.group_instance_id,
            generation=request.generation_id,
            protocol_type=request.protocol_type,
            protocol_name=request.protocol_name,
            assignments={MemberId(one.member_id): bytes(one.assignment) for one in request.assignments},
        )
        try:
            synced = await self._groups.sync(GroupId(request.group_id), command)
        except FleuveError as error:
            return SyncGroupResponse(error_code=code_of(error))
        return SyncGroupResponse(
            protocol_type=synced.protocol_type, protocol_name=synced.protocol_name, assignment=synced.assignment
        )
