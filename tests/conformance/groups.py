"""Groups in cases: members, each on its own connection, and somebody who watches.

What waits must have arrived before the next thing happens, or the order of two connections is left to chance. So a
case waits with `Group.until`, which asks DescribeGroups until the group is as it must be by then.
"""

from __future__ import annotations

import struct
from copy import copy
from typing import Any

from conformance.scenario import Connection, Kafka
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import (
    describe_groups,
    find_coordinator,
    heartbeat,
    join_group,
    leave_group,
    offset_commit,
    offset_fetch,
    sync_group,
)
from support.members import assignment

LONG_MS = 300_000
"""A time-out that does not come."""
SHORT_MS = 100
"""A time-out that is waited for."""

__all__ = ["LONG_MS", "SHORT_MS", "Group", "Member", "assignment", "commit_request", "offsets_topic", "subscription"]


def subscription(*topics: str, user_data: bytes | None = None) -> bytes:
    """Return a consumer protocol subscription, version 0."""
    parts = [struct.pack(">hi", 0, len(topics))]
    parts += [struct.pack(">h", len(topic)) + topic.encode() for topic in topics]
    tail = struct.pack(">i", -1) if user_data is None else struct.pack(">i", len(user_data)) + user_data
    return b"".join([*parts, tail])


def commit_request(
    group: str, topic: Any, *partitions: tuple[int, int], version: int, metadata: str | None = "", **fields: Any
) -> offset_commit.OffsetCommitRequest:
    """Return a request to commit (partition, offset) of a topic, by its id where the version has ids."""
    by_id = version >= 10
    wanted = offset_commit.OffsetCommitRequestTopic(
        **({"topic_id": topic.id} if by_id else {"name": topic.name}),
        partitions=[
            offset_commit.OffsetCommitRequestPartition(
                partition_index=partition, committed_offset=offset, committed_metadata=metadata
            )
            for partition, offset in partitions
        ],
    )
    return offset_commit.OffsetCommitRequest(group_id=group, topics=[wanted], **fields)


def offsets_topic(a: Connection, group: str = "any") -> None:
    """Ask for a group's coordinator until it is there, and with it the internal topic."""
    asked = find_coordinator.FindCoordinatorRequest(coordinator_keys=[group])
    a.until(find_coordinator, asked, 4, lambda answer: not answer.coordinators[0].error_code)


class Group:
    """A group of one case."""

    def __init__(self, kafka: Kafka, name: str = "g") -> None:
        self.kafka = kafka
        self.id = kafka.name(name)
        self.watch = kafka.connect()
        offsets_topic(self.watch, self.id)
        self.until("Dead", 0)

    def until(self, state: str, members: int | None = None) -> Any:
        """Wait until the group is in a state and has so many members."""

        def wanted(answer: Any) -> bool:
            (group,) = answer.groups
            return bool(not group.error_code and group.group_state == state and members in {None, len(group.members)})

        return self.watch.until(describe_groups, describe_groups.DescribeGroupsRequest(groups=[self.id]), 5, wanted)

    def member(self, name: str = "m", **fields: Any) -> Member:
        """Return a member that has not joined yet, on a connection of its own."""
        return Member(self, name, **fields)

    def stable(self, *members: Member) -> None:
        """Let members join, the first one as the leader, and get their assignments."""
        leader, *others = members
        leader.enter()
        for number, member in enumerate(others, 2):
            member.begin()
            self.until("PreparingRebalance", number)
        if others:
            leader.send_join()
            for member in members:
                member.joined()
        self.share(*members)

    def share(self, *members: Member) -> None:
        """Let the leader bring assignments, and everybody fetch theirs."""
        leader, *others = members
        for other in others:
            other.send_sync()
        leader.sync({member.id: b"for " + member.name.encode() for member in members})
        for other in others:
            other.synced()


