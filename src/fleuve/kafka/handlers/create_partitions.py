"""CreatePartitions (37): v0-3

Behaviour:
* Raises a topic's number of partitions; it can only grow. Each topic fails alone, and the others are done.
* A manual assignment is checked (as many lists as new partitions, existing brokers) and has no further effect.
* A topic that is in the request twice is refused once, as INVALID_REQUEST. One request may add 10,000 partitions to a
  topic.

Versions:
* v1: error messages for clients that know them · v2: flexible · v3: no change for clients

Differs from Apache Kafka: adding too many partitions is POLICY_VIOLATION with a message, where Kafka answers
UNKNOWN_SERVER_ERROR; the time-out is not needed; throttle time is always 0.
"""

from __future__ import annotations

from collections import Counter

from fleuve.base.errors import FleuveError
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.topics.service import Growth, Outcome, Topic, TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import Refused, code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import create_partitions
from fleuve.wire.generated.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)

API = Api(key=37, name="CreatePartitions", version_min=0, version_max=3, codec=create_partitions)


class Handler:
    """Answers CreatePartitions."""

    def __init__(self, topics: TopicService) -> None:
        self._topics = topics

    async def __call__(self, request: CreatePartitionsRequest, context: RequestContext) -> CreatePartitionsResponse:
        """Let the topics grow, or say what is wrong with each."""
        counts = Counter(wanted.name for wanted in request.topics)
        outcomes: dict[str, Outcome] = {}
        growths: list[Growth] = []
        for wanted in request.topics:
            if counts[wanted.name] > 1:
                outcomes[wanted.name] = Refused(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
            elif not context.authorize(Operation.ALTER, ResourceType.TOPIC, wanted.name):
                outcomes[wanted.name] = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
            else:
                growths.append(_growth(wanted))
        grown = await self._grown(growths, validate_only=request.validate_only)
        outcomes.update(zip((growth.name for growth in growths), grown, strict=True))
        return CreatePartitionsResponse(results=[_result(name, outcomes[name]) for name in counts])

    async def _grown(self, growths: list[Growth], *, validate_only: bool) -> list[Outcome]:
        try:
            return await self._topics.add_partitions(growths, validate_only=validate_only)
        except FleuveError as error:
            return [error for _ in growths]


def _growth(wanted: CreatePartitionsTopic) -> Growth:
    return Growth(
        name=wanted.name,
        count=wanted.count,
        assignments=(None if wanted.assignments is None else [assigned.broker_ids for assigned in wanted.assignments]),
    )


def _result(name: str, outcome: Outcome) -> CreatePartitionsTopicResult:
    if isinstance(outcome, Topic):
        return CreatePartitionsTopicResult(name=name)
    return CreatePartitionsTopicResult(name=name, error_code=code_of(outcome), error_message=str(outcome) or None)
