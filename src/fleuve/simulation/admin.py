"""An administrator: topics come, grow and go, records are deleted, configs change; and a look at what is there."""

from __future__ import annotations

import asyncio
from typing import Any

from fleuve.simulation.client import Client, Lost
from fleuve.simulation.history import Violation
from fleuve.simulation.model import Keeping, Topic
from fleuve.simulation.play import Play
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import (
    create_partitions,
    create_topics,
    delete_records,
    delete_topics,
    describe_configs,
    incremental_alter_configs,
    metadata,
)

ROUGH_ERRORS = {
    ErrorCode.KAFKA_STORAGE_ERROR,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.NOT_CONTROLLER,
    ErrorCode.UNKNOWN_SERVER_ERROR,
}
GONE = {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID}
TOPIC = 2
RETENTIONS_MS = (3_000, 6_000)
MAX_BYTES = (1_000_000, 2_000_000, 3_000_000)
TOPICS_MAX = 7


class Admin:
    """One administrator; a simulation has one, so that it knows what it has changed."""

    def __init__(self, play: Play, client: Client) -> None:
        self._play = play
        self._client = client
        self._keepings: dict[str, tuple[Keeping, bool]] = {}
        """By name of a topic that was asked for: what it keeps, and whether it may be deleted and made again."""
        self._number = 0

    async def run(self) -> None:
        """Do something now and then, until the end."""
        chance = self._client.chance
        while self._play.going:
            try:
                await self._step()
            except Lost:
                continue
            await asyncio.sleep(chance.random() * chance.choice([0.1, 1.0, 2.0]) * self._play.pace)

    async def _step(self) -> None:
        chance = self._client.chance
        living = self._play.model.living()
        if len(living) < 3:
            await self._look()
            await self._create()
            return
        step = chance.choice(
            [
                self._create,
                self._delete,
                self._extend,
                self._delete_records,
                self._delete_records,
                self._look,
                self._alter,
                self._describe,
            ]
        )
        await step()

    # ------------------------------------------------------------ topics

    async def _create(self) -> None:
        chance = self._client.chance
        if len(self._play.model.living()) >= TOPICS_MAX:
            return
        gone = [name for name, (_, again) in self._keepings.items() if again and self._is_free(name)]
        if gone and chance.random() < 0.5:
            name = chance.choice(gone)
        else:
            self._number += 1
            name = f"topic-{self._number}"
            self._keepings[name] = self._new_keeping()
        keeping, _ = self._keepings[name]
        configs = {"retention.ms": str(keeping.retention_ms or -1), "max.message.bytes": "3000000"}
        if not keeping.flushed:
            configs |= {"flush.messages": "20", "flush.ms": "500"}
        if chance.random() < 0.25:
            configs["message.timestamp.type"] = "LogAppendTime"
        count = chance.choice([1, 1, 2, 3])
        wanted = create_topics.CreatableTopic(
            name=name,
            num_partitions=count,
            replication_factor=-1,
            configs=[create_topics.CreatableTopicConfig(name=key, value=value) for key, value in configs.items()],
        )
        request = create_topics.CreateTopicsRequest(topics=[wanted], timeout_ms=10_000)
        response = await self._client.call(create_topics, request, 7, f"CreateTopics {name} {count} {configs}")
        (result,) = response.topics
        error = self._told(result.error_code, name)
        if error == ErrorCode.NONE:
            self._created(name, result.topic_id, count)
        elif error == ErrorCode.TOPIC_ALREADY_EXISTS:
            await self._look()
        else:
            self._check_rough(error)

    def _new_keeping(self) -> tuple[Keeping, bool]:
        chance = self._client.chance
        retention_ms = round(chance.choice(RETENTIONS_MS) * self._play.pace)
        if not self._play.forever:
            return Keeping(forever=False, retention_ms=retention_ms, flushed=chance.random() < 0.8), self._number > 2
        if self._number <= 1:
            return Keeping(), False
        keeping = Keeping(
            forever=chance.random() < 0.3,
            retention_ms=None,
            flushed=chance.random() < 0.8,
        )
        if not keeping.forever and chance.random() < 0.6:
            keeping.retention_ms = retention_ms
        return keeping, not keeping.forever and chance.random() < 0.5

    def _is_free(self, name: str) -> bool:
        return all(topic.deleted for topic in self._play.model.topics.values() if topic.name == name)

    def _created(self, name: str, topic_id: Any, count: int) -> Topic:
        keeping, again = self._keepings[name]
        known = self._play.model.topics.get(topic_id)
        topic = self._play.model.created(name, topic_id, count, keeping)
        topic.recreatable = again
        if known is None:
            topic.configs["max.message.bytes"] = {"3000000"}
        return topic

    async def _delete(self) -> None:
        living = [topic for topic in self._play.model.living() if topic.recreatable]
        if not living or self._client.chance.random() < 0.3:
            return
        topic = self._client.chance.choice(living)
        topic.deletion_asked = True
        wanted = delete_topics.DeleteTopicState(name=None, topic_id=topic.id)
        request = delete_topics.DeleteTopicsRequest(topics=[wanted], timeout_ms=10_000)
        response = await self._client.call(delete_topics, request, 6, f"DeleteTopics {topic.name}")
        error = self._told(response.responses[0].error_code, topic.name)
        if error == ErrorCode.NONE:
            topic.deleted = True
        elif error not in GONE:
            self._check_rough(error)

    async def _extend(self) -> None:
        living = [topic for topic in self._play.model.living() if not topic.recreatable]
        if not living:
            return
        topic = self._client.chance.choice(living)
        count = len(topic.partitions) + 1
        if count > 4:
            return
        wanted = create_partitions.CreatePartitionsTopic(name=topic.name, count=count, assignments=None)
        request = create_partitions.CreatePartitionsRequest(topics=[wanted], timeout_ms=10_000)
        what = f"CreatePartitions {topic.name} {count}"
        response = await self._client.call(create_partitions, request, 3, what)
        error = self._told(response.results[0].error_code, topic.name)
        if error == ErrorCode.NONE:
            self._play.model.extended(topic, count)
        elif error == ErrorCode.INVALID_PARTITIONS:
            await self._look()
        else:
            self._check_rough(error)

    async def _look(self) -> None:
        """Compare all topics with what is known."""
        model = self._play.model
        due = {topic.id: len(topic.partitions) for topic in model.living()}
        gone = {topic.id for topic in model.topics.values() if topic.deleted}
        request = metadata.MetadataRequest(topics=None, allow_auto_topic_creation=False)
        response = await self._client.call(metadata, request, 12, "Metadata")
        listed = {topic.topic_id: topic for topic in response.topics if not topic.is_internal}
        for topic_id, topic in listed.items():
            if topic_id in gone:
                raise Violation(1, f"{topic.name} was deleted, and is there")
            if topic.name not in self._keepings:
                raise Violation(1, f"nobody has created {topic.name}")
            known = model.topics.get(topic_id)
            if known is None:
                self._created(topic.name, topic_id, len(topic.partitions))
            elif not known.deletion_asked:
                model.extended(known, len(topic.partitions))
        for topic_id, count in due.items():
            found = listed.get(topic_id)
            if found is None or len(found.partitions) < count:
                raise Violation(1, f"{model.topics[topic_id].name} with {count} partitions is not there: {found}")

    # ------------------------------------------------------------ records and configs

    async def _delete_records(self) -> None:
        chance = self._client.chance
        living = [
            topic
            for topic in self._play.model.living()
            if not topic.keeping.forever and not topic.recreatable and topic.keeping.retention_ms is None
        ]
        if not living:
            return
        topic = chance.choice(living)
        index = chance.randrange(len(topic.partitions))
        partition = topic.partitions[index]
        floor = partition.floor(self._play.now())
        offset = chance.choice([-1, floor.high_watermark, chance.randrange(floor.high_watermark + 1)])
        partition.deletion_asked = max(partition.deletion_asked, 1 << 62 if offset < 0 else offset)
        wanted = delete_records.DeleteRecordsPartition(partition_index=index, offset=offset)
        request = delete_records.DeleteRecordsRequest(
            topics=[delete_records.DeleteRecordsTopic(name=topic.name, partitions=[wanted])], timeout_ms=10_000
        )
        what = f"DeleteRecords {partition.name} {offset}"
        response = await self._client.call(delete_records, request, 2, what)
        (answer,) = response.topics[0].partitions
        error = self._told(answer.error_code, f"{partition.name} begins at {answer.low_watermark}")
        if error == ErrorCode.NONE:
            if answer.low_watermark < max(offset, floor.log_start) and floor.cut == partition.cuts:
                raise Violation(3, f"{partition.name} begins at {answer.low_watermark} after {what}")
            partition.begin_at(answer.low_watermark)
        elif error != ErrorCode.OFFSET_OUT_OF_RANGE or partition.keeping.flushed:
            self._check_rough(error)

    async def _alter(self) -> None:
        chance = self._client.chance
        living = [topic for topic in self._play.model.living() if not topic.recreatable]
        if not living:
            return
        topic = chance.choice(living)
        name, value = "max.message.bytes", str(chance.choice(MAX_BYTES))
        retention_ms = topic.keeping.retention_ms
        if retention_ms is not None and chance.random() < 0.5:
            changed = round(chance.choice(RETENTIONS_MS) * self._play.pace)
            name, value = "retention.ms", str(changed)
            topic.keeping.retention_ms = min(retention_ms, changed)
        topic.configs.setdefault(name, set()).add(value)
        doubtful = topic.configs.setdefault("doubtful", set())
        known = name not in doubtful
        doubtful.add(name)
        resource = incremental_alter_configs.AlterConfigsResource(
            resource_type=TOPIC,
            resource_name=topic.name,
            configs=[incremental_alter_configs.AlterableConfig(name=name, config_operation=0, value=value)],
        )
        request = incremental_alter_configs.IncrementalAlterConfigsRequest(resources=[resource])
        what = f"IncrementalAlterConfigs {topic.name} {name}={value}"
        response = await self._client.call(incremental_alter_configs, request, 1, what)
        error = self._told(response.responses[0].error_code, topic.name)
        if error == ErrorCode.NONE:
            if known:
                # Nothing of unknown outcome can come in between.
                topic.configs[name] = {value}
                doubtful.discard(name)
        else:
            self._check_rough(error)

    async def _describe(self) -> None:
        living = [topic for topic in self._play.model.living() if "max.message.bytes" in topic.configs]
        if not living:
            return
        topic = self._client.chance.choice(living)
        if topic.recreatable:
            return
        resource = describe_configs.DescribeConfigsResource(
            resource_type=TOPIC, resource_name=topic.name, configuration_keys=["max.message.bytes"]
        )
        request = describe_configs.DescribeConfigsRequest(resources=[resource])
        response = await self._client.call(describe_configs, request, 4, f"DescribeConfigs {topic.name}")
        (result,) = response.results
        error = self._told(result.error_code, topic.name)
        if error == ErrorCode.NONE:
            (shown,) = result.configs
            if shown.value not in topic.configs["max.message.bytes"]:
                raise Violation(1, f"{topic.name}: {shown.value} in place of {topic.configs['max.message.bytes']}")
        else:
            self._check_rough(error)

    # ------------------------------------------------------------ errors

    def _told(self, code: int, what: str) -> ErrorCode:
        error = ErrorCode(code)
        self._client.note(f"{what}: {error.name}")
        return error

    def _check_rough(self, error: ErrorCode) -> None:
        if error not in ROUGH_ERRORS or not self._play.rough:
            raise Violation(9, f"{self._client.name}: {error.name} while nothing is broken")
