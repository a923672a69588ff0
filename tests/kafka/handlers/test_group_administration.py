"""ListGroups, DescribeGroups, DeleteGroups and FindCoordinator through their handlers and codecs."""

import pytest

from fleuve.base.ids import GroupId, MemberId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.groups.commands import Commit, Join, Sync
from fleuve.ports.errors import CatalogUnavailable
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import delete_groups, describe_groups, find_coordinator, list_groups
from fleuve.wire.generated.delete_groups import DeleteGroupsRequest
from fleuve.wire.generated.describe_groups import DescribeGroupsRequest
from fleuve.wire.generated.find_coordinator import FindCoordinatorRequest
from fleuve.wire.generated.list_groups import ListGroupsRequest
from support.group_handlers import group_apis
from support.groups import protocols, subscription

OUTSIDER = Commit(member_id=MemberId(""), generation=-1)


@pytest.fixture
async def apis():
    """Two groups: `stable` with one member, `simple` without any."""
    async with group_apis() as apis:
        await apis.groups.commit(GroupId("simple"), OUTSIDER, [])
        joined = await apis.groups.join(
            GroupId("stable"),
            Join(
                member_id=MemberId(""),
                client_id="client",
                client_host="/127.0.0.1",
                session_timeout_ms=10_000,
                rebalance_timeout_ms=10_000,
                protocol_type="consumer",
                protocols=protocols("range"),
                id_required=False,
            ),
        )
        await apis.groups.sync(
            GroupId("stable"),
            Sync(member_id=joined.member_id, generation=1, assignments={joined.member_id: b"A"}),
        )
        yield apis


def rows(response):
    return [(group.group_id, group.protocol_type, group.group_state, group.group_type) for group in response.groups]


async def listed(apis, **filters):
    return [group.group_id for group in (await apis.ask(list_groups, ListGroupsRequest(**filters))).groups]


@pytest.mark.parametrize("version", range(6))
async def test_groups_are_listed_in_every_version(apis, version):
    answer = await apis.ask(list_groups, ListGroupsRequest(), version)
    state = ("Empty", "Stable") if version >= 4 else ("", "")
    kind = "classic" if version >= 5 else ""
    assert rows(answer) == [("simple", "", state[0], kind), ("stable", "consumer", state[1], kind)]


async def test_groups_are_listed_by_state_and_type(apis):
    assert await listed(apis, states_filter=["empty"]) == ["simple"]
    assert await listed(apis, states_filter=["Stable", "Dead"]) == ["stable"]
    assert await listed(apis, states_filter=["nonsense"]) == []
    assert await listed(apis, types_filter=["CLASSIC"]) == ["simple", "stable"]
    assert await listed(apis, types_filter=["consumer"]) == []


@pytest.mark.parametrize("version", range(7))
async def test_a_stable_group_is_described_in_every_version(apis, version):
    (group,) = (await apis.ask(describe_groups, DescribeGroupsRequest(groups=["stable"]), version)).groups
    assert (group.group_state, group.protocol_type, group.protocol_data) == ("Stable", "consumer", "range")
    (member,) = group.members
    assert (member.client_id, member.client_host) == ("client", "/127.0.0.1")
    assert (member.member_metadata, member.member_assignment) == (subscription("t"), b"A")
    assert group.authorized_operations == -(2**31)


async def test_authorized_operations_are_told_if_asked_for(apis):
    request = DescribeGroupsRequest(groups=["simple", "nope"], include_authorized_operations=True)
    simple, nope = (await apis.ask(describe_groups, request)).groups
    every = (Operation.READ, Operation.DELETE, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS, Operation.ALTER_CONFIGS)
    assert simple.authorized_operations == sum(1 << operation for operation in every)
    assert nope.authorized_operations == -(2**31)


async def test_a_group_that_does_not_exist_is_dead_and_since_v6_an_error(apis):
    request = DescribeGroupsRequest(groups=["nope"])
    (older,) = (await apis.ask(describe_groups, request, 5)).groups
    assert (older.group_state, older.error_code) == ("Dead", ErrorCode.NONE)
    (newer,) = (await apis.ask(describe_groups, request, 6)).groups
    assert (newer.group_state, newer.error_code) == ("Dead", ErrorCode.GROUP_ID_NOT_FOUND)
    assert newer.error_message == "Group nope not found."


