"""JoinGroup in the machine of classic groups."""

import pytest

from fleuve.engine.groups.errors import (
    GroupFull,
    IllegalGeneration,
    InconsistentProtocol,
    MemberIdRequired,
    RebalanceInProgress,
    UnknownMember,
)
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.state import Phase
from support.groups import REBALANCE_MS, SESSION_MS, GroupDriver, protocols, subscription


def delayed(delay_ms=3_000, **fields):
    return GroupDriver(GroupPolicy(initial_rebalance_delay_ms=delay_ms, **fields))


def test_the_first_member_leads_and_learns_of_everybody():
    driver = GroupDriver()
    first, second = driver.join(), driver.join()
    driver.advance(0)
    leader, follower = driver.joined(first), driver.joined(second)
    assert leader.leader_id == follower.leader_id == leader.member_id
    assert [member.member_id for member in leader.members] == ["m1", "m2"]
    assert leader.members[1].metadata == subscription("t")
    assert follower.members == ()
    assert leader.generation == follower.generation == 1
    assert driver.group.phase is Phase.COMPLETING_REBALANCE


def test_a_new_member_must_come_again_with_the_id_it_is_given():
    driver = GroupDriver()
    refusal = driver.refusal(driver.join(id_required=True))
    assert isinstance(refusal, MemberIdRequired)
    assert refusal.member_id == "m1"
    assert driver.group.exists
    again = driver.join("m1", id_required=True)
    driver.advance(0)
    assert driver.joined(again).member_id == "m1"
    assert not driver.group.pending


def test_an_announced_member_that_never_comes_is_forgotten_after_its_session_timeout():
    driver = GroupDriver()
    driver.join(id_required=True)
    driver.advance(SESSION_MS - 1)
    assert driver.group.pending
    driver.advance(1)
    assert not driver.group.pending
    with pytest.raises(UnknownMember):
        driver.join("m1", id_required=True)


def test_a_rebalance_waits_for_an_announced_member_until_it_is_forgotten():
    driver = GroupDriver()
    leader, _ = driver.stable()
    driver.join(id_required=True)
    waiter = driver.join(leader.member_id)
    for member_id in driver.group.members:
        if member_id != leader.member_id:
            driver.join(member_id)
    assert driver.waits(waiter)
    driver.advance(SESSION_MS)
    assert driver.joined(waiter).generation == 2


def test_the_number_of_announced_members_is_bounded():
    driver = GroupDriver(GroupPolicy(pending_members_max=2))
    driver.join(id_required=True)
    driver.join(id_required=True)
    with pytest.raises(GroupFull):
        driver.join(id_required=True)


def test_nobody_joins_a_group_that_does_not_exist_with_a_member_id():
    driver = GroupDriver()
    with pytest.raises(UnknownMember):
        driver.join("somebody")
    with pytest.raises(UnknownMember):
        driver.join("somebody", protocols=())
    assert not driver.group.exists


def test_a_member_without_protocols_or_type_is_inconsistent():
    driver = GroupDriver()
    with pytest.raises(InconsistentProtocol):
        driver.join(protocols=())
    with pytest.raises(InconsistentProtocol):
        driver.join(protocol_type="")
    assert not driver.group.exists


def test_members_must_share_the_protocol_type_and_one_protocol():
    driver = GroupDriver()
    driver.stable(protocols=protocols("range", "sticky"))
    with pytest.raises(InconsistentProtocol):
        driver.join(protocol_type="connect")
    with pytest.raises(InconsistentProtocol):
        driver.join(protocols=protocols("other"))
    assert driver.group.phase is Phase.STABLE


def test_a_protocol_that_only_some_know_is_no_common_ground():
    driver = GroupDriver()
    driver.join(protocols=protocols("range", "sticky"))
    driver.join(protocols=protocols("sticky"))
    with pytest.raises(InconsistentProtocol):
        driver.join(protocols=protocols("range"))


def test_the_protocol_with_most_votes_among_the_common_ones_is_chosen():
    driver = GroupDriver()
    waiters = [
        driver.join(protocols=protocols("a", "b")),
        driver.join(protocols=protocols("b", "a", "c")),
        driver.join(protocols=protocols("b", "a")),
    ]
    driver.advance(0)
    assert {driver.joined(waiter).protocol_name for waiter in waiters} == {"b"}


def test_the_protocol_type_is_free_again_once_a_group_is_empty():
    driver = GroupDriver()
    (member,) = driver.stable(1)
    driver.leave(member.member_id)
    waiter = driver.join(protocol_type="connect")
    driver.advance(0)
    assert driver.joined(waiter).protocol_type == "connect"


# ── the first rebalance of an empty group


def test_the_first_rebalance_is_put_off_for_members_to_come():
    driver = delayed()
    waiter = driver.join()
    driver.advance(2_999)
    assert driver.waits(waiter)
    driver.advance(1)
    assert driver.joined(waiter).generation == 1


