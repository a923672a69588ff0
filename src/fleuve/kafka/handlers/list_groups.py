"""ListGroups (16): v0-5

Behaviour:
* All groups that this broker coordinates, for who may describe the cluster; for others those that they may describe.
* A group is there from its first member or committed offset until it is deleted or its last offset expires.

Versions:
* v1: throttle time
* v3: flexible
* v4: state in the answer, and a filter for it (KIP-518)
* v5: type in the answer, and a filter for it (KIP-848): all groups are classic

Filters don't mind upper or lower case; a state or type that does not exist matches nothing.

Differs from Apache Kafka: no quota, so throttle time is always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.service import GroupService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.generated import list_groups
from fleuve.wire.generated.list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse

API = Api(key=16, name="ListGroups", version_min=0, version_max=5, codec=list_groups)

CLASSIC = "classic"


class Handler:
    """Lists groups."""

    def __init__(self, groups: GroupService) -> None:
        self._groups = groups

    async def __call__(self, request: ListGroupsRequest, context: RequestContext) -> ListGroupsResponse:
        """Return the groups that pass the filters."""
        states = {state.strip().lower() for state in request.states_filter}
        types = {kind.strip().lower() for kind in request.types_filter}
        if types and CLASSIC not in types:
            return ListGroupsResponse()
        try:
            groups = await self._groups.overview()
        except FleuveError as error:
            return ListGroupsResponse(error_code=code_of(error))
        all_of_them = context.authorize_cluster(Operation.DESCRIBE)
        return ListGroupsResponse(
            groups=[
                ListedGroup(
                    group_id=group.group_id,
                    protocol_type=group.protocol_type,
                    group_state=str(group.phase),
                    group_type=CLASSIC,
                )
                for group in groups
                if (not states or group.phase.lower() in states)
                and (all_of_them or context.authorize(Operation.DESCRIBE, ResourceType.GROUP, group.group_id))
            ]
        )
