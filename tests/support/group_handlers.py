"""Asks the group APIs' handlers as a client would: every message goes through the codec, in the version asked for."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from fleuve.adapters.memory.groups import MemoryGroupStore
from fleuve.base.clock import Clock
from fleuve.base.errors import FleuveError
from fleuve.base.ids import NodeId, TopicId
from fleuve.engine.access.service import AllowAll, Authorizer
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.service import GroupService
from fleuve.kafka.api import RequestContext
from fleuve.kafka.handlers import (
    delete_groups,
    describe_groups,
    find_coordinator,
    heartbeat,
    join_group,
    leave_group,
    list_groups,
    offset_commit,
    offset_delete,
    offset_fetch,
    sync_group,
)
from fleuve.ports.groups import GroupStore
from fleuve.simulation.clock import SimulatedClock


class Topics:
    """As much of the topics' service as group handlers look at."""

    def __init__(self, **partition_counts: int) -> None:
        self._by_name = {
            name: SimpleNamespace(id=TopicId(UUID(int=number)), name=name, partition_ids=tuple(range(count)))
            for number, (name, count) in enumerate(partition_counts.items(), start=100)
        }
        self.internal_refused: FleuveError | None = None
        """Why `__consumer_offsets` cannot be made, if it cannot."""
        self.internal_made = 0

    async def ensure_internal(self) -> None:
        if self.internal_refused is not None:
            raise self.internal_refused
        self.internal_made += 1

    def get(self, name: str) -> Any:
        return self._by_name.get(name)

    def by_id(self, topic_id: UUID) -> Any:
        return next((topic for topic in self._by_name.values() if topic.id == topic_id), None)

    def delete(self, name: str) -> None:
        del self._by_name[name]

    def name_of(self, topic_id: TopicId) -> str | None:
        topic = self.by_id(topic_id)
        return None if topic is None else topic.name


@dataclass
class GroupApis:
    """A broker's group APIs."""

    groups: GroupService
    topics: Topics
    clock: Clock
    store: GroupStore
    authorizer: Authorizer = field(default_factory=AllowAll)

    def __post_init__(self) -> None:
        groups, topics = self.groups, self.topics
        handlers: list[tuple[Any, Callable[..., Any]]] = [
            (
                find_coordinator,
                find_coordinator.Handler(lambda: NodeId(7), ensure_offsets_topic=topics.ensure_internal),
            ),
            (offset_commit, offset_commit.Handler(groups, topics)),  # type: ignore[arg-type]
            (offset_fetch, offset_fetch.Handler(groups, topics)),  # type: ignore[arg-type]
            (offset_delete, offset_delete.Handler(groups, topics)),  # type: ignore[arg-type]
        ]
        simple = (join_group, sync_group, heartbeat, leave_group, list_groups, describe_groups, delete_groups)
        handlers += [(module, module.Handler(groups)) for module in simple]
        self._handlers = {module.API.codec: (module.API, handler) for module, handler in handlers}

    async def ask(self, codec: Any, request: Any, version: int | None = None, client_id: str = "client") -> Any:
        """Send `request` and return the response; both are what the codec makes of them in that version."""
        api, handler = self._handlers[codec]
        version = api.version_max if version is None else version
        sent = codec.decode_request(memoryview(codec.encode_request(request, version)), 0, version)
        context = RequestContext(api_version=version, client_id=client_id, authorizer=self.authorizer)
        response = await handler(sent, context)
        return codec.decode_response(memoryview(codec.encode_response(response, version)), 0, version)


@asynccontextmanager
async def group_apis(
    store: GroupStore | None = None,
    policy: GroupPolicy | None = None,
    topics: Topics | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[GroupApis]:
    """Run a broker's group APIs, over memory unless told otherwise."""
    topics = Topics(t=4, other=1) if topics is None else topics
    clock = SimulatedClock() if clock is None else clock
    store = MemoryGroupStore() if store is None else store
    groups = GroupService(
        store=store,
        policy=GroupPolicy(initial_rebalance_delay_ms=0) if policy is None else policy,
        clock=clock,
        chance=random.Random(1),
        topic_name=topics.name_of,
        end_offset=lambda _topic, _partition: 100,
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(groups.run())
        await asyncio.sleep(0)  # One turn of the loop, in which `run` begins.
        try:
            yield GroupApis(groups, topics, clock, store)
        finally:
            groups.close()
