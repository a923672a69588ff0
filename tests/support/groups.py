"""Drives the classic group's machine by hand: members that join, sync and wait, under a clock that stands still."""

from __future__ import annotations

import struct
from typing import Any

from fleuve.base.ids import GroupId, MemberId, TimestampMs
from fleuve.engine.groups import classic
from fleuve.engine.groups.commands import (
    Abandon,
    Command,
    Commit,
    Effect,
    Heartbeat,
    Join,
    Joined,
    JoinReply,
    Leave,
    LeavingMember,
    Left,
    Save,
    Saved,
    Sync,
    Synced,
    SyncReply,
    Tick,
)
from fleuve.engine.groups.errors import GroupError
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.state import Group, JoinProtocol, Now, check_invariants

WALL_ZERO_MS = 1_700_000_000_000
SESSION_MS = 10_000
REBALANCE_MS = 60_000
TICKS_MAX = 1_000


def subscription(*topics: str) -> bytes:
    """Return a consumer protocol subscription, version 0."""
    parts = [struct.pack(">hi", 0, len(topics))]
    parts += [struct.pack(">h", len(topic)) + topic.encode() for topic in topics]
    return b"".join([*parts, struct.pack(">i", -1)])


def protocols(*names: str, metadata: bytes = subscription("t")) -> tuple[JoinProtocol, ...]:
    """Return protocols that all carry the same metadata."""
    return tuple(JoinProtocol(name, metadata) for name in names)


class GroupDriver:
    """A group, the time, and everything that was answered."""

    def __init__(self, policy: GroupPolicy | None = None, group: Group | None = None) -> None:
        self.group = group if group is not None else Group(group_id=GroupId("g"))
        self.policy = policy if policy is not None else GroupPolicy(initial_rebalance_delay_ms=0)
        self.now_ms = 0
        self.replies: dict[int, Any] = {}
        self.saves: list[Save] = []
        self.stored: Group | None = None
        self.left: tuple[GroupError | None, ...] = ()
        self._last_waiter = 0
        self._last_id = 0

    def step(self, command: Command) -> list[Effect]:
        """Take one step, check the group, and keep the answers."""
        before = self.group
        now = Now(self.now_ms, TimestampMs(WALL_ZERO_MS + self.now_ms))
        self.group, effects = classic.step(before, command, now, self.policy)
        check_invariants(self.group)
        for effect in effects:
            match effect:
                case JoinReply(waiter, result) | SyncReply(waiter, result):
                    assert waiter not in self.replies, "a request was answered twice"
                    self.replies[waiter] = result
                case Save():
                    self.saves.append(effect)
                case Left(results):
                    self.left = results
        return effects

    def save(self) -> None:
        """Say that everything to be stored is stored."""
        while self.saves:
            save = self.saves.pop(0)
            self.stored = save.group
            self.step(Saved(save.ticket))

    def advance(self, ms: int) -> None:
        """Let time pass, waking the group whenever it wants to be."""
        end = self.now_ms + ms
        for _ in range(TICKS_MAX):
            if self.group.wake_at is None or self.group.wake_at > end:
                break
            self.now_ms = max(self.now_ms, self.group.wake_at)
            self.step(Tick())
        else:
            raise AssertionError("the group wakes up and does nothing")
        self.now_ms = end

    def join(self, member_id: str = "", **fields: Any) -> int:
        """Send JoinGroup; return the waiter."""
        self._last_waiter += 1
        self._last_id += 1
        values: dict[str, Any] = {
            "session_timeout_ms": SESSION_MS,
            "rebalance_timeout_ms": REBALANCE_MS,
            "protocol_type": "consumer",
            "protocols": protocols("range"),
            "id_required": False,
            "new_member_id": MemberId(f"m{self._last_id}"),
        } | fields
        self.step(Join(waiter=self._last_waiter, member_id=MemberId(member_id), **values))
        return self._last_waiter

    def sync(self, joined: Joined, assignments: dict[str, bytes] | None = None, **fields: Any) -> int:
        """Send SyncGroup of the generation that `joined` tells of; return the waiter."""
        self._last_waiter += 1
        values: dict[str, Any] = {"member_id": joined.member_id, "generation": joined.generation} | fields
        ids = {MemberId(key): value for key, value in (assignments or {}).items()}
        self.step(Sync(waiter=self._last_waiter, assignments=ids, **values))
        return self._last_waiter

    def heartbeat(self, joined: Joined, **fields: Any) -> bool:
        """Send a heartbeat; return whether the answer is REBALANCE_IN_PROGRESS."""
        values: dict[str, Any] = {"member_id": joined.member_id, "generation": joined.generation} | fields
        self.step(Heartbeat(**values))
        return classic.rebalancing(self.group)

    def commit(self, member_id: str = "", generation: int = -1, instance_id: str | None = None) -> None:
        """Ask whether a commit is allowed; raises if not."""
        self.step(Commit(member_id=MemberId(member_id), generation=generation, instance_id=instance_id))

    def leave(self, member_id: str = "", instance_id: str | None = None) -> GroupError | None:
        """Let one member leave; return what was wrong."""
        self.step(Leave((LeavingMember(member_id=MemberId(member_id), instance_id=instance_id),)))
        return self.left[0]

    def abandon(self, waiter: int) -> None:
        """Close the connection of a request that waits."""
        self.step(Abandon(waiter))

    def waits(self, waiter: int) -> bool:
        """Return whether a request has no answer yet."""
        return waiter not in self.replies

    def joined(self, waiter: int) -> Joined:
        """Return the answer to a JoinGroup, which must be a good one."""
        reply = self.replies[waiter]
        assert isinstance(reply, Joined), reply
        return reply

    def synced(self, waiter: int) -> Synced:
        """Return the answer to a SyncGroup, which must be a good one."""
        reply = self.replies[waiter]
        assert isinstance(reply, Synced), reply
        return reply

    def refusal(self, waiter: int) -> GroupError:
        """Return the answer to a request, which must be an error."""
        reply = self.replies[waiter]
        assert isinstance(reply, GroupError), reply
        return reply

    def stable(self, count: int = 2, **fields: Any) -> list[Joined]:
        """Bring a group of `count` dynamic members to Stable; the first one leads. Each is assigned its own id."""
        waiters = [self.join(**fields) for _ in range(count)]
        self.advance(self.policy.initial_rebalance_delay_ms)
        return self.settle(waiters)

    def settle(self, waiters: list[int]) -> list[Joined]:
        """Let everybody sync whose JoinGroup was answered."""
        joined = [self.joined(waiter) for waiter in waiters]
        assignments = {str(member_id): member_id.encode() for member_id in self.group.members}
        for one in joined:
            self.sync(one, assignments if one.leader_id == one.member_id else None)
        self.save()
        return joined
