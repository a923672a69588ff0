"""A topics room over memory, for tests of what uses it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from random import Random

from fleuve.adapters.memory.topics import MemoryTopicStore
from fleuve.base.clock import ManualClock
from fleuve.base.errors import FleuveError
from fleuve.base.ids import TopicId
from fleuve.base.setting import InvalidConfig
from fleuve.engine.topics.configs import DEFAULTS, TopicConfigs
from fleuve.engine.topics.requests import TopicRules, TopicSpec
from fleuve.engine.topics.service import Topic, TopicService
from fleuve.ports.topics import TopicStore


class PlainConfigs:
    """ConfigRules that take every override but `bad`, and give every topic the same configs."""

    def __init__(self) -> None:
        self.overrides: dict[TopicId, Mapping[str, str]] = {}
        self.configs: TopicConfigs = DEFAULTS

    def topic_configs(self, topic_id: TopicId) -> TopicConfigs:
        del topic_id
        return self.configs

    def validate_topic_overrides(self, overrides: Mapping[str, str | None]) -> Mapping[str, str]:
        if "bad" in overrides:
            raise InvalidConfig("Unknown topic config name: bad")
        return {name: text for name, text in overrides.items() if text is not None}

    def topic_created(self, topic_id: TopicId, overrides: Mapping[str, str]) -> None:
        self.overrides[topic_id] = overrides

    def topic_deleted(self, topic_id: TopicId) -> None:
        self.overrides.pop(topic_id, None)


def topic_service(
    store: TopicStore | None = None,
    *,
    rules: TopicRules | None = None,
    configs: PlainConfigs | None = None,
    nodes: Collection[int] = (1,),
    seed: int = 0,
) -> TopicService:
    """Return a service that is neither loaded nor running."""
    return TopicService(
        MemoryTopicStore() if store is None else store,
        configs=PlainConfigs() if configs is None else configs,
        rules=TopicRules() if rules is None else rules,
        clock=ManualClock(),
        random=Random(seed),
        nodes=lambda: nodes,
    )


@contextlib.asynccontextmanager
async def running(service: TopicService) -> AsyncIterator[TopicService]:
    """Load the service and run it."""
    await service.load()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(service.run())
        yield service
        task.cancel()


async def create_topic(service: TopicService, name: str, partition_count: int = 1, **fields: object) -> Topic:
    """Create one topic and return it."""
    (outcome,) = await service.create([TopicSpec(name=name, partition_count=partition_count, **fields)])  # type: ignore[arg-type]
    if isinstance(outcome, FleuveError):
        raise outcome
    return outcome
