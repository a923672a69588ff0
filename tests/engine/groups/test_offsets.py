"""Who may commit, and which offsets are kept."""

from uuid import UUID

import pytest

from fleuve.base.ids import GroupId, Offset, PartitionIndex, TimestampMs, TopicId
from fleuve.engine.groups import offsets
from fleuve.engine.groups.errors import (
    GroupNotFound,
    IllegalGeneration,
    NonEmptyGroup,
    OffsetMetadataTooLarge,
    RebalanceInProgress,
    UnknownMember,
)
from fleuve.engine.groups.offsets import OffsetToCommit
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.state import Group
from fleuve.ports.groups import CommittedOffset
from support.groups import WALL_ZERO_MS, GroupDriver, protocols, subscription

T, OTHER, GONE = (TopicId(UUID(int=number)) for number in (1, 2, 3))
NAMES = {T: "t", OTHER: "other"}
POLICY = GroupPolicy(offsets_retention_ms=1_000)


def stored(topic_id=T, committed_ms=WALL_ZERO_MS, expires_ms=None):
    return CommittedOffset(
        topic_id=topic_id,
        partition=PartitionIndex(0),
        offset=Offset(5),
        committed_ms=TimestampMs(committed_ms),
        expires_ms=expires_ms,
    )


def expired(group, *committed, now):
    gone = offsets.expired(group, committed, NAMES.get, POLICY, now=TimestampMs(WALL_ZERO_MS + now))
    return [key.topic_id for key in gone]


def wanted(metadata):
    return OffsetToCommit(topic_id=T, partition=PartitionIndex(0), offset=Offset(1), metadata=metadata)


# ── who may commit


def test_a_member_commits_for_its_generation_only():
    driver = GroupDriver()
    (member,) = driver.stable(1)
    driver.commit(member.member_id, member.generation)
    with pytest.raises(IllegalGeneration):
        driver.commit(member.member_id, member.generation + 1)
    with pytest.raises(IllegalGeneration):
        driver.commit(member.member_id, member.generation - 1)
    with pytest.raises(UnknownMember):
        driver.commit("somebody", member.generation)


def test_a_group_with_members_takes_no_commits_from_outside():
    driver = GroupDriver()
    (member,) = driver.stable(1)
    with pytest.raises(UnknownMember):
        driver.commit()
    with pytest.raises(IllegalGeneration):
        driver.commit(member.member_id, -1)


def test_an_empty_group_takes_commits_from_outside_and_from_nobody_else():
    driver = GroupDriver()
    driver.commit()
    driver.commit("whoever", -1)
    assert driver.group.exists
    with pytest.raises(UnknownMember):
        driver.commit("somebody", 0)


def test_a_commit_makes_the_group_and_a_members_commit_does_not():
    driver = GroupDriver()
    with pytest.raises(GroupNotFound):
        driver.commit("somebody", 1)
    assert not driver.group.exists


def test_members_may_commit_while_the_others_join_and_not_while_they_wait_for_the_assignment():
    driver = GroupDriver()
    leader, follower = driver.stable()
    driver.join(leader.member_id)
    driver.commit(follower.member_id, follower.generation)
    driver.join(follower.member_id)
    with pytest.raises(RebalanceInProgress):
        driver.commit(follower.member_id, follower.generation + 1)
    with pytest.raises(IllegalGeneration):
        driver.commit(follower.member_id, follower.generation)


# ── what is stored


def test_metadata_that_is_too_long_costs_its_own_offset_only():
    policy = GroupPolicy(offset_metadata_bytes_max=3)
    accepted, results = offsets.accepted(
        [wanted("four"), wanted("abc"), wanted(None)], policy, retention_ms=None, now=TimestampMs(7)
    )
    assert isinstance(results[0], OffsetMetadataTooLarge)
    assert results[1:] == [None, None]
    assert [one.metadata for one in accepted] == ["abc", ""]
    assert {one.expires_ms for one in accepted} == {None}


def test_a_retention_of_its_own_is_counted_from_the_commit():
    (accepted,), _ = offsets.accepted([wanted("")], POLICY, retention_ms=50, now=TimestampMs(7))
    assert accepted.committed_ms == 7
    assert accepted.expires_ms == 57


def test_a_retention_beyond_the_end_of_time_ends_there():
    (accepted,), _ = offsets.accepted([wanted("")], POLICY, retention_ms=2**63 - 1, now=TimestampMs(7))
    assert accepted.expires_ms == 2**63 - 1


# ── what is deleted


def test_offsets_of_a_group_that_does_not_exist_cannot_be_deleted():
    with pytest.raises(GroupNotFound):
        offsets.check_deletion(Group(group_id=GroupId("g")))


def test_offsets_of_members_that_are_no_consumers_cannot_be_deleted():
    driver = GroupDriver()
    (member,) = driver.stable(1, protocol_type="connect")
    with pytest.raises(NonEmptyGroup):
        offsets.check_deletion(driver.group)
    driver.leave(member.member_id)
    offsets.check_deletion(driver.group)


def test_consumers_keep_the_offsets_of_topics_that_they_are_subscribed_to():
    driver = GroupDriver()
    (member,) = driver.stable(1, protocols=protocols("range", metadata=subscription("t")))
    offsets.check_deletion(driver.group)
    assert offsets.check_topic_deletion(driver.group, "t") is not None
    assert offsets.check_topic_deletion(driver.group, "other") is None
    driver.leave(member.member_id)
    assert offsets.check_topic_deletion(driver.group, "t") is None


def test_consumers_whose_subscription_cannot_be_read_keep_everything():
    driver = GroupDriver()
    driver.stable(1, protocols=protocols("range", metadata=b"?"))
    assert offsets.check_topic_deletion(driver.group, "anything") is not None


# ── what expires


def test_without_members_ever_offsets_expire_by_their_commit():
    driver = GroupDriver()
    driver.commit()
    assert expired(driver.group, stored(), now=999) == []
    assert expired(driver.group, stored(), now=1_000) == [T]


def test_an_empty_groups_offsets_expire_by_the_moment_it_became_empty():
    driver = GroupDriver()
    (member,) = driver.stable(1)
    driver.advance(5_000)
    driver.leave(member.member_id)
    assert expired(driver.group, stored(), now=5_999) == []
    assert expired(driver.group, stored(), now=6_000) == [T]


def test_a_stable_groups_offsets_expire_only_where_nobody_is_subscribed():
    driver = GroupDriver()
    driver.stable(1)
    assert expired(driver.group, stored(), stored(OTHER), now=1_000) == [OTHER]


def test_nothing_expires_during_a_rebalance_or_for_members_that_are_no_consumers():
    driver = GroupDriver()
    driver.join()
    assert expired(driver.group, stored(OTHER), now=10_000) == []
    other = GroupDriver()
    other.stable(1, protocol_type="connect")
    assert expired(other.group, stored(OTHER), now=10_000) == []


def test_an_explicit_expiry_wins_over_the_brokers_retention():
    driver = GroupDriver()
    driver.commit()
    later = stored(expires_ms=TimestampMs(WALL_ZERO_MS + 5_000))
    assert expired(driver.group, later, now=4_999) == []
    assert expired(driver.group, later, now=5_000) == [T]


def test_offsets_of_a_topic_that_is_gone_go_at_once():
    driver = GroupDriver()
    driver.stable(1)
    assert expired(driver.group, stored(GONE), now=0) == [GONE]
