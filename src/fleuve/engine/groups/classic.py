"""Consumer group, classic protocol: the state machine.

```
    Empty ──join──▶ PreparingRebalance ──all joined, or deadline──▶ CompletingRebalance ──leader's sync stored──▶ Stable
      ▲                 ▲        │                                        │                                         │
      │                 └────────┼────── join / leave / expiry ───────────┴─────── join / leave / expiry ───────────┘
      └──nobody is left at the end of the join phase                                (any) ──delete, unload──▶ Dead
```

Rule 1: everything that decides a transition is in this file and in `rebalance`, the half that nobody asks for directly.
Rule 2: nothing in these files awaits, sleeps, logs, or asks what time it is.

`step` is a pure function: the same group, command and time always give the same group and effects. The coordinator
carries the effects out and comes back with what became of them (`Saved`, `SaveFailed`). Waiting requests are numbers
here (`Waiter`): each one that a `Join` or `Sync` brings gets exactly one reply, unless it is abandoned.

Where this is stricter than Apache Kafka: a second request of a member answers the first one, which Kafka leaves
without an answer; a member whose connection died while it waited has its session timeout to come back, and one that
does not know its id yet goes at once; members that the leader forgot get a valid empty assignment.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from fleuve.base.ids import MemberId
from fleuve.engine.groups import rebalance
from fleuve.engine.groups.commands import (
    NO_MEMBER_ID,
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
    LeavingMember,
    Left,
    Rebalanced,
    Resume,
    Saved,
    SaveFailed,
    Sync,
    Synced,
    SyncReply,
    Tick,
    Unload,
)
from fleuve.engine.groups.errors import (
    FencedInstance,
    GroupError,
    GroupFull,
    GroupNotFound,
    GroupTooLarge,
    IllegalGeneration,
    InconsistentProtocol,
    MemberIdRequired,
    NonEmptyGroup,
    RebalanceInProgress,
    UnknownMember,
)
from fleuve.engine.groups.policy import NEW_MEMBER_JOIN_TIMEOUT_MS, GroupPolicy
from fleuve.engine.groups.rebalance import Turn
from fleuve.engine.groups.state import Group, Member, Now, Phase, Saving, StaticRejoin

EMPTY_CONSUMER_ASSIGNMENT = b"\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"
"""Version 0 of the consumer protocol's assignment: no topics, null user data. An empty byte string is not one, and
clients that decode what they are given fail on it."""


def step(group: Group, command: Command, now: Now, policy: GroupPolicy) -> tuple[Group, list[Effect]]:
    """Return the group after `command`, and what is to be done. Raises GroupError if it is refused; then `group` holds.

    What is refused but has changed the group is no error here but a reply that carries one.
    """
    turn = Turn(group.copied(), now, policy)
    match command:
        case Heartbeat():
            _heartbeat(turn, command)
        case Commit():
            _commit(turn, command)
        case Join():
            _join(turn, command)
        case Sync():
            _sync(turn, command)
        case Leave():
            _leave(turn, command)
        case Abandon():
            _abandon(turn, command)
        case Tick():
            rebalance.tick(turn)
        case Saved():
            _saved(turn, command)
        case SaveFailed():
            _save_failed(turn, command)
        case Resume():
            _resume(turn)
        case Delete():
            _delete(turn)
        case Unload():
            _unload(turn, command)
        case _:
            assert_never(command)
    return turn.group, turn.effects


def _valid_member(group: Group, member_id: MemberId, instance_id: str | None) -> Member:
    """Return the member that a request speaks for. The instance id is checked first (KIP-345)."""
    if instance_id is not None:
        current = group.instances.get(instance_id)
        if current is None:
            raise UnknownMember(f"group {group.group_id} has no member with instance id {instance_id!r}")
        if current != member_id:
            raise FencedInstance(f"instance id {instance_id!r} belongs to member {current} now, not to {member_id!r}")
    member = group.members.get(member_id)
    if member is None:
        raise UnknownMember(f"group {group.group_id} has no member {member_id!r}")
    return member


def _check_generation(group: Group, generation: int) -> None:
    if generation != group.generation:
        raise IllegalGeneration(f"group {group.group_id} is in generation {group.generation}, not {generation}")


def _heartbeat(turn: Turn, command: Heartbeat) -> None:
    group = turn.group
    member = _valid_member(group, command.member_id, command.instance_id)
    _check_generation(group, command.generation)
    turn.renew_session(member)


def rebalancing(group: Group) -> bool:
    """Return whether members must be told, by the answer to their heartbeats, to join again."""
    return group.phase is Phase.PREPARING_REBALANCE


def _commit(turn: Turn, command: Commit) -> None:
    group = turn.group
    if not group.exists and command.generation >= 0:
        raise GroupNotFound(f"there is no group {group.group_id}")
    if command.generation < 0 and group.phase is Phase.EMPTY:
        # An administrator's tool, or a consumer that assigns itself: it may, while nobody uses the group as a group.
        group.exists = True
        return
    if command.generation < 0 and not command.member_id and command.instance_id is None:
        raise UnknownMember(f"group {group.group_id} has members; only they may commit")
    member = _valid_member(group, command.member_id, command.instance_id)
    _check_generation(group, command.generation)
    if group.phase is Phase.COMPLETING_REBALANCE:
        raise RebalanceInProgress(f"group {group.group_id} is waiting for its assignment")
    turn.renew_session(member)


# ── Join ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _join(turn: Turn, command: Join) -> None:
    group = turn.group
    if not group.exists and command.member_id != NO_MEMBER_ID:
        raise UnknownMember(f"there is no group {group.group_id}")
    if not _has_room(turn, command):
        # Said by a reply and not by raising: a member that rejoins too late loses its place.
        reply = JoinReply(
            command.waiter, GroupFull(f"group.max.size is {turn.policy.members_max}", member_id=NO_MEMBER_ID)
        )
        turn.effects.append(reply)
        if command.member_id in group.members:
            turn.remove(command.member_id, UnknownMember("the group is full"))
            rebalance.maybe_complete_join(turn)
        return
    size = sum(len(protocol.metadata) for protocol in command.protocols)
    if group.metadata_bytes + size > turn.policy.group_bytes_max:
        raise GroupFull(f"the members of group {group.group_id} have {group.metadata_bytes} bytes of metadata")
    if not group.supports(command.protocol_type, command.protocols):
        raise InconsistentProtocol(f"protocol type {command.protocol_type!r} or its protocols: not those of the group")
    group.exists = True
    if command.member_id == NO_MEMBER_ID:
        _join_new(turn, command)
    elif command.member_id in group.pending:
        if command.instance_id is not None:
            raise UnknownMember("ids are announced to dynamic members only: a static one comes without an id")
        del group.pending[command.member_id]
        _add_member(turn, command, command.member_id)
    else:
        _rejoin(turn, command, _valid_member(group, command.member_id, command.instance_id))


def _has_room(turn: Turn, command: Join) -> bool:
    group = turn.group
    member = group.members.get(command.member_id)
    match group.phase:
        case Phase.PREPARING_REBALANCE:
            # Counted are those that wait, not the members: the limit may have been lowered below their number, and
            # then the last ones to come back are the ones to go.
            waits = member is not None and member.join_waiter is not None
            return waits or group.join_waiters < turn.policy.members_max
        case Phase.COMPLETING_REBALANCE | Phase.STABLE:
            return member is not None or len(group.members) < turn.policy.members_max
        case _:
            return True


def _join_new(turn: Turn, command: Join) -> None:
    group = turn.group
    if command.instance_id is not None:
        current = group.instances.get(command.instance_id)
        if current is None:
            _add_member(turn, command, command.new_member_id)
        else:
            _replace_static(turn, command, group.members[current])
        return
    if not command.id_required:
        _add_member(turn, command, command.new_member_id)
        return
    if len(group.pending) >= turn.policy.pending_members_max:
        raise GroupFull(f"{len(group.pending)} members of group {group.group_id} were announced and have not come")
    group.pending[command.new_member_id] = turn.deadline(command.session_timeout_ms)
    error = MemberIdRequired("join again with this member id", member_id=command.new_member_id)
    turn.effects.append(JoinReply(command.waiter, error))


def _add_member(turn: Turn, request: Join, member_id: MemberId) -> None:
    group = turn.group
    if group.initial is not None and group.phase is Phase.PREPARING_REBALANCE:
        group.initial = replace(group.initial, grown=True)
    member = Member(
        member_id=member_id,
        instance_id=request.instance_id,
        client_id=request.client_id,
        client_host=request.client_host,
        session_timeout_ms=request.session_timeout_ms,
        rebalance_timeout_ms=request.rebalance_timeout_ms,
        protocols=request.protocols,
        new=True,
        id_known=member_id == request.member_id,
        join_waiter=request.waiter,
        session_deadline=turn.deadline(NEW_MEMBER_JOIN_TIMEOUT_MS),
    )
    turn.add(member, request.protocol_type)
    rebalance.rebalance_or_complete(turn)


def _rejoin(turn: Turn, command: Join, member: Member) -> None:
    group = turn.group
    unchanged = member.protocols == command.protocols
    match group.phase:
        case Phase.COMPLETING_REBALANCE if unchanged:
            # It may not have got the answer to its first JoinGroup.
            turn.effects.append(JoinReply(command.waiter, _current(group, member)))
        case Phase.STABLE if unchanged and group.leader_id != member.member_id:
            turn.effects.append(JoinReply(command.waiter, _current(group, member)))
        case Phase.PREPARING_REBALANCE | Phase.COMPLETING_REBALANCE | Phase.STABLE:
            # The leader comes back on purpose: for changes that its metadata does not show, like new partitions.
            _update(turn, member, command)
            rebalance.rebalance_or_complete(turn)
        case _:
            raise UnknownMember(f"group {group.group_id} has no members")


def _current(group: Group, member: Member) -> Joined:
    """Return what a member of the current generation was, or would have been, told."""
    leads = group.leader_id == member.member_id and group.phase is Phase.COMPLETING_REBALANCE
    return rebalance.joined(group, member, with_members=leads)


def _update(turn: Turn, member: Member, command: Join) -> None:
    """Let `member` wait for the next generation, with what it says of itself now."""
    if member.join_waiter is not None:
        turn.effects.append(JoinReply(member.join_waiter, RebalanceInProgress("a later JoinGroup took its place")))
    turn.change(
        member,
        protocols=command.protocols,
        session_timeout_ms=command.session_timeout_ms,
        rebalance_timeout_ms=command.rebalance_timeout_ms,
        join_waiter=command.waiter,
    )


def _replace_static(turn: Turn, command: Join, old: Member) -> None:
    """Give the place of a static member to its next life, which comes without a member id (KIP-345)."""
    group = turn.group
    leader_before = group.leader_id
    assert leader_before is not None
    fenced = FencedInstance(f"another member joined with instance id {old.instance_id!r}", member_id=old.member_id)
    turn.answer(old, fenced)
    new = turn.rename(group.members[old.member_id], command.new_member_id)
    _update(turn, new, command)
    turn.renew_session(group.members[new.member_id])
    if group.phase is Phase.STABLE and group.selected_protocol() == group.protocol_name:
        # Nobody else needs to know. But the new id must survive a restart of the broker before its owner uses it.
        ticket = turn.save(group)
        group.static_rejoins[ticket] = StaticRejoin(
            new.member_id, group.generation, leader_before, command.can_skip_assignment
        )
    elif group.phase is Phase.COMPLETING_REBALANCE:
        # The leader may be assigning to the old id at this moment.
        rebalance.prepare(turn)
    else:
        rebalance.rebalance_or_complete(turn)


# ── Sync ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sync(turn: Turn, command: Sync) -> None:
    group = turn.group
    member = _valid_member(group, command.member_id, command.instance_id)
    _check_generation(group, command.generation)
    if command.protocol_type is not None and command.protocol_type != group.protocol_type:
        raise InconsistentProtocol(f"the group's protocol type is {group.protocol_type}")
    if command.protocol_name is not None and command.protocol_name != group.protocol_name:
        raise InconsistentProtocol(f"the group's protocol is {group.protocol_name}")
    if group.phase is Phase.PREPARING_REBALANCE:
        raise RebalanceInProgress(f"group {group.group_id} is rebalancing")
    if sum(map(len, command.assignments.values())) > turn.policy.group_bytes_max:
        raise GroupTooLarge(
            f"the assignment of group {group.group_id} has more than {turn.policy.group_bytes_max} bytes"
        )
    turn.synced(member.member_id)
    if group.phase is Phase.STABLE:
        turn.renew_session(member)
        turn.effects.append(SyncReply(command.waiter, _assignment(group, member)))
        return
    if member.sync_waiter is not None:
        turn.effects.append(SyncReply(member.sync_waiter, RebalanceInProgress("a later SyncGroup took its place")))
    turn.change(member, sync_waiter=command.waiter)
    if group.leader_id == member.member_id:
        _store_assignment(turn, command)


def _assignment(group: Group, member: Member) -> Synced:
    return Synced(protocol_type=group.protocol_type, protocol_name=group.protocol_name, assignment=member.assignment)


def _store_assignment(turn: Turn, command: Sync) -> None:
    """Have the assignment stored. Whoever waits is answered when it is."""
    group = turn.group
    nothing = EMPTY_CONSUMER_ASSIGNMENT if group.protocol_type == "consumer" else b""
    assignments = {member_id: command.assignments.get(member_id) or nothing for member_id in group.members}
    snapshot = group.copied()
    for member_id, assignment in assignments.items():
        snapshot.members[member_id] = replace(snapshot.members[member_id], assignment=assignment)
    snapshot.phase = Phase.STABLE
    snapshot.state_since = turn.now.wall_ms
    group.saving = Saving(turn.save(snapshot), assignments)


def _saved(turn: Turn, command: Saved) -> None:
    group = turn.group
    rejoin = group.static_rejoins.pop(command.ticket, None)
    if rejoin is not None:
        _answer_static(turn, rejoin)
    if group.saving is None or group.saving.ticket != command.ticket:
        return
    assignments = group.saving.assignments
    group.saving = None
    turn.enter(Phase.STABLE)
    for member in list(group.members.values()):
        turn.change(member, assignment=assignments[member.member_id])
    for member in list(group.members.values()):
        if member.sync_waiter is not None:
            turn.effects.append(SyncReply(member.sync_waiter, _assignment(group, member)))
            turn.renew_session(turn.change(member, sync_waiter=None))
    turn.effects.append(Rebalanced(group.generation))


def _answer_static(turn: Turn, rejoin: StaticRejoin) -> None:
    group = turn.group
    member = group.members.get(rejoin.member_id)
    if member is None or member.join_waiter is None:
        return
    if group.phase is not Phase.STABLE or group.generation != rejoin.generation:
        return  # A rebalance began meanwhile. It counts as joined, and is answered with the next generation.
    waiter = member.join_waiter
    turn.renew_session(turn.change(member, join_waiter=None))
    leads = group.leader_id == member.member_id
    answer = rebalance.joined(group, member, with_members=leads and rejoin.can_skip_assignment)
    if rejoin.can_skip_assignment:
        answer = replace(answer, skip_assignment=leads)
    else:
        # An older client that is told that it leads would assign anew. It is told its old id, which is nobody's now,
        # and so behaves as a follower and gets the assignment that stands.
        answer = replace(answer, leader_id=rejoin.leader_shown)
    turn.effects.append(JoinReply(waiter, answer))


def _save_failed(turn: Turn, command: SaveFailed) -> None:
    group = turn.group
    rejoin = group.static_rejoins.pop(command.ticket, None)
    member = None if rejoin is None else group.members.get(rejoin.member_id)
    if member is not None and member.join_waiter is not None and group.phase is Phase.STABLE:
        # It comes back without a member id and takes its own place again.
        turn.effects.append(JoinReply(member.join_waiter, _with_member_id(command.error)))
        turn.renew_session(turn.change(member, join_waiter=None))
    if group.saving is not None and group.saving.ticket == command.ticket:
        group.saving = None
        rebalance.fail_syncs(turn, command.error)
        rebalance.prepare(turn)


def _with_member_id(error: GroupError) -> GroupError:
    return type(error)(str(error), member_id=NO_MEMBER_ID)


# ── Leaving ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _leave(turn: Turn, command: Leave) -> None:
    results: list[GroupError | None] = []
    member_count = len(turn.group.members)
    for leaving in command.members:
        try:
            _leave_one(turn, leaving)
        except GroupError as error:
            results.append(error)
        else:
            results.append(None)
    turn.effects.append(Left(tuple(results)))
    if len(turn.group.members) < member_count:
        rebalance.rebalance_or_complete(turn)
    else:
        rebalance.maybe_complete_join(turn)  # It may have waited for one whose id was handed out.


def _leave_one(turn: Turn, leaving: LeavingMember) -> None:
    group = turn.group
    member_id = leaving.member_id
    if member_id == NO_MEMBER_ID and leaving.instance_id is not None:
        member_id = group.instances.get(leaving.instance_id, NO_MEMBER_ID)
    elif member_id in group.pending:
        del group.pending[member_id]
        return
    member = _valid_member(group, member_id, leaving.instance_id)
    turn.remove(member.member_id, UnknownMember("the member has left", member_id=NO_MEMBER_ID))


def _abandon(turn: Turn, command: Abandon) -> None:
    group = turn.group
    for member in list(group.members.values()):
        if member.join_waiter == command.waiter and member.new and not member.id_known:
            turn.change(member, join_waiter=None)
            turn.remove(member.member_id, UnknownMember("the connection is gone"))
            rebalance.rebalance_or_complete(turn)
        elif member.join_waiter == command.waiter:
            turn.renew_session(turn.change(member, join_waiter=None, new=False))
        elif member.sync_waiter == command.waiter:
            turn.renew_session(turn.change(member, sync_waiter=None))


def _resume(turn: Turn) -> None:
    group = turn.group
    for member in list(group.members.values()):
        turn.renew_session(member)
    if len(group.members) > turn.policy.members_max:
        rebalance.prepare(turn)  # The limit was lowered. The last ones to join again have no place.


def _delete(turn: Turn) -> None:
    group = turn.group
    if not group.exists:
        raise GroupNotFound(f"there is no group {group.group_id}")
    if group.phase is not Phase.EMPTY:
        raise NonEmptyGroup(f"group {group.group_id} has members")
    group.pending.clear()
    turn.enter(Phase.DEAD)


def _unload(turn: Turn, command: Unload) -> None:
    group = turn.group
    for member in list(group.members.values()):
        turn.answer(member, command.error)
    group.pending.clear()
    group.members.clear()
    group.instances.clear()
    group.protocol_counts.clear()
    group.static_rejoins.clear()
    group.unsynced = frozenset()
    group.join_waiters = group.metadata_bytes = 0
    group.leader_id = group.saving = group.initial = None
    group.join_deadline = group.sync_deadline = group.wake_at = None
    turn.enter(Phase.DEAD)
