"""JoinGroup (11): v0-9

Behaviour:
* Waits until the join phase ends: until all members have come, or the rebalance timeout is over. The first rebalance of
  an empty group is put off by group.initial.rebalance.delay.ms, again for each newcomer, within the rebalance timeout.
* The answer to the leader lists all members with their metadata; the others get an empty list and wait in SyncGroup.
* A follower that joins a stable group again with the same metadata gets the current generation, without a rebalance.
* A static member (group instance id) that comes back takes its place again; in a stable group without a rebalance.
* INVALID_SESSION_TIMEOUT, INVALID_GROUP_ID, INCONSISTENT_GROUP_PROTOCOL, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID,
  GROUP_MAX_SIZE_REACHED, MEMBER_ID_REQUIRED.

Versions:
* v1: rebalance timeout; before, the session timeout is used for it
* v2: throttle time
* v4: a new dynamic member gets MEMBER_ID_REQUIRED and comes again with the id it was given (KIP-394)
* v5: static membership (KIP-345)
* v6: flexible
* v7: protocol type in the answer; its protocol name may be null
* v8: reason (KIP-800)
* v9: skip_assignment tells a static leader that came back that the assignment stands (KIP-814)

Differs from Apache Kafka: a client that goes away while it waits is noticed at once: a member that did not know its id
yet is taken out, another one has its session timeout to come back. A request that waits is answered
REBALANCE_IN_PROGRESS when its member asks again on another connection (Kafka: never answered). An announced id that
comes with an instance id is UNKNOWN_MEMBER_ID (Kafka: UNKNOWN_SERVER_ERROR). A consumer's metadata may be anything
(Kafka: never answered where a subscription is cut off, or a protocol named twice). No quota, so throttle time is
always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, MemberId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.commands import Join
from fleuve.engine.groups.errors import GroupError
from fleuve.engine.groups.service import GroupService
from fleuve.engine.groups.state import JoinProtocol
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import join_group
from fleuve.wire.generated.join_group import JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember

API = Api(key=11, name="JoinGroup", version_min=0, version_max=9, codec=join_group)

REBALANCE_TIMEOUT_VERSION = 1
ID_REQUIRED_VERSION = 4
NULL_PROTOCOL_VERSION = 7
SKIP_ASSIGNMENT_VERSION = 9


class Handler:
    """Brings members into their group."""

    def __init__(self, groups: GroupService) -> None:
        self._groups = groups

    async def __call__(self, request: JoinGroupRequest, context: RequestContext) -> JoinGroupResponse:
        """Return the answer when the join phase is over."""
        if not context.authorize(Operation.READ, ResourceType.GROUP, request.group_id):
            return _refused(request, context, ErrorCode.GROUP_AUTHORIZATION_FAILED)
        try:
            joined = await self._groups.join(GroupId(request.group_id), _command(request, context))
        except FleuveError as error:
            member_id = error.member_id if isinstance(error, GroupError) else None
            return _refused(request, context, code_of(error), member_id)
        return JoinGroupResponse(
            generation_id=joined.generation,
            protocol_type=joined.protocol_type,
            protocol_name=joined.protocol_name,
            leader=joined.leader_id,
            skip_assignment=joined.skip_assignment,
            member_id=joined.member_id,
            members=[
                JoinGroupResponseMember(
                    member_id=member.member_id, group_instance_id=member.instance_id, metadata=member.metadata
                )
                for member in joined.members
            ],
        )


def _command(request: JoinGroupRequest, context: RequestContext) -> Join:
    version = context.api_version
    rebalance_timeout_ms = request.rebalance_timeout_ms
    if version < REBALANCE_TIMEOUT_VERSION or rebalance_timeout_ms == -1:
        rebalance_timeout_ms = request.session_timeout_ms
    return Join(
        member_id=MemberId(request.member_id),
        instance_id=request.group_instance_id,
        client_id=context.client_id or "",
        client_host=f"/{context.host}",
        session_timeout_ms=request.session_timeout_ms,
        rebalance_timeout_ms=rebalance_timeout_ms,
        protocol_type=request.protocol_type,
        protocols=tuple(JoinProtocol(protocol.name, bytes(protocol.metadata)) for protocol in request.protocols),
        id_required=version >= ID_REQUIRED_VERSION,
        can_skip_assignment=version >= SKIP_ASSIGNMENT_VERSION,
    )


def _refused(
    request: JoinGroupRequest, context: RequestContext, code: ErrorCode, member_id: str | None = None
) -> JoinGroupResponse:
    return JoinGroupResponse(
        error_code=code,
        member_id=request.member_id if member_id is None else member_id,
        protocol_name=None if context.api_version >= NULL_PROTOCOL_VERSION else "",
    )
