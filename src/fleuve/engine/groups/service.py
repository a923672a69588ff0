"""Consumer groups, as the rest of the broker sees them: join, sync, heartbeat, leave, commit, fetch, list, delete.

Groups are brought into memory by the first request that must change them, one claim each, and leave it when they have
been empty and idle for a while; those with members are all brought back when the broker starts, so that the sessions
of members that are gone end. Committed offsets stay in the store: a fetch reads them there, after the commits of the
same group that have begun.

`run` owns what goes on in the background and must be running; `close` ends it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from fleuve.base.clock import Clock
from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, MemberId, PartitionIndex, TopicId
from fleuve.engine.groups import codec, offsets
from fleuve.engine.groups.codec import Summary
from fleuve.engine.groups.commands import (
    NO_MEMBER_ID,
    Commit,
    Heartbeat,
    Join,
    Joined,
    Leave,
    LeavingMember,
    Sync,
    Synced,
)
from fleuve.engine.groups.coordinator import Coordinator, Surroundings
from fleuve.engine.groups.errors import (
    CoordinatorNotAvailable,
    GroupError,
    GroupNotFound,
    InvalidGroupId,
    InvalidSessionTimeout,
    NotCoordinator,
    UnknownMember,
)
from fleuve.engine.groups.offsets import OffsetToCommit
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.state import Group, Phase
from fleuve.engine.groups.stats import GroupStats
from fleuve.ports.errors import CorruptState
from fleuve.ports.groups import CommittedOffset, GroupClaim, GroupStore, OffsetKey, StoredGroup

T = TypeVar("T")

logger = logging.getLogger(__name__)

IDLE_SWEEP_S = 60.0
"""How often groups that nobody has used since the last time are let go."""

RESUMES_AT_ONCE = 64
"""Groups read back together at start: their claims share a flush."""

LAG_SERIES_MAX = 10_000
"""Partitions of groups whose lag is told: beyond that a scrape would cost more than it is worth."""


class GroupService:
    """The groups that this broker coordinates.

    `topic_name` says what a topic is called, None if it is gone. `end_offset` tells where a partition ends, None if it
    is not known; it is asked for consumer lag only. `chance` makes member ids: give it a source that cannot be guessed.
    """

    def __init__(
        self,
        *,
        store: GroupStore,
        policy: GroupPolicy,
        clock: Clock,
        chance: random.Random,
        topic_name: Callable[[TopicId], str | None],
        end_offset: Callable[[TopicId, PartitionIndex], int | None] = lambda _topic, _partition: None,
        stats: GroupStats | None = None,
    ) -> None:
        self._store = store
        self._policy = policy
        self._chance = chance
        self._topic_name = topic_name
        self._end_offset = end_offset
        self.stats = GroupStats() if stats is None else stats
        self._loaded: dict[GroupId, Coordinator] = {}
        self._loading: dict[GroupId, asyncio.Future[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._closing = asyncio.Event()
        self._around = Surroundings(
            store=store,
            policy=policy,
            clock=clock,
            stats=self.stats,
            spawn=self._spawn,
            closed=self._forget,
        )
        self._clock = clock

    # ── membership

    async def join(self, group_id: GroupId, command: Join) -> Joined:
        """Wait for the next generation. The command's `waiter` and `new_member_id` are filled in here."""
        _check_id(group_id)
        limits = self._policy
        if not limits.session_timeout_ms_min <= command.session_timeout_ms <= limits.session_timeout_ms_max:
            raise InvalidSessionTimeout(
                f"session timeout {command.session_timeout_ms} ms is outside "
                f"{limits.session_timeout_ms_min}…{limits.session_timeout_ms_max}"
            )
        if command.member_id == NO_MEMBER_ID:
            # The instance id in front, as Kafka does it: people look for it in lists of members.
            unique = UUID(int=self._chance.getrandbits(128), version=4)
            name = command.client_id if command.instance_id is None else command.instance_id
            member_id = MemberId(f"{name}-{unique}")
            command = replace(command, new_member_id=member_id)
            coordinator = await self._open(group_id)
        else:
            coordinator = await self._with_members(group_id)
        newcomer = command.member_id not in coordinator.group.members
        if newcomer and self.stats.metadata_bytes >= limits.metadata_bytes_max:
            raise CoordinatorNotAvailable(f"all groups' members have {limits.metadata_bytes_max} bytes of metadata")
        return await coordinator.join(command)

    async def sync(self, group_id: GroupId, command: Sync) -> Synced:
        """Wait for the member's assignment."""
        _check_id(group_id)
        return await (await self._with_members(group_id)).sync(command)

    async def heartbeat(self, group_id: GroupId, command: Heartbeat) -> None:
        """Note that a member is alive. Raises RebalanceInProgress if it must join again."""
        coordinator = self._loaded.get(group_id)
        if coordinator is None:
            _check_id(group_id)
            coordinator = await self._with_members(group_id)
        coordinator.heartbeat(command)

    async def leave(self, group_id: GroupId, members: Sequence[LeavingMember]) -> Sequence[GroupError | None]:
        """Let members go; return what was wrong with each, in order."""
        _check_id(group_id)
        try:
            coordinator = await self._with_members(group_id)
        except UnknownMember as error:
            return [error] * len(members)
        return list(coordinator.leave(Leave(tuple(members))))

    # ── offsets

    async def commit(
        self,
        group_id: GroupId,
        command: Commit,
        offsets_to_commit: Sequence[OffsetToCommit],
        *,
        retention_ms: int | None = None,
    ) -> list[GroupError | None]:
        """Commit offsets; return what was wrong with each. Those without an error are durable.

        Raises GroupNotFound for a member's commit to a group that there is not; the group of a consumer that assigns
        itself comes into being with its first commit.
        """
        if command.generation < 0:
            coordinator = await self._open(group_id)
        else:
            coordinator = await self._find(group_id)
        now = self._clock.wall_ms()
        stored, results = offsets.accepted(offsets_to_commit, self._policy, retention_ms=retention_ms, now=now)
        await coordinator.commit(command, stored)
        self.stats.offset_commits += 1
        self.stats.offsets_committed += len(stored)
        return results

    async def committed(self, group_id: GroupId) -> dict[OffsetKey, CommittedOffset]:
        """Return the offsets that the group has committed: none for a group that there is not."""
        self.stats.offset_fetches += 1
        coordinator = self._loaded.get(group_id)
        if coordinator is not None:
            await coordinator.settled()
        return {offset.key: offset for offset in await self._store_offsets(group_id)}

    async def delete_offsets(self, group_id: GroupId, keys: Sequence[OffsetKey]) -> dict[OffsetKey, GroupError | None]:
        """Forget offsets; return what was wrong with each: members are subscribed to the topic.

        Raises GroupNotFound, and NonEmptyGroup for members that are no consumers.
        """
        _check_id(group_id)
        coordinator = await self._find(group_id)
        offsets.check_deletion(coordinator.group)
        results: dict[OffsetKey, GroupError | None] = {}
        for key in keys:
            topic = self._topic_name(key.topic_id)
            results[key] = None if topic is None else offsets.check_topic_deletion(coordinator.group, topic)
        await coordinator.delete_offsets([key for key, error in results.items() if error is None])
        return results

    # ── groups

    async def overview(self) -> list[Summary]:
        """Return all groups, by id."""
        return sorted((await self._summaries()).values())

    async def describe(self, group_id: GroupId) -> Group:
        """Return the group as it is; not to be changed. Raises GroupNotFound."""
        coordinator = self._loaded.get(group_id)
        if coordinator is not None:
            if coordinator.group.exists:
                return coordinator.group
        else:
            stored = await self._available(self._store.load(group_id))
            if stored is not None:
                return _group_of(stored)
        raise GroupNotFound(f"Group {group_id} not found.")

    async def delete(self, group_id: GroupId) -> None:
        """Delete a group and its offsets. Raises GroupNotFound or NonEmptyGroup."""
        await (await self._find(group_id)).delete()

    # ── life

    async def run(self) -> None:
        """Bring back the groups that have members, and keep house until `close`."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            chores = [tasks.create_task(self._resume()), tasks.create_task(self._keep_house())]
            await self._closing.wait()
            for chore in chores:
                chore.cancel()
        self._tasks = None

    def close(self) -> None:
        """Let go of all groups: who waits is sent to look for another coordinator. Ends `run`."""
        self._closing.set()
        for coordinator in list(self._loaded.values()):
            coordinator.unload(NotCoordinator("the broker is shutting down"))

    async def refresh_stats(self) -> None:
        """Bring the gauges up to date, consumer lag among them."""
        summaries = (await self._summaries()).values()
        states: dict[str, int] = {str(phase): 0 for phase in Phase if phase is not Phase.DEAD}
        for group in summaries:
            states[str(group.phase)] += 1
        survey = await self._available(self._store.survey(LAG_SERIES_MAX))
        lag: dict[tuple[str, str, str], int] = {}
        for group_id, offset in survey.some:
            topic = self._topic_name(offset.topic_id)
            end = self._end_offset(offset.topic_id, offset.partition)
            if topic is not None and end is not None:
                lag[group_id, topic, str(offset.partition)] = max(end - offset.offset, 0)
        self.stats.groups = states
        self.stats.groups_loaded = len(self._loaded)
        self.stats.members = sum(group.member_count for group in summaries)
        self.stats.offsets = survey.total
        self.stats.lag = lag

    # ── groups in memory

    async def _with_members(self, group_id: GroupId) -> Coordinator:
        """Return the group for a request of a member; where there is no group, there is no such member."""
        try:
            return await self._find(group_id)
        except GroupNotFound as error:
            raise UnknownMember(str(error)) from error

    async def _find(self, group_id: GroupId) -> Coordinator:
        """Return the group, brought into memory if it is not. Raises GroupNotFound."""
        known = group_id in self._loaded or group_id in self._loading
        # Looked up before it is claimed: asking after groups that do not exist must leave nothing behind.
        if not known and await self._available(self._store.load(group_id)) is None:
            raise GroupNotFound(f"there is no group {group_id}")
        coordinator = await self._open(group_id)
        if not coordinator.group.exists:
            raise GroupNotFound(f"there is no group {group_id}")
        return coordinator

    async def _open(self, group_id: GroupId) -> Coordinator:
        """Return the group, brought into memory if it is not, and made if it never was."""
        while (coordinator := self._loaded.get(group_id)) is None:
            if self._tasks is None or self._closing.is_set():
                raise NotCoordinator("the broker is starting or shutting down")
            loading = self._loading.get(group_id)
            if loading is None:
                return await self._load(group_id)
            await asyncio.wait([loading])
        return coordinator

    async def _load(self, group_id: GroupId) -> Coordinator:
        if len(self._loaded) + len(self._loading) >= self._policy.groups_loaded_max:
            raise CoordinatorNotAvailable(f"{self._policy.groups_loaded_max} groups are in use")
        done = self._loading[group_id] = asyncio.get_running_loop().create_future()
        try:
            claim = await self._available(self._store.claim(group_id))
            if self._closing.is_set():
                raise NotCoordinator("the broker is shutting down")
            coordinator = _coordinator(group_id, claim, self._around)
            self._loaded[group_id] = coordinator
            return coordinator
        finally:
            del self._loading[group_id]
            done.set_result(None)

    async def _available(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except GroupError:
            raise
        except FleuveError as error:
            raise CoordinatorNotAvailable(f"the groups' store: {error}") from error

    async def _store_offsets(self, group_id: GroupId) -> list[CommittedOffset]:
        return await self._available(self._store.offsets(group_id))

    def _forget(self, coordinator: Coordinator) -> None:
        if self._loaded.get(coordinator.group.group_id) is coordinator:
            del self._loaded[coordinator.group.group_id]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(work)

    async def _summaries(self) -> dict[GroupId, Summary]:
        stored = await self._available(self._store.load_all())
        groups = {group.group_id: summary for group in stored if (summary := _summary(group)) is not None}
        for group_id, coordinator in self._loaded.items():
            group = coordinator.group
            if group.exists:
                groups[group_id] = Summary(group_id, group.phase, group.protocol_type or "", len(group.members))
        return groups

    # ── chores

    async def _resume(self) -> None:
        """Bring back the groups with members: nobody else would notice that some of them are gone."""
        stored = await self._quietly(self._store.load_all, "read the groups")
        waiting = [group.group_id for group in stored or () if _has_members(group)]
        for first in range(0, len(waiting), RESUMES_AT_ONCE):
            some = waiting[first : first + RESUMES_AT_ONCE]
            resumes = [self._quietly(partial(self._open, group_id), f"resume {group_id}") for group_id in some]
            await asyncio.gather(*resumes)

    async def _keep_house(self) -> None:
        interval_s = self._policy.offsets_retention_check_interval_ms / 1000
        loop = asyncio.get_running_loop()
        expire_at = loop.time() + interval_s
        sweep_at = loop.time() + IDLE_SWEEP_S
        while True:
            await asyncio.sleep(max(min(expire_at, sweep_at) - loop.time(), 0))
            if loop.time() >= expire_at:
                expire_at = loop.time() + interval_s
                await self.expire_offsets()
            if loop.time() >= sweep_at:
                sweep_at = loop.time() + IDLE_SWEEP_S
                await self.unload_idle()

    async def expire_offsets(self) -> None:
        """Forget the offsets that are past `offsets.retention.minutes`, and empty groups with the last of them."""
        for group_id in await self._quietly(self._summaries, "list the groups") or ():
            expired = await self._quietly(partial(self._expire, group_id), f"expire offsets of group {group_id}")
            self.stats.offsets_expired += expired or 0

    async def _expire(self, group_id: GroupId) -> int:
        if group_id not in self._loaded:
            # Not claimed for a look: most groups keep all their offsets.
            group = await self.describe(group_id)
            stored = await self._store.offsets(group_id)
            now = self._clock.wall_ms()
            gone = offsets.expired(group, stored, self._topic_name, self._policy, now=now)
            if stored and not gone:
                return 0
        coordinator = await self._open(group_id)
        return await coordinator.expire_offsets(self._topic_name)

    async def unload_idle(self) -> None:
        """Let go of the groups that are empty and that nobody has used since the last call."""
        for coordinator in list(self._loaded.values()):
            if coordinator.idle and not coordinator.used and not coordinator.closed:
                await self._quietly(coordinator.unload_idle, "unload an idle group")
            coordinator.used = False

    async def _quietly(self, work: Callable[[], Awaitable[T]], what: str) -> T | None:
        """Do a chore: what fails today is tried again next time."""
        try:
            return await work()
        except FleuveError as error:
            logger.warning("could not %s: %s", what, error)
            return None


def _check_id(group_id: GroupId) -> None:
    if not group_id:
        raise InvalidGroupId("the group id is empty")


def _group_of(stored: StoredGroup) -> Group:
    if stored.state is None:
        return Group(group_id=stored.group_id, exists=stored.has_offsets)
    return codec.decode(stored.group_id, stored.state)


def _summary(stored: StoredGroup) -> Summary | None:
    """Return the group's summary, or None if its state is damaged: one damaged group must not hide the others."""
    if stored.state is None:
        return Summary(stored.group_id, Phase.EMPTY, "", 0)
    try:
        return codec.summary(stored.group_id, stored.state)
    except CorruptState as error:
        logger.error("%s", error)
        return None


def _has_members(stored: StoredGroup) -> bool:
    summary = _summary(stored)
    return summary is not None and summary.member_count > 0


def _coordinator(group_id: GroupId, claim: GroupClaim, around: Surroundings) -> Coordinator:
    try:
        return Coordinator(group_id, claim, around)
    except CorruptState as error:
        logger.error("%s", error)
        raise CoordinatorNotAvailable(str(error)) from error
