"""SyncGroup, heartbeats, leaving and time-outs in the machine of classic groups."""

import pytest

from fleuve.engine.groups import codec
from fleuve.engine.groups.classic import EMPTY_CONSUMER_ASSIGNMENT
from fleuve.engine.groups.commands import Delete, Resume, Saved, SaveFailed, Unload
from fleuve.engine.groups.errors import (
    CoordinatorNotAvailable,
    GroupNotFound,
    GroupTooLarge,
    IllegalGeneration,
    InconsistentProtocol,
    NonEmptyGroup,
    NotCoordinator,
    RebalanceInProgress,
    UnknownMember,
)
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.state import Phase
from support.groups import REBALANCE_MS, SESSION_MS, WALL_ZERO_MS, GroupDriver


def completing(count=2, **fields):
    driver = GroupDriver()
    waiters = [driver.join(**fields) for _ in range(count)]
    driver.advance(0)
    return driver, [driver.joined(waiter) for waiter in waiters]


def test_everybody_waits_until_the_leaders_assignment_is_stored():
    driver, (leader, follower) = completing()
    waiting = driver.sync(follower)
    leading = driver.sync(leader, {"m1": b"one", "m2": b"two"})
    assert driver.waits(waiting)
    assert driver.waits(leading)
    driver.save()
    assert driver.synced(waiting).assignment == b"two"
    assert driver.synced(leading).assignment == b"one"
    assert driver.synced(leading).protocol_name == "range"
    assert driver.group.phase is Phase.STABLE


def test_what_is_stored_is_the_stable_group_with_its_assignment():
    driver, (leader, _) = completing()
    driver.sync(leader, {"m1": b"one", "m2": b"two"})
    (save,) = driver.saves
    assert save.group.phase is Phase.STABLE
    assert [member.assignment for member in save.group.members.values()] == [b"one", b"two"]
    assert driver.group.phase is Phase.COMPLETING_REBALANCE


def test_who_syncs_after_the_leader_gets_its_assignment_at_once():
    driver, (leader, follower) = completing()
    driver.sync(leader, {"m1": b"one", "m2": b"two"})
    driver.save()
    assert driver.synced(driver.sync(follower)).assignment == b"two"


def test_a_consumer_that_the_leader_forgot_gets_a_valid_assignment_of_nothing():
    driver, (leader, follower) = completing()
    driver.sync(leader, {"m1": b"one"})
    driver.save()
    assert driver.synced(driver.sync(follower)).assignment == EMPTY_CONSUMER_ASSIGNMENT


def test_other_protocol_types_get_no_bytes_that_they_could_not_read():
    driver, (leader, follower) = completing(protocol_type="connect")
    driver.sync(leader, {"m1": b"one"})
    driver.save()
    assert driver.synced(driver.sync(follower)).assignment == b""


def test_sync_checks_member_generation_and_protocol():
    driver, (leader, _) = completing()
    with pytest.raises(UnknownMember):
        driver.sync(leader, member_id="x")
    with pytest.raises(IllegalGeneration):
        driver.sync(leader, generation=2)
    with pytest.raises(InconsistentProtocol):
        driver.sync(leader, protocol_type="connect")
    with pytest.raises(InconsistentProtocol):
        driver.sync(leader, protocol_name="sticky")


def test_assignments_are_bounded():
    driver = GroupDriver(GroupPolicy(initial_rebalance_delay_ms=0, group_bytes_max=1_000))
    waiter = driver.join()
    driver.advance(0)
    with pytest.raises(GroupTooLarge):
        driver.sync(driver.joined(waiter), {"m1": b"x" * 1_001})
    assert driver.group.phase is Phase.COMPLETING_REBALANCE


def test_sync_during_the_join_phase_says_that_it_is_one():
    driver = GroupDriver()
    leader, _ = driver.stable()
    driver.join()
    with pytest.raises(RebalanceInProgress):
        driver.sync(leader)


def test_a_newcomer_sends_those_who_wait_for_the_assignment_back_to_join():
    driver, (leader, follower) = completing()
    waiting = driver.sync(follower)
    leading = driver.sync(leader, {"m1": b"one"})
    driver.join()
    assert isinstance(driver.refusal(waiting), RebalanceInProgress)
    assert isinstance(driver.refusal(leading), RebalanceInProgress)
    driver.save()
    assert driver.group.phase is Phase.PREPARING_REBALANCE


