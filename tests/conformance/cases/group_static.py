"""Static members (KIP-345): who comes back takes its place, and who was there before is fenced."""

from __future__ import annotations

from typing import Any

from conformance.groups import SHORT_MS, Group, Member, subscription
from conformance.scenario import Kafka, case
from fleuve.wire.generated import heartbeat, join_group, leave_group

VERSIONS = range(5, 10)
"""Of JoinGroup, with group instance ids."""


def changed(text: str, *names: str) -> list[join_group.JoinGroupRequestProtocol]:
    metadata = subscription("t", user_data=text.encode())
    return [join_group.JoinGroupRequestProtocol(name=name, metadata=metadata) for name in names or ("range",)]


def again(member: Member, **fields: Any) -> Member:
    """Return the member's next life, on a connection of its own, which does not know its id."""
    twin = member.beside()
    twin.id = ""
    twin.fields = {**twin.fields, **fields}
    return twin


@case
def an_instance_joins_without_being_told_to(kafka: Kafka) -> None:
    """No MEMBER_ID_REQUIRED: a static member comes without an id, and again with it."""
    for version in VERSIONS:
        group = Group(kafka, f"g{version}")
        member = group.member(instance="a", version=version)
        member.join()
        member.sync({member.id: b"all"})
        member.heartbeat()
        member.join()
        member.sync({member.id: b"all"})
        group.until("Stable", 1)


@case
def an_instance_id_that_is_strange(kafka: Kafka) -> None:
    """Empty, long, with odd letters."""
    group = Group(kafka)
    for instance in "", ".", "a b/ü", "x" * 300:
        member = group.member(instance=instance)
        member.join()
        member.leave()


@case
def the_leader_comes_back_to_a_stable_group(kafka: Kafka) -> None:
    """Nobody rebalances; since v9 it is told to leave the assignment as it is."""
    for version in VERSIONS:
        group = Group(kafka, f"g{version}")
        one, two = (group.member(name, instance=name, version=version) for name in ("one", "two"))
        group.stable(one, two)
        back = again(one)
        back.join()
        back.sync()
        back.heartbeat()
        two.heartbeat()
        one.heartbeat()
        group.until("Stable", 2)
        back.send_join()
        group.until("PreparingRebalance", 2)
        two.join()
        back.joined()


@case
def a_follower_comes_back_to_a_stable_group(kafka: Kafka) -> None:
    """Nobody rebalances."""
    for version in VERSIONS:
        group = Group(kafka, f"g{version}")
        one, two = (group.member(name, instance=name, version=version) for name in ("one", "two"))
        group.stable(one, two)
        back = again(two)
        back.join()
        back.sync()
        back.heartbeat()
        one.heartbeat()
        two.heartbeat()
        back.join()
        group.until("Stable", 2)


@case
def it_comes_back_changed(kafka: Kafka) -> None:
    """Other metadata of the same protocol, and a list of protocols that changes what is chosen."""
    for version in VERSIONS:
        group = Group(kafka, f"g{version}")
        both = changed("one", "range", "sticky")
        one = group.member("one", instance="one", version=version, protocols=both)
        two = group.member("two", instance="two", version=version, protocols=changed("two", "range", "sticky"))
        group.stable(one, two)
        back = again(two, protocols=changed("two, anew", "range", "sticky"))
        back.join()
        back.sync()
        group.until("Stable", 2)
        third = again(back, protocols=changed("two, anew", "sticky"))
        third.send_join()
        group.until("PreparingRebalance", 2)
        one.heartbeat()
        one.join()
        third.joined()
        last = again(one, protocols=changed("one", "roundrobin"))
        last.join()


@case
def it_comes_back_while_the_group_rebalances(kafka: Kafka) -> None:
    """Its first life, which waits for the answer to its JoinGroup, is fenced."""
    for version in VERSIONS:
        group = Group(kafka, f"g{version}")
        one, two = (group.member(name, instance=name, version=version) for name in ("one", "two"))
        one.enter()
        two.begin()
        group.until("PreparingRebalance", 2)
        back = again(two)
        back.send_join()
        two.joined()
        back.wire.waits()
        one.join()
        back.joined()


@case
def it_comes_back_before_the_assignment(kafka: Kafka) -> None:
    """Its first life, which waits for the answer to its SyncGroup, is fenced, and the group rebalances."""
    for version in VERSIONS:
        group = Group(kafka, f"g{version}")
        one, two = (group.member(name, instance=name, version=version) for name in ("one", "two"))
        one.enter()
        two.begin()
        group.until("PreparingRebalance", 2)
        one.join()
        two.joined()
        two.send_sync()
        back = again(two)
        back.send_join()
        two.synced()
        group.until("PreparingRebalance", 2)
        one.sync({one.id: b"late"})
        one.join()
        back.joined()
        group.share(one, back)


