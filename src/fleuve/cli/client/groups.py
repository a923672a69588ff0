"""Consumer groups: their members, what they have committed, and how far that is from the ends of the partitions."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException
from confluent_kafka.admin import ConsumerGroupDescription, ConsumerGroupListing

from fleuve.base.errors import Verdict
from fleuve.cli.client.cluster import REQUEST_S_MAX, Cluster
from fleuve.cli.client.errors import CommandFailed, failure
from fleuve.cli.client.offsets import Range, ranges
from fleuve.cli.client.partitions import Partition

_MOVING = frozenset(
    {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE}
)
"""What brokers say while a group changes its coordinator, and while a new cluster has none yet: it passes."""
_MOVING_S_MAX = 10.0
_MOVING_PAUSE_S = 0.25
_ASKED_AT_ONCE = 200
"""Each group is a request of its own to its coordinator; that many are on their way at a time."""


class NoSuchGroup(CommandFailed, verdict=Verdict.REJECT):
    """A group does not exist."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group."""

    member_id: str
    instance_id: str | None
    client_id: str
    host: str
    partitions: Sequence[Partition]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a group is in a partition."""

    committed: int | None
    """None where it has committed nothing yet."""
    range: Range | None
    """None where there is no such partition any more."""

    @property
    def lag(self) -> int | None:
        """How many records are still to be read, as far as that can be told."""
        if self.committed is None or self.range is None or self.range.latest is None:
            return None
        return max(0, self.range.latest - max(self.committed, self.range.earliest or 0))

    @property
    def note(self) -> str:
        """What is wrong with the committed offset, if something is."""
        if self.range is None:
            return "no such partition"
        if self.committed is None:
            return "nothing committed"
        if self.range.latest is not None and self.committed > self.range.latest:
            return "beyond the log"
        if self.range.earliest is not None and self.committed < self.range.earliest:
            return f"before the log, which begins at {self.range.earliest}"
        return ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group as its coordinator knows it."""

    group_id: str
    state: str
    kind: str
    assignor: str
    coordinator: int | None
    members: Sequence[Member]
    progress: Mapping[Partition, Progress]

    @property
    def lag(self) -> int | None:
        """The lag of all partitions together; None where none is known."""
        return total(progress.lag for progress in self.progress.values())

    def member_of(self, partition: Partition) -> int | None:
        """Return the index of the member that reads a partition."""
        return next((index for index, member in enumerate(self.members) if partition in member.partitions), None)


def total(numbers: Any) -> int | None:
    """Return the sum of the numbers that are known; None where none is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def listed(cluster: Cluster) -> tuple[list[ConsumerGroupListing], list[CommandFailed]]:
    """Return all groups of the cluster, by id, and what to say of coordinators that do not answer."""
    told = cluster.admin.list_consumer_groups(request_timeout=REQUEST_S_MAX).result()
    failed = [failure(error, what="some groups are missing") for error in told.errors or ()]
    return sorted(told.valid or (), key=lambda listing: listing.group_id), failed


def state_of(group: ConsumerGroupListing | ConsumerGroupDescription) -> str:
    """Return a group's state in words: stable, empty, preparing rebalancing."""
    return str(group.state.name).replace("_", " ").lower()


def described(
    cluster: Cluster, group_ids: Sequence[str], *, known: Mapping[Partition, Range] | None = None
) -> tuple[dict[str, Group], dict[str, CommandFailed]]:
    """Return groups with their progress, and why there is none, for each id that was asked for.

    A group that is not there is among the failures. Ranges that are `known` are not asked for.
    """
    descriptions, failed = _descriptions(cluster, group_ids)
    committed, refused = committed_offsets(cluster, list(descriptions))
    failed |= refused
    members = {group_id: _members(told) for group_id, told in descriptions.items()}
    partitions = {
        group_id: sorted({*committed.get(group_id, {}), *(p for member in found for p in member.partitions)})
        for group_id, found in members.items()
    }
    asked = {one for some in partitions.values() for one in some} - set(known or ())
    found = {**(known or {}), **_ranges(cluster, asked)}
    groups = {
        group_id: Group(
            group_id=group_id,
            state=state_of(told),
            kind=str(told.type.name).lower(),
            assignor=told.partition_assignor,
            coordinator=told.coordinator.id if told.coordinator is not None else None,
            members=members[group_id],
            progress={
                one: Progress(committed.get(group_id, {}).get(one), found.get(one)) for one in partitions[group_id]
            },
        )
        for group_id, told in descriptions.items()
        if group_id not in failed
    }
    return groups, failed


