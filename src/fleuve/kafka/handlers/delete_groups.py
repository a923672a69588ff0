"""DeleteGroups (42): v0-2

Behaviour:
* Deletes groups without members, with all their offsets. Each group has its own error: GROUP_ID_NOT_FOUND,
  NON_EMPTY_GROUP, GROUP_AUTHORIZATION_FAILED.
* A group that is named twice is deleted once.

Versions:
* v1: throttle time
* v2: flexible

Differs from Apache Kafka: no quota, so throttle time is always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.service import GroupService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import delete_groups
from fleuve.wire.generated.delete_groups import DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse

API = Api(key=42, name="DeleteGroups", version_min=0, version_max=2, codec=delete_groups)


class Handler:
    """Deletes groups."""

    def __init__(self, groups: GroupService) -> None:
        self._groups = groups

    async def __call__(self, request: DeleteGroupsRequest, context: RequestContext) -> DeleteGroupsResponse:
        """Return what became of each group."""
        return DeleteGroupsResponse(
            results=[
                DeletableGroupResult(group_id=group_id, error_code=await self._delete(GroupId(group_id), context))
                for group_id in dict.fromkeys(request.groups_names)
            ]
        )

    async def _delete(self, group_id: GroupId, context: RequestContext) -> ErrorCode:
        if not context.authorize(Operation.DELETE, ResourceType.GROUP, group_id):
            return ErrorCode.GROUP_AUTHORIZATION_FAILED
        try:
            await self._groups.delete(group_id)
        except FleuveError as error:
            return code_of(error)
        return ErrorCode.NONE