def test_every_newcomer_puts_the_first_rebalance_off_again():
    driver = delayed()
    first = driver.join()
    driver.advance(2_000)
    second = driver.join()
    driver.advance(3_999)
    assert driver.waits(first)
    driver.advance(1)
    assert len(driver.joined(first).members) == 2
    assert not driver.waits(second)


def test_newcomers_cannot_put_it_off_beyond_the_rebalance_timeout():
    driver = delayed()
    first = driver.join(rebalance_timeout_ms=7_000)
    for _ in range(6):
        driver.advance(1_000)
        driver.join(rebalance_timeout_ms=7_000)
    driver.advance(999)
    assert driver.waits(first)
    driver.advance(1)
    assert len(driver.joined(first).members) == 7


def test_if_all_leave_while_it_is_put_off_the_group_is_empty_again():
    driver = delayed()
    driver.join()
    assert driver.leave("m1") is None
    driver.advance(3_000)
    assert driver.group.phase is Phase.EMPTY
    assert driver.group.generation == 1


# ── rebalances


def test_a_newcomer_makes_a_stable_group_rebalance():
    driver = GroupDriver()
    leader, follower = driver.stable()
    newcomer = driver.join()
    assert driver.group.phase is Phase.PREPARING_REBALANCE
    assert driver.heartbeat(leader)
    assert driver.heartbeat(follower)
    again = driver.join(leader.member_id)
    assert driver.waits(again)
    driver.join(follower.member_id)
    assert driver.joined(again).generation == 2
    assert len(driver.joined(again).members) == 3
    assert driver.joined(newcomer).leader_id == leader.member_id


def test_who_does_not_come_within_the_rebalance_timeout_is_out():
    driver = GroupDriver()
    leader, follower = driver.stable(session_timeout_ms=1_000_000)
    newcomer = driver.join()
    driver.advance(REBALANCE_MS - 1)
    assert driver.waits(newcomer)
    driver.advance(1)
    assert driver.joined(newcomer).leader_id == driver.joined(newcomer).member_id
    assert leader.member_id not in driver.group.members
    with pytest.raises(UnknownMember):
        driver.heartbeat(follower)


def test_the_longest_rebalance_timeout_counts():
    driver = GroupDriver()
    waiters = [driver.join(rebalance_timeout_ms=ms, session_timeout_ms=1_000_000) for ms in (5_000, 30_000, 9_000)]
    driver.advance(0)
    driver.settle(waiters)
    newcomer = driver.join(rebalance_timeout_ms=5_000)
    driver.advance(29_999)
    assert driver.waits(newcomer)
    driver.advance(1)
    assert not driver.waits(newcomer)


def test_the_leader_stays_the_leader_if_it_comes_back():
    driver = GroupDriver()
    leader, follower = driver.stable()
    driver.join(follower.member_id, protocols=protocols("range", metadata=subscription("other")))
    again = driver.join(leader.member_id)
    assert driver.joined(again).leader_id == leader.member_id


def test_if_the_leader_does_not_come_back_another_one_leads():
    driver = GroupDriver()
    leader, follower = driver.stable()
    again = driver.join(follower.member_id, protocols=protocols("range", metadata=subscription("other")))
    driver.leave(leader.member_id)
    assert driver.joined(again).leader_id == follower.member_id
    assert len(driver.joined(again).members) == 1


def test_a_follower_with_the_same_metadata_gets_the_generation_that_stands():
    driver = GroupDriver()
    leader, follower = driver.stable()
    again = driver.joined(driver.join(follower.member_id))
    assert again.generation == follower.generation
    assert again.members == ()
    assert driver.group.phase is Phase.STABLE
    assert not driver.heartbeat(leader)


def test_a_follower_with_other_metadata_makes_the_group_rebalance():
    driver = GroupDriver()
    leader, follower = driver.stable()
    driver.join(follower.member_id, protocols=protocols("range", metadata=subscription("other")))
    assert driver.heartbeat(leader)


def test_the_leader_makes_the_group_rebalance_even_with_the_same_metadata():
    driver = GroupDriver()
    leader, follower = driver.stable()
    driver.join(leader.member_id)
    assert driver.heartbeat(follower)


def test_who_missed_the_answer_gets_it_again_while_the_group_waits_for_the_assignment():
    driver = GroupDriver()
    waiters = [driver.join(), driver.join()]
    driver.advance(0)
    leader, follower = (driver.joined(waiter) for waiter in waiters)
    assert driver.joined(driver.join(leader.member_id)) == leader
    assert driver.joined(driver.join(follower.member_id)) == follower
    assert driver.group.generation == 1


