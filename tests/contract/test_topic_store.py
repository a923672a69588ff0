"""What every TopicStore does."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from fleuve.adapters.memory.configs import MemoryConfigStore
from fleuve.adapters.memory.topics import MemoryTopicStore
from fleuve.adapters.sqlite.configs import SqliteConfigStore
from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.topics import SqliteTopicStore
from fleuve.base.ids import TimestampMs, TopicId
from fleuve.ports.configs import topic_resource
from fleuve.ports.errors import VersionConflict
from fleuve.ports.topics import NewTopic

NOW = TimestampMs(1_000)


def topic(number: int, name: str | None = None, partitions: int = 2, **fields) -> NewTopic:
    return NewTopic(
        id=TopicId(UUID(int=number, version=4)),
        name=f"topic-{number}" if name is None else name,
        partition_count=partitions,
        replication_factor=fields.pop("replication_factor", 1),
        created_ms=NOW,
        **fields,
    )


@pytest.fixture(params=["memory", "sqlite"])
async def stores(request, tmp_path):
    if request.param == "memory":
        configs = MemoryConfigStore()
        yield MemoryTopicStore(configs), configs
        return
    database = Database(tmp_path / "catalog.sqlite")
    database.open(asyncio.get_running_loop())
    yield SqliteTopicStore(database), SqliteConfigStore(database)
    await database.close()


@pytest.fixture
def store(stores):
    return stores[0]


async def test_a_new_store_has_no_topics(store):
    assert await store.load_all() == []


async def test_what_was_created_is_loaded_as_it_was_returned(store):
    new = [topic(2, partitions=3, replication_factor=3), topic(1, name="__consumer_offsets", internal=True)]
    created = await store.create(new)
    assert [row.id for row in created] == [new[0].id, new[1].id]
    assert [len(row.partition_ids) for row in created] == [3, 2]
    loaded = await store.load_all()
    assert loaded == sorted(created, key=lambda row: row.name)
    assert [row.internal for row in loaded] == [True, False]
    assert loaded[1].replication_factor == 3
    assert loaded[1].created_ms == NOW


async def test_partition_ids_are_dense_and_ascend(store):
    first, second = await store.create([topic(1), topic(2)])
    (third,) = await store.create([topic(3)])
    ids = first.partition_ids + second.partition_ids + third.partition_ids
    assert list(ids) == list(range(ids[0], ids[0] + 6))


async def test_a_taken_name_or_id_creates_nothing_and_the_others_are_created(store):
    await store.create([topic(1, name="taken")])
    assert await store.create([topic(2, name="taken"), topic(1, name="other")]) == [None, None]
    created = await store.create([topic(3, name="taken"), topic(4), topic(5, name=topic(4).name)])
    assert [row is None for row in created] == [True, False, True]
    assert [row.name for row in await store.load_all()] == ["taken", "topic-4"]


async def test_names_differ_by_case(store):
    assert None not in await store.create([topic(1, name="Orders"), topic(2, name="orders")])


async def test_of_many_creators_of_one_name_one_wins(store):
    outcomes = await asyncio.gather(*(store.create([topic(number, name="contended")]) for number in range(1, 9)))
    assert sum(row is not None for (row,) in outcomes) == 1


async def test_a_deleted_topic_is_gone_and_its_name_is_free(store):
    first, kept = await store.create([topic(1, name="orders"), topic(2)])
    assert await store.delete([first.id]) == [first.partition_ids]
    assert await store.load_all() == [kept]
    (again,) = await store.create([topic(3, name="orders")])
    assert again is not None


async def test_deleting_what_is_not_there_says_so(store):
    (row,) = await store.create([topic(1)])
    unknown = TopicId(UUID(int=99))
    assert await store.delete([unknown, row.id, row.id]) == [None, row.partition_ids, None]


async def test_partition_ids_are_never_given_again(store):
    (first,) = await store.create([topic(1)])
    await store.delete([first.id])
    (second,) = await store.create([topic(2)])
    assert min(second.partition_ids) > max(first.partition_ids)


async def test_added_partitions_come_behind_the_others(store):
    first, _ = await store.create([topic(1), topic(2)])
    grown = await store.add_partitions(first.id, expected_count=2, count=5, now=NOW)
    assert grown[:2] == first.partition_ids
    assert len(set(grown)) == 5
    loaded = {row.id: row for row in await store.load_all()}
    assert loaded[first.id].partition_ids == grown
    assert await store.delete([first.id]) == [grown]


async def test_growth_from_another_count_is_a_conflict(store):
    (row,) = await store.create([topic(1)])
    with pytest.raises(VersionConflict):
        await store.add_partitions(row.id, expected_count=1, count=5, now=NOW)
    await store.delete([row.id])
    with pytest.raises(VersionConflict):
        await store.add_partitions(row.id, expected_count=2, count=5, now=NOW)
    assert await store.load_all() == []


async def test_of_two_growths_one_loses(store):
    (row,) = await store.create([topic(1)])
    outcomes = await asyncio.gather(
        store.add_partitions(row.id, expected_count=2, count=3, now=NOW),
        store.add_partitions(row.id, expected_count=2, count=4, now=NOW),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, VersionConflict) for outcome in outcomes) == 1


async def test_overrides_come_and_go_with_their_topic(stores):
    topics, configs = stores
    overridden = topic(1, name="orders", overrides={"retention.ms": "5"})
    await topics.create([overridden, topic(2)])
    stored = await configs.load_all()
    assert set(stored) == {topic_resource(overridden.id)}
    assert stored[topic_resource(overridden.id)].overrides == {"retention.ms": "5"}
    # A topic that was not created leaves none.
    await topics.create([topic(3, name="orders", overrides={"retention.ms": "6"})])
    assert set(await configs.load_all()) == {topic_resource(overridden.id)}
    await topics.delete([overridden.id])
    assert await configs.load_all() == {}


async def test_a_thousand_topics_in_one_request(store):
    created = await store.create([topic(number, partitions=10) for number in range(1, 1_001)])
    ids = [partition_id for row in created for partition_id in row.partition_ids]
    assert len(set(ids)) == 10_000
    assert len(await store.load_all()) == 1_000
