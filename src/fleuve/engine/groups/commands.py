"""What can happen to a classic group, and what it does about it: the alphabet of `classic.step`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fleuve.base.ids import MemberId
from fleuve.engine.groups.errors import GroupError
from fleuve.engine.groups.state import Group, JoinProtocol, Waiter

NO_MEMBER_ID = MemberId("")
"""What a client sends that has no member id yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A member wants to be in the next generation. Answered by `JoinReply`."""

    waiter: Waiter = 0
    member_id: MemberId
    new_member_id: MemberId = NO_MEMBER_ID
    """The id to give to a member that has none; fresh and unique."""
    instance_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: tuple[JoinProtocol, ...]
    id_required: bool = True
    """A new member must come again with its id before it counts (KIP-394, JoinGroup v4)."""
    can_skip_assignment: bool = False
    """The client understands `skip_assignment` (KIP-814, JoinGroup v9)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """A member asks for its assignment; the leader brings everybody's. Answered by `SyncReply`."""

    waiter: Waiter = 0
    member_id: MemberId
    instance_id: str | None = None
    generation: int
    protocol_type: str | None = None
    protocol_name: str | None = None
    assignments: Mapping[MemberId, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """A member is alive."""

    member_id: MemberId
    instance_id: str | None = None
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingMember:
    """Who leaves: by member id, or by instance id alone when an administrator removes a static member."""

    member_id: MemberId
    instance_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Leave:
    """Members leave. Answered at once, by `Left`."""

    members: tuple[LeavingMember, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Somebody wants to commit offsets: may they? Refused by raising."""

    member_id: MemberId
    instance_id: str | None = None
    generation: int


@dataclass(frozen=True, slots=True)
class Abandon:
    """Nobody waits for this answer any more: the connection is gone."""

    waiter: Waiter


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The save with this ticket is on durable storage."""

    ticket: int


@dataclass(frozen=True, slots=True)
class SaveFailed:
    """The save with this ticket may not be on durable storage."""

    ticket: int
    error: GroupError


@dataclass(frozen=True, slots=True)
class Delete:
    """The group is to be deleted. Refused by raising unless it is empty."""


@dataclass(frozen=True, slots=True)
class Unload:
    """This broker does not coordinate the group any more; who waits is told `error`."""

    error: GroupError


@dataclass(frozen=True, slots=True)
class Resume:
    """The group was read from the store: its members have a fresh session timeout to be heard of."""


Command = Resume | Join | Sync | Heartbeat | Leave | Commit | Abandon | Tick | Saved | SaveFailed | Delete | Unload


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedMember:
    """What the leader learns about a member."""

    member_id: MemberId
    instance_id: str | None
    metadata: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The member is in generation `generation`. Only the leader gets `members`."""

    member_id: MemberId
    generation: int
    protocol_type: str | None
    protocol_name: str | None
    leader_id: MemberId
    members: tuple[JoinedMember, ...] = ()
    skip_assignment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """The member's assignment."""

    protocol_type: str | None
    protocol_name: str | None
    assignment: bytes


@dataclass(frozen=True, slots=True)
class JoinReply:
    """Answer the JoinGroup that `waiter` names."""

    waiter: Waiter
    result: Joined | GroupError


@dataclass(frozen=True, slots=True)
class SyncReply:
    """Answer the SyncGroup that `waiter` names."""

    waiter: Waiter
    result: Synced | GroupError


@dataclass(frozen=True, slots=True)
class Left:
    """What became of each one that wanted to leave, in the order of the command; None means that it has left."""

    results: tuple[GroupError | None, ...]


@dataclass(frozen=True, slots=True)
class Save:
    """Store `group`, then say `Saved`; or, if that failed, `SaveFailed`."""

    ticket: int
    group: Group


@dataclass(frozen=True, slots=True)
class Rebalanced:
    """A generation became stable: something to count."""

    generation: int


Effect = JoinReply | SyncReply | Left | Save | Rebalanced
