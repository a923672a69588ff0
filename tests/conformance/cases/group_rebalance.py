"""Rebalances: members that come, go, stay away and answer late, while others wait."""

from __future__ import annotations

from conformance.groups import LONG_MS, SHORT_MS, Group, subscription
from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import heartbeat, join_group, leave_group, sync_group


def changed(text: str) -> list[join_group.JoinGroupRequestProtocol]:
    metadata = subscription("t", user_data=text.encode())
    return [join_group.JoinGroupRequestProtocol(name="range", metadata=metadata)]


@case
def a_member_comes(kafka: Kafka) -> None:
    """The others learn of it by heartbeats, commits and syncs, and join again."""
    group = Group(kafka)
    topic = kafka.topic()
    one, two, three = group.member("one"), group.member("two"), group.member("three")
    group.stable(one, two)
    three.begin()
    group.until("PreparingRebalance", 3)
    for version in versions(heartbeat):
        one.heartbeat(version=version)
        two.heartbeat(version=version, generation_id=1)
    for version in versions(sync_group):
        one.sync(version=version)
        one.sync(version=version, generation_id=1)
    one.commit(topic)
    three.beside().commit(topic)
    three.beside().heartbeat()
    three.beside().sync()
    one.send_join()
    two.send_join()
    for member in one, two, three:
        member.joined()
    one.commit(topic)
    two.heartbeat()
    three.send_sync()
    group.until("CompletingRebalance", 3)
    three.wire.waits()
    two.send_sync()
    one.sync({member.id: member.name.encode() for member in (one, two, three)})
    two.synced()
    three.synced()
    one.commit(topic)
    group.until("Stable", 3)


@case
def a_member_comes_before_the_leader_has_assigned(kafka: Kafka) -> None:
    """Who waits in SyncGroup is told to join again."""
    group = Group(kafka)
    one, two, three = group.member("one"), group.member("two"), group.member("three")
    one.enter()
    two.begin()
    group.until("PreparingRebalance", 2)
    one.join()
    two.joined()
    two.send_sync()
    three.begin()
    two.synced()
    group.until("PreparingRebalance", 3)
    one.sync({one.id: b"late"})
    one.send_join()
    two.send_join()
    for member in one, two, three:
        member.joined()
    group.share(one, two, three)


@case
def a_member_leaves(kafka: Kafka) -> None:
    """A follower, then the leader, in each state; who waits for it is answered."""
    for version in 0, 2, 3, 5:
        group = Group(kafka, f"g{version}")
        one, two, three = group.member("one"), group.member("two"), group.member("three")
        group.stable(one, two, three)
        three.leave(version=version)
        group.until("PreparingRebalance", 2)
        two.heartbeat()
        two.send_join()
        group.until("PreparingRebalance", 2)
        one.leave(version=version)
        two.joined()
        two.heartbeat()
        group.until("CompletingRebalance", 1)
        two.leave(version=version)
        group.until("Empty", 0)


@case
def a_member_leaves_while_others_sync(kafka: Kafka) -> None:
    """Who waits in SyncGroup is told to join again; who waits in JoinGroup and leaves is told that nobody knows it."""
    group = Group(kafka)
    one, two, three = group.member("one"), group.member("two"), group.member("three")
    one.enter()
    two.begin()
    group.until("PreparingRebalance", 2)
    one.join()
    two.joined()
    two.send_sync()
    group.until("CompletingRebalance", 2)
    one.leave()
    two.synced()
    three.begin()
    group.until("PreparingRebalance", 2)
    three.beside().leave()
    group.until("PreparingRebalance", 1)
    three.joined()
    two.join()


@case
def several_leave_in_one_request(kafka: Kafka) -> None:
    """Two of three, and one that was never there."""
    group = Group(kafka)
    members = [group.member(name) for name in ("one", "two", "three")]
    group.stable(*members)
    one, two, three = members
    request_ids = [one.id, "nobody", two.id]
    identities = [leave_group.MemberIdentity(member_id=member_id) for member_id in request_ids]
    three.wire.call(leave_group, leave_group.LeaveGroupRequest(group_id=group.id, members=identities), 4)
    group.until("PreparingRebalance", 1)
    three.enter()


