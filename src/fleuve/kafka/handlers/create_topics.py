"""CreateTopics (19): v2-7

Behaviour:
* All topics of a request that can be created are created in one transaction, durably, and are usable when the answer
  comes; each of the others says what is wrong with it.
* −1 partitions means `num.partitions`, −1 replicas `default.replication.factor`. Any replication factor from 1 is taken
  and shown back, whatever the number of brokers; with `fleuve.replication.factor.strict` Kafka's error comes instead.
* A manual assignment must name existing brokers; it is checked, and gives the number of partitions and replicas. Where
  partitions lead is affinity: it does not follow the assignment.
* A topic that is in the request twice is refused once, as INVALID_REQUEST. One request may create 10,000 partitions.
* With `validate_only` nothing is created, and the answer is what it would have been.

Versions:
* v2: throttle time · v4: −1 as a count or factor · v5: flexible; number of partitions, factor and configs in the
  answer · v6: no change for clients · v7: topic id in the answer

Differs from Apache Kafka: of two names in one request that collide in metrics (`a.b`, `a_b`) the second is refused,
as it is in two requests; the time-out is not needed, since nothing is waited for; topics come back in the order of the
request; throttle time is always 0.
"""

from __future__ import annotations

from collections import Counter

from fleuve.base.errors import FleuveError
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.topics.config_service import ConfigService
from fleuve.engine.topics.requests import TopicSpec
from fleuve.engine.topics.resolution import ConfigEntry
from fleuve.engine.topics.service import Outcome, Topic, TopicService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import Refused, code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import create_topics
from fleuve.wire.generated.create_topics import (
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

API = Api(key=19, name="CreateTopics", version_min=2, version_max=7, codec=create_topics)

DETAILS_SINCE = 5


class Handler:
    """Answers CreateTopics."""

    def __init__(self, topics: TopicService, configs: ConfigService) -> None:
        self._topics = topics
        self._configs = configs

    async def __call__(self, request: CreateTopicsRequest, context: RequestContext) -> CreateTopicsResponse:
        """Create the topics, or say what is wrong with each."""
        counts = Counter(wanted.name for wanted in request.topics)
        anywhere = context.authorize_cluster(Operation.CREATE)
        outcomes: dict[str, Outcome] = {}
        specs: dict[str, TopicSpec] = {}
        for wanted in request.topics:
            name = wanted.name
            if counts[name] > 1:
                outcomes[name] = Refused(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
            elif not (anywhere or context.authorize(Operation.CREATE, ResourceType.TOPIC, name)):
                outcomes[name] = Refused(ErrorCode.TOPIC_AUTHORIZATION_FAILED, "Authorization failed.")
            else:
                specs[name] = _spec(wanted)
        outcomes.update(await self._created(specs, validate_only=request.validate_only))
        return CreateTopicsResponse(topics=self._results(counts, outcomes, specs, context))

    async def _created(self, specs: dict[str, TopicSpec], *, validate_only: bool) -> dict[str, Outcome]:
        try:
            made = await self._topics.create(list(specs.values()), validate_only=validate_only)
        except FleuveError as error:
            made = [error] * len(specs)
        return dict(zip(specs, made, strict=True))

    def _results(
        self,
        names: Counter[str],
        outcomes: dict[str, Outcome],
        specs: dict[str, TopicSpec],
        context: RequestContext,
    ) -> list[CreatableTopicResult]:
        defaults: list[CreatableTopicConfigs] | None = None
        results = []
        for name in names:
            outcome = outcomes[name]
            if not isinstance(outcome, Topic):
                results.append(_failed(name, outcome))
                continue
            result = CreatableTopicResult(
                name=name,
                topic_id=outcome.id,
                error_message=None,
                num_partitions=len(outcome.partition_ids),
                replication_factor=outcome.replication_factor,
            )
            results.append(result)
            if context.api_version < DETAILS_SINCE:
                continue
            if not context.authorize(Operation.DESCRIBE_CONFIGS, ResourceType.TOPIC, name):
                result.topic_config_error_code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
                result.num_partitions = result.replication_factor = -1
                result.configs = None
                continue
            overrides = {key: text for key, text in specs[name].overrides.items() if text is not None}
            if overrides:
                result.configs = _shown(self._configs.topic_entries(overrides))
            else:
                # The same for all topics without overrides; a request may create a thousand.
                defaults = _shown(self._configs.topic_entries({})) if defaults is None else defaults
                result.configs = defaults
        return results


def _spec(wanted: CreatableTopic) -> TopicSpec:
    return TopicSpec(
        name=wanted.name,
        partition_count=wanted.num_partitions,
        replication_factor=wanted.replication_factor,
        assignments=[(assigned.partition_index, assigned.broker_ids) for assigned in wanted.assignments],
        overrides={config.name: config.value for config in wanted.configs},
    )


def _failed(name: str, error: FleuveError) -> CreatableTopicResult:
    return CreatableTopicResult(
        name=name,
        error_code=code_of(error),
        error_message=str(error) or None,
        num_partitions=-1,
        replication_factor=-1,
        configs=[],
    )


def _shown(entries: list[ConfigEntry]) -> list[CreatableTopicConfigs]:
    return [
        CreatableTopicConfigs(
            name=entry.name,
            value=entry.value,
            read_only=entry.read_only,
            config_source=entry.source,
            is_sensitive=entry.sensitive,
        )
        for entry in entries
    ]
