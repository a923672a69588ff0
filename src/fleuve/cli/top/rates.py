"""What happened between looks at a cluster: rates by topic, lag and its way, for each broker what it tells."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fleuve.cli.client.groups import Group
from fleuve.cli.client.partitions import Partition
from fleuve.cli.top.sampling import Node, Sample

GROUP_WINDOW_S = 15.0
"""Groups commit every few seconds, 5 by default: a rate over less would jump between nothing and too much."""
_COMMIT_S = 5.0
"""What a group reads between two commits is no lag that anybody could do something about."""


@dataclass(frozen=True, slots=True)
class TopicRow:
    """A topic and what it takes in."""

    topic: str
    partitions: int
    records_per_s: float | None
    """None for a topic that is new, or whose leaders do not answer."""


class Course(StrEnum):
    """Which way a group's lag goes."""

    CAUGHT_UP = "caught up"
    KEEPING_UP = "keeping up"
    CATCHING_UP = "catching up"
    STANDING_STILL = "standing still"
    FALLING_BEHIND = "falling behind"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group, how far it is behind, and how that changes."""

    group: str
    state: str
    members: int
    lag: int | None
    records_per_s: float | None
    """How many it commits."""
    course: Course
    catch_up_s: float | None
    """When it will have caught up if all goes on as it does; None if it does not come nearer."""


@dataclass(frozen=True, slots=True)
class BrokerRow:
    """A broker, and what it tells of itself."""

    broker_id: int
    host: str
    port: int
    connections: int | None
    requests_per_s: float | None
    received_bytes_per_s: float | None
    sent_bytes_per_s: float | None


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a cluster."""

    sample: Sample
    interval_s: float
    topics: list[TopicRow]
    groups: list[GroupRow]
    brokers: list[BrokerRow]

    @property
    def records_per_s(self) -> float:
        """What all topics take in."""
        return sum(row.records_per_s or 0.0 for row in self.topics)


class History:
    """The samples of the last while, and what they come to."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()

    def add(self, sample: Sample) -> None:
        """Take the newest sample, and forget those that are too old to count."""
        self._samples.append(sample)
        while len(self._samples) > 2 and sample.taken_s - self._samples[1].taken_s >= GROUP_WINDOW_S:
            self._samples.popleft()

    def view(self) -> View:
        """Return what the samples come to. With one alone nothing has a rate yet."""
        newest = self._samples[-1]
        before = self._samples[-2] if len(self._samples) > 1 else newest
        return View(
            sample=newest,
            interval_s=newest.taken_s - before.taken_s,
            topics=[_topic(name, before, newest) for name in newest.topics],
            groups=[self._group(group) for group in newest.groups.values()],
            brokers=[_broker(node, before, newest) for node in newest.nodes],
        )

    def _group(self, group: Group) -> GroupRow:
        newest = self._samples[-1]
        oldest = next((one for one in self._samples if group.group_id in one.groups), newest)
        passed_s = newest.taken_s - oldest.taken_s
        before = oldest.groups[group.group_id]
        rate = lag_per_s = None
        if passed_s > 0:
            rate = _gained(_committed(before), _committed(group)) / passed_s
            if group.lag is not None and before.lag is not None:
                lag_per_s = (group.lag - before.lag) / passed_s
        course = _course(group.lag, lag_per_s, rate, passed_s)
        catch_up_s = None
        if course is Course.CATCHING_UP and group.lag is not None and lag_per_s:
            catch_up_s = group.lag / -lag_per_s
        return GroupRow(
            group=group.group_id,
            state=group.state,
            members=len(group.members),
            lag=group.lag,
            records_per_s=rate,
            course=course,
            catch_up_s=catch_up_s,
        )


def _course(lag: int | None, lag_per_s: float | None, rate: float | None, passed_s: float) -> Course:
    if lag == 0:
        return Course.CAUGHT_UP
    if lag is None or lag_per_s is None or rate is None:
        return Course.UNKNOWN
    if rate == 0 and passed_s < 2 * _COMMIT_S:
        # It may just not have come to its next commit.
        return Course.UNKNOWN
    if lag <= rate * _COMMIT_S:
        return Course.KEEPING_UP
    if lag_per_s == 0:
        return Course.STANDING_STILL
    return Course.FALLING_BEHIND if lag_per_s > 0 else Course.CATCHING_UP


def _committed(group: Group) -> dict[Partition, int]:
    return {one: at.committed for one, at in group.progress.items() if at.committed is not None}


def _gained(before: Mapping[Partition, int], now: Mapping[Partition, int]) -> int:
    """Return by how much offsets have grown; one that went back, by a reset or a new topic of the name, counts as 0."""
    return sum(max(0, offset - before[one]) for one, offset in now.items() if one in before)


def _topic(name: str, before: Sample, newest: Sample) -> TopicRow:
    partitions = newest.topics[name]
    passed_s = newest.taken_s - before.taken_s
    known = {one: newest.ends[one] for one in partitions if one in newest.ends and one in before.ends}
    rate = _gained(before.ends, known) / passed_s if known and passed_s > 0 else None
    return TopicRow(name, len(partitions), rate)


def _broker(node: Node, before: Sample, newest: Sample) -> BrokerRow:
    then = next((one.metrics for one in before.nodes if one.broker_id == node.broker_id), None)
    passed_s = newest.taken_s - before.taken_s

    def rate(name: str) -> float | None:
        if node.metrics is None or then is None or passed_s <= 0:
            return None
        grown: float = getattr(node.metrics, name) - getattr(then, name)
        # A broker that has restarted counts from 0 again.
        return grown / passed_s if grown >= 0 else None

    return BrokerRow(
        broker_id=node.broker_id,
        host=node.host,
        port=node.port,
        connections=node.metrics.connections if node.metrics else None,
        requests_per_s=rate("requests"),
        received_bytes_per_s=rate("received_bytes"),
        sent_bytes_per_s=rate("sent_bytes"),
    )
