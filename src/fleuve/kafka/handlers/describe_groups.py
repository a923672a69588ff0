"""DescribeGroups (15): v0-6

Behaviour:
* State, protocol and members of each group. Metadata and protocol are shown of a stable group only: before
  that they are not settled. The assignment is the last one.
* A group that does not exist is described as Dead.

Versions:
* v1: throttle time
* v3: authorized operations, if asked for (KIP-430)
* v4: group instance ids (KIP-345)
* v5: flexible
* v6: error message; a group that does not exist is GROUP_ID_NOT_FOUND, where older versions say only Dead (KIP-1043)

Differs from Apache Kafka: no quota, so throttle time is always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.errors import GroupNotFound
from fleuve.engine.groups.service import GroupService
from fleuve.engine.groups.state import Group, Phase
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import describe_groups
from fleuve.wire.generated.describe_groups import (
    DescribedGroup,
    DescribedGroupMember,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)

API = Api(key=15, name="DescribeGroups", version_min=0, version_max=6, codec=describe_groups)

NOT_FOUND_VERSION = 6


class Handler:
    """Describes groups."""

    def __init__(self, groups: GroupService) -> None:
        self._groups = groups

    async def __call__(self, request: DescribeGroupsRequest, context: RequestContext) -> DescribeGroupsResponse:
        """Return a description of each group that was asked for."""
        response = DescribeGroupsResponse()
        for group_id in request.groups:
            described = await self._describe(GroupId(group_id), context)
            if request.include_authorized_operations and not described.error_code:
                described.authorized_operations = context.authorized_operations(ResourceType.GROUP, group_id)
            response.groups.append(described)
        return response

    async def _describe(self, group_id: GroupId, context: RequestContext) -> DescribedGroup:
        if not context.authorize(Operation.DESCRIBE, ResourceType.GROUP, group_id):
            return DescribedGroup(group_id=group_id, error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
        try:
            group = await self._groups.describe(group_id)
        except GroupNotFound as error:
            described = DescribedGroup(group_id=group_id, group_state=str(Phase.DEAD))
            if context.api_version >= NOT_FOUND_VERSION:
                described.error_code = code_of(error)
                described.error_message = str(error)
            return described
        except FleuveError as error:
            return DescribedGroup(group_id=group_id, error_code=code_of(error), error_message=str(error))
        return _described(group)


def _described(group: Group) -> DescribedGroup:
    stable = group.phase is Phase.STABLE
    return DescribedGroup(
        group_id=group.group_id,
        group_state=str(group.phase),
        protocol_type=group.protocol_type or "",
        protocol_data=(group.protocol_name or "") if stable else "",
        members=[
            DescribedGroupMember(
                member_id=member.member_id,
                group_instance_id=member.instance_id,
                client_id=member.client_id,
                client_host=member.client_host,
                member_metadata=member.metadata(group.protocol_name) if stable else b"",
                member_assignment=member.assignment,
            )
            for member in group.members.values()
        ],
    )
