"""Fetch (1): v4-18

Behaviour:
* Whole batches from the one that holds the offset on, not copied; at least one even if it is larger than every limit
  (KIP-74). No records are empty bytes, never null, which librdkafka does not take.
* Waits until there are `min_bytes`, at most `max_wait_ms`; an error of a partition, or a stopping broker, ends the
  wait.
* Incremental sessions (KIP-227), see `fleuve.kafka.sessions`.
* A client's leader epoch must be the partition's (KIP-320): FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
* Who names the epoch that it fetched last, which followers do and consumers may, is told where its log parts from the
  partition's; of an epoch that the partition has not had, OFFSET_OUT_OF_RANGE. Either is answered at once.
* Answers that clients do not take count against `fleuve.fetch.memory.bytes`; when it is spent, fetches wait, and
  nobody gets more than half of what is left.

Versions:
* v5: log start offset
* v7: sessions
* v9: leader epoch
* v11: rack; the preferred replica is always −1, since every broker has everything
* v12: flexible; last fetched epoch and diverging epoch (KIP-595)
* v13: topic ids instead of names (KIP-516), UNKNOWN_TOPIC_ID
* v15: replica state instead of replica id
* v16: endpoints of other leaders (KIP-951), never needed
* v17, v18: for replicas

Differs from Apache Kafka: there are no followers; to a replica id ≥ 0 every partition is NOT_LEADER_OR_FOLLOWER, as in
Kafka to a broker that has no replica of it, except that no leader is told of (KIP-951). Records end with a whole batch,
where Kafka cuts the last one at the limit; a negative limit is read as 0 and an unknown isolation level as
READ_UNCOMMITTED (Kafka: UNKNOWN_SERVER_ERROR). A topic that is deleted is UNKNOWN_TOPIC_ID in a session of ids as well
(Kafka: UNKNOWN_TOPIC_OR_PARTITION, then INCONSISTENT_TOPIC_ID once there is another one of its name). No quota, so
throttle time is always 0.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from fleuve.base.errors import FleuveError
from fleuve.base.ids import TopicId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.log.errors import OffsetOutOfRange, UnknownPartition
from fleuve.engine.log.fetch import FetchResult, FetchWant
from fleuve.engine.log.service import LogService
from fleuve.engine.topics.service import Topic, TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import Refused, code_of
from fleuve.kafka.epochs import check_leader_epoch
from fleuve.kafka.memory import Budget, Holding
from fleuve.kafka.sessions import FetchSessions, Turn, WantedPartition
from fleuve.kafka.stats import KafkaStats
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import fetch
from fleuve.wire.generated.fetch import (
    AbortedTransaction,
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from fleuve.wire.message import ZERO_UUID

API = Api(key=1, name="Fetch", version_min=4, version_max=18, codec=fetch)

TOPIC_ID_VERSION = 13
REPLICA_STATE_VERSION = 15
READ_COMMITTED = 1
FETCH_BYTES_MAX = 57_671_680
SHARE_BYTES_MIN = 64 * 1024
"""However little fetch memory is left, a fetch that is served may have so much."""
READ_BYTES_MIN = 1024 * 1024
"""What a read behind the tail takes of it at least: the largest batch that topics take by default."""

_NONE = FetchResult()
_NOT_LOOKED_FOR = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    }
)
"""Errors beside which Kafka has an empty list of aborted transactions, where it did not come as far as the log. Beside
all others it is null."""


class Handler:
    """Reads partitions for consumers."""

    def __init__(
        self,
        log: LogService,
        topics: TopicService,
        *,
        sessions: FetchSessions,
        memory: Budget,
        stats: KafkaStats,
        bytes_max: int = FETCH_BYTES_MAX,
    ) -> None:
        """`bytes_max` is `fetch.max.bytes`; `memory` is the budget that connections count unsent answers in."""
        self._log = log
        self._topics = topics
        self._sessions = sessions
        self._memory = memory
        self._stats = stats
        self._bytes_max = bytes_max

    async def __call__(self, request: FetchRequest, context: RequestContext) -> FetchResponse:
        """Return what the partitions have."""
        by_id = context.api_version >= TOPIC_ID_VERSION
        loop = asyncio.get_running_loop()
        holding = Holding(self._memory, share_min=READ_BYTES_MIN, proven=context.takes_answers)
        try:
            turn = self._sessions.begin(
                request.session_id,
                request.session_epoch,
                [
                    WantedPartition(
                        topic.topic_id if by_id else topic.topic,
                        partition.partition,
                        partition.fetch_offset,
                        partition.partition_max_bytes,
                        partition.current_leader_epoch,
                        partition.last_fetched_epoch,
                    )
                    for topic in request.topics
                    for partition in topic.partitions
                ],
                [
                    (topic.topic_id if by_id else topic.topic, index)
                    for topic in request.forgotten_topics_data
                    for index in topic.partitions
                ],
                by_id=by_id,
                now_ms=int(loop.time() * 1000),
            )
            results = await self.read(turn, request, context, holding)
            session_id, indexes = turn.finish(results, now_ms=int(loop.time() * 1000))
        except FleuveError as error:
            return FetchResponse(error_code=code_of(error))
        finally:
            # The connection writes the answer, and counts what the socket does not take, before the loop goes on.
            loop.call_soon(holding.end)
        return FetchResponse(session_id=session_id, responses=self._answers(turn, results, indexes, by_id=by_id))

    async def read(
        self, turn: Turn, request: FetchRequest, context: RequestContext, holding: Holding
    ) -> list[FetchResult]:
        """Return a result for each partition of the turn."""
        results: list[FetchResult] = [_NONE] * len(turn.partitions)
        wants: list[FetchWant] = []
        places: list[int] = []
        replica = _replica_id(request, context.api_version) >= 0
        max_wait_ms = request.max_wait_ms
        named: str | UUID | None = None
        found: Topic | Refused = Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        for place, partition in enumerate(turn.partitions):
            # Partitions of a topic stand together, mostly.
            if partition.topic is not named:
                named = partition.topic
                found = self._find(named, context)
            if partition.want is None or partition.resolved is not found:
                error = _resolve(partition, found)
                if error is None and replica:
                    error = Refused(ErrorCode.NOT_LEADER_OR_FOLLOWER)
                if error is not None:
                    partition.want = None
                    results[place] = FetchResult(error=error)
                    continue
            if partition.last_fetched_epoch >= 0 and (diverged := await self._diverged(partition.want)) is not None:
                results[place] = diverged
                max_wait_ms = 0
                continue
            wants.append(partition.want)
            places.append(place)
        if wants:
            await self._memory.until_available(proven=context.takes_answers)
            share = max(self._memory.available // 2, SHARE_BYTES_MIN)
            bytes_max = min(request.max_bytes, self._bytes_max, share)
            read = await self._log.fetch(
                wants,
                max_wait_ms=max_wait_ms,
                min_bytes=min(request.min_bytes, bytes_max),
                max_bytes=bytes_max,
                read_committed=request.isolation_level == READ_COMMITTED,
                memory=holding,
            )
            if len(read) == len(results):
                return read
            for place, result in zip(places, read, strict=True):
                results[place] = result
        return results

    async def _diverged(self, want: FetchWant) -> FetchResult | None:
        """Return where the log parts from what the client has read last, or why nobody can tell; None if it agrees."""
        partition_id = want.partition_id
        try:
            await check_leader_epoch(self._log, partition_id, want.current_leader_epoch)
            epoch, end_offset = await self._log.epoch_end(partition_id, epoch=want.last_fetched_epoch)
            if epoch < 0:
                raise OffsetOutOfRange(f"partition {partition_id} has had no leader epoch {want.last_fetched_epoch}")
            if epoch == want.last_fetched_epoch and want.offset <= end_offset:
                return None
            state = (await self._log.states([partition_id])).get(partition_id)
            if state is None:
                raise UnknownPartition(f"partition {partition_id} was deleted")
        except FleuveError as error:
            return FetchResult(error=error)
        result = FetchResult(high_watermark=state.next_offset, log_start_offset=state.log_start)
        result.diverging = (epoch, end_offset)
        return result

    def _find(self, name: str | UUID, context: RequestContext) -> Topic | Refused:
        if isinstance(name, str):
            topic = self._topics.get(name)
            missing = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        else:
            topic = self._topics.by_id(TopicId(name))
            missing = ErrorCode.UNKNOWN_TOPIC_ID
            if topic is None:
                return Refused(missing)
        if not context.authorize(Operation.READ, ResourceType.TOPIC, topic.name if topic else str(name)):
            return Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
        return Refused(missing) if topic is None else topic

    def _answers(
        self, turn: Turn, results: list[FetchResult], indexes: list[int], *, by_id: bool
    ) -> list[FetchableTopicResponse]:
        topics: dict[str | UUID, FetchableTopicResponse] = {}
        for index in indexes:
            partition = turn.partitions[index]
            topic = topics.get(partition.topic)
            if topic is None:
                topic = FetchableTopicResponse(
                    topic="" if by_id else str(partition.topic),
                    topic_id=partition.topic if isinstance(partition.topic, UUID) else ZERO_UUID,
                )
                topics[partition.topic] = topic
            topic.partitions.append(self._answer(partition.index, results[index]))
        return list(topics.values())

    def _answer(self, index: int, result: FetchResult) -> PartitionData:
        if result.error is not None:
            code = code_of(result.error)
            self._stats.error(API.name, code)
            return PartitionData(
                partition_index=index,
                error_code=code,
                high_watermark=-1,
                last_stable_offset=-1,
                log_start_offset=-1,
                aborted_transactions=[] if isinstance(result.error, Refused) and code in _NOT_LOOKED_FOR else None,
                records=b"",
            )
        answer = PartitionData(
            partition_index=index,
            high_watermark=result.high_watermark,
            last_stable_offset=result.last_stable_offset,
            log_start_offset=result.log_start_offset,
            records=result.records or b"",  # type: ignore[arg-type]  # a list of views is a list of buffers
        )
        if result.aborted is not None:
            answer.aborted_transactions = [
                AbortedTransaction(producer_id=producer_id, first_offset=first_offset)
                for producer_id, first_offset in result.aborted
            ]
        if result.diverging is not None:
            epoch, end_offset = result.diverging
            answer.diverging_epoch = EpochEndOffset(epoch=epoch, end_offset=end_offset)
        return answer


def _replica_id(request: FetchRequest, version: int) -> int:
    if version < REPLICA_STATE_VERSION:
        return request.replica_id
    return -1 if request.replica_state is None else request.replica_state.replica_id


def _resolve(partition: WantedPartition, found: Topic | Refused) -> FleuveError | None:
    """Find the partition's own id and what is to be read of it; return what is wrong."""
    partition.resolved = found
    if isinstance(found, Refused):
        return found
    if not 0 <= partition.index < len(found.partition_ids):
        return Refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    partition.want = FetchWant(
        found.partition_ids[partition.index],
        partition.offset,
        partition.max_bytes,
        partition.leader_epoch,
        partition.last_fetched_epoch,
    )
    return None