def test_the_assignment_of_a_generation_that_came_to_nothing_is_forgotten():
    driver = GroupDriver()
    (leader,) = driver.stable(1)
    driver.join(leader.member_id)
    assert driver.group.members[leader.member_id].assignment == b"m1"
    driver.join()
    assert driver.group.members[leader.member_id].assignment == b""


def test_only_the_assignment_that_was_brought_last_makes_the_group_stable():
    driver, (leader, _) = completing()
    driver.sync(leader, {"m1": b"first"})
    second = driver.sync(leader, {"m1": b"second"})
    earlier, later = driver.saves
    driver.step(Saved(earlier.ticket))
    assert driver.waits(second)
    driver.step(Saved(later.ticket))
    assert driver.synced(second).assignment == b"second"


def test_if_the_assignment_cannot_be_stored_everybody_joins_again():
    driver, (leader, follower) = completing()
    waiting = driver.sync(follower)
    driver.sync(leader, {"m1": b"one"})
    driver.step(SaveFailed(driver.saves.pop().ticket, CoordinatorNotAvailable("disk full")))
    assert isinstance(driver.refusal(waiting), CoordinatorNotAvailable)
    assert driver.group.phase is Phase.PREPARING_REBALANCE


def test_who_does_not_sync_within_the_rebalance_timeout_is_out():
    driver, (leader, follower) = completing(session_timeout_ms=1_000_000)
    leading = driver.sync(leader, {"m1": b"one"})
    driver.save()
    driver.advance(REBALANCE_MS - 1)
    assert not driver.heartbeat(leader)
    driver.advance(1)
    assert follower.member_id not in driver.group.members
    assert driver.heartbeat(leader)
    assert not driver.waits(leading)


def test_a_group_whose_members_have_all_synced_has_no_sync_timeout():
    driver = GroupDriver()
    leader, _ = driver.stable(session_timeout_ms=1_000_000)
    driver.advance(REBALANCE_MS * 2)
    assert driver.group.phase is Phase.STABLE
    assert not driver.heartbeat(leader)


def test_a_second_sync_of_a_member_answers_the_first():
    driver, (leader, follower) = completing()
    first = driver.sync(follower)
    second = driver.sync(follower)
    assert isinstance(driver.refusal(first), RebalanceInProgress)
    driver.sync(leader, {"m2": b"two"})
    driver.save()
    assert driver.synced(second).assignment == b"two"


def test_a_lost_sync_costs_nothing_but_its_answer():
    driver, (leader, follower) = completing()
    driver.abandon(driver.sync(follower))
    driver.sync(leader, {"m2": b"two"})
    driver.save()
    assert driver.synced(driver.sync(follower)).assignment == b"two"


# ── heartbeats and sessions


def test_heartbeats_keep_a_member_and_silence_ends_it():
    driver = GroupDriver()
    leader, follower = driver.stable()
    for _ in range(3):
        driver.advance(SESSION_MS - 1)
        driver.heartbeat(leader)
        driver.heartbeat(follower)
    driver.advance(SESSION_MS - 1)
    driver.heartbeat(leader)
    driver.advance(1)
    assert follower.member_id not in driver.group.members
    assert driver.heartbeat(leader)


def test_a_heartbeat_renews_the_session_even_during_a_rebalance():
    driver = GroupDriver()
    leader, _ = driver.stable()
    driver.join()
    driver.advance(SESSION_MS - 1)
    assert driver.heartbeat(leader)
    driver.advance(SESSION_MS - 1)
    assert leader.member_id in driver.group.members


def test_a_commit_renews_the_session():
    driver = GroupDriver()
    (leader,) = driver.stable(1)
    driver.advance(SESSION_MS - 1)
    driver.commit(leader.member_id, leader.generation)
    driver.advance(SESSION_MS - 1)
    assert leader.member_id in driver.group.members


def test_who_waits_for_an_answer_need_not_heartbeat():
    driver, (leader, follower) = completing()
    driver.sync(follower)
    for _ in range(4):
        driver.advance(SESSION_MS - 1)
        driver.heartbeat(leader)
    assert follower.member_id in driver.group.members
    driver.sync(leader, {"m2": b"two"})
    driver.save()
    driver.advance(SESSION_MS - 1)
    assert follower.member_id in driver.group.members
    driver.advance(1)
    assert follower.member_id not in driver.group.members


