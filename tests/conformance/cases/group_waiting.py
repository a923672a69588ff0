"""Requests that wait: for members that were announced, and asked again on another connection."""

from __future__ import annotations

from conformance.groups import SHORT_MS, Group
from conformance.scenario import Kafka, case
from fleuve.wire.generated import join_group, leave_group


@case
def a_rebalance_waits_for_who_was_announced(kafka: Kafka) -> None:
    """A member id was handed out: the join phase does not end before it comes, or its time is over."""
    group = Group(kafka)
    one, two = group.member("one"), group.member("two")
    group.stable(one)
    two.join()
    one.send_join()
    group.until("PreparingRebalance", 1)
    one.wire.waits()
    two.join()
    one.joined()
    group.share(one, two)
    three = group.member("three")
    three.join(session_timeout_ms=SHORT_MS)
    one.send_join()
    group.until("PreparingRebalance", 2)
    two.send_join()
    one.joined()
    two.joined()


@case
def who_was_announced_leaves(kafka: Kafka) -> None:
    """The join phase ends without it."""
    group = Group(kafka)
    one, two = group.member("one"), group.member("two")
    group.stable(one)
    two.join()
    one.send_join()
    group.until("PreparingRebalance", 1)
    two.leave()
    one.joined()
    two.heartbeat()


@case
def an_announced_id_does_other_things_than_join(kafka: Kafka) -> None:
    """While its group rebalances, waits for the assignment, and is stable."""
    group = Group(kafka)
    topic = kafka.topic()
    one, two = group.member("one"), group.member("two")
    one.enter()
    two.join()
    for _ in range(2):
        two.heartbeat()
        two.heartbeat(generation_id=1)
        two.sync(generation_id=1)
        two.commit(topic, generation_id_or_member_epoch=1)
        two.join(protocols=[join_group.JoinGroupRequestProtocol(name="other")])
        group.share(one)


@case
def a_join_comes_on_another_connection(kafka: Kafka) -> None:
    """The member asked, its connection ended, and it asks again."""
    group = Group(kafka)
    one, two = group.member("one"), group.member("two")
    group.stable(one)
    two.begin()
    group.until("PreparingRebalance", 2)
    two.wire.close()
    again = two.beside()
    again.send_join()
    group.until("PreparingRebalance", 2)
    one.join()
    again.joined()
    group.share(one, again)


@case
def a_sync_comes_on_another_connection(kafka: Kafka) -> None:
    """The member asked for its assignment, its connection ended, and it asks again."""
    group = Group(kafka)
    one, two = group.member("one"), group.member("two")
    one.enter()
    two.begin()
    group.until("PreparingRebalance", 2)
    one.join()
    two.joined()
    two.send_sync()
    group.until("CompletingRebalance", 2)
    two.wire.close()
    again = two.beside()
    group.share(one, again)


@case
def the_leader_leaves_before_it_has_assigned(kafka: Kafka) -> None:
    """The other member leads when it has joined again: with two others, Kafka takes any."""
    group = Group(kafka)
    one, two = group.member("one"), group.member("two")
    one.enter()
    two.begin()
    group.until("PreparingRebalance", 2)
    one.join()
    two.joined()
    two.send_sync()
    group.until("CompletingRebalance", 2)
    one.leave()
    two.synced()
    two.sync()
    two.join()
    one.heartbeat()


@case
def members_are_removed_by_an_administrator(kafka: Kafka) -> None:
    """LeaveGroup of others, who hear of it when they ask again."""
    group = Group(kafka)
    one, two = group.member("one"), group.member("two")
    group.stable(one, two)
    a = kafka.connect()
    identities = [leave_group.MemberIdentity(member_id=one.id, reason="because")]
    a.call(leave_group, leave_group.LeaveGroupRequest(group_id=group.id, members=identities), 5)
    one.heartbeat()
    two.heartbeat()
    two.join()
    two.sync({two.id: b"all"})
    group.until("Stable", 1)