@pytest.mark.parametrize("version", range(3))
async def test_groups_are_deleted_each_with_its_own_result(apis, version):
    request = DeleteGroupsRequest(groups_names=["stable", "simple", "nope", "simple"])
    answer = await apis.ask(delete_groups, request, version)
    assert [(result.group_id, result.error_code) for result in answer.results] == [
        ("stable", ErrorCode.NON_EMPTY_GROUP),
        ("simple", ErrorCode.NONE),
        ("nope", ErrorCode.GROUP_ID_NOT_FOUND),
    ]
    assert await listed(apis) == ["stable"]


@pytest.mark.parametrize("version", range(4))
async def test_the_coordinator_of_one_key_is_this_broker(apis, version):
    answer = await apis.ask(find_coordinator, FindCoordinatorRequest(key="g"), version)
    assert (answer.error_code, answer.node_id, answer.host, answer.port) == (0, 7, "localhost", 9092)
    # Kafka's word where nothing is wrong; before v1 there are none.
    assert answer.error_message == ("NONE" if version else "")


@pytest.mark.parametrize("version", range(4, 7))
async def test_the_coordinators_of_several_keys(apis, version):
    answer = await apis.ask(find_coordinator, FindCoordinatorRequest(coordinator_keys=["a", "b"]), version)
    assert [(one.key, one.error_code, one.node_id, one.port) for one in answer.coordinators] == [
        ("a", 0, 7, 9092),
        ("b", 0, 7, 9092),
    ]


@pytest.mark.parametrize("key_type", [2, 7, -1])
async def test_keys_of_other_types_have_no_coordinator(apis, key_type):
    answer = await apis.ask(find_coordinator, FindCoordinatorRequest(coordinator_keys=["a"], key_type=key_type))
    (one,) = answer.coordinators
    assert (one.error_code, one.node_id, one.host, one.port) == (ErrorCode.INVALID_REQUEST, -1, "", -1)
    older = await apis.ask(find_coordinator, FindCoordinatorRequest(key="a", key_type=key_type), 1)
    assert (older.error_code, older.node_id, older.port) == (ErrorCode.INVALID_REQUEST, -1, -1)


@pytest.mark.parametrize("version", [0, 3, 4, 6])
async def test_a_groups_coordinator_makes_the_offsets_topic_appear(apis, version):
    await apis.ask(find_coordinator, FindCoordinatorRequest(key="g", coordinator_keys=["g", "h"]), version)
    assert apis.topics.internal_made == 1


async def test_a_transactions_coordinator_and_an_unknown_type_make_no_topic(apis):
    for key_type in (1, 7):
        await apis.ask(find_coordinator, FindCoordinatorRequest(coordinator_keys=["x"], key_type=key_type))
    assert apis.topics.internal_made == 0


@pytest.mark.parametrize("version", [3, 6])
async def test_while_the_offsets_topic_cannot_be_made_there_is_no_coordinator(apis, version):
    apis.topics.internal_refused = CatalogUnavailable("the disk is full")
    answer = await apis.ask(find_coordinator, FindCoordinatorRequest(key="g", coordinator_keys=["g"]), version)
    one = answer if version < 4 else answer.coordinators[0]
    expected = (ErrorCode.COORDINATOR_NOT_AVAILABLE, -1, "the disk is full")
    assert (one.error_code, one.node_id, one.error_message) == expected


class OnlyGroupSimple:
    def authorize(self, principal, host, operation, resource_type, name):
        return resource_type is ResourceType.GROUP and name == "simple"


async def test_groups_that_are_not_the_clients_business(apis):
    apis.authorizer = OnlyGroupSimple()
    assert await listed(apis) == ["simple"]
    denied = ErrorCode.GROUP_AUTHORIZATION_FAILED
    described = await apis.ask(describe_groups, DescribeGroupsRequest(groups=["stable", "simple"]))
    assert [group.error_code for group in described.groups] == [denied, ErrorCode.NONE]
    deleted = await apis.ask(delete_groups, DeleteGroupsRequest(groups_names=["stable"]))
    assert deleted.results[0].error_code == denied
    found = await apis.ask(find_coordinator, FindCoordinatorRequest(coordinator_keys=["stable"]))
    assert found.coordinators[0].error_code == denied
    transaction = await apis.ask(find_coordinator, FindCoordinatorRequest(coordinator_keys=["x"], key_type=1))
    assert transaction.coordinators[0].error_code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