@case
def it_comes_back_to_a_group_of_its_own(kafka: Kafka) -> None:
    """The only member, in each state."""
    for version in VERSIONS:
        group = Group(kafka, f"g{version}")
        one = group.member("one", instance="one", version=version)
        one.join()
        two = again(one)
        two.join()
        two.sync({two.id: b"all"})
        three = again(two)
        three.join()
        three.sync()
        group.until("Stable", 1)


@case
def who_is_fenced(kafka: Kafka) -> None:
    """FENCED_INSTANCE_ID in every request, and other combinations of member and instance ids."""
    group = Group(kafka)
    topic = kafka.topic()
    one, two = group.member("one", instance="one"), group.member("two")
    group.stable(one, two)
    back = again(one)
    back.join()
    back.sync()
    for instance, member_id in [
        ("one", one.id), ("one", two.id), ("one", ""), ("one", "nobody"), ("two", two.id), ("two", back.id),
        ("nobody", back.id), ("nobody", "nobody"), (None, one.id), (None, back.id), ("", back.id),
    ]:  # fmt: skip
        who: dict[str, Any] = {"member_id": member_id, "group_instance_id": instance}
        for version in 3, 4:
            back.heartbeat(version=version, **who)
        for version in 3, 4, 5:
            back.sync(version=version, **who)
        for version in 7, 8, 9, 10:
            back.commit(topic, version=version, **who)
        for version in 3, 4, 5:
            if (instance, member_id) not in {("one", ""), (None, back.id)}:
                back.leave(version=version, **who)
        if member_id != back.id and (instance, member_id) != ("one", ""):
            for version in VERSIONS:
                one.wire.call(join_group, one.join_request(**who), version)
    group.until("Stable", 2)
    two.heartbeat()


@case
def it_leaves_by_its_instance_id(kafka: Kafka) -> None:
    """As an administrator lets members go: without their member ids."""
    for version in 3, 4, 5:
        group = Group(kafka, f"g{version}")
        members = [group.member(name, instance=name) for name in ("one", "two", "three")]
        group.stable(*members)
        one, two, three = members
        identities = [
            leave_group.MemberIdentity(member_id=member_id, group_instance_id=instance)
            for member_id, instance in [
                ("", "one"), ("", "one"), ("", "nobody"), (one.id, "two"), ("nobody", "two"), (two.id, "two"),
            ]
        ]  # fmt: skip
        asked = leave_group.LeaveGroupRequest(group_id=group.id, members=identities)
        kafka.connect().call(leave_group, asked, version)
        group.until("PreparingRebalance", 1)
        three.join()


@case
def its_session_is_over(kafka: Kafka) -> None:
    """It is out, its assignment too; its instance id is free."""
    group = Group(kafka)
    one = group.member("one", instance="one")
    group.stable(one)
    # In a stable group this one takes its place without a rebalance, and with another session time-out: in Kafka,
    # from its next heartbeat on.
    back = again(one)
    back.join(session_timeout_ms=1_500)
    back.heartbeat()
    group.until("Empty", 0)
    back.heartbeat()
    back.sync()
    back.join()
    one.heartbeat()
    third = again(one)
    third.join()
    group.until("CompletingRebalance", 1)


@case
def it_is_away_for_a_rebalance(kafka: Kafka) -> None:
    """It keeps its place and its metadata while its session lasts; one that leads is followed by another leader."""
    group = Group(kafka)
    static = group.member("static", instance="s", rebalance_timeout_ms=SHORT_MS)
    static.join()
    other = group.member("other", rebalance_timeout_ms=SHORT_MS)
    other.begin()
    # Nobody but this one comes.
    other.joined()


@case
def all_who_came_are_gone_and_a_static_member_is_away(kafka: Kafka) -> None:
    """The join phase goes on until somebody is there."""
    group = Group(kafka)
    static = group.member("static", instance="s", rebalance_timeout_ms=SHORT_MS)
    static.join()
    other = group.member("other")
    other.join()
    other.send_join()
    group.until("PreparingRebalance", 2)
    other.beside().leave()
    other.joined()
    static.until_heartbeat(27)
    static.send_join()
    static.joined()


@case
def a_heartbeat_says_who_rebalances(kafka: Kafka) -> None:
    """A static member's heartbeats in a rebalance that a dynamic one began."""
    group = Group(kafka)
    static, dynamic = group.member("static", instance="s"), group.member("dynamic")
    group.stable(static)
    dynamic.begin()
    group.until("PreparingRebalance", 2)
    for version in 3, 4:
        request = heartbeat.HeartbeatRequest(
            group_id=group.id, generation_id=static.generation, member_id=static.id, group_instance_id="s"
        )
        static.wire.call(heartbeat, request, version)
    static.join()
    dynamic.joined()