def _ranges(cluster: Cluster, partitions: set[Partition]) -> dict[Partition, Range]:
    """Return the ranges of those partitions that there are."""
    if not partitions:
        return {}
    topics = cluster.metadata().topics
    return ranges(
        cluster, sorted(one for one in partitions if one[0] in topics and one[1] in topics[one[0]].partitions)
    )


def _descriptions(
    cluster: Cluster, group_ids: Sequence[str]
) -> tuple[dict[str, ConsumerGroupDescription], dict[str, CommandFailed]]:
    """Return groups as their coordinators know them, and why there is none, once those are found that move."""
    found: dict[str, ConsumerGroupDescription] = {}
    failed: dict[str, CommandFailed] = {}
    began = time.perf_counter()
    asked = list(group_ids)
    while asked:
        moving = []
        for some in _portions(asked):
            futures = cluster.admin.describe_consumer_groups(list(some), request_timeout=REQUEST_S_MAX)
            for group_id, future in futures.items():
                try:
                    told = future.result()
                except KafkaException as error:
                    failed[group_id] = _no_description(group_id, error)
                    if error.args[0].code() in _MOVING:
                        moving.append(group_id)
                    continue
                failed.pop(group_id, None)
                if told.state.name == "DEAD":
                    # What a coordinator says of a group that it does not know.
                    failed[group_id] = _no_such(group_id)
                else:
                    found[group_id] = told
        asked = moving if time.perf_counter() - began < _MOVING_S_MAX else []
        if asked:
            threading.Event().wait(_MOVING_PAUSE_S)
    return found, failed


def _no_description(group_id: str, error: KafkaException) -> CommandFailed:
    if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
        return _no_such(group_id)
    return failure(error, what=f"group {group_id}")


def _no_such(group_id: str) -> NoSuchGroup:
    return NoSuchGroup(f"group {group_id}: does not exist; see `fleuve group list`")


def members_of(cluster: Cluster, group_ids: Sequence[str]) -> dict[str, str]:
    """Return the members of those groups that have any, in words. Raises CommandFailed if that is not told."""
    descriptions, failed = _descriptions(cluster, group_ids)
    for error in failed.values():
        if not isinstance(error, NoSuchGroup):
            raise error
    found = {group_id: _members(told) for group_id, told in descriptions.items()}
    return {
        group_id: ", ".join(sorted({f"{member.client_id} at {member.host}" for member in members}))
        for group_id, members in found.items()
        if members
    }


def committed_offsets(
    cluster: Cluster, group_ids: Sequence[str]
) -> tuple[dict[str, dict[Partition, int]], dict[str, CommandFailed]]:
    """Return what each group has committed, and why that is not told.

    Only of groups that were described just now, or are not there: librdkafka 2.16 ends the process with a segmentation
    fault where a broker answers this one request with NOT_COORDINATOR or COORDINATOR_NOT_AVAILABLE.
    """
    committed: dict[str, dict[Partition, int]] = {}
    failed = {}
    for some in _portions(group_ids):
        futures: dict[str, Any] = {}
        for group_id in some:
            # The library takes one group for each call.
            asked = [ConsumerGroupTopicPartitions(group_id)]
            futures |= cluster.admin.list_consumer_group_offsets(asked, request_timeout=REQUEST_S_MAX)
        for group_id, future in futures.items():
            try:
                told = future.result().topic_partitions or ()
            except KafkaException as error:
                failed[group_id] = failure(error, what=f"offsets of group {group_id}")
                continue
            committed[group_id] = {(one.topic, one.partition): one.offset for one in told if one.offset >= 0}
    return committed, failed


def _portions(group_ids: Sequence[str]) -> list[Sequence[str]]:
    return [group_ids[first : first + _ASKED_AT_ONCE] for first in range(0, len(group_ids), _ASKED_AT_ONCE)]


def _members(told: ConsumerGroupDescription) -> list[Member]:
    members = [
        Member(
            member_id=member.member_id,
            instance_id=member.group_instance_id or None,
            client_id=member.client_id,
            # Brokers write Java's form of an address.
            host=member.host.removeprefix("/"),
            partitions=sorted((one.topic, one.partition) for one in member.assignment.topic_partitions),
        )
        for member in told.members
    ]
    return sorted(members, key=lambda member: (member.client_id, member.partitions, member.member_id))
