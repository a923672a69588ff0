"""DescribeGroups, ListGroups and DeleteGroups: what is shown of groups, in each state, and how they end."""

from __future__ import annotations

from typing import Any

from conformance.groups import Group, commit_request, subscription
from conformance.scenario import Connection, Kafka, case, versions
from fleuve.wire.generated import (
    delete_groups,
    describe_groups,
    join_group,
    list_groups,
    offset_commit,
    offset_fetch,
)

STATES_FROM = 4
TYPES_FROM = 5


def describe(wire: Connection, *groups: str, version: int, **fields: Any) -> Any:
    """Describe groups."""
    return wire.call(describe_groups, describe_groups.DescribeGroupsRequest(groups=list(groups), **fields), version)


def listed(wire: Connection, version: int, **fields: Any) -> Any:
    """List groups."""
    return wire.call(list_groups, list_groups.ListGroupsRequest(**fields), version)


def delete(wire: Connection, *groups: str, version: int) -> Any:
    """Delete groups."""
    return wire.call(delete_groups, delete_groups.DeleteGroupsRequest(groups_names=list(groups)), version)


@case
def a_group_that_is_not_there(kafka: Kafka) -> None:
    """Dead, and since v6 an error; so are the empty id and one that is named twice."""
    group = Group(kafka)
    a = kafka.connect()
    for version in versions(describe_groups):
        describe(a, group.id, version=version)
        describe(a, "", version=version)
        describe(a, group.id, kafka.name("other"), group.id, version=version)
        describe(a, version=version)
        if version >= 3:
            describe(a, group.id, version=version, include_authorized_operations=True)


@case
def a_group_in_each_state(kafka: Kafka) -> None:
    """What is shown of members and protocols, in every version: described and listed."""
    group = Group(kafka)
    a = kafka.connect("describer")
    one, two, static = group.member("one"), group.member("two"), group.member("static", instance="s")

    def shown() -> None:
        for version in versions(describe_groups):
            describe(a, group.id, version=version)
            if version >= 3:
                describe(a, group.id, version=version, include_authorized_operations=True)
        for version in versions(list_groups):
            listed(a, version)

    one.enter()
    shown()
    group.share(one)
    shown()
    two.begin()
    group.until("PreparingRebalance", 2)
    shown()
    static.send_join()
    group.until("PreparingRebalance", 3)
    shown()
    one.join()
    two.joined()
    static.joined()
    shown()
    group.share(one, two, static)
    shown()
    for member in one, two, static:
        member.leave()
    group.until("Empty", 0)
    shown()
    delete(a, group.id, version=2)
    shown()


@case
def a_group_without_members_ever(kafka: Kafka) -> None:
    """It has offsets alone, and no protocol type."""
    topic = kafka.topic()
    group = Group(kafka)
    a = kafka.connect()
    a.call(offset_commit, commit_request(group.id, topic, (0, 1), version=8), 8)
    for version in versions(describe_groups):
        describe(a, group.id, version=version)
    for version in versions(list_groups):
        listed(a, version)


@case
def a_group_whose_only_member_was_announced(kafka: Kafka) -> None:
    """A member id was handed out: the group is there."""
    group = Group(kafka)
    a = kafka.connect()
    group.member().join()
    for version in versions(describe_groups):
        describe(a, group.id, version=version)
    for version in versions(list_groups):
        listed(a, version)
    delete(a, group.id, version=2)


@case
def groups_by_state_and_type(kafka: Kafka) -> None:
    """Filters, in any letters; unknown ones, none and several."""
    empty, stable, waiting = (Group(kafka, name) for name in ("empty", "stable", "waiting"))
    topic = kafka.topic()
    a = kafka.connect()
    a.call(offset_commit, commit_request(empty.id, topic, (0, 1), version=8), 8)
    stable.stable(stable.member())
    waiting.member().enter()
    waiting.until("CompletingRebalance", 1)
    for version in range(STATES_FROM, 6):
        for states in [
            [], ["Empty"], ["Stable"], ["CompletingRebalance"], ["PreparingRebalance"], ["Dead"], ["Assigning"],
            ["empty"], ["STABLE"], ["stable", "Empty"], ["nonsense"], ["", "Empty"], ["Unknown"], [" Empty"],
        ]:  # fmt: skip
            listed(a, version, states_filter=states)
    for types in [
        [], ["classic"], ["Classic"], ["CLASSIC"], ["consumer"], ["share"], ["streams"], ["unknown"], ["nonsense"],
        ["consumer", "classic"], [""], ["", "classic"],
    ]:  # fmt: skip
        listed(a, TYPES_FROM, types_filter=types)
        listed(a, TYPES_FROM, types_filter=types, states_filter=["Stable"])
        listed(a, TYPES_FROM, types_filter=types, states_filter=["nonsense"])


@case
def groups_that_may_not_be_deleted(kafka: Kafka) -> None:
    """Unknown ones, the empty id, and those with members; named twice, and beside others."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(delete_groups):
        full, empty = Group(kafka, f"full{version}"), Group(kafka, f"empty{version}")
        full.member().enter()
        a.call(offset_commit, commit_request(empty.id, topic, (0, 1), version=8), 8)
        delete(a, "", version=version)
        delete(a, kafka.name("none"), version=version)
        delete(a, kafka.name("none"), kafka.name("none"), version=version)
        delete(a, version=version)
        delete(a, full.id, kafka.name("none"), empty.id, version=version)
        delete(a, empty.id, version=version)
        a.call(offset_commit, commit_request(empty.id, topic, (0, 1), version=8), 8)
        delete(a, empty.id, empty.id, version=version)
        empty.until("Dead", 0)


@case
def a_group_that_is_deleted_and_comes_back(kafka: Kafka) -> None:
    """Its offsets are gone, and it counts generations anew."""
    topic = kafka.topic()
    group = Group(kafka)
    member = group.member()
    group.stable(member)
    member.commit(topic)
    member.leave()
    member.wire.call(delete_groups, delete_groups.DeleteGroupsRequest(groups_names=[group.id]), 2)
    member.heartbeat()
    member.commit(topic)
    everything = offset_fetch.OffsetFetchRequestGroup(group_id=group.id, topics=None)
    member.wire.call(offset_fetch, offset_fetch.OffsetFetchRequest(groups=[everything]), 9)
    member.join()
    member.id = ""
    member.enter()


@case
def protocol_types_of_any_kind(kafka: Kafka) -> None:
    """A group is listed with what its members say; in the end with nothing."""
    a = kafka.connect()
    metadata = subscription("t")
    protocol = join_group.JoinGroupRequestProtocol(name="ß", metadata=metadata)
    for number, protocol_type in enumerate(("connect", "sr", "ä", "Consumer")):
        group = Group(kafka, f"g{number}")
        member = group.member(protocol_type=protocol_type, protocols=[protocol])
        member.enter()
        member.sync({member.id: b"all"}, protocol_type=protocol_type, protocol_name="ß")
        group.until("Stable", 1)
    for version in versions(list_groups):
        listed(a, version)
