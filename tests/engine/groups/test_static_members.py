"""Static membership (KIP-345, KIP-814) in the machine of classic groups."""

import pytest

from fleuve.engine.groups.commands import SaveFailed
from fleuve.engine.groups.errors import CoordinatorNotAvailable, FencedInstance, UnknownMember
from fleuve.engine.groups.state import Phase
from support.groups import REBALANCE_MS, SESSION_MS, GroupDriver, protocols


def with_static(**fields):
    """A stable group of a dynamic leader and a static follower."""
    driver = GroupDriver()
    waiters = [driver.join(), driver.join(instance_id="i", **fields)]
    driver.advance(0)
    return driver, driver.settle(waiters)


def static_leader(**fields):
    driver = GroupDriver()
    waiters = [driver.join(instance_id="i"), driver.join()]
    driver.advance(0)
    return driver, driver.settle(waiters)


def test_a_static_member_needs_no_second_request_for_its_id():
    driver = GroupDriver()
    waiter = driver.join(instance_id="i", id_required=True)
    driver.advance(0)
    assert driver.joined(waiter).member_id == "m1"


def test_a_static_member_comes_back_without_a_rebalance():
    driver, (leader, old) = with_static()
    back = driver.join(instance_id="i")
    assert driver.waits(back)  # Its new id is not stored yet.
    driver.save()
    joined = driver.joined(back)
    assert joined.generation == old.generation
    assert joined.member_id != old.member_id
    assert joined.leader_id == leader.member_id
    assert not driver.heartbeat(leader)
    assert driver.synced(driver.sync(joined)).assignment == old.member_id.encode()


def test_the_life_that_was_replaced_is_fenced():
    driver, (_, old) = with_static()
    driver.join(instance_id="i")
    driver.save()
    with pytest.raises(FencedInstance):
        driver.heartbeat(old, instance_id="i")
    with pytest.raises(UnknownMember):
        driver.heartbeat(old)
    with pytest.raises(FencedInstance):
        driver.commit(old.member_id, old.generation, "i")
    with pytest.raises(FencedInstance):
        driver.sync(old, instance_id="i")
    with pytest.raises(FencedInstance):
        driver.join(old.member_id, instance_id="i")
    assert isinstance(driver.leave(old.member_id, "i"), FencedInstance)


def test_an_instance_id_that_is_nobodys_is_an_unknown_member():
    driver, (_, static) = with_static()
    with pytest.raises(UnknownMember):
        driver.heartbeat(static, instance_id="other")


def test_the_first_of_two_lives_in_the_join_phase_is_told_that_it_is_fenced():
    driver = GroupDriver()
    (leader,) = driver.stable(1)
    first = driver.join(instance_id="i")
    second = driver.join(instance_id="i")
    refusal = driver.refusal(first)
    assert isinstance(refusal, FencedInstance)
    assert refusal.member_id == "m2"
    driver.join(leader.member_id)
    assert driver.joined(second).generation == 2


def test_a_leader_that_comes_back_is_told_to_skip_the_assignment():
    driver, (old, follower) = static_leader()
    back = driver.join(instance_id="i", can_skip_assignment=True)
    driver.save()
    joined = driver.joined(back)
    assert joined.skip_assignment
    assert joined.leader_id == joined.member_id
    assert {member.member_id for member in joined.members} == {joined.member_id, follower.member_id}
    assert driver.synced(driver.sync(joined)).assignment == old.member_id.encode()


def test_an_older_leader_that_comes_back_believes_that_it_follows():
    driver, (old, _) = static_leader()
    back = driver.join(instance_id="i")
    driver.save()
    joined = driver.joined(back)
    assert joined.leader_id == old.member_id
    assert joined.members == ()
    assert not joined.skip_assignment
    assert driver.group.leader_id == joined.member_id


def test_a_follower_that_comes_back_skips_nothing():
    driver, _ = with_static()
    back = driver.join(instance_id="i", can_skip_assignment=True)
    driver.save()
    assert not driver.joined(back).skip_assignment
    assert driver.joined(back).members == ()


