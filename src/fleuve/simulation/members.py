"""Members of consumer groups (the classic protocol): they join, beat, commit, leave, sleep, and come back as ghosts.

Assignments are texts that name group, generation and member, so that a member knows whether it got its own.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from fleuve.simulation.client import Client, Lost
from fleuve.simulation.group_model import GroupModel, Key
from fleuve.simulation.history import Violation
from fleuve.simulation.model import Topic
from fleuve.simulation.play import Play
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import heartbeat, join_group, leave_group, offset_commit, offset_fetch, sync_group

JOIN, SYNC, HEARTBEAT, LEAVE, COMMIT, FETCH = 7, 5, 4, 4, 10, 10
COMMIT_BY_NAME, FETCH_BY_NAME = 8, 8
GONE = {ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_INSTANCE_ID}
RETRY = {
    ErrorCode.REBALANCE_IN_PROGRESS,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.KAFKA_STORAGE_ERROR,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.UNKNOWN_SERVER_ERROR,
}


class Member:
    """One member, life after life."""

    def __init__(self, play: Play, client: Client, group: GroupModel, instance_id: str | None) -> None:
        self._play = play
        self._client = client
        self._group = group
        self._instance_id = instance_id
        self._member_id = ""
        self._generation = -1
        self._session_ms = round(client.chance.choice([1_000, 3_000, 6_000]) * play.pace)

    async def run(self) -> None:
        """Be a member until the end."""
        chance = self._client.chance
        while self._play.going:
            await asyncio.sleep(chance.random() * 0.5 * self._play.pace)
            try:
                if self._generation < 0:
                    await self._join()
                else:
                    await self._stay()
            except Lost:
                continue

    # ------------------------------------------------------------ membership

    async def _join(self) -> None:
        group, instance = self._group, self._instance_id
        known, holder = group.generation, group.instances.get(instance or "")
        subscription = struct.pack(">hih4si", 0, 1, 4, b"none", -1)
        request = join_group.JoinGroupRequest(
            group_id=group.name,
            session_timeout_ms=self._session_ms,
            rebalance_timeout_ms=min(15_000, round(2_000 * self._play.pace)),
            member_id=self._member_id,
            group_instance_id=instance,
            protocol_type="consumer",
            protocols=[join_group.JoinGroupRequestProtocol(name="range", metadata=subscription)],
        )
        response = await self._client.call(join_group, request, JOIN, f"JoinGroup {group.name} as {self._member_id!r}")
        error = ErrorCode(response.error_code)
        self._client.note(f"join: {error.name} generation {response.generation_id} {response.member_id!r}")
        if error == ErrorCode.MEMBER_ID_REQUIRED:
            self._member_id = response.member_id
        elif error in GONE:
            self._gone()
        elif error == ErrorCode.NONE:
            self._member_id = response.member_id
            group.joined(
                response.member_id,
                response.generation_id,
                generation_before=known,
                instance_id=instance,
                instance_before=holder,
            )
            await self._sync(response)
        elif error not in RETRY:
            raise Violation(9, f"{self._client.name}: {error.name} to a JoinGroup")

    async def _sync(self, joined: Any) -> None:
        group = self._group
        generation = joined.generation_id
        assignments = []
        if joined.leader == self._member_id:
            assignments = [
                sync_group.SyncGroupRequestAssignment(
                    member_id=member.member_id, assignment=_assignment(group, generation, member.member_id)
                )
                for member in joined.members
            ]
        request = sync_group.SyncGroupRequest(
            group_id=group.name,
            generation_id=generation,
            member_id=self._member_id,
            group_instance_id=self._instance_id,
            protocol_type="consumer",
            protocol_name="range",
            assignments=assignments,
        )
        response = await self._client.call(sync_group, request, SYNC, f"SyncGroup {group.name} {generation}")
        error = ErrorCode(response.error_code)
        self._client.note(f"sync: {error.name} {bytes(response.assignment).decode()!r}")
        if error in GONE:
            self._gone()
        elif error == ErrorCode.NONE:
            self._generation = generation
            group.synced(generation, joined.leader)
            due = _assignment(group, generation, self._member_id)
            # A static member that takes the place of another gets what that had.
            if response.assignment != due and self._instance_id is None:
                raise Violation(6, f"{group.name}: assigned {bytes(response.assignment)!r} in place of {due!r}")
        elif error not in RETRY | {ErrorCode.ILLEGAL_GENERATION}:
            raise Violation(9, f"{self._client.name}: {error.name} to a SyncGroup")

    async def _stay(self) -> None:
        chance = self._client.chance
        choice = chance.random()
        if choice < 0.35:
            await self._heartbeat()
        elif choice < 0.75:
            await self._commit()
        elif choice < 0.92:
            await self._fetch_offsets()
        elif choice < 0.96:
            # Asleep for longer than the session lasts, perhaps; then a ghost.
            await asyncio.sleep(chance.random() * 2 * self._session_ms / 1000)
            await self._commit()
        elif self._instance_id is None or chance.random() < 0.5:
            await self._leave()
        else:
            # A static member comes back without its id.
            self._client.reset()
            self._member_id, self._generation = "", -1

    async def _heartbeat(self) -> None:
        request = heartbeat.HeartbeatRequest(
            group_id=self._group.name,
            generation_id=self._generation,
            member_id=self._member_id,
            group_instance_id=self._instance_id,
        )
        response = await self._client.call(heartbeat, request, HEARTBEAT, f"Heartbeat {self._group.name}")
        self._take(ErrorCode(response.error_code), "heartbeat")

    async def _leave(self) -> None:
        member = leave_group.MemberIdentity(member_id=self._member_id, group_instance_id=self._instance_id)
        request = leave_group.LeaveGroupRequest(group_id=self._group.name, members=[member])
        member_id = self._member_id
        response = await self._client.call(leave_group, request, LEAVE, f"LeaveGroup {self._group.name}")
        left = response.error_code == ErrorCode.NONE and response.members[0].error_code == ErrorCode.NONE
        self._client.note(f"leave: {response.error_code} {[one.error_code for one in response.members]}")
        if left:
            self._group.left.add(member_id)
            if self._client.chance.random() < 0.5:
                # A ghost.
                await self._commit()
        self._member_id, self._generation = "", -1

    def _take(self, error: ErrorCode, what: str) -> None:
        self._client.note(f"{what}: {error.name}")
        if error in GONE:
            self._gone()
        elif error == ErrorCode.REBALANCE_IN_PROGRESS or error == ErrorCode.ILLEGAL_GENERATION:
            # Its id it keeps.
            self._generation = -1
        elif error != ErrorCode.NONE and error not in RETRY:
            raise Violation(9, f"{self._client.name}: {error.name} to a {what}")

    def _gone(self) -> None:
        self._member_id, self._generation = "", -1

    # ------------------------------------------------------------ offsets

    def _some_key(self) -> tuple[Topic, Key] | None:
        picked = self._play.some_partition(self._client.chance)
        return None if picked is None else (picked[0], (picked[0].id, picked[1]))

    async def _commit(self) -> None:
        picked = self._some_key()
        if picked is None:
            return
        topic, key = picked
        group, now = self._group, self._play.now()
        commit = group.committing(
            key, generation=self._generation, member_id=self._member_id, instance_id=self._instance_id, now=now
        )
        fenced = group.is_fenced(commit, self._instance_id)
        version = COMMIT if topic.recreatable else self._client.chance.choice([COMMIT, COMMIT_BY_NAME])
        partition = offset_commit.OffsetCommitRequestPartition(
            partition_index=key[1], committed_offset=commit.offset, committed_leader_epoch=-1, committed_metadata=""
        )
        request = offset_commit.OffsetCommitRequest(
            group_id=group.name,
            generation_id_or_member_epoch=self._generation,
            member_id=self._member_id,
            group_instance_id=self._instance_id,
            topics=[offset_commit.OffsetCommitRequestTopic(name=topic.name, topic_id=topic.id, partitions=[partition])],
        )
        what = f"OffsetCommit v{version} {group.name} generation {self._generation} {topic.name}-{key[1]}"
        response = await self._client.call(offset_commit, request, version, f"{what} = {commit.offset}")
        error = ErrorCode(response.topics[0].partitions[0].error_code)
        if error == ErrorCode.NONE:
            group.committed(commit, fenced=fenced, now=self._play.now())
            self._play.offsets_committed += 1
        elif error in GONE | {ErrorCode.ILLEGAL_GENERATION, ErrorCode.REBALANCE_IN_PROGRESS}:
            commit.refused = True
        elif error in {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID}:
            if not topic.deletion_asked:
                raise Violation(1, f"{topic.name} is said not to exist, and nobody has deleted it")
            return
        self._take(error, f"commit {commit.offset}")

    async def _fetch_offsets(self) -> None:
        picked = self._some_key()
        if picked is None:
            return
        topic, key = picked
        sent_at = self._play.now()
        version = FETCH if topic.recreatable else self._client.chance.choice([FETCH, FETCH_BY_NAME])
        wanted = offset_fetch.OffsetFetchRequestTopics(name=topic.name, topic_id=topic.id, partition_indexes=[key[1]])
        one = offset_fetch.OffsetFetchRequestGroup(
            group_id=self._group.name, member_id=None, member_epoch=-1, topics=[wanted]
        )
        request = offset_fetch.OffsetFetchRequest(groups=[one], require_stable=self._client.chance.random() < 0.5)
        what = f"OffsetFetch v{version} {self._group.name} {topic.name}-{key[1]}"
        response = await self._client.call(offset_fetch, request, version, what)
        (answered,) = response.groups
        if answered.error_code:
            self._take(ErrorCode(answered.error_code), "offset fetch")
            return
        (partition,) = answered.topics[0].partitions
        self._client.note(f"offset: {partition.error_code} {partition.committed_offset}")
        if not partition.error_code and not topic.deletion_asked:
            self._group.fetched(key, partition.committed_offset, sent_at=sent_at, now=self._play.now())


def _assignment(group: GroupModel, generation: int, member_id: str) -> bytes:
    return f"{group.name}/{generation}/{member_id}".encode()