def test_other_metadata_while_the_group_waits_for_the_assignment_begins_anew():
    driver = GroupDriver()
    waiters = [driver.join(), driver.join()]
    driver.advance(0)
    leader, follower = (driver.joined(waiter) for waiter in waiters)
    waiting = driver.sync(follower)
    driver.join(leader.member_id, protocols=protocols("range", metadata=subscription("other")))
    assert isinstance(driver.refusal(waiting), RebalanceInProgress)
    assert driver.group.phase is Phase.PREPARING_REBALANCE


def test_a_second_request_of_a_member_answers_the_first():
    driver = GroupDriver()
    leader, follower = driver.stable()
    first = driver.join(leader.member_id)
    second = driver.join(leader.member_id)
    assert isinstance(driver.refusal(first), RebalanceInProgress)
    driver.join(follower.member_id)
    assert driver.joined(second).generation == 2


def test_an_old_generation_cannot_heartbeat():
    driver = GroupDriver()
    (leader,) = driver.stable(1)
    driver.settle([driver.join(leader.member_id)])
    with pytest.raises(IllegalGeneration):
        driver.heartbeat(leader)


# ── group.max.size


def test_a_full_group_takes_nobody_more():
    driver = GroupDriver(GroupPolicy(initial_rebalance_delay_ms=0, members_max=2))
    leader, _ = driver.stable()
    refusal = driver.refusal(driver.join())
    assert isinstance(refusal, GroupFull)
    assert refusal.member_id == ""
    assert not driver.heartbeat(leader)


def test_members_of_a_full_group_may_join_again():
    driver = GroupDriver(GroupPolicy(initial_rebalance_delay_ms=0, members_max=2))
    leader, follower = driver.stable()
    again = driver.join(leader.member_id)
    driver.join(follower.member_id)
    assert driver.joined(again).generation == 2


def test_of_a_group_that_is_over_its_size_the_last_ones_to_join_again_are_out():
    driver = GroupDriver()
    members = driver.stable(3)
    driver.policy = GroupPolicy(initial_rebalance_delay_ms=0, members_max=2)
    waiters = [driver.join(member.member_id) for member in members]
    assert isinstance(driver.refusal(waiters[2]), GroupFull)
    assert {driver.joined(waiter).generation for waiter in waiters[:2]} == {2}


def test_what_members_say_of_themselves_is_bounded():
    driver = GroupDriver(GroupPolicy(initial_rebalance_delay_ms=0, group_bytes_max=100))
    (member,) = driver.stable(1, protocols=protocols("range", metadata=b"x" * 60))
    with pytest.raises(GroupFull):
        driver.join(protocols=protocols("range", metadata=b"x" * 41))
    driver.leave(member.member_id)
    driver.join(protocols=protocols("range", metadata=b"x" * 41))


def test_an_announced_member_cannot_become_a_static_one():
    driver = GroupDriver()
    driver.stable(1, instance_id="i")
    driver.join(id_required=True, new_member_id="announced")
    with pytest.raises(UnknownMember):
        driver.join("announced", instance_id="i")


# ── connections that die


def test_a_new_member_whose_connection_dies_leaves_nothing_behind():
    driver = delayed()
    waiter = driver.join()
    driver.abandon(waiter)
    assert not driver.group.members
    driver.advance(3_000)
    assert driver.group.phase is Phase.EMPTY


def test_a_new_member_that_knows_its_id_may_come_back_with_it():
    driver = delayed()
    driver.join(id_required=True)
    driver.abandon(driver.join("m1"))
    back = driver.join("m1")
    driver.advance(3_000)
    assert driver.joined(back).member_id == "m1"


def test_a_member_whose_connection_dies_has_its_session_timeout_to_come_back():
    driver = GroupDriver()
    leader, follower = driver.stable()
    lost = driver.join(leader.member_id)
    driver.abandon(lost)
    waiting = driver.join(follower.member_id)
    assert driver.waits(waiting)
    driver.advance(SESSION_MS - 1)
    back = driver.join(leader.member_id)
    assert driver.joined(back).generation == driver.joined(waiting).generation == 2


def test_a_member_whose_connection_died_and_that_does_not_come_back_is_out():
    driver = GroupDriver()
    leader, follower = driver.stable()
    driver.abandon(driver.join(leader.member_id))
    waiting = driver.join(follower.member_id)
    driver.advance(SESSION_MS)
    assert driver.joined(waiting).leader_id == follower.member_id
    assert leader.member_id not in driver.group.members


def test_a_new_member_that_waits_too_long_is_told_to_begin_anew():
    driver = GroupDriver()
    driver.stable(1, session_timeout_ms=1_000_000, rebalance_timeout_ms=1_000_000)
    waiter = driver.join(rebalance_timeout_ms=1_000_000)
    driver.advance(299_999)
    assert driver.waits(waiter)
    driver.advance(1)
    refusal = driver.refusal(waiter)
    assert isinstance(refusal, UnknownMember)
    assert refusal.member_id == ""
