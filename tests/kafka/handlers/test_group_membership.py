"""JoinGroup, SyncGroup, Heartbeat and LeaveGroup through handlers and codecs. The answers are Apache Kafka's."""

import asyncio
from typing import Any

import pytest

from fleuve.engine.groups.classic import EMPTY_CONSUMER_ASSIGNMENT
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import heartbeat, join_group, leave_group, sync_group
from fleuve.wire.generated.heartbeat import HeartbeatRequest
from fleuve.wire.generated.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from fleuve.wire.generated.leave_group import LeaveGroupRequest, MemberIdentity
from fleuve.wire.generated.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from support.group_handlers import group_apis
from support.groups import subscription


@pytest.fixture
async def apis():
    async with group_apis() as apis:
        yield apis


def join_request(member_id="", **fields):
    values: dict[str, Any] = {
        "group_id": "g",
        "session_timeout_ms": 10_000,
        "rebalance_timeout_ms": 10_000,
        "protocol_type": "consumer",
        "protocols": [JoinGroupRequestProtocol(name="range", metadata=subscription("t"))],
    }
    return JoinGroupRequest(member_id=member_id, **values | fields)


def sync_request(joined, assignments=None, **fields):
    values: dict[str, Any] = {
        "group_id": "g",
        "generation_id": joined.generation_id,
        "member_id": joined.member_id,
        "protocol_type": "consumer",
        "protocol_name": "range",
        "assignments": [
            SyncGroupRequestAssignment(member_id=member_id, assignment=assignment)
            for member_id, assignment in (assignments or {}).items()
        ],
    }
    return SyncGroupRequest(**values | fields)


def beat(joined, **fields):
    values: dict[str, Any] = {"group_id": "g", "generation_id": joined.generation_id, "member_id": joined.member_id}
    return HeartbeatRequest(**values | fields)


async def one_member(apis, **fields):
    required = await apis.ask(join_group, join_request(**fields))
    joined = await apis.ask(join_group, join_request(required.member_id, **fields))
    await apis.ask(sync_group, sync_request(joined, {joined.member_id: b"A"}))
    return joined


async def test_the_answer_that_asks_to_come_again(apis):
    answer = await apis.ask(join_group, join_request())
    assert answer.error_code == ErrorCode.MEMBER_ID_REQUIRED
    assert answer.member_id.startswith("client-")
    assert (answer.generation_id, answer.leader, answer.members) == (-1, "", [])
    assert answer.protocol_name is None


@pytest.mark.parametrize("metadata", [b"", subscription("t")[:7], b"\x00\x00\x7f\xff\xff\xff", b"\xff" * 64])
async def test_a_consumer_whose_subscription_cannot_be_read_may_join(apis, metadata):
    joined = await one_member(apis, protocols=[JoinGroupRequestProtocol(name="range", metadata=metadata)])
    assert joined.error_code == ErrorCode.NONE


@pytest.mark.parametrize("version", range(10))
async def test_every_version_joins_and_syncs(apis, version):
    answer = await apis.ask(join_group, join_request(), version)
    if version >= 4:
        assert answer.error_code == ErrorCode.MEMBER_ID_REQUIRED
        answer = await apis.ask(join_group, join_request(answer.member_id), version)
    assert answer.error_code == ErrorCode.NONE
    assert answer.leader == answer.member_id
    assert answer.protocol_name == "range"
    assert answer.protocol_type == ("consumer" if version >= 7 else None)
    assert [bytes(member.metadata) for member in answer.members] == [subscription("t")]
    synced = await apis.ask(sync_group, sync_request(answer, {answer.member_id: b"A"}), min(version, 5))
    assert synced.error_code == ErrorCode.NONE
    assert synced.assignment == b"A"
    assert synced.protocol_name == ("range" if version >= 5 else None)
    assert (await apis.ask(heartbeat, beat(answer), min(version, 4))).error_code == ErrorCode.NONE


async def test_before_v1_the_session_timeout_is_the_rebalance_timeout(apis):
    await apis.ask(join_group, join_request(session_timeout_ms=7_000), 0)
    (member,) = (await apis.groups.describe("g")).members.values()
    assert (member.session_timeout_ms, member.rebalance_timeout_ms) == (7_000, 7_000)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"group_id": ""}, ErrorCode.INVALID_GROUP_ID),
        ({"session_timeout_ms": 5_999}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"session_timeout_ms": 1_800_001}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"member_id": "nobody"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"protocols": ()}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocol_type": ""}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
    ],
)
async def test_what_join_group_refuses(apis, fields, code):
    answer = await apis.ask(join_group, join_request(**fields))
    assert answer.error_code == code
    assert answer.member_id == fields.get("member_id", "")


async def test_what_heartbeat_and_sync_group_refuse(apis):
    joined = await one_member(apis)
    refusals: dict[int, dict[str, Any]] = {
        ErrorCode.ILLEGAL_GENERATION: {"generation_id": 9},
        ErrorCode.UNKNOWN_MEMBER_ID: {"member_id": "x"},
        ErrorCode.INVALID_GROUP_ID: {"group_id": ""},
    }
    for code, fields in refusals.items():
        assert (await apis.ask(heartbeat, beat(joined, **fields))).error_code == code
        assert (await apis.ask(sync_group, sync_request(joined, **fields))).error_code == code
    unknown = await apis.ask(heartbeat, beat(joined, group_instance_id="nobody"))
    assert unknown.error_code == ErrorCode.UNKNOWN_MEMBER_ID
    for fields in ({"protocol_type": "connect"}, {"protocol_name": "x"}, {"protocol_name": None}):
        answer = await apis.ask(sync_group, sync_request(joined, **fields))
        assert answer.error_code == ErrorCode.INCONSISTENT_GROUP_PROTOCOL
        assert answer.protocol_type is None
    assert (await apis.ask(sync_group, sync_request(joined, protocol_name=None), 4)).error_code == ErrorCode.NONE


