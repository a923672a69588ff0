"""Members of classic groups over a blocking connection, and the consumer protocol's bytes that they speak."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import heartbeat, join_group, offset_commit, sync_group
from support.groups import subscription
from support.wire_client import Client

SESSION_TIMEOUT_MS = 10_000


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def assignment(partitions: Mapping[str, Sequence[int]]) -> bytes:
    """Return what a member is assigned."""
    written = [
        _text(topic) + struct.pack(f">i{len(indexes)}i", len(indexes), *indexes)
        for topic, indexes in partitions.items()
    ]
    return struct.pack(">hi", 0, len(written)) + b"".join(written) + struct.pack(">i", -1)


def assigned(raw: bytes) -> dict[str, list[int]]:
    """Return the partitions in an assignment; struct.error if it is none."""
    _, count = struct.unpack_from(">hi", raw)
    at, found = 6, {}
    for _ in range(count):
        (size,) = struct.unpack_from(">h", raw, at)
        topic = bytes(raw[at + 2 : at + 2 + size]).decode()
        (indexes,) = struct.unpack_from(">i", raw, at + 2 + size)
        found[topic] = list(struct.unpack_from(f">{indexes}i", raw, at + 6 + size))
        at += 6 + size + 4 * indexes
    struct.unpack_from(">i", raw, at)
    return found


class Member:
    """One member, on its own connection."""

    def __init__(self, client: Client, group: str, topic: str, *, instance: str | None = None) -> None:
        self.client = client
        self.group = group
        self.topic = topic
        self.instance = instance
        self.metadata = subscription(topic)
        self.id = ""
        self.generation = -1

    def join_request(self, **fields: Any) -> join_group.JoinGroupRequest:
        """Return the request to join, again if the member is known."""
        protocol = join_group.JoinGroupRequestProtocol(name="range", metadata=self.metadata)
        wanted: dict[str, Any] = {
            "group_id": self.group,
            "session_timeout_ms": SESSION_TIMEOUT_MS,
            "rebalance_timeout_ms": SESSION_TIMEOUT_MS,
            "member_id": self.id,
            "group_instance_id": self.instance,
            "protocol_type": "consumer",
            "protocols": [protocol],
        }
        return join_group.JoinGroupRequest(**{**wanted, **fields})

    def start_joining(self, **fields: Any) -> None:
        """Send the request to join, with a member id if one is wanted, and do not wait for the answer."""
        if not self.id and self.instance is None:
            answer = self.client.call(join_group, self.join_request(**fields), 9)
            assert answer.error_code == ErrorCode.MEMBER_ID_REQUIRED
            self.id = answer.member_id
        self.client.send(self.client.frame(join_group, self.join_request(**fields), 9))

    def joined(self) -> join_group.JoinGroupResponse:
        """Wait for the answer to `start_joining`."""
        _, answer = self.client.receive(join_group, 9)
        response: join_group.JoinGroupResponse = answer
        assert response.error_code == 0, ErrorCode(response.error_code).name
        self.id, self.generation = response.member_id, response.generation_id
        return response

    def join(self, **fields: Any) -> join_group.JoinGroupResponse:
        """Join and wait for the answer; `fields` are those of the request that are not as usual."""
        self.start_joining(**fields)
        return self.joined()

    def sync(self, assignments: Mapping[str, bytes] | None = None) -> bytes:
        """Bring the assignments, if any, and return this member's own."""
        request = sync_group.SyncGroupRequest(
            group_id=self.group,
            generation_id=self.generation,
            member_id=self.id,
            group_instance_id=self.instance,
            protocol_type="consumer",
            protocol_name="range",
            assignments=[
                sync_group.SyncGroupRequestAssignment(member_id=member, assignment=raw)
                for member, raw in (assignments or {}).items()
            ],
        )
        answer = self.client.call(sync_group, request, 5)
        assert answer.error_code == 0, ErrorCode(answer.error_code).name
        return bytes(answer.assignment)

    def heartbeat(self) -> ErrorCode:
        """Return how the coordinator answers a heartbeat."""
        request = heartbeat.HeartbeatRequest(
            group_id=self.group, generation_id=self.generation, member_id=self.id, group_instance_id=self.instance
        )
        return ErrorCode(self.client.call(heartbeat, request, 4).error_code)

    def until_rebalance(self) -> None:
        """Beat until the coordinator announces a rebalance."""
        while (answer := self.heartbeat()) != ErrorCode.REBALANCE_IN_PROGRESS:
            assert answer == ErrorCode.NONE

    def commit(self, partition: int, offset: int) -> ErrorCode:
        """Commit as a member of this generation; return how that is answered."""
        committed = offset_commit.OffsetCommitRequestPartition(partition_index=partition, committed_offset=offset)
        request = offset_commit.OffsetCommitRequest(
            group_id=self.group,
            generation_id_or_member_epoch=self.generation,
            member_id=self.id,
            group_instance_id=self.instance,
            topics=[offset_commit.OffsetCommitRequestTopic(name=self.topic, partitions=[committed])],
        )
        return ErrorCode(self.client.call(offset_commit, request, 9).topics[0].partitions[0].error_code)


def pair(leader: Member, other: Member) -> None:
    """Let `leader` join alone, `other` after it, and both together, up to where assignments are due."""
    leader.join()
    leader.sync({leader.id: assignment({})})
    other.start_joining()
    leader.until_rebalance()
    leader.join()
    other.joined()
