"""One look at a cluster: where its partitions end, what its groups have committed, what its brokers tell of themselves.

All of it comes from requests for many things at once; only groups cost two requests each.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from fleuve.base.clock import SystemClock
from fleuve.base.ids import TimestampMs
from fleuve.cli.client.cluster import Cluster
from fleuve.cli.client.groups import Group, described, listed
from fleuve.cli.client.offsets import Range, ends
from fleuve.cli.client.partitions import Partition
from fleuve.cli.client.topics import matching, partitions_of, topics_named
from fleuve.cli.top.metrics import BrokerMetrics, fetched, urls_of


@dataclass(frozen=True, slots=True)
class Node:
    """A broker of the cluster; its metrics if it tells any."""

    broker_id: int
    host: str
    port: int
    metrics: BrokerMetrics | None


@dataclass(frozen=True, slots=True)
class Sample:
    """A cluster at one moment."""

    taken_s: float
    """By a clock that only counts on."""
    time_ms: TimestampMs
    cluster_id: str | None
    nodes: Sequence[Node]
    topics: Mapping[str, Sequence[Partition]]
    ends: Mapping[Partition, int]
    groups: Mapping[str, Group]
    """Without those that the user may not see, or whose coordinator does not answer."""


class Sampler:
    """Looks at a cluster whenever it is asked to."""

    def __init__(self, cluster: Cluster, *, topics: Sequence[str], groups: Sequence[str], metrics: str | None) -> None:
        self._cluster = cluster
        self._topics = topics
        self._groups = groups
        self._metrics = metrics

    def sample(self) -> Sample:
        """Look at the cluster. Raises CommandFailed and KafkaException if it does not answer."""
        metadata = self._cluster.metadata()
        topics = {topic.name: topic.partitions for topic in topics_named(self._shown(metadata.topics), metadata)}
        hosts = [str(broker.host) for broker in metadata.brokers.values()]
        metrics = fetched(self._urls(hosts), cluster_id=metadata.cluster_id)
        listings, _ = listed(self._cluster)
        wanted = self._groups or ["*"]
        names = [one.group_id for one in listings if any(_fits(one.group_id, pattern) for pattern in wanted)]
        taken_s = time.perf_counter()
        latest = ends(self._cluster, partitions_of(topics_named(topics, metadata)))
        groups, _ = described(self._cluster, names, known={one: Range(None, end) for one, end in latest.items()})
        return Sample(
            taken_s=taken_s,
            time_ms=SystemClock().wall_ms(),
            cluster_id=metadata.cluster_id,
            nodes=[
                Node(broker.id, str(broker.host), broker.port, metrics.get(broker.id))
                for broker in sorted(metadata.brokers.values(), key=lambda broker: broker.id)
            ],
            topics=topics,
            ends=latest,
            groups=groups,
        )

    def _shown(self, names: Mapping[str, object]) -> list[str]:
        return matching(self._topics, names)

    def _urls(self, hosts: Sequence[str]) -> list[str]:
        if self._metrics == "off":
            return []
        return urls_of(hosts) if self._metrics is None else [self._metrics]


def _fits(name: str, pattern: str) -> bool:
    return name == pattern or fnmatchcase(name, pattern)
