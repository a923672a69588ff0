"""One group in this broker's memory: runs its machine, keeps who waits, wakes it in time and stores what must last.

Everything that decides is in `classic`. Between looking at the group and changing it there is no `await`, so that
requests, timers and finished saves never see half a step. The claim's epoch goes with every write; when the store says
that somebody else has claimed the group, everybody who waits is told, and the coordinator is `closed` for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from fleuve.base.clock import Clock
from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, TopicId
from fleuve.engine.groups import classic, codec, offsets
from fleuve.engine.groups.commands import (
    Abandon,
    Command,
    Commit,
    Delete,
    Effect,
    Heartbeat,
    Join,
    Joined,
    JoinReply,
    Leave,
    Left,
    Rebalanced,
    Resume,
    Save,
    Saved,
    SaveFailed,
    Sync,
    Synced,
    SyncReply,
    Tick,
    Unload,
)
from fleuve.engine.groups.errors import (
    CoordinatorNotAvailable,
    GroupError,
    NotCoordinator,
    RebalanceInProgress,
)
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.state import Group, Now, Phase, Waiter
from fleuve.engine.groups.stats import GroupStats
from fleuve.ports.errors import CommitOutcomeUnknown, VersionConflict
from fleuve.ports.groups import CommittedOffset, GroupClaim, GroupStore, OffsetKey

T = TypeVar("T")

STALL_S = 1.0
"""A timer that is later than this tells of a process that was held up, not of members that were silent."""

STALL_GRACE_S = 0.5
"""How long what came meanwhile has to be read, before anybody is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all coordinators of a broker share."""

    store: GroupStore
    policy: GroupPolicy
    clock: Clock
    stats: GroupStats
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    """Runs a save in the background, in a task that somebody owns."""
    closed: Callable[[Coordinator], None]
    """Told, once, when a coordinator is closed."""


class Coordinator:
    """Coordinates one group, on the strength of a claim."""

    def __init__(self, group_id: GroupId, claim: GroupClaim, surroundings: Surroundings) -> None:
        self._around = surroundings
        self._store = surroundings.store
        self._epoch = claim.epoch
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[Waiter, asyncio.Future[Joined | Synced | GroupError]] = {}
        self._waiter_last = 0
        self._timer: asyncio.Handle | None = None
        # Not asked of the handle: uvloop's, for a time that has come, does not know it.
        self._timer_when = 0.0
        self._unsaved: list[Save] = []
        self._saving = False
        self._writes: set[asyncio.Future[None]] = set()
        self._commits_begun = 0
        self.used = True
        """Set by every request; cleared by whoever looks for idle groups."""
        self.is_stored = claim.stored.state is not None or claim.stored.has_offsets
        """Whether the store has more of the group than the claim."""
        self.closed = False
        if claim.stored.state is None:
            self.group = Group(group_id=group_id, exists=claim.stored.has_offsets)
        else:
            self.group = codec.decode(group_id, claim.stored.state)
        surroundings.stats.metadata_bytes += self.group.metadata_bytes
        self._step(Resume())

    @property
    def idle(self) -> bool:
        """True if nothing would be lost or forgotten if the group left the memory."""
        return (
            self.group.phase is Phase.EMPTY
            and not self.group.pending
            and not (self._waiting or self._unsaved or self._saving or self._writes)
        )

    # ── requests

    async def join(self, command: Join) -> Joined:
        """Wait for the next generation, or for what else the answer to JoinGroup is."""
        result = await self._wait(command)
        assert isinstance(result, Joined)
        return result

    async def sync(self, command: Sync) -> Synced:
        """Wait for the assignment."""
        result = await self._wait(command)
        assert isinstance(result, Synced)
        return result

    def heartbeat(self, command: Heartbeat) -> None:
        """Note that a member is alive. Raises RebalanceInProgress if it must join again."""
        self._step(command)
        if classic.rebalancing(self.group):
            raise RebalanceInProgress(f"group {self.group.group_id} is rebalancing")

    def leave(self, command: Leave) -> tuple[GroupError | None, ...]:
        """Let members go; return what was wrong with each."""
        return next(effect.results for effect in self._step(command) if isinstance(effect, Left))

    async def commit(self, command: Commit, committed: Sequence[CommittedOffset]) -> None:
        """Store offsets, if the member may. They are durable when this returns."""
        self._step(command)
        self._commits_begun += 1
        if committed:
            self.is_stored = True
            await self._write(self._store.commit_offsets(self.group.group_id, self._epoch, committed))

    async def delete_offsets(self, keys: Sequence[OffsetKey]) -> None:
        """Forget offsets."""
        if keys:
            await self._write(self._store.delete_offsets(self.group.group_id, self._epoch, keys))

    async def delete(self) -> None:
        """Delete the group and its offsets. Raises GroupNotFound or NonEmptyGroup."""
        self._step(Delete())
        self._close()
        await self._write(self._store.delete(self.group.group_id, self._epoch))

    async def settled(self) -> None:
        """Wait for the commits and deletions that have begun: who reads now shall see them."""
        while self._writes:
            await asyncio.wait(set(self._writes))

    # ── housekeeping

    async def expire_offsets(self, topic_name: Callable[[TopicId], str | None]) -> int:
        """Forget offsets that nobody needs, and the group with the last of them. Returns how many went."""
        group_id = self.group.group_id
        await self.settled()
        begun = self._commits_begun
        stored = await self._store.offsets(group_id)
        if self.closed or begun != self._commits_begun:
            return 0  # The group is in use, and what was read may be old: next time.
        now = self._around.clock.wall_ms()
        gone = offsets.expired(self.group, stored, topic_name, self._around.policy, now=now)
        if len(gone) == len(stored) and self.group.exists and self.idle:
            await self.delete()
        elif gone:
            await self.delete_offsets(gone)
        return len(gone)

    def unload(self, error: GroupError) -> None:
        """Let go of the group; who waits is told `error`."""
        self._step(Unload(error))
        self._close()

    async def unload_idle(self) -> None:
        """Let go of an idle group; one that has nothing stored leaves no trace."""
        assert self.idle
        self._close()
        if not self.is_stored:
            await self._write(self._store.delete(self.group.group_id, self._epoch))

    def _close(self) -> None:
        if not self.closed:
            self.closed = True
            if self._timer is not None:
                self._timer.cancel()
            self._around.closed(self)

    # ── the machine's edge

    def _step(self, command: Command) -> list[Effect]:
        if self.closed and not isinstance(command, (Abandon, SaveFailed, Saved)):
            raise NotCoordinator(f"this broker does not coordinate group {self.group.group_id} any more")
        self.used = True
        now = Now(round(self._loop.time() * 1000), self._around.clock.wall_ms())
        before = self.group.metadata_bytes
        self.group, effects = classic.step(self.group, command, now, self._around.policy)
        self._around.stats.metadata_bytes += self.group.metadata_bytes - before
        for effect in effects:
            self._carry_out(effect)
        self._arm()
        return effects

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case JoinReply(waiter, result) | SyncReply(waiter, result):
                future = self._waiting.get(waiter)
                if future is not None and not future.done():
                    future.set_result(result)
            case Save():
                self._unsaved.append(effect)
                if not self._saving:
                    self._saving = True
                    self._around.spawn(self._save_all())
            case Rebalanced():
                self._around.stats.rebalances += 1
            case Left():
                pass  # `leave` reads it.

    async def _wait(self, command: Join | Sync) -> Joined | Synced:
        self._waiter_last += 1
        waiter = self._waiter_last
        future: asyncio.Future[Joined | Synced | GroupError] = self._loop.create_future()
        self._waiting[waiter] = future
        try:
            self._step(replace(command, waiter=waiter))
            result = await future
        except asyncio.CancelledError:
            # The connection is gone. Cancelling has marked the future as done, so no reply can have got lost here.
            self._step(Abandon(waiter))
            raise
        finally:
            del self._waiting[waiter]
        if isinstance(result, GroupError):
            raise result
        return result

    def _arm(self) -> None:
        wake_at = self.group.wake_at
        if self.closed or wake_at is None:
            return
        when = wake_at / 1000
        if self._timer is not None:
            if self._timer_when <= when:
                return  # Too early is no harm: the tick finds nothing due and says when to come back.
            self._timer.cancel()
        self._timer_when = when
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        now_s = self._loop.time()
        self._timer = None
        if now_s - self._timer_when > STALL_S:
            # The process was held up: heartbeats that came in time may wait to be read. Members are not to blame.
            self._timer_when = now_s + STALL_GRACE_S
            self._timer = self._loop.call_at(self._timer_when, self._on_timer)
        elif not self.closed:
            before = self.group
            self._step(Tick())
            expired = sum(
                member.session_deadline is not None and member.session_deadline <= self._loop.time() * 1000
                for member_id, member in before.members.items()
                if member_id not in self.group.members
            )
            self._around.stats.sessions_expired += expired

    async def _save_all(self) -> None:
        try:
            while self._unsaved:
                saves, self._unsaved = self._unsaved, []
                # The last one has all that is in those before it, and their tickets are kept with it.
                error = await self._save(saves[-1])
                for save in saves:
                    self._step(Saved(save.ticket) if error is None else SaveFailed(save.ticket, error))
        finally:
            self._saving = False

    async def _save(self, save: Save) -> GroupError | None:
        if self.closed:
            return NotCoordinator("the group was let go")
        self.is_stored = True
        try:
            await self._write(self._store.save(self.group.group_id, self._epoch, codec.encode(save.group)))
        except GroupError as error:
            return error
        return None

    async def _write(self, change: Awaitable[T]) -> T:
        """Await a change of the store, and say in the room's words what went wrong."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._writes.add(done)
        try:
            async with asyncio.timeout(self._around.policy.offsets_commit_timeout_ms / 1000):
                return await change
        except VersionConflict as error:
            lost = NotCoordinator(str(error))
            self._lose(lost)
            raise lost from error
        except (CommitOutcomeUnknown, TimeoutError) as error:
            # Claiming the group again settles what became of the write, because its own commit comes after it.
            unknown = CoordinatorNotAvailable(f"group {self.group.group_id}: it is not known what was stored: {error}")
            self._lose(unknown)
            raise unknown from error
        except FleuveError as error:
            raise CoordinatorNotAvailable(f"group {self.group.group_id} could not be stored: {error}") from error
        finally:
            self._writes.discard(done)
            done.set_result(None)

    def _lose(self, error: GroupError) -> None:
        if not self.closed:
            self.unload(error)
