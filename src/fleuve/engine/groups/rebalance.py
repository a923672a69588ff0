"""The half of the classic group's machine that nobody asks for: preparing and completing rebalances, and time.

`Turn` is one step under way: a copy of the group, the time, and the effects so far, with the few operations that keep
the group's sums and indexes right. `classic` has the laws.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fleuve.base.ids import MemberId
from fleuve.engine.groups.commands import (
    NO_MEMBER_ID,
    Effect,
    Joined,
    JoinedMember,
    JoinReply,
    Save,
    SyncReply,
)
from fleuve.engine.groups.errors import GroupError, RebalanceInProgress, UnknownMember
from fleuve.engine.groups.policy import GroupPolicy
from fleuve.engine.groups.state import Group, InitialDelay, Member, Now, Phase
from fleuve.engine.groups.subscription import subscribed_topics


class Turn:
    """One step under way. It owns its group."""

    __slots__ = ("effects", "group", "now", "policy")

    def __init__(self, group: Group, now: Now, policy: GroupPolicy) -> None:
        self.group = group
        self.now = now
        self.policy = policy
        self.effects: list[Effect] = []

    def deadline(self, ms: int) -> int:
        """Return the time `ms` from now, and see to it that the group is woken by then."""
        at = self.now.loop_ms + ms
        if self.group.wake_at is None or at < self.group.wake_at:
            self.group.wake_at = at
        return at

    def enter(self, phase: Phase) -> None:
        """Change the phase."""
        self.group.phase = phase
        self.group.state_since = self.now.wall_ms

    def change(self, member: Member, **fields: Any) -> Member:
        """Replace `member` by one that differs in `fields`, and return that one."""
        group = self.group
        changed = replace(member, **fields)
        group.join_waiters += (changed.join_waiter is not None) - (member.join_waiter is not None)
        if changed.protocols is not member.protocols:
            self._count_protocols(member, -1)
            self._count_protocols(changed, +1)
        group.members[member.member_id] = changed
        return changed

    def renew_session(self, member: Member) -> None:
        """Give `member` a full session timeout from now."""
        self.change(member, session_deadline=self.deadline(member.session_timeout_ms))

    def add(self, member: Member, protocol_type: str) -> None:
        """Take in a member. The first one decides the protocol type and leads until there is a better reason."""
        group = self.group
        if not group.members:
            group.protocol_type = protocol_type
        if group.leader_id is None:
            group.leader_id = member.member_id
        group.members[member.member_id] = member
        if member.instance_id is not None:
            group.instances[member.instance_id] = member.member_id
        group.join_waiters += member.join_waiter is not None
        self._count_protocols(member, +1)

    def remove(self, member_id: MemberId, error: GroupError) -> None:
        """Take out a member; if it waits it is told `error`."""
        group = self.group
        member = group.members.pop(member_id)
        group.join_waiters -= member.join_waiter is not None
        self._count_protocols(member, -1)
        if member.instance_id is not None:
            del group.instances[member.instance_id]
        if group.leader_id == member_id:
            group.leader_id = next(iter(group.members), None)
        self.synced(member_id)
        if member.join_waiter is not None:
            self.effects.append(JoinReply(member.join_waiter, error))
        if member.sync_waiter is not None:
            self.effects.append(SyncReply(member.sync_waiter, error))

    def rename(self, member: Member, member_id: MemberId) -> Member:
        """Give the place of `member`, its assignment and its lead, to a member with another id."""
        group = self.group
        renamed = replace(member, member_id=member_id)
        # In place: the order of members decides who leads next, and votes.
        group.members = {
            (member_id if key == member.member_id else key): (renamed if key == member.member_id else value)
            for key, value in group.members.items()
        }
        if renamed.instance_id is not None:
            group.instances[renamed.instance_id] = member_id
        if group.leader_id == member.member_id:
            group.leader_id = member_id
        self.synced(member.member_id)
        return renamed

    def answer(self, member: Member, error: GroupError) -> Member:
        """Tell `member` what is wrong, if it waits."""
        if member.join_waiter is not None:
            self.effects.append(JoinReply(member.join_waiter, error))
        if member.sync_waiter is not None:
            self.effects.append(SyncReply(member.sync_waiter, error))
        return self.change(member, join_waiter=None, sync_waiter=None)

    def synced(self, member_id: MemberId) -> None:
        """Note that nothing is expected any more of a member in this generation."""
        group = self.group
        if member_id in group.unsynced:
            group.unsynced -= {member_id}
            if not group.unsynced:
                group.sync_deadline = None

    def save(self, group: Group) -> int:
        """Have `group` stored; return the ticket that `Saved` will name."""
        self.group.tickets += 1
        self.effects.append(Save(self.group.tickets, group.copied()))
        return self.group.tickets

    def _count_protocols(self, member: Member, by: int) -> None:
        self.group.metadata_bytes += by * member.metadata_bytes
        counts = self.group.protocol_counts
        for name in {protocol.name for protocol in member.protocols}:
            count = counts.get(name, 0) + by
            if count:
                counts[name] = count
            else:
                del counts[name]


def rebalance_or_complete(turn: Turn) -> None:
    """Members have come, gone or changed: begin a rebalance, or see whether the one under way can go on."""
    if turn.group.phase is Phase.PREPARING_REBALANCE:
        maybe_complete_join(turn)
    elif turn.group.phase is not Phase.DEAD and (turn.group.members or turn.group.phase is not Phase.EMPTY):
        prepare(turn)


def prepare(turn: Turn) -> None:
    """Begin a rebalance: every member must join again."""
    group = turn.group
    if group.phase is Phase.COMPLETING_REBALANCE:
        for member in list(group.members.values()):
            turn.change(member, assignment=b"")
        fail_syncs(turn, RebalanceInProgress(f"group {group.group_id} is rebalancing"))
    group.saving = None
    group.unsynced = frozenset()
    group.sync_deadline = None
    group.initial = None
    if group.phase is Phase.EMPTY:
        # Members of a group tend to start together; a short wait saves a rebalance for each of them.
        delay_ms = turn.policy.initial_rebalance_delay_ms
        remaining_ms = max(group.rebalance_timeout_ms - delay_ms, 0)
        group.initial = InitialDelay(delay_ms=delay_ms, remaining_ms=remaining_ms)
        turn.enter(Phase.PREPARING_REBALANCE)
        group.join_deadline = turn.deadline(delay_ms)
        return
    turn.enter(Phase.PREPARING_REBALANCE)
    if group.all_joined:
        _complete_join(turn)
    else:
        group.join_deadline = turn.deadline(group.rebalance_timeout_ms)


def fail_syncs(turn: Turn, error: GroupError) -> None:
    """Tell everybody who waits for an assignment that there is none."""
    for member in list(turn.group.members.values()):
        if member.sync_waiter is not None:
            turn.effects.append(SyncReply(member.sync_waiter, error))
            turn.renew_session(turn.change(member, sync_waiter=None))


def maybe_complete_join(turn: Turn) -> None:
    """End the join phase if nobody is missing. The first rebalance of an empty group always takes its time."""
    group = turn.group
    if group.phase is Phase.PREPARING_REBALANCE and group.initial is None and group.all_joined:
        _complete_join(turn)


def _complete_join(turn: Turn) -> None:
    group = turn.group
    group.join_deadline = None
    group.initial = None
    for member in list(group.members.values()):
        # A static member has its session timeout to come back, whatever the others do.
        if member.join_waiter is None and member.instance_id is None:
            turn.remove(member.member_id, UnknownMember("the member has not joined again"))
    if group.members and not _elect_leader(group):
        # Only static members are left, and none of them has come: wait until one does, or their sessions end.
        group.join_deadline = turn.deadline(group.rebalance_timeout_ms)
        return
    group.generation += 1
    if group.members:
        _begin_generation(turn)
    else:
        group.protocol_name = None
        group.subscribed_topics = _subscribed(group)
        turn.enter(Phase.EMPTY)
        turn.save(group)


def _elect_leader(group: Group) -> bool:
    """See to it that a member that has joined leads; return False if there is none. The leader stays if it can."""
    assert group.leader_id is not None
    if group.members[group.leader_id].join_waiter is None:
        joined_ids = (member.member_id for member in group.members.values() if member.join_waiter is not None)
        leader_id = next(joined_ids, None)
        if leader_id is None:
            return False
        group.leader_id = leader_id
    return True


def _begin_generation(turn: Turn) -> None:
    group = turn.group
    group.protocol_name = group.selected_protocol()
    group.subscribed_topics = _subscribed(group)
    turn.enter(Phase.COMPLETING_REBALANCE)
    group.unsynced = frozenset(group.members)
    group.sync_deadline = turn.deadline(group.rebalance_timeout_ms)
    for member in list(group.members.values()):
        waiter = member.join_waiter
        turn.renew_session(turn.change(member, join_waiter=None, new=False))
        if waiter is not None:
            leads = group.leader_id == member.member_id
            turn.effects.append(JoinReply(waiter, joined(group, member, with_members=leads)))


def _subscribed(group: Group) -> frozenset[str] | None:
    metadata = (member.metadata(group.protocol_name) for member in group.members.values())
    return subscribed_topics(group.protocol_type, metadata)


def joined(group: Group, member: Member, *, with_members: bool) -> Joined:
    """Return the answer to JoinGroup for a member of the current generation."""
    assert group.leader_id is not None
    everybody: tuple[JoinedMember, ...] = ()
    if with_members:
        everybody = tuple(
            JoinedMember(
                member_id=other.member_id,
                instance_id=other.instance_id,
                metadata=other.metadata(group.protocol_name),
            )
            for other in group.members.values()
        )
    return Joined(
        member_id=member.member_id,
        generation=group.generation,
        protocol_type=group.protocol_type,
        protocol_name=group.protocol_name,
        leader_id=group.leader_id,
        members=everybody,
    )


# ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def tick(turn: Turn) -> None:
    """Do what is due, then find out when to come back."""
    group = turn.group
    due = turn.now.loop_ms
    for pending_id, at in list(group.pending.items()):
        if at <= due:
            del group.pending[pending_id]
            maybe_complete_join(turn)
    for member_id, member in list(group.members.items()):
        if member.session_deadline is not None and member.session_deadline <= due:
            _expire_session(turn, member_id)
    if group.sync_deadline is not None and group.sync_deadline <= due:
        _expire_syncs(turn)
    if group.join_deadline is not None and group.join_deadline <= due:
        _expire_join(turn)
    group.wake_at = group.next_deadline()


def _expire_session(turn: Turn, member_id: MemberId) -> None:
    # Looked up again: an expiry before this one may have ended the join phase, and that renews sessions.
    member = turn.group.members.get(member_id)
    if member is None or member.session_deadline is None or member.session_deadline > turn.now.loop_ms:
        return
    if not member.new and (member.join_waiter is not None or member.sync_waiter is not None):
        turn.change(member, session_deadline=None)  # It cannot heartbeat while it waits; the answer renews the session.
        return
    turn.remove(member_id, UnknownMember("the session timed out", member_id=NO_MEMBER_ID))
    rebalance_or_complete(turn)


def _expire_syncs(turn: Turn) -> None:
    group = turn.group
    for member_id in [member_id for member_id in group.members if member_id in group.unsynced]:
        turn.remove(member_id, UnknownMember("no SyncGroup within the rebalance timeout"))
    group.sync_deadline = None
    prepare(turn)


def _expire_join(turn: Turn) -> None:
    group = turn.group
    initial = group.initial
    if initial is None or not initial.grown or initial.remaining_ms == 0:
        _complete_join(turn)
        return
    delay_ms = min(turn.policy.initial_rebalance_delay_ms, initial.remaining_ms)
    group.initial = InitialDelay(delay_ms=delay_ms, remaining_ms=max(initial.remaining_ms - initial.delay_ms, 0))
    group.join_deadline = turn.deadline(delay_ms)