class Member:
    """One member."""

    def __init__(self, group: Group, name: str, **fields: Any) -> None:
        self.group = group
        self.name = name
        self.wire = group.kafka.connect(name)
        self.instance: str | None = fields.pop("instance", None)
        self.version: int = fields.pop("version", 9)
        self.fields = fields
        """Of its JoinGroup requests."""
        self.id = ""
        self.generation = -1

    def beside(self) -> Member:
        """Return the same member on another connection: on its own it waits for an answer."""
        twin = copy(self)
        twin.wire = self.group.kafka.connect(self.name)
        return twin

    # ── join

    def join_request(self, **fields: Any) -> join_group.JoinGroupRequest:
        """Return its request to join."""
        protocol = join_group.JoinGroupRequestProtocol(
            name="range", metadata=subscription("t", user_data=self.name.encode())
        )
        wanted: dict[str, Any] = {
            "group_id": self.group.id,
            "session_timeout_ms": LONG_MS,
            "rebalance_timeout_ms": LONG_MS,
            "member_id": self.id,
            "group_instance_id": self.instance,
            "protocol_type": "consumer",
            "protocols": [protocol],
        }
        return join_group.JoinGroupRequest(**{**wanted, **self.fields, **fields})

    def send_join(self, **fields: Any) -> None:
        """Ask to join."""
        self.wire.send(join_group, self.join_request(**fields), self.version)

    def joined(self) -> Any:
        """Hear what became of a JoinGroup."""
        answer = self.wire.receive()
        if answer.error_code in {ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED}:
            self.id = answer.member_id
        if not answer.error_code:
            self.generation = answer.generation_id
        return answer

    def join(self, **fields: Any) -> Any:
        """Ask to join and wait for the answer."""
        self.send_join(**fields)
        return self.joined()

    def enter(self, **fields: Any) -> Any:
        """Join, with a second request if the first one only brings an id."""
        self.begin(**fields)
        return self.joined()

    def begin(self, **fields: Any) -> None:
        """Ask to join, with a second request if the first one only brings an id; the last answer is not waited for."""
        if not self.id and self.instance is None and self.version >= 4:
            self.join(**fields)
        self.send_join(**fields)

    # ── the rest

    def _identity(self) -> dict[str, Any]:
        return {"group_id": self.group.id, "member_id": self.id, "group_instance_id": self.instance}

    def send_sync(self, assignments: dict[str, bytes] | None = None, *, version: int = 5, **fields: Any) -> None:
        """Ask for the assignment; the leader brings it."""
        wanted = {
            **self._identity(),
            "generation_id": self.generation,
            "protocol_type": "consumer",
            "protocol_name": "range",
            "assignments": [
                sync_group.SyncGroupRequestAssignment(member_id=member_id, assignment=assigned)
                for member_id, assigned in (assignments or {}).items()
            ],
        }
        self.wire.send(sync_group, sync_group.SyncGroupRequest(**{**wanted, **fields}), version)

    def synced(self) -> Any:
        """Hear what became of a SyncGroup."""
        return self.wire.receive()

    def sync(self, assignments: dict[str, bytes] | None = None, *, version: int = 5, **fields: Any) -> Any:
        """Ask for the assignment and wait for it."""
        self.send_sync(assignments, version=version, **fields)
        return self.synced()

    def heartbeat(self, *, version: int = 4, **fields: Any) -> Any:
        """Say that it is alive."""
        wanted = {**self._identity(), "generation_id": self.generation, **fields}
        return self.wire.call(heartbeat, heartbeat.HeartbeatRequest(**wanted), version)

    def until_heartbeat(self, code: int, *, version: int = 4) -> Any:
        """Say that it is alive until the answer is this one."""
        wanted = {**self._identity(), "generation_id": self.generation}
        request = heartbeat.HeartbeatRequest(**wanted)
        return self.wire.until(heartbeat, request, version, lambda answer: answer.error_code == code)

    def leave(self, *, version: int = 5, **fields: Any) -> Any:
        """Leave the group."""
        if version < 3:
            request = leave_group.LeaveGroupRequest(**{"group_id": self.group.id, "member_id": self.id, **fields})
        else:
            identity = {"member_id": self.id, "group_instance_id": self.instance, **fields}
            request = leave_group.LeaveGroupRequest(
                group_id=self.group.id, members=[leave_group.MemberIdentity(**identity)]
            )
        return self.wire.call(leave_group, request, version)

    def commit(self, topic: Any, *partitions: tuple[int, int], version: int = 10, **fields: Any) -> Any:
        """Commit (partition, offset) of a topic."""
        wanted = {
            "member_id": self.id,
            "group_instance_id": self.instance,
            "generation_id_or_member_epoch": self.generation,
            **fields,
        }
        request = commit_request(self.group.id, topic, *(partitions or ((0, 5),)), version=version, **wanted)
        return self.wire.call(offset_commit, request, version)

    def fetch(self, topics: list[Any] | None = None, *, version: int = 10, **fields: Any) -> Any:
        """Ask for committed offsets; of all topics by default."""
        asked = offset_fetch.OffsetFetchRequestGroup(group_id=self.group.id, topics=topics, **fields)
        return self.wire.call(offset_fetch, offset_fetch.OffsetFetchRequest(groups=[asked]), version)
