"""Produce: what a partition's batch becomes, in every version."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from fleuve.base.ids import TopicId
from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.topics.configs import DEFAULTS
from fleuve.kafka.handlers.produce import API
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import produce
from fleuve.wire.message import ZERO_UUID
from support.batches import NOW_MS, batch
from support.calls import Only
from support.edge import Edge, produce_request, running_edge, until
from support.topics import PlainConfigs, topic_service

VERSIONS = range(3, 14)
ALL = {"timestamp_after_max_ms": 2**62, "timestamp_before_max_ms": 2**62}


async def send(edge: Edge, request: Any, version: int = API.version_max) -> Any:
    """Return the answer of the only partition."""
    client = await edge.connect()
    response = await client.call(produce, request, version)
    (topic,) = response.responses
    (partition,) = topic.partition_responses
    return partition


def configured(**changes: Any) -> Any:
    configs = PlainConfigs()
    configs.configs = replace(DEFAULTS, **(ALL | changes))
    return topic_service(configs=configs)


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_tells_where_the_batch_is(version):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        edge.log.partitions[topic.partition_ids[0]].start = 0
        for expected in (0, 2):
            answer = await send(edge, produce_request(batch(b"a", b"b"), topic), version)
            assert (answer.error_code, answer.base_offset, answer.log_append_time_ms) == (0, expected, -1)
            assert answer.log_start_offset == (0 if version >= 5 else -1)


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_unknown_topic_is_told_by_name_or_by_id(version):
    async with running_edge() as edge:
        topic = replace(await edge.topic("t"), name="other", id=TopicId(UUID(int=99)))
        answer = await send(edge, produce_request(batch(b"a"), topic), version)
        expected = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if version < 13 else ErrorCode.UNKNOWN_TOPIC_ID
        assert (answer.error_code, answer.base_offset) == (expected, -1)


async def test_the_null_topic_id_is_unknown():
    async with running_edge() as edge:
        topic = replace(await edge.topic("t"), id=TopicId(ZERO_UUID))
        assert (await send(edge, produce_request(batch(b"a"), topic))).error_code == ErrorCode.UNKNOWN_TOPIC_ID


@pytest.mark.parametrize("partition", [-1, 1, 2**31 - 1])
async def test_an_unknown_partition_is_told(partition):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        answer = await send(edge, produce_request(batch(b"a"), topic, partition=partition))
        assert answer.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


async def test_a_refused_partition_does_not_stop_the_others():
    async with running_edge() as edge:
        topic, client = await edge.topic("t", 3), await edge.connect()
        request = produce_request(batch(b"a"), topic)
        data = request.topic_data[0].partition_data
        data.append(produce.PartitionProduceData(index=1, records=b"rubbish" * 20))
        data.append(produce.PartitionProduceData(index=7, records=batch(b"b")))
        data.append(produce.PartitionProduceData(index=2, records=batch(b"c")))
        response = await client.call(produce, request, 13)
        codes = [(one.index, one.error_code) for one in response.responses[0].partition_responses]
        assert codes[0] == (0, 0)
        assert codes[1][1] != 0
        assert codes[2] == (7, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        assert codes[3] == (2, 0)


async def test_a_request_without_partitions_is_answered_at_once():
    async with running_edge() as edge:
        client = await edge.connect()
        assert (await client.call(produce, produce.ProduceRequest(acks=1, timeout_ms=1), 9)).responses == []


@pytest.mark.parametrize("acks", [-2, 2, 5])
async def test_acks_are_all_one_or_none(acks):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        answer = await send(edge, produce_request(batch(b"a"), topic, acks=acks))
        assert answer.error_code == ErrorCode.INVALID_REQUIRED_ACKS
        assert edge.log.appended == 0


async def test_a_transactional_request_is_refused():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        answer = await send(edge, produce_request(batch(b"a"), topic, transactional_id="tx"))
        assert answer.error_code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        assert edge.log.appended == 0


async def test_a_transactional_batch_is_refused():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        transactional = batch(b"a", producer_id=1, producer_epoch=0, base_sequence=0, attributes=0x10)
        answer = await send(edge, produce_request(transactional, topic))
        assert answer.error_code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


@pytest.mark.parametrize("version", VERSIONS)
async def test_zstd_needs_version_7(version):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        answer = await send(edge, produce_request(batch(b"a" * 100, compression=4), topic), version)
        assert answer.error_code == (ErrorCode.UNSUPPORTED_COMPRESSION_TYPE if version < 7 else 0)


async def test_log_append_time_comes_back():
    async with running_edge(topics=configured(log_append_time=True)) as edge:
        topic = await edge.topic("t")
        assert (await send(edge, produce_request(batch(b"a"), topic))).log_append_time_ms == NOW_MS


async def test_a_batch_above_max_message_bytes_is_too_large():
    async with running_edge(topics=configured(max_message_bytes=100)) as edge:
        topic = await edge.topic("t")
        assert (await send(edge, produce_request(batch(bytes(200)), topic))).error_code == ErrorCode.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("version", [7, 8, 13])
async def test_a_record_without_key_for_a_compacted_topic_is_named(version):
    async with running_edge(topics=configured(compact=True)) as edge:
        topic = await edge.topic("t", 2)
        client = await edge.connect()
        request = produce_request(batch(b"a", b"b"), topic)
        keyed = produce.PartitionProduceData(index=1, records=batch(b"c", key=b"k"))
        request.topic_data[0].partition_data.append(keyed)
        response = await client.call(produce, request, version)
        keyless, sound = response.responses[0].partition_responses
        assert keyless.error_code == ErrorCode.INVALID_RECORD
        assert [error.batch_index for error in keyless.record_errors] == ([0, 1] if version >= 8 else [])
        assert (keyless.error_message is not None) == (version >= 8)
        assert (sound.error_code, sound.base_offset) == (0, 0)


async def test_requests_for_a_compacted_topic_overlap_too():
    async with running_edge(topics=configured(compact=True)) as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        edge.log.hold = True
        for _ in range(5):
            client.send(produce, produce_request(batch(b"a", key=b"k"), topic), 9)
        await until(lambda: edge.log.held == 5)
        edge.log.complete()
        answers = [(await client.receive(produce, 9))[1].responses[0].partition_responses[0] for _ in range(5)]
        assert [answer.base_offset for answer in answers] == list(range(5))


@pytest.mark.parametrize("records", [None, b"", b"x" * 11, b"x" * 100])
async def test_what_is_no_batch_is_refused(records):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        answer = await send(edge, produce_request(records, topic))
        assert answer.error_code in (ErrorCode.INVALID_RECORD, ErrorCode.CORRUPT_MESSAGE)
        assert answer.error_message


async def test_who_may_not_write_is_told_so_and_learns_nothing_of_unknown_topics():
    allowed = Only((Operation.WRITE, ResourceType.TOPIC, "mine"))
    async with running_edge(authorizer=allowed) as edge:
        mine, other = await edge.topic("mine"), await edge.topic("other")
        assert (await send(edge, produce_request(batch(b"a"), mine), 9)).error_code == 0
        for topic in (other, replace(other, name="unknown")):
            answer = await send(edge, produce_request(batch(b"a"), topic), 9)
            assert answer.error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED
        answer = await send(edge, produce_request(batch(b"a"), other), 13)
        assert answer.error_code == ErrorCode.TOPIC_AUTHORIZATION_FAILED


async def test_errors_are_counted_by_code():
    async with running_edge() as edge:
        topic = replace(await edge.topic("t"), name="other")
        await send(edge, produce_request(batch(b"a"), topic), 9)
        assert edge.stats.errors == {("Produce", "UNKNOWN_TOPIC_OR_PARTITION"): 1}
        assert edge.stats.requests["Produce"] == 1
        assert sum(edge.stats.latencies["Produce"].counts) == 1


async def test_a_partition_that_is_not_there_is_unknown_even_where_the_acks_are_wrong():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        request = produce_request(batch(b"a"), topic)
        request.acks = 2
        other = produce.PartitionProduceData(index=9, records=batch(b"a"))
        request.topic_data[0].partition_data.append(other)
        client = await edge.connect()
        answers = (await client.call(produce, request, API.version_max)).responses[0].partition_responses
        codes = [ErrorCode.INVALID_REQUIRED_ACKS, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
        assert [answer.error_code for answer in answers] == codes


async def test_a_topic_without_partitions_is_not_answered():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        request = produce_request(batch(b"a"), topic)
        request.topic_data[0].partition_data.clear()
        client = await edge.connect()
        assert (await client.call(produce, request, API.version_max)).responses == []
