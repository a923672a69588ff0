"""What every ConfigStore does."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from fleuve.adapters.memory.configs import MemoryConfigStore
from fleuve.adapters.sqlite.configs import SqliteConfigStore, insert_overrides, remove_overrides
from fleuve.adapters.sqlite.database import Database
from fleuve.base.ids import NodeId, TopicId
from fleuve.ports.configs import (
    ALL_BROKERS,
    NO_CONFIGS,
    ConfigResource,
    ResourceType,
    broker_resource,
    topic_resource,
)
from fleuve.ports.errors import CorruptState, VersionConflict

TOPIC = topic_resource(TopicId(UUID(int=7)))
GROUP = ConfigResource(ResourceType.GROUP, "groupe café")


@pytest.fixture
async def database(tmp_path):
    database = Database(tmp_path / "catalog.sqlite")
    database.open(asyncio.get_running_loop())
    yield database
    await database.close()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, database):
    return MemoryConfigStore() if request.param == "memory" else SqliteConfigStore(database)


async def test_what_was_never_written_is_empty_at_version_0(store):
    assert await store.load(TOPIC) == NO_CONFIGS
    assert await store.load_all() == {}


async def test_what_was_saved_is_loaded_alone_and_with_the_rest(store):
    assert await store.save(TOPIC, {"retention.ms": "5", "cleanup.policy": ""}, expected_version=0) == 1
    assert await store.save(GROUP, {"share.isolation.level": "é"}, expected_version=0) == 1
    assert await store.load(TOPIC) == ({"retention.ms": "5", "cleanup.policy": ""}, 1)
    assert await store.load_all() == {
        TOPIC: ({"retention.ms": "5", "cleanup.policy": ""}, 1),
        GROUP: ({"share.isolation.level": "é"}, 1),
    }


async def test_a_save_replaces_all_overrides_of_its_resource_and_no_others(store):
    await store.save(ALL_BROKERS, {"a": "1", "b": "2"}, expected_version=0)
    await store.save(broker_resource(NodeId(1)), {"a": "3"}, expected_version=0)
    assert await store.save(ALL_BROKERS, {"b": "4"}, expected_version=1) == 2
    assert await store.load(ALL_BROKERS) == ({"b": "4"}, 2)
    assert await store.load(broker_resource(NodeId(1))) == ({"a": "3"}, 1)


async def test_of_two_writers_one_loses(store):
    await store.save(TOPIC, {"a": "1"}, expected_version=0)
    for expected_version in (0, 2):
        with pytest.raises(VersionConflict):
            await store.save(TOPIC, {"a": "2"}, expected_version=expected_version)
    assert await store.load(TOPIC) == ({"a": "1"}, 1)


async def test_an_update_of_what_was_never_written_is_a_conflict(store):
    with pytest.raises(VersionConflict):
        await store.save(TOPIC, {"a": "1"}, expected_version=3)
    assert await store.load(TOPIC) == NO_CONFIGS


async def test_versions_grow_when_the_overrides_become_none(store):
    await store.save(TOPIC, {"a": "1"}, expected_version=0)
    assert await store.save(TOPIC, {}, expected_version=1) == 2
    assert await store.load(TOPIC) == ({}, 2)


async def test_memory_topics_bring_their_overrides_and_take_them_along():
    store = MemoryConfigStore()
    store.insert(TOPIC, {"a": "1"})
    assert await store.load(TOPIC) == ({"a": "1"}, 1)
    store.remove(TOPIC)
    store.insert(TOPIC, {})
    assert await store.load_all() == {}


async def test_sqlite_topics_bring_their_overrides_and_take_them_along_in_their_own_transaction(database):
    store = SqliteConfigStore(database)
    await database.write(lambda connection: insert_overrides(connection, TOPIC, {"a": "1"}))
    await database.write(lambda connection: insert_overrides(connection, GROUP, {}))
    assert await store.load_all() == {TOPIC: ({"a": "1"}, 1)}
    await database.write(lambda connection: remove_overrides(connection, TOPIC))
    assert await store.load_all() == {}


async def test_sqlite_says_so_when_stored_overrides_cannot_be_read(database):
    await database.write(lambda connection: connection.execute("INSERT INTO config VALUES (2, 'x', '[1]', 1)") and None)
    with pytest.raises(CorruptState, match="configs of"):
        await SqliteConfigStore(database).load_all()
