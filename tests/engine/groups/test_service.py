"""Groups at the edge: timers, waiting requests, storing, restarts and fencing, under virtual time."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
import uvloop

from fleuve.adapters.memory.groups import MemoryGroupStore
from fleuve.base.ids import GroupId, MemberId, Offset, PartitionIndex, TopicId
from fleuve.engine.groups.commands import Commit, Heartbeat, Join, LeavingMember, Sync
from fleuve.engine.groups.errors import (
    CoordinatorNotAvailable,
    GroupNotFound,
    InvalidGroupId,
    InvalidSessionTimeout,
    MemberIdRequired,
    NonEmptyGroup,
    NotCoordinator,
    RebalanceInProgress,
    UnknownMember,
)
from fleuve.engine.groups.offsets import OffsetToCommit
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.service import IDLE_SWEEP_S
from fleuve.engine.groups.state import Phase
from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown
from fleuve.simulation.loop import hold_up, virtually
from support.group_handlers import Topics, group_apis
from support.groups import protocols, subscription

GROUP = GroupId("g")
TOPIC = TopicId(UUID(int=100))
ASSIGNMENT = b"\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"
DAY_S = 86_400.0


class FaultyStore(MemoryGroupStore):
    """Fails as told, before or after the write, or takes its time."""

    def __init__(self):
        super().__init__()
        self.before = None
        self.after = None
        self.delay_s = 0.0
        self.read_delay_s = 0.0

    async def _faulty(self, work):
        error, self.before = self.before, None
        if error is not None:
            work.close()
            raise error
        result = await work
        await asyncio.sleep(self.delay_s)
        error, self.after = self.after, None
        if error is not None:
            raise error
        return result

    async def claim(self, group_id):
        return await self._faulty(super().claim(group_id))

    async def offsets(self, group_id):
        found = await super().offsets(group_id)
        await asyncio.sleep(self.read_delay_s)
        return found

    async def save(self, group_id, epoch, state):
        await self._faulty(super().save(group_id, epoch, state))

    async def commit_offsets(self, group_id, epoch, offsets):
        await self._faulty(super().commit_offsets(group_id, epoch, offsets))


def join(member_id="", **fields):
    values: dict[str, Any] = {
        "session_timeout_ms": 10_000,
        "rebalance_timeout_ms": 60_000,
        "protocol_type": "consumer",
        "protocols": protocols("range"),
        "id_required": False,
        "client_id": "c",
    } | fields
    return Join(member_id=MemberId(member_id), **values)


def sync(joined):
    assignments = {member.member_id: ASSIGNMENT for member in joined.members}
    return Sync(member_id=joined.member_id, generation=joined.generation, assignments=assignments)


def beat(joined):
    return Heartbeat(member_id=joined.member_id, generation=joined.generation)


def member_commit(joined):
    return Commit(member_id=joined.member_id, generation=joined.generation)


OUTSIDER = Commit(member_id=MemberId(""), generation=-1)


def offset(value, partition=0):
    return OffsetToCommit(topic_id=TOPIC, partition=PartitionIndex(partition), offset=Offset(value))


async def one_member(groups, group_id=GROUP, **fields):
    joined = await groups.join(group_id, join(**fields))
    await groups.sync(group_id, sync(joined))
    return joined


def test_a_member_joins_syncs_commits_and_leaves():
    async def story():
        async with group_apis() as apis:
            groups = apis.groups
            with pytest.raises(MemberIdRequired) as required:
                await groups.join(GROUP, join(id_required=True))
            joined = await groups.join(GROUP, join(required.value.member_id))
            assert joined.member_id.startswith("c-")
            synced = await groups.sync(GROUP, sync(joined))
            assert synced.assignment == ASSIGNMENT
            await groups.heartbeat(GROUP, beat(joined))
            assert await groups.commit(GROUP, member_commit(joined), [offset(7)]) == [None]
            assert [one.offset for one in (await groups.committed(GROUP)).values()] == [7]
            assert await groups.leave(GROUP, [LeavingMember(member_id=joined.member_id)]) == [None]
            assert (await groups.describe(GROUP)).phase is Phase.EMPTY

    virtually(story())


def test_session_timeouts_outside_the_bounds_and_empty_group_ids_are_refused():
    async def story():
        async with group_apis() as apis:
            for timeout_ms in (5_999, 1_800_001):
                with pytest.raises(InvalidSessionTimeout):
                    await apis.groups.join(GROUP, join(session_timeout_ms=timeout_ms))
            with pytest.raises(InvalidGroupId):
                await apis.groups.join(GroupId(""), join())
            with pytest.raises(InvalidGroupId):
                await apis.groups.heartbeat(GroupId(""), Heartbeat(member_id=MemberId("m"), generation=1))
            assert await apis.groups.overview() == []

    virtually(story())


def test_the_group_wakes_up_by_itself_when_a_session_ends():
    async def story():
        async with group_apis() as apis:
            joined = await one_member(apis.groups)
            await asyncio.sleep(9.9)
            await apis.groups.heartbeat(GROUP, beat(joined))
            await asyncio.sleep(9.9)
            assert (await apis.groups.describe(GROUP)).phase is Phase.STABLE
            await asyncio.sleep(0.2)
            assert (await apis.groups.describe(GROUP)).phase is Phase.EMPTY
            assert apis.groups.stats.sessions_expired == 1
            with pytest.raises(UnknownMember):
                await apis.groups.heartbeat(GROUP, beat(joined))

    virtually(story())


def test_members_are_not_given_up_because_the_broker_was_held_up():
    async def story():
        async with group_apis() as apis:
            joined = await one_member(apis.groups)
            hold_up(30.0)
            await asyncio.sleep(0.1)
            await apis.groups.heartbeat(GROUP, beat(joined))
            await asyncio.sleep(9.9)
            assert (await apis.groups.describe(GROUP)).phase is Phase.STABLE
            await asyncio.sleep(1)
            assert (await apis.groups.describe(GROUP)).phase is Phase.EMPTY

    virtually(story())


def test_what_members_of_all_groups_say_is_bounded_and_counted():
    async def story():
        async with group_apis(policy=GroupPolicy(initial_rebalance_delay_ms=0, metadata_bytes_max=20)) as apis:
            joined = await one_member(apis.groups)
            assert apis.groups.stats.metadata_bytes == len(subscription("t"))
            await one_member(apis.groups, GroupId("other"))
            with pytest.raises(CoordinatorNotAvailable):
                await apis.groups.join(GroupId("third"), join())
            await apis.groups.leave(GROUP, [LeavingMember(member_id=joined.member_id)])
            await one_member(apis.groups, GroupId("third"))
        assert apis.groups.stats.metadata_bytes == 0

    virtually(story())


def test_timers_work_on_uvloop_too():
    async def story():
        async with group_apis(policy=GroupPolicy(initial_rebalance_delay_ms=20)) as apis:
            joined = await asyncio.gather(*(apis.groups.join(GROUP, join()) for _ in range(2)))
            assert {one.generation for one in joined} == {1}
        async with group_apis() as apis:
            assert (await apis.groups.join(GROUP, join())).generation == 1

    uvloop.run(story())


def test_the_first_rebalance_waits_for_its_delay():
    async def story():
        policy = GroupPolicy(initial_rebalance_delay_ms=3_000)
        async with group_apis(policy=policy) as apis:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            joined = await asyncio.gather(*(apis.groups.join(GROUP, join()) for _ in range(3)))
            assert loop.time() - begun == pytest.approx(6.0)  # Two came after the first, and put it off once more.
            assert sorted(len(one.members) for one in joined) == [0, 0, 3]

    virtually(story())


def test_a_request_whose_connection_dies_is_forgotten():
    async def story():
        async with group_apis() as apis, asyncio.TaskGroup() as tasks:
            joined = await one_member(apis.groups)
            waiting = tasks.create_task(apis.groups.join(GROUP, join()))
            await asyncio.sleep(1)
            with pytest.raises(RebalanceInProgress):
                await apis.groups.heartbeat(GROUP, beat(joined))
            waiting.cancel()
            await asyncio.sleep(0)
            again = await apis.groups.join(GROUP, join(joined.member_id))
            assert [member.member_id for member in again.members] == [joined.member_id]

    virtually(story())


def test_members_go_on_after_a_restart_without_a_rebalance():
    async def story():
        store = MemoryGroupStore()
        async with group_apis(store) as apis:
            joined = await one_member(apis.groups)
        async with group_apis(store) as apis:
            await apis.groups.heartbeat(GROUP, beat(joined))
            again = await apis.groups.sync(GROUP, sync(joined))
            assert again.assignment == ASSIGNMENT
            await apis.groups.commit(GROUP, member_commit(joined), [offset(7)])

    virtually(story())


def test_members_that_died_with_the_broker_are_noticed_though_nobody_asks():
    async def story():
        store = MemoryGroupStore()
        async with group_apis(store) as apis:
            await one_member(apis.groups)
        async with group_apis(store) as apis:
            await asyncio.sleep(10.1)
            (group,) = await apis.groups.overview()
            assert group.phase is Phase.EMPTY
            assert apis.groups.stats.sessions_expired == 1

    virtually(story())


def test_an_empty_group_is_brought_back_when_it_is_asked_for_and_not_before():
    async def story():
        store = MemoryGroupStore()
        async with group_apis(store) as apis:
            await apis.groups.commit(GROUP, OUTSIDER, [offset(7)])
        async with group_apis(store) as apis:
            await asyncio.sleep(1)
            await apis.groups.refresh_stats()
            assert apis.groups.stats.groups_loaded == 0
            assert apis.groups.stats.groups["Empty"] == 1
            assert len(await apis.groups.committed(GROUP)) == 1
            await apis.groups.commit(GROUP, OUTSIDER, [offset(8)])
            await apis.groups.refresh_stats()
            assert apis.groups.stats.groups_loaded == 1

    virtually(story())


def test_who_asks_after_groups_that_do_not_exist_leaves_nothing_behind():
    async def story():
        store = MemoryGroupStore()
        async with group_apis(store) as apis:
            joined = await one_member(apis.groups)
            for group_id in (GroupId("x"), GroupId("y")):
                with pytest.raises(UnknownMember):
                    await apis.groups.heartbeat(group_id, beat(joined))
                with pytest.raises(GroupNotFound):
                    await apis.groups.commit(group_id, member_commit(joined), [offset(1)])
                with pytest.raises(GroupNotFound):
                    await apis.groups.describe(group_id)
                with pytest.raises(GroupNotFound):
                    await apis.groups.delete(group_id)
                errors = await apis.groups.leave(group_id, [LeavingMember(member_id=MemberId("m"))])
                assert isinstance(errors[0], UnknownMember)
                assert await apis.groups.committed(group_id) == {}
            assert list(store._rows) == [GROUP]

    virtually(story())


def test_an_idle_group_leaves_the_memory_and_one_that_never_was_the_store_too():
    async def story():
        store = MemoryGroupStore()
        async with group_apis(store) as apis:
            await apis.groups.commit(GROUP, OUTSIDER, [offset(7)])
            with pytest.raises(MemberIdRequired):
                await apis.groups.join(GroupId("never"), join(id_required=True))
            await asyncio.sleep(3 * IDLE_SWEEP_S)
            await apis.groups.refresh_stats()
            assert apis.groups.stats.groups_loaded == 0
            assert list(store._rows) == [GROUP]
            assert len(await apis.groups.committed(GROUP)) == 1

    virtually(story())


def test_a_group_with_members_stays_in_memory():
    async def story():
        async with group_apis() as apis:
            await one_member(apis.groups, session_timeout_ms=1_800_000)
            await asyncio.sleep(5 * IDLE_SWEEP_S)
            await apis.groups.refresh_stats()
            assert apis.groups.stats.groups_loaded == 1
            assert apis.groups.stats.members == 1

    virtually(story())


def test_the_number_of_groups_in_memory_is_bounded():
    async def story():
        async with group_apis(policy=GroupPolicy(groups_loaded_max=2)) as apis:
            for name in ("a", "b"):
                await apis.groups.commit(GroupId(name), OUTSIDER, [offset(1)])
            with pytest.raises(CoordinatorNotAvailable):
                await apis.groups.commit(GroupId("c"), OUTSIDER, [offset(1)])
            await asyncio.sleep(3 * IDLE_SWEEP_S)
            await apis.groups.commit(GroupId("c"), OUTSIDER, [offset(1)])

    virtually(story())


# ── storing


def test_a_fetch_sees_every_commit_that_was_taken_before_it():
    async def story():
        store = FaultyStore()
        async with group_apis(store) as apis, asyncio.TaskGroup() as tasks:
            await apis.groups.commit(GROUP, OUTSIDER, [offset(1)])
            store.delay_s = 1.0
            tasks.create_task(apis.groups.commit(GROUP, OUTSIDER, [offset(2)]))
            await asyncio.sleep(0)
            begun = asyncio.get_running_loop().time()
            (committed,) = (await apis.groups.committed(GROUP)).values()
            assert committed.offset == 2
            assert asyncio.get_running_loop().time() - begun == pytest.approx(1.0)

    virtually(story())


def test_a_commit_that_could_not_be_stored_is_not_acknowledged_and_the_next_one_is():
    async def story():
        store = FaultyStore()
        async with group_apis(store) as apis:
            await apis.groups.commit(GROUP, OUTSIDER, [offset(1)])
            store.before = CatalogUnavailable("disk full")
            with pytest.raises(CoordinatorNotAvailable):
                await apis.groups.commit(GROUP, OUTSIDER, [offset(2)])
            (committed,) = (await apis.groups.committed(GROUP)).values()
            assert committed.offset == 1
            await apis.groups.commit(GROUP, OUTSIDER, [offset(3)])

    virtually(story())


def test_after_a_commit_of_unknown_outcome_the_group_is_claimed_again():
    async def story():
        store = FaultyStore()
        async with group_apis(store) as apis:
            joined = await one_member(apis.groups)
            epoch = store._rows[GROUP].epoch
            store.after = CommitOutcomeUnknown("the answer was lost")
            with pytest.raises(CoordinatorNotAvailable):
                await apis.groups.commit(GROUP, member_commit(joined), [offset(2)])
            await apis.groups.commit(GROUP, member_commit(joined), [offset(3)])
            assert store._rows[GROUP].epoch > epoch
            await apis.groups.heartbeat(GROUP, beat(joined))

    virtually(story())


def test_a_store_that_does_not_answer_does_not_hold_a_commit_for_ever():
    async def story():
        store = FaultyStore()
        async with group_apis(store) as apis:
            await apis.groups.commit(GROUP, OUTSIDER, [offset(1)])
            store.delay_s = 3_600.0
            with pytest.raises(CoordinatorNotAvailable):
                await apis.groups.commit(GROUP, OUTSIDER, [offset(2)])

    virtually(story())


def test_if_the_assignment_cannot_be_stored_the_leader_is_told_and_the_group_goes_on():
    async def story():
        store = FaultyStore()
        async with group_apis(store) as apis:
            joined = await apis.groups.join(GROUP, join())
            store.before = CatalogUnavailable("disk full")
            with pytest.raises(CoordinatorNotAvailable):
                await apis.groups.sync(GROUP, sync(joined))
            again = await apis.groups.join(GROUP, join(joined.member_id))
            assert (await apis.groups.sync(GROUP, sync(again))).assignment == ASSIGNMENT

    virtually(story())


def test_a_coordinator_that_lost_its_claim_cannot_commit_and_says_so_to_who_waits():
    async def story():
        store = MemoryGroupStore()
        async with group_apis(store) as apis, asyncio.TaskGroup() as tasks:
            joined = await one_member(apis.groups)
            waiting = tasks.create_task(_refused(apis.groups.join(GROUP, join())))
            await asyncio.sleep(0.1)
            await store.claim(GROUP)
            with pytest.raises(NotCoordinator):
                await apis.groups.commit(GROUP, member_commit(joined), [offset(9)])
            assert isinstance(await waiting, NotCoordinator)
            assert await store.offsets(GROUP) == []

    virtually(story())


async def _refused(work):
    try:
        await work
    except Exception as error:
        return error
    raise AssertionError("it was not refused")


def test_of_two_brokers_that_coordinate_a_group_only_the_last_one_can_commit():
    async def story():
        store = MemoryGroupStore()
        async with group_apis(store) as first, group_apis(store) as second:
            await first.groups.commit(GROUP, OUTSIDER, [offset(1)])
            await second.groups.commit(GROUP, OUTSIDER, [offset(2)])
            with pytest.raises(NotCoordinator):
                await first.groups.commit(GROUP, OUTSIDER, [offset(3)])
            (committed,) = (await second.groups.committed(GROUP)).values()
            assert committed.offset == 2

    virtually(story())


def test_closing_sends_everybody_who_waits_away():
    async def story():
        async with asyncio.TaskGroup() as tasks:
            async with group_apis() as apis:
                await one_member(apis.groups)
                waiting = tasks.create_task(_refused(apis.groups.join(GROUP, join())))
                await asyncio.sleep(0.1)
            assert isinstance(await waiting, NotCoordinator)
            with pytest.raises(NotCoordinator):
                await apis.groups.commit(GROUP, OUTSIDER, [offset(1)])

    virtually(story())


def test_requests_that_come_together_share_one_claim():
    async def story():
        store = FaultyStore()
        store.delay_s = 0.01
        async with group_apis(store) as apis:
            await asyncio.gather(*(apis.groups.commit(GROUP, OUTSIDER, [offset(n, n)]) for n in range(8)))
            assert store._rows[GROUP].epoch == 1
            assert len(await apis.groups.committed(GROUP)) == 8

    virtually(story())


# ── expiry


def test_offsets_expire_with_the_retention_and_the_group_goes_with_the_last_of_them():
    async def story():
        policy = GroupPolicy(initial_rebalance_delay_ms=0, offsets_retention_ms=int(7 * DAY_S * 1000))
        async with group_apis(policy=policy) as apis:
            await apis.groups.commit(GROUP, OUTSIDER, [offset(7)])
            await asyncio.sleep(6.9 * DAY_S)
            assert len(await apis.groups.committed(GROUP)) == 1
            await asyncio.sleep(0.2 * DAY_S)
            assert await apis.groups.committed(GROUP) == {}
            assert await apis.groups.overview() == []
            assert apis.groups.stats.offsets_expired == 1

    virtually(story())


def test_a_group_that_is_in_use_keeps_its_offsets():
    async def story():
        policy = GroupPolicy(initial_rebalance_delay_ms=0, offsets_retention_ms=1_000)
        async with group_apis(policy=policy) as apis:
            joined = await one_member(apis.groups, session_timeout_ms=1_800_000)
            await apis.groups.commit(GROUP, member_commit(joined), [offset(7)])
            await asyncio.sleep(1_700)
            assert len(await apis.groups.committed(GROUP)) == 1

    virtually(story())


def test_offsets_of_a_deleted_topic_go_and_the_others_stay():
    async def story():
        topics = Topics(t=4, other=1)
        async with group_apis(topics=topics) as apis:
            other = topics.get("other").id
            await apis.groups.commit(
                GROUP,
                OUTSIDER,
                [offset(7), OffsetToCommit(topic_id=other, partition=PartitionIndex(0), offset=Offset(1))],
            )
            topics.delete("t")
            await apis.groups.expire_offsets()
            assert [key.topic_id for key in await apis.groups.committed(GROUP)] == [other]

    virtually(story())


def test_an_offset_that_is_committed_while_old_ones_expire_is_kept():
    async def story():
        store = FaultyStore()
        policy = GroupPolicy(initial_rebalance_delay_ms=0, offsets_retention_ms=1_000)
        async with group_apis(store, policy) as apis, asyncio.TaskGroup() as tasks:
            await apis.groups.commit(GROUP, OUTSIDER, [offset(1)])
            await asyncio.sleep(2)
            store.delay_s = 0.5
            tasks.create_task(apis.groups.commit(GROUP, OUTSIDER, [offset(2)]))
            await asyncio.sleep(0.1)
            await apis.groups.expire_offsets()
            (committed,) = (await apis.groups.committed(GROUP)).values()
            assert committed.offset == 2

    virtually(story())


def test_an_offset_that_is_committed_while_expiry_reads_the_old_ones_is_kept():
    async def story():
        store = FaultyStore()
        policy = GroupPolicy(initial_rebalance_delay_ms=0, offsets_retention_ms=1_000)
        async with group_apis(store, policy) as apis, asyncio.TaskGroup() as tasks:
            await apis.groups.commit(GROUP, OUTSIDER, [offset(1)])
            await asyncio.sleep(2)
            store.read_delay_s = 0.5
            expiring = tasks.create_task(apis.groups.expire_offsets())
            await asyncio.sleep(0.1)
            await apis.groups.commit(GROUP, OUTSIDER, [offset(2)])
            await expiring
            (committed,) = (await apis.groups.committed(GROUP)).values()
            assert committed.offset == 2

    virtually(story())


def test_an_empty_group_that_a_member_was_announced_in_is_kept():
    async def story():
        async with group_apis() as apis:
            with pytest.raises(MemberIdRequired) as required:
                await apis.groups.join(GROUP, join(id_required=True))
            await apis.groups.expire_offsets()
            joined = await apis.groups.join(GROUP, join(required.value.member_id))
            assert joined.generation == 1

    virtually(story())


# ── looking


def test_a_group_with_members_cannot_be_deleted_and_an_empty_one_takes_its_offsets_along():
    async def story():
        async with group_apis() as apis:
            joined = await one_member(apis.groups)
            await apis.groups.commit(GROUP, member_commit(joined), [offset(7)])
            with pytest.raises(NonEmptyGroup):
                await apis.groups.delete(GROUP)
            await apis.groups.leave(GROUP, [LeavingMember(member_id=joined.member_id)])
            await apis.groups.delete(GROUP)
            assert await apis.groups.committed(GROUP) == {}
            with pytest.raises(GroupNotFound):
                await apis.groups.delete(GROUP)

    virtually(story())


def test_lag_is_told_for_each_partition_of_each_group():
    async def story():
        async with group_apis() as apis:
            await apis.groups.commit(GROUP, OUTSIDER, [offset(40), offset(120, 1)])
            await apis.groups.refresh_stats()
            assert apis.groups.stats.lag == {("g", "t", "0"): 60, ("g", "t", "1"): 0}
            assert apis.groups.stats.offsets == 2

    virtually(story())


def test_a_damaged_group_does_not_hide_the_others():
    async def story():
        store = MemoryGroupStore()
        claim = await store.claim(GroupId("damaged"))
        await store.save(GroupId("damaged"), claim.epoch, b"\xff?")
        async with group_apis(store) as apis:
            await apis.groups.commit(GROUP, OUTSIDER, [offset(1)])
            assert [group.group_id for group in await apis.groups.overview()] == ["g"]
            with pytest.raises(CoordinatorNotAvailable):
                await apis.groups.join(GroupId("damaged"), join())

    virtually(story())
