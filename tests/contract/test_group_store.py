"""What every GroupStore does."""

import asyncio
from uuid import UUID

import pytest

from fleuve.adapters.memory.groups import MemoryGroupStore
from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.groups import SqliteGroupStore
from fleuve.base.ids import GroupId, Offset, PartitionIndex, TimestampMs, TopicId
from fleuve.ports.errors import VersionConflict
from fleuve.ports.groups import CommittedOffset, OffsetKey

GROUP = GroupId("orders")
TOPIC = TopicId(UUID(int=7))


def committed(partition=0, offset=5, **fields):
    return CommittedOffset(
        topic_id=fields.pop("topic_id", TOPIC),
        partition=PartitionIndex(partition),
        offset=Offset(offset),
        committed_ms=TimestampMs(1_000),
        **fields,
    )


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryGroupStore()
        return
    database = Database(tmp_path / "catalog.sqlite")
    database.open(asyncio.get_running_loop())
    yield SqliteGroupStore(database)
    await database.close()


async def test_a_group_that_was_never_stored_is_not_there(store):
    assert await store.load(GROUP) is None
    assert await store.load_all() == []
    assert await store.offsets(GROUP) == []


async def test_a_claim_alone_makes_no_group(store):
    claim = await store.claim(GROUP)
    assert claim.stored.state is None
    assert not claim.stored.has_offsets
    assert await store.load(GROUP) is None
    assert await store.load_all() == []


async def test_state_comes_back_as_it_was_saved(store):
    claim = await store.claim(GROUP)
    await store.save(GROUP, claim.epoch, b"\x00state")
    stored = await store.load(GROUP)
    assert stored.state == b"\x00state"
    assert [group.group_id for group in await store.load_all()] == [GROUP]
    assert (await store.claim(GROUP)).stored.state == b"\x00state"


async def test_a_second_claim_ends_the_first(store):
    first = await store.claim(GROUP)
    second = await store.claim(GROUP)
    assert second.epoch > first.epoch
    await store.save(GROUP, second.epoch, b"second")
    with pytest.raises(VersionConflict):
        await store.save(GROUP, first.epoch, b"first")
    assert (await store.load(GROUP)).state == b"second"


async def test_every_change_checks_the_claim(store):
    first = await store.claim(GROUP)
    await store.commit_offsets(GROUP, first.epoch, [committed()])
    await store.claim(GROUP)
    changes = [
        store.commit_offsets(GROUP, first.epoch, [committed(offset=9)]),
        store.delete_offsets(GROUP, first.epoch, [committed().key]),
        store.delete(GROUP, first.epoch),
        store.save(GROUP, first.epoch, b"x"),
    ]
    for change in changes:
        with pytest.raises(VersionConflict):
            await change
    assert await store.offsets(GROUP) == [committed()]


async def test_offsets_come_back_with_everything_that_was_committed(store):
    claim = await store.claim(GROUP)
    full = committed(3, 2**62, leader_epoch=4, metadata="where – I was", expires_ms=TimestampMs(99))
    await store.commit_offsets(GROUP, claim.epoch, [full, committed(1)])
    assert await store.offsets(GROUP) == [committed(1), full]
    assert (await store.load(GROUP)).has_offsets


async def test_a_commit_replaces_the_one_before_it_backwards_too(store):
    claim = await store.claim(GROUP)
    await store.commit_offsets(GROUP, claim.epoch, [committed(offset=9)])
    await store.commit_offsets(GROUP, claim.epoch, [committed(offset=2)])
    assert await store.offsets(GROUP) == [committed(offset=2)]


async def test_commits_stand_in_the_order_of_the_calls(store):
    claim = await store.claim(GROUP)
    await asyncio.gather(*(store.commit_offsets(GROUP, claim.epoch, [committed(offset=n)]) for n in range(20)))
    assert await store.offsets(GROUP) == [committed(offset=19)]


async def test_a_survey_counts_all_offsets_and_shows_some(store):
    assert await store.survey(5) == (0, [])
    for name in ("b", "a"):
        claim = await store.claim(GroupId(name))
        await store.commit_offsets(GroupId(name), claim.epoch, [committed(1), committed(0)])
    assert await store.survey(3) == (4, [("a", committed(0)), ("a", committed(1)), ("b", committed(0))])


async def test_groups_do_not_share_offsets(store):
    other = GroupId("other")
    claim = await store.claim(GROUP)
    other_claim = await store.claim(other)
    assert claim.epoch != other_claim.epoch
    await store.commit_offsets(GROUP, claim.epoch, [committed(offset=1)])
    await store.commit_offsets(other, other_claim.epoch, [committed(offset=2)])
    await store.delete(GROUP, claim.epoch)
    assert await store.offsets(GROUP) == []
    assert await store.offsets(other) == [committed(offset=2)]


async def test_deleted_offsets_are_gone_and_the_others_stay(store):
    claim = await store.claim(GROUP)
    await store.commit_offsets(GROUP, claim.epoch, [committed(0), committed(1)])
    missing = OffsetKey(TopicId(UUID(int=8)), PartitionIndex(0))
    await store.delete_offsets(GROUP, claim.epoch, [committed(0).key, missing])
    assert await store.offsets(GROUP) == [committed(1)]


async def test_a_deleted_group_is_gone_and_its_claim_with_it(store):
    claim = await store.claim(GROUP)
    await store.save(GROUP, claim.epoch, b"state")
    await store.commit_offsets(GROUP, claim.epoch, [committed()])
    await store.delete(GROUP, claim.epoch)
    assert await store.load(GROUP) is None
    with pytest.raises(VersionConflict):
        await store.commit_offsets(GROUP, claim.epoch, [committed()])


async def test_an_epoch_is_never_given_twice_even_if_the_group_was_deleted(store):
    claim = await store.claim(GROUP)
    await store.delete(GROUP, claim.epoch)
    again = await store.claim(GROUP)
    assert again.epoch > claim.epoch
    with pytest.raises(VersionConflict):
        await store.save(GROUP, claim.epoch, b"x")


async def test_all_groups_are_listed_by_id(store):
    for name in ("b", "a", "c"):
        claim = await store.claim(GroupId(name))
        await store.save(GroupId(name), claim.epoch, name.encode())
    assert [group.group_id for group in await store.load_all()] == ["a", "b", "c"]
