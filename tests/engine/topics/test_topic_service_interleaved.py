"""Many clients change topics at once, some hang up, some commits get lost: the registry always shows the store."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from fleuve.adapters.memory.topics import MemoryTopicStore
from fleuve.engine.topics.requests import TopicSpec
from fleuve.engine.topics.service import Growth, TopicCreated, TopicDeleted, TopicEvent, TopicService
from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown
from support.topics import running, topic_service

NAMES = ("a", "b.c", "b_c", "d")


class FaultyStore(MemoryTopicStore):
    """Takes its time, and sometimes fails: before, or after the change happened."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    async def create(self, topics):
        return await self._perhaps(super().create(topics))

    async def delete(self, topic_ids):
        return await self._perhaps(super().delete(topic_ids))

    async def add_partitions(self, topic_id, **fields):
        return await self._perhaps(super().add_partitions(topic_id, **fields))

    async def _perhaps(self, change):
        for _ in range(self._random.randrange(3)):
            await asyncio.sleep(0)
        fate = self._random.random()
        if fate < 0.1:
            change.close()
            raise CatalogUnavailable("disk full")
        result = await change
        if fate > 0.9:
            raise CommitOutcomeUnknown("the answer is lost")
        return result


async def client(service: TopicService, random: Random) -> None:
    for _ in range(20):
        name = random.choice(NAMES)
        topic = service.get(name)
        try:
            match random.randrange(4):
                case 0:
                    await service.create([TopicSpec(name=name, partition_count=random.randrange(1, 4))])
                case 1:
                    await service.auto_create([name, random.choice(NAMES)])
                case 2 if topic is not None:
                    await service.delete([topic.id])
                case 3 if topic is not None:
                    await service.add_partitions([Growth(name=name, count=len(topic.partition_ids) + 1)])
        except CatalogUnavailable:
            pass


@pytest.mark.parametrize("seed", range(100))
async def test_the_registry_shows_the_store(seed):
    random = Random(seed)
    store = FaultyStore(random)
    events: list[TopicEvent] = []
    service = topic_service(store, seed=seed)
    service.subscribe(events.append)
    async with running(service):
        clients = [asyncio.ensure_future(client(service, random)) for _ in range(5)]
        for _ in range(random.randrange(60)):
            await asyncio.sleep(0)
        clients[0].cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        await service.add_partitions([])  # The lane is in order: what was begun is done.
        stored = {row.name: row for row in await store.load_all()}
        assert {topic.name: (topic.id, topic.partition_ids) for topic in service.all()} == {
            name: (row.id, row.partition_ids) for name, row in stored.items()
        }
        assert service.partition_count == len(store.partitions)
        created = {event.topic.id for event in events if isinstance(event, TopicCreated)}
        deleted = {event.topic.id for event in events if isinstance(event, TopicDeleted)}
        assert created - deleted == {row.id for row in stored.values()}
        assert not {"b.c", "b_c"} <= set(stored)
