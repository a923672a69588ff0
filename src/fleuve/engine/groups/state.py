"""What a classic group is: its members, its phase, and the questions one may ask of it.

Only data and look-ups; what changes a group is in `classic`. Deadlines are milliseconds of the event loop's clock and
mean nothing to another process; `state_since` is wall-clock time, because it is stored.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from fleuve.base.ids import NO_TIMESTAMP, GroupId, MemberId, TimestampMs

CONSUMER_PROTOCOL_TYPE = "consumer"
"""The protocol type of consumers: the only one whose metadata the broker looks into."""


class Phase(StrEnum):
    """The states of a classic group, under Kafka's names."""

    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    STABLE = "Stable"
    DEAD = "Dead"


class Now(NamedTuple):
    """What time it is: on the event loop's clock, for deadlines, and on the wall, for what is stored."""

    loop_ms: int
    wall_ms: TimestampMs


class JoinProtocol(NamedTuple):
    """One way to assign that a member can take part in, with what it says to the leader about itself."""

    name: str
    metadata: bytes


Waiter = int
"""Names a request that waits for its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a group. Replaced, never changed."""

    member_id: MemberId
    instance_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocols: tuple[JoinProtocol, ...]
    assignment: bytes = b""
    session_deadline: int | None = None
    """When the member is given up; None while it waits for an answer, because it cannot heartbeat then."""
    new: bool = False
    """True until the first generation that has it: such a member may be given up although it waits."""
    id_known: bool = True
    """False for a new member whose client learns its id from the answer it waits for."""
    join_waiter: Waiter | None = None
    sync_waiter: Waiter | None = None

    def metadata(self, protocol_name: str | None) -> bytes:
        """Return what the member says under `protocol_name`; empty if it does not know that protocol."""
        for protocol in self.protocols:
            if protocol.name == protocol_name:
                return protocol.metadata
        return b""

    @property
    def metadata_bytes(self) -> int:
        """Size of what the member says of itself, in all protocols."""
        return sum(len(protocol.metadata) for protocol in self.protocols)

    def vote(self, candidates: Iterable[str]) -> str | None:
        """Return the first of the member's protocols that is among `candidates`."""
        known = frozenset(candidates)
        return next((protocol.name for protocol in self.protocols if protocol.name in known), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialDelay:
    """An empty group's first rebalance: how long it still may be put off for members to come."""

    delay_ms: int
    remaining_ms: int
    grown: bool = False
    """True if a member came since the delay began."""


@dataclass(frozen=True, slots=True)
class Saving:
    """The leader's assignment, on its way to the store."""

    ticket: int
    assignments: Mapping[MemberId, bytes]


@dataclass(frozen=True, slots=True)
class StaticRejoin:
    """A static member that came back under a new id, to be answered when that id is stored."""

    member_id: MemberId
    generation: int
    leader_shown: MemberId
    can_skip_assignment: bool


@dataclass(slots=True, kw_only=True)
class Group:
    """A classic group. `classic.step` works on a copy; nobody else changes one."""

    group_id: GroupId
    exists: bool = False
    """False until a member comes or an offset is committed: clients are told that there is no such group."""
    phase: Phase = Phase.EMPTY
    generation: int = 0
    protocol_type: str | None = None
    protocol_name: str | None = None
    leader_id: MemberId | None = None
    state_since: TimestampMs = NO_TIMESTAMP
    subscribed_topics: frozenset[str] | None = None
    """Topics that the members of a consumer group want; None if that is not known."""
    members: dict[MemberId, Member] = field(default_factory=dict)
    instances: dict[str, MemberId] = field(default_factory=dict)
    protocol_counts: dict[str, int] = field(default_factory=dict)
    """For each protocol, how many members know it."""
    metadata_bytes: int = 0
    """Size of what the members say of themselves, in all protocols."""
    join_waiters: int = 0
    """How many members wait for the answer to JoinGroup."""
    pending: dict[MemberId, int] = field(default_factory=dict)
    """Ids that were handed out and have not joined yet (KIP-394), with their deadline."""
    unsynced: frozenset[MemberId] = frozenset()
    """Members of this generation that have not sent SyncGroup yet."""
    initial: InitialDelay | None = None
    """Set while the rebalance that began with an empty group is being put off."""
    join_deadline: int | None = None
    sync_deadline: int | None = None
    saving: Saving | None = None
    static_rejoins: dict[int, StaticRejoin] = field(default_factory=dict)
    tickets: int = 0
    """Number of the last save that was asked for."""
    wake_at: int | None = None
    """No deadline is earlier than this. Exact after each tick; in between it may be too early, never too late."""

    def copied(self) -> Group:
        """Return a group that can be changed without changing this one."""
        other = copy.copy(self)
        other.members = self.members.copy()
        other.instances = self.instances.copy()
        other.protocol_counts = self.protocol_counts.copy()
        other.pending = self.pending.copy()
        other.static_rejoins = self.static_rejoins.copy()
        return other

    @property
    def rebalance_timeout_ms(self) -> int:
        """The longest rebalance timeout of a member: how long the group waits for its members to join or sync."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    @property
    def all_joined(self) -> bool:
        """True if every member waits for the answer to JoinGroup, and no id is handed out that has yet to come."""
        return self.join_waiters == len(self.members) and not self.pending

    def supports(self, protocol_type: str, protocols: Iterable[JoinProtocol]) -> bool:
        """Return whether a member with these protocols goes with the others."""
        if self.phase is Phase.EMPTY:
            return bool(protocol_type) and any(True for _ in protocols)
        return self.protocol_type == protocol_type and any(
            self.protocol_counts.get(protocol.name, 0) == len(self.members) for protocol in protocols
        )

    def selected_protocol(self) -> str:
        """Return the protocol with most votes among those that all members know; of equals, the first voted for."""
        assert self.members
        count = len(self.members)
        candidates = frozenset(name for name, known_by in self.protocol_counts.items() if known_by == count)
        votes: dict[str, int] = {}
        for member in self.members.values():
            choice = member.vote(candidates)
            assert choice is not None  # `supports` let nobody in who shares no protocol with the others.
            votes[choice] = votes.get(choice, 0) + 1
        return max(votes, key=lambda name: votes[name])

    def is_subscribed(self, topic: str) -> bool:
        """Return whether members want `topic`. A consumer group whose wishes cannot be read wants everything."""
        if self.subscribed_topics is None:
            return self.protocol_type == CONSUMER_PROTOCOL_TYPE
        return topic in self.subscribed_topics

    def next_deadline(self) -> int | None:
        """Return the earliest deadline, or None if nothing is waited for."""
        deadlines = [member.session_deadline for member in self.members.values() if member.session_deadline is not None]
        deadlines += self.pending.values()
        deadlines += [at for at in (self.join_deadline, self.sync_deadline) if at is not None]
        return min(deadlines, default=None)


def check_invariants(group: Group) -> None:
    """Assert what holds of every group between two steps."""
    assert group.generation >= 0
    # Empty and Dead have no members. Preparing may be without one: all left while the first rebalance was put off.
    assert not (group.phase in (Phase.EMPTY, Phase.DEAD) and group.members)
    assert not (group.phase in (Phase.COMPLETING_REBALANCE, Phase.STABLE) and not group.members)
    assert group.join_waiters == sum(member.join_waiter is not None for member in group.members.values())
    assert group.instances == {
        member.instance_id: member.member_id for member in group.members.values() if member.instance_id is not None
    }
    assert not group.pending.keys() & group.members.keys()
    assert group.unsynced <= group.members.keys()
    assert (group.leader_id is None) == (not group.members)
    assert group.leader_id is None or group.leader_id in group.members
    assert group.metadata_bytes == sum(member.metadata_bytes for member in group.members.values())
    counts: dict[str, int] = {}
    for member in group.members.values():
        for name in {protocol.name for protocol in member.protocols}:
            counts[name] = counts.get(name, 0) + 1
        # Only waiters may be without a session deadline, or nobody would ever notice that they are gone.
        assert member.session_deadline is not None or member.join_waiter or member.sync_waiter
    assert {name: count for name, count in group.protocol_counts.items() if count} == counts
    assert group.phase is not Phase.PREPARING_REBALANCE or group.join_deadline is not None
    assert group.phase is Phase.PREPARING_REBALANCE or group.join_deadline is None
    assert group.saving is None or group.phase is Phase.COMPLETING_REBALANCE
    deadline = group.next_deadline()
    assert deadline is None or (group.wake_at is not None and group.wake_at <= deadline)