@case
def who_does_not_rejoin_in_time_is_out(kafka: Kafka) -> None:
    """The rebalance time-out is over: a dynamic member is removed, a static one stays."""
    group = Group(kafka)
    static = group.member("static", instance="s")
    dynamic = group.member("dynamic", rebalance_timeout_ms=SHORT_MS)
    late = group.member("late", rebalance_timeout_ms=SHORT_MS)
    group.stable(static, dynamic)
    # Nobody rebalances because of this, and the longest rebalance time-out of the group is a short one from now on.
    static.id = ""
    static.join(rebalance_timeout_ms=SHORT_MS)
    late.begin()
    late.joined()
    dynamic.heartbeat()
    dynamic.join()


@case
def who_does_not_sync_in_time_is_out(kafka: Kafka) -> None:
    """The rebalance time-out is over behind the join phase: all who have not asked for their assignment are removed."""
    group = Group(kafka)
    one = group.member("one", rebalance_timeout_ms=SHORT_MS)
    one.enter()
    group.until("Empty", 0)
    one.heartbeat()
    one.sync({one.id: b"late"})
    two = group.member("two", instance="two", rebalance_timeout_ms=SHORT_MS)
    two.enter()
    group.until("Empty", 0)
    two.heartbeat()
    two.sync({two.id: b"late"})


@case
def a_session_is_over(kafka: Kafka) -> None:
    """Nobody heard of a member for its session time-out: before and after the assignment."""
    group = Group(kafka)
    one = group.member("one", session_timeout_ms=SHORT_MS)
    one.enter()
    group.until("Empty", 0)
    one.heartbeat()
    one.join()
    two, three = group.member("two"), group.member("three")
    two.enter()
    three.begin(session_timeout_ms=SHORT_MS)
    group.until("PreparingRebalance", 2)
    two.join()
    three.joined()
    two.until_heartbeat(27)
    three.heartbeat()
    two.enter()
    two.sync({two.id: b"all"})
    group.until("Stable", 1)


@case
def a_session_lasts_while_a_member_waits(kafka: Kafka) -> None:
    """A member that waits in JoinGroup or SyncGroup has no time-out."""
    group = Group(kafka)
    one, two = group.member("one"), group.member("two")
    group.stable(one, two)
    two.send_join(session_timeout_ms=SHORT_MS, protocols=changed("two, anew"))
    group.until("PreparingRebalance", 2)
    # Time passes: this one's session ends.
    other = Group(kafka, "clock")
    other.member("tick", session_timeout_ms=2 * SHORT_MS).enter()
    other.until("Empty", 0)
    two.wire.waits()
    one.send_join()
    one.joined()
    two.joined()


@case
def a_follower_joins_again(kafka: Kafka) -> None:
    """Unchanged in a stable group it is answered at once; changed, it begins a rebalance."""
    for version in versions(join_group):
        group = Group(kafka, f"g{version}")
        one, two = group.member("one", version=version), group.member("two", version=version)
        group.stable(one, two)
        two.join()
        two.join(session_timeout_ms=LONG_MS + 1)
        one.heartbeat()
        two.send_join(protocols=changed("two, anew"))
        group.until("PreparingRebalance", 2)
        two.wire.waits()
        one.heartbeat()
        one.join()
        two.joined()
        one.send_sync({one.id: b"1", two.id: b"2"})
        one.synced()
        two.sync()


@case
def a_leader_joins_again(kafka: Kafka) -> None:
    """It begins a rebalance, changed or not."""
    for version in versions(join_group):
        group = Group(kafka, f"g{version}")
        one, two = group.member("one", version=version), group.member("two", version=version)
        group.stable(one, two)
        one.send_join()
        group.until("PreparingRebalance", 2)
        one.wire.waits()
        two.heartbeat()
        two.join()
        one.joined()
        one.send_sync({one.id: b"1", two.id: b"2"})
        one.synced()
        two.sync()


@case
def a_join_is_asked_again_before_the_assignment(kafka: Kafka) -> None:
    """Unchanged, leader and follower are answered as before; changed, they begin a rebalance."""
    for version in versions(join_group):
        group = Group(kafka, f"g{version}")
        one, two = group.member("one", version=version), group.member("two", version=version)
        one.enter()
        two.begin()
        group.until("PreparingRebalance", 2)
        one.join()
        two.joined()
        one.join()
        two.join()
        two.send_join(protocols=changed("two, anew"))
        group.until("PreparingRebalance", 2)
        one.join()
        two.joined()
