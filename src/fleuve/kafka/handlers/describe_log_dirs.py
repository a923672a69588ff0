"""DescribeLogDirs (35): v1-5

Behaviour:
* There is one log directory, the data directory. It has the stored bytes of each partition asked for (null: all);
  what is not known is left out. Sizes are shares of files that partitions have in common.
* Needs DESCRIBE on the cluster; without: CLUSTER_AUTHORIZATION_FAILED, before v3 no directories.

Versions:
* v2: flexible
* v3: top-level error
* v4: total and usable bytes of the volume (KIP-827)
* v5: whether the directory is cordoned; it never is

Differs from Apache Kafka: partitions never move between directories, so offset lag is 0 and there are no future
replicas. No quota, so throttle time is always 0.
"""

from __future__ import annotations

from collections.abc import Callable

from fleuve.base.errors import FleuveError
from fleuve.base.ids import PartitionId
from fleuve.engine.access.service import Operation
from fleuve.engine.log.service import LogService
from fleuve.engine.topics.service import TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import describe_log_dirs
from fleuve.wire.generated.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

API = Api(key=35, name="DescribeLogDirs", version_min=1, version_max=5, codec=describe_log_dirs)

VolumeSize = Callable[[], tuple[int, int]]
"""Returns the total and the usable bytes of the volume with the data directory; −1 for what is not known."""


class Handler:
    """Tells what partitions take on disk."""

    def __init__(self, log: LogService, topics: TopicService, *, directory: str, volume_size: VolumeSize) -> None:
        self._log = log
        self._topics = topics
        self._directory = directory
        self._volume_size = volume_size

    async def __call__(self, request: DescribeLogDirsRequest, context: RequestContext) -> DescribeLogDirsResponse:
        """Return the directory and its partitions."""
        if not context.authorize_cluster(Operation.DESCRIBE):
            return DescribeLogDirsResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
        asked = self._asked(request)
        total_bytes, usable_bytes = self._volume_size()
        try:
            sizes = await self._log.sizes([one for partitions in asked.values() for one in partitions.values()])
        except FleuveError as error:
            failed = DescribeLogDirsResult(error_code=code_of(error), log_dir=self._directory)
            return DescribeLogDirsResponse(results=[failed])
        topics = [
            DescribeLogDirsTopic(
                name=name,
                partitions=[
                    DescribeLogDirsPartition(partition_index=index, partition_size=sizes.get(partition_id, 0))
                    for index, partition_id in partitions.items()
                ],
            )
            for name, partitions in asked.items()
            if partitions
        ]
        result = DescribeLogDirsResult(
            log_dir=self._directory, topics=topics, total_bytes=total_bytes, usable_bytes=usable_bytes
        )
        return DescribeLogDirsResponse(results=[result])

    def _asked(self, request: DescribeLogDirsRequest) -> dict[str, dict[int, PartitionId]]:
        """Return the partitions asked for that exist, by topic and index."""
        if request.topics is None:
            return {topic.name: dict(enumerate(topic.partition_ids)) for topic in self._topics.all()}
        asked: dict[str, dict[int, PartitionId]] = {}
        for wanted in request.topics:
            topic = self._topics.get(wanted.topic)
            if topic is not None:
                asked.setdefault(topic.name, {}).update(
                    (index, topic.partition_ids[index])
                    for index in wanted.partitions
                    if 0 <= index < len(topic.partition_ids)
                )
        return asked