async def test_a_rebalance_of_three_members(apis):
    leader = await one_member(apis)
    pending = [(await apis.ask(join_group, join_request())).member_id for _ in range(2)]
    async with asyncio.TaskGroup() as tasks:
        joining = [tasks.create_task(apis.ask(join_group, join_request(member_id))) for member_id in pending]
        await asyncio.sleep(0)  # One turn of the loop: both wait now.
        assert (await apis.ask(heartbeat, beat(leader))).error_code == ErrorCode.REBALANCE_IN_PROGRESS
        again = await apis.ask(join_group, join_request(leader.member_id))
        followers = [await task for task in joining]
        assert again.generation_id == 2
        assert {member.member_id for member in again.members} == {leader.member_id, *pending}
        assert [follower.members for follower in followers] == [[], []]
        syncing = [tasks.create_task(apis.ask(sync_group, sync_request(follower))) for follower in followers]
        await asyncio.sleep(0)
        await apis.ask(sync_group, sync_request(again, {leader.member_id: b"A", pending[0]: b"B"}))
        assert [(await task).assignment for task in syncing] == [b"B", EMPTY_CONSUMER_ASSIGNMENT]


async def test_a_static_member_comes_back_under_a_new_id_and_the_old_one_is_fenced(apis):
    static = {"group_instance_id": "i"}
    first = await apis.ask(join_group, join_request(**static))
    assert first.error_code == ErrorCode.NONE
    assert first.member_id.startswith("i-")
    await apis.ask(sync_group, sync_request(first, {first.member_id: b"A"}, **static))
    back = await apis.ask(join_group, join_request(**static))
    assert (back.generation_id, back.skip_assignment, back.leader) == (1, True, back.member_id)
    assert [member.group_instance_id for member in back.members] == ["i"]
    fenced = await apis.ask(heartbeat, beat(first, **static))
    assert fenced.error_code == ErrorCode.FENCED_INSTANCE_ID
    assert (await apis.ask(sync_group, sync_request(back, **static))).assignment == b"A"
    older = await apis.ask(join_group, join_request(**static), 8)
    assert (older.skip_assignment, older.leader, older.members) == (False, back.member_id, [])


async def test_members_leave_together_each_with_its_own_result(apis):
    joined = await one_member(apis)
    answer = await apis.ask(
        leave_group,
        LeaveGroupRequest(
            group_id="g",
            members=[
                MemberIdentity(member_id="x"),
                MemberIdentity(member_id=joined.member_id, reason="tired"),
                MemberIdentity(member_id=joined.member_id),
                MemberIdentity(member_id="", group_instance_id="nobody"),
            ],
        ),
    )
    assert answer.error_code == ErrorCode.NONE
    unknown = ErrorCode.UNKNOWN_MEMBER_ID
    assert [member.error_code for member in answer.members] == [unknown, ErrorCode.NONE, unknown, unknown]
    assert answer.members[3].group_instance_id == "nobody"
    assert (await apis.ask(heartbeat, beat(joined))).error_code == unknown


async def test_before_v3_the_error_of_the_one_that_leaves_is_the_answers(apis):
    joined = await one_member(apis)
    gone = LeaveGroupRequest(group_id="g", member_id=joined.member_id)
    for version, code in ((0, ErrorCode.NONE), (1, ErrorCode.UNKNOWN_MEMBER_ID), (2, ErrorCode.UNKNOWN_MEMBER_ID)):
        assert (await apis.ask(leave_group, gone, version)).error_code == code


async def test_leaving_a_group_that_does_not_exist_is_each_members_error(apis):
    answer = await apis.ask(leave_group, LeaveGroupRequest(group_id="g", members=[MemberIdentity(member_id="x")]))
    assert answer.error_code == ErrorCode.NONE
    assert answer.members[0].error_code == ErrorCode.UNKNOWN_MEMBER_ID
    empty = await apis.ask(leave_group, LeaveGroupRequest(group_id="", members=[MemberIdentity(member_id="x")]))
    assert empty.error_code == ErrorCode.INVALID_GROUP_ID


async def test_who_may_not_read_the_group_is_told_so(apis):
    apis.authorizer = DenyAll()
    joined = join_group.JoinGroupResponse(generation_id=1, member_id="m")
    leave = LeaveGroupRequest(group_id="g", members=[MemberIdentity(member_id="m")])
    requests = [
        (join_group, join_request()),
        (sync_group, sync_request(joined)),
        (heartbeat, beat(joined)),
        (leave_group, leave),
    ]
    for codec, request in requests:
        answer = await apis.ask(codec, request)
        assert answer.error_code == ErrorCode.GROUP_AUTHORIZATION_FAILED


class DenyAll:
    def authorize(self, principal, host, operation, resource_type, name):
        return False