def test_coming_back_with_another_protocol_in_front_rebalances_if_that_changes_the_vote():
    driver = GroupDriver()
    waiter = driver.join(instance_id="i", protocols=protocols("a", "b"))
    driver.advance(0)
    driver.settle([waiter])
    back = driver.join(instance_id="i", protocols=protocols("b", "a"))
    assert driver.joined(back).generation == 2
    assert driver.joined(back).protocol_name == "b"


def test_coming_back_while_the_group_waits_for_the_assignment_begins_anew():
    driver = GroupDriver()
    waiters = [driver.join(), driver.join(instance_id="i")]
    driver.advance(0)
    leader = driver.joined(waiters[0])
    driver.join(instance_id="i")
    assert driver.group.phase is Phase.PREPARING_REBALANCE
    assert driver.heartbeat(leader)


def test_if_the_new_id_cannot_be_stored_the_member_comes_again():
    driver, (leader, _) = with_static()
    back = driver.join(instance_id="i")
    driver.step(SaveFailed(driver.saves.pop().ticket, CoordinatorNotAvailable("disk full")))
    refusal = driver.refusal(back)
    assert isinstance(refusal, CoordinatorNotAvailable)
    assert refusal.member_id == ""
    again = driver.join(instance_id="i")
    driver.save()
    assert driver.joined(again).leader_id == leader.member_id


def test_if_a_rebalance_begins_before_the_new_id_is_stored_it_counts_as_joined():
    driver, (leader, _) = with_static()
    back = driver.join(instance_id="i")
    driver.join(leader.member_id)
    assert driver.joined(back).generation == 2
    driver.save()
    assert driver.group.phase is Phase.COMPLETING_REBALANCE


def test_if_the_new_id_is_stored_during_a_rebalance_it_waits_with_the_others():
    driver, (leader, _) = with_static()
    back = driver.join(instance_id="i")
    newcomer = driver.join()
    driver.save()
    assert driver.waits(back)
    driver.join(leader.member_id)
    assert driver.joined(back).generation == driver.joined(newcomer).generation == 2


def test_a_static_member_that_does_not_join_again_keeps_its_place():
    driver, (leader, static) = with_static(session_timeout_ms=1_000_000)
    waiting = driver.join(leader.member_id)
    driver.advance(REBALANCE_MS)
    joined = driver.joined(waiting)
    assert {member.member_id for member in joined.members} == {leader.member_id, static.member_id}


def test_a_static_member_loses_its_place_with_its_session():
    driver, (leader, static) = with_static()
    driver.advance(SESSION_MS - 1)
    driver.heartbeat(leader)
    driver.advance(1)
    assert static.member_id not in driver.group.members
    assert driver.group.instances == {}


def test_static_members_alone_that_have_not_come_put_the_rebalance_off():
    driver = GroupDriver()
    waiters = [driver.join(instance_id=name, session_timeout_ms=1_000_000) for name in ("i", "j")]
    driver.advance(0)
    first, second = driver.settle(waiters)
    lost = driver.join(first.member_id, instance_id="i", session_timeout_ms=1_000_000)
    driver.abandon(lost)
    driver.advance(REBALANCE_MS * 3)
    assert driver.group.phase is Phase.PREPARING_REBALANCE
    assert driver.group.generation == 1
    back = driver.join(second.member_id, instance_id="j")
    driver.advance(REBALANCE_MS)
    assert driver.joined(back).generation == 2
    assert len(driver.joined(back).members) == 2


def test_an_administrator_removes_a_static_member_by_its_instance_id():
    driver, (leader, static) = with_static()
    assert driver.leave(instance_id="i") is None
    assert static.member_id not in driver.group.members
    assert driver.heartbeat(leader)
    assert isinstance(driver.leave(instance_id="i"), UnknownMember)
    assert isinstance(driver.leave(), UnknownMember)