def test_when_everybody_is_gone_the_group_is_empty_and_that_is_stored():
    driver = GroupDriver()
    driver.stable()
    driver.advance(SESSION_MS)
    assert driver.group.phase is Phase.EMPTY
    assert driver.group.generation == 2
    assert driver.group.protocol_name is None
    assert driver.group.protocol_type == "consumer"
    assert driver.group.state_since == WALL_ZERO_MS + SESSION_MS
    driver.save()
    assert driver.stored is not None
    assert driver.stored.phase is Phase.EMPTY


# ── leaving


def test_a_member_that_leaves_makes_the_others_rebalance():
    driver = GroupDriver()
    leader, follower = driver.stable()
    assert driver.leave(follower.member_id) is None
    assert driver.heartbeat(leader)
    assert isinstance(driver.leave(follower.member_id), UnknownMember)


def test_the_last_one_to_leave_empties_the_group():
    driver = GroupDriver()
    (member,) = driver.stable(1)
    driver.leave(member.member_id)
    assert driver.group.phase is Phase.EMPTY
    with pytest.raises(UnknownMember):
        driver.heartbeat(member)
    with pytest.raises(UnknownMember):
        driver.join(member.member_id)


def test_leaving_ends_a_rebalance_that_waited_only_for_who_leaves():
    driver = GroupDriver()
    leader, follower = driver.stable()
    waiting = driver.join(leader.member_id)
    driver.leave(follower.member_id)
    assert driver.joined(waiting).generation == 2


def test_who_leaves_while_it_waits_is_answered():
    driver, (leader, follower) = completing()
    syncing = driver.sync(follower)
    driver.leave(follower.member_id)
    assert isinstance(driver.refusal(syncing), UnknownMember)
    joining = driver.join(leader.member_id)
    driver.leave(leader.member_id)
    assert not driver.waits(joining)


def test_an_announced_member_may_leave_and_nobody_notices():
    driver = GroupDriver()
    (leader,) = driver.stable(1)
    driver.join(id_required=True, new_member_id="announced")
    assert driver.leave("announced") is None
    assert not driver.heartbeat(leader)
    assert not driver.group.pending


def test_a_rebalance_that_waited_for_an_announced_member_goes_on_when_it_leaves():
    driver = GroupDriver()
    (leader,) = driver.stable(1)
    driver.join(id_required=True, new_member_id="announced")
    waiting = driver.join(leader.member_id)
    assert driver.waits(waiting)
    driver.leave("announced")
    assert driver.joined(waiting).generation == 2


# ── the group's life


def test_only_an_empty_group_can_be_deleted():
    driver = GroupDriver()
    with pytest.raises(GroupNotFound):
        driver.step(Delete())
    (member,) = driver.stable(1)
    with pytest.raises(NonEmptyGroup):
        driver.step(Delete())
    driver.leave(member.member_id)
    driver.step(Delete())
    assert driver.group.phase is Phase.DEAD


def test_unloading_answers_everybody_who_waits():
    driver, (_, follower) = completing()
    syncing = driver.sync(follower)
    driver.step(Unload(NotCoordinator("moved")))
    assert isinstance(driver.refusal(syncing), NotCoordinator)
    other = GroupDriver()
    joining = other.join()
    other.step(Unload(NotCoordinator("moved")))
    assert isinstance(other.refusal(joining), NotCoordinator)
    assert other.group.next_deadline() is None


def test_members_that_were_read_from_the_store_have_a_fresh_session_timeout():
    driver = GroupDriver()
    leader, _ = driver.stable()
    assert driver.stored is not None
    restarted = GroupDriver(group=codec.decode(driver.group.group_id, codec.encode(driver.stored)))
    restarted.now_ms = 1_000_000
    restarted.step(Resume())
    restarted.advance(SESSION_MS - 1)
    assert not restarted.heartbeat(leader)
    restarted.advance(1)
    assert len(restarted.group.members) == 1


def test_a_group_that_was_read_and_is_over_its_size_rebalances():
    driver = GroupDriver()
    driver.stable(3)
    assert driver.stored is not None
    again = codec.decode(driver.group.group_id, codec.encode(driver.stored))
    restarted = GroupDriver(GroupPolicy(members_max=2), again)
    restarted.step(Resume())
    assert restarted.group.phase is Phase.PREPARING_REBALANCE
