"""LeaveGroup (13): v0-5

Behaviour:
* Takes members out at once, and lets the others rebalance.
* A static member may be removed by its group instance id alone, without a member id: that is for administrators.
* UNKNOWN_MEMBER_ID and FENCED_INSTANCE_ID for each member.

Versions:
* v1: throttle time
* v3: several members in one request, with group instance ids (KIP-345); their errors are their own
* v4: flexible
* v5: reason (KIP-800)

Differs from Apache Kafka: a member id that was handed out and never joined leaves a stable group without a rebalance,
since nobody has heard of it. No quota, so throttle time is always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, MemberId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.commands import LeavingMember
from fleuve.engine.groups.service import GroupService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import leave_group
from fleuve.wire.generated.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberResponse

API = Api(key=13, name="LeaveGroup", version_min=0, version_max=5, codec=leave_group)

MEMBERS_VERSION = 3


class Handler:
    """Takes members out of their group."""

    def __init__(self, groups: GroupService) -> None:
        self._groups = groups

    async def __call__(self, request: LeaveGroupRequest, context: RequestContext) -> LeaveGroupResponse:
        """Return what became of each member."""
        if not context.authorize(Operation.READ, ResourceType.GROUP, request.group_id):
            return LeaveGroupResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
        many = context.api_version >= MEMBERS_VERSION
        leaving = [LeavingMember(member_id=MemberId(request.member_id))]
        if many:
            leaving = [
                LeavingMember(
                    member_id=MemberId(member.member_id), instance_id=member.group_instance_id, reason=member.reason
                )
                for member in request.members
            ]
        try:
            results = await self._groups.leave(GroupId(request.group_id), leaving)
        except FleuveError as error:
            return LeaveGroupResponse(error_code=code_of(error))
        codes = [ErrorCode.NONE if error is None else code_of(error) for error in results]
        if not many:
            return LeaveGroupResponse(error_code=codes[0])
        return LeaveGroupResponse(
            members=[
                MemberResponse(member_id=member.member_id, group_instance_id=member.instance_id, error_code=code)
                for member, code in zip(leaving, codes, strict=True)
            ]
        )
