"""DeleteTopics (20): v1-6

Behaviour:
* All topics of a request that can be deleted are deleted in one transaction, durably; each of the others says what is
  wrong with it. Their records cannot be reached any more when the answer comes; the space is given back later.
* A topic may be named by its name or its id, not by both, and once.
* With `delete.topic.enable=false` the whole request is refused.

Versions:
* v1: throttle time · v3: TOPIC_DELETION_DISABLED (before: INVALID_REQUEST) · v4: flexible · v5: error messages
* v6: topics by id

Differs from Apache Kafka: the time-out is not needed; throttle time is always 0.
"""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from fleuve.base.errors import FleuveError
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.topics.errors import UnknownTopic, UnknownTopicId
from fleuve.engine.topics.service import Outcome, Topic, TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import Refused, code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import delete_topics
from fleuve.wire.generated.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from fleuve.wire.message import ZERO_UUID

API = Api(key=20, name="DeleteTopics", version_min=1, version_max=6, codec=delete_topics)

IDS_SINCE = 6
DELETION_DISABLED_SINCE = 3

NAMED_BOTH_WAYS = "The provided topic name maps to an ID that was already supplied."


class Handler:
    """Answers DeleteTopics."""

    def __init__(self, topics: TopicService) -> None:
        self._topics = topics

    async def __call__(self, request: DeleteTopicsRequest, context: RequestContext) -> DeleteTopicsResponse:
        """Delete the topics, or say what is wrong with each."""
        if context.api_version >= IDS_SINCE:
            wanted = request.topics
        else:
            wanted = [DeleteTopicState(name=name) for name in request.topic_names]
        results: list[DeletableTopicResult] = []
        topics = self._sorted_out(wanted, results, context)
        for topic, outcome in zip(topics, await self._deleted(topics), strict=True):
            result = DeletableTopicResult(name=topic.name, topic_id=topic.id)
            if not isinstance(outcome, Topic):
                _fail(result, outcome)
                if context.api_version < DELETION_DISABLED_SINCE and (
                    result.error_code == ErrorCode.TOPIC_DELETION_DISABLED
                ):
                    result.error_code = ErrorCode.INVALID_REQUEST
            results.append(result)
        return DeleteTopicsResponse(responses=results)

    async def _deleted(self, topics: list[Topic]) -> list[Outcome]:
        try:
            return await self._topics.delete([topic.id for topic in topics])
        except FleuveError as error:
            return [error for _ in topics]

    def _sorted_out(
        self, wanted: list[DeleteTopicState], results: list[DeletableTopicResult], context: RequestContext
    ) -> list[Topic]:
        """Return the topics that shall go; what is wrong with the others is added to `results`."""
        names = Counter(want.name for want in wanted if want.name is not None and want.topic_id == ZERO_UUID)
        ids = Counter(want.topic_id for want in wanted if want.name is None)
        topics: dict[UUID, Topic] = {}
        refused: set[str | UUID] = set()
        # Ids first: Kafka's message about a topic that is named both ways speaks of the name.
        for want in sorted(wanted, key=lambda want: want.name is not None):
            try:
                topic = self._found(want, names, ids, context)
            except FleuveError as error:
                key = want.name or want.topic_id
                if not (key in refused and _is_twice(want, names, ids)):
                    refused.add(key)
                    results.append(_fail(DeletableTopicResult(name=want.name, topic_id=want.topic_id), error))
                continue
            if topics.pop(topic.id, None) is None:
                topics[topic.id] = topic
            else:
                result = DeletableTopicResult(name=topic.name, topic_id=topic.id)
                results.append(_fail(result, Refused(ErrorCode.INVALID_REQUEST, NAMED_BOTH_WAYS)))
        return list(topics.values())

    def _found(self, want: DeleteTopicState, names: Counter[str], ids: Counter[UUID], context: RequestContext) -> Topic:
        if want.name is not None and want.topic_id != ZERO_UUID:
            raise Refused(ErrorCode.INVALID_REQUEST, "You may not specify both topic name and topic id.")
        if want.name is None and want.topic_id == ZERO_UUID:
            raise Refused(ErrorCode.INVALID_REQUEST, "Neither topic name nor id were specified.")
        if _is_twice(want, names, ids):
            what = "id" if want.name is None else "name"
            raise Refused(ErrorCode.INVALID_REQUEST, f"Duplicate topic {what}.")
        if want.name is None:
            topic = self._topics.by_id(want.topic_id)
            if topic is None or not context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, topic.name):
                raise UnknownTopicId("This server does not host this topic ID.")
        else:
            if not context.authorize(Operation.DESCRIBE, ResourceType.TOPIC, want.name):
                raise Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed.")
            topic = self._topics.get(want.name)
            if topic is None:
                raise UnknownTopic("This server does not host this topic-partition.")
        if not context.authorize(Operation.DELETE, ResourceType.TOPIC, topic.name):
            raise Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Topic authorization failed.")
        return topic


def _is_twice(want: DeleteTopicState, names: Counter[str], ids: Counter[UUID]) -> bool:
    if want.name is not None:
        return want.topic_id == ZERO_UUID and names[want.name] > 1
    return want.topic_id != ZERO_UUID and ids[want.topic_id] > 1


def _fail(result: DeletableTopicResult, error: FleuveError) -> DeletableTopicResult:
    result.error_code = code_of(error)
    result.error_message = str(error) or None
    return result
