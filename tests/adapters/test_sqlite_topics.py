"""What only a file can show: topics and brokers after a restart."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from uuid import UUID

from fleuve.adapters.sqlite.brokers import SqliteBrokerStore
from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.queries import load
from fleuve.adapters.sqlite.topics import SqliteTopicStore
from fleuve.base.clock import ManualClock
from fleuve.base.ids import NodeId, TimestampMs, TopicId
from fleuve.ports.brokers import Address
from fleuve.ports.topics import NewTopic

LISTENERS = {"PLAINTEXT": Address("localhost", 9092)}


@asynccontextmanager
async def opened(path):
    database = Database(path / "catalog.sqlite")
    database.open(asyncio.get_running_loop())
    yield database
    await database.close()


def new(number):
    return NewTopic(
        id=TopicId(UUID(int=number)),
        name=f"topic-{number}",
        partition_count=3,
        replication_factor=1,
        created_ms=TimestampMs(0),
    )


async def test_topics_outlive_the_broker_and_partition_ids_are_not_given_again(tmp_path):
    async with opened(tmp_path) as database:
        store = SqliteTopicStore(database)
        kept, gone = await store.create([new(1), new(2)])
        assert gone is not None
        await store.delete([gone.id])
    async with opened(tmp_path) as database:
        store = SqliteTopicStore(database)
        assert await store.load_all() == [kept]
        (later,) = await store.create([new(3)])
        assert later is not None
        assert min(later.partition_ids) > max(gone.partition_ids)


async def test_a_change_that_fails_half_way_leaves_nothing(tmp_path):
    async with opened(tmp_path) as database:

        def half(connection):
            row = {"id": b"x" * 16, "name": "half", "replication_factor": 1, "created_ms": 0, "internal": False}
            connection.execute(load("topics")["insert_topic"], row)
            raise ZeroDivisionError

        outcomes = await asyncio.gather(
            SqliteTopicStore(database).create([new(1)]), database.write(half), return_exceptions=True
        )
        assert isinstance(outcomes[1], ZeroDivisionError)
        assert [topic.name for topic in await SqliteTopicStore(database).load_all()] == ["topic-1"]


async def test_incarnations_and_the_cluster_id_outlive_the_broker(tmp_path):
    clock = ManualClock()
    async with opened(tmp_path) as database:
        store = SqliteBrokerStore(database, clock)
        cluster_id = await store.cluster_id("first")
        before = await store.register(node_id=NodeId(1), listeners=LISTENERS, rack=None, lease_ms=1_000)
    async with opened(tmp_path) as database:
        store = SqliteBrokerStore(database, clock)
        assert await store.cluster_id("second") == cluster_id
        # A broker that was killed comes back before its lease has ended.
        after = await store.register(node_id=None, listeners=LISTENERS, rack=None, lease_ms=1_000)
        assert (after.node_id, after.incarnation > before.incarnation) == (1, True)
        assert await store.live() == [after]
