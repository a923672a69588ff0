"""DescribeLogDirs: how much is where."""

from __future__ import annotations

from conformance.requests import append, numbered
from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import describe_log_dirs as api


@case
def every_version(kafka: Kafka) -> None:
    """All partitions, some, none, and some that are not there."""
    topic, other = kafka.topic(2), kafka.topic(1, name="u")
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    for version in versions(api):
        a.call(api, api.DescribeLogDirsRequest(topics=None), version)
        a.call(api, api.DescribeLogDirsRequest(topics=[]), version)
        for name, partitions in (topic.name, [0, 1]), (topic.name, [1]), (other.name, [0, 7]), (kafka.name("no"), [0]):
            wanted = api.DescribableLogDirTopic(topic=name, partitions=partitions)
            a.call(api, api.DescribeLogDirsRequest(topics=[wanted]), version)
