"""Fetch: records, limits, waits and sessions, in every version."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.log.append import AppendRequest
from fleuve.engine.topics.configs import DEFAULTS
from fleuve.engine.topics.service import Topic
from fleuve.kafka.handlers.fetch import API
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import fetch
from support.batches import batch
from support.calls import Only, call
from support.edge import Edge, running_edge, until

VERSIONS = range(4, 19)


def append(edge: Edge, topic: Topic, *values: bytes, partition: int = 0) -> None:
    edge.log.append(
        AppendRequest(1, lambda request: None),
        0,
        topic.partition_ids[partition],
        DEFAULTS,
        memoryview(batch(*values)),
    )


def asked(topic: Topic | None, *partitions: int, offset: int = 0, max_bytes: int = 1 << 20, **fields: Any) -> Any:
    wanted = [
        fetch.FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=max_bytes, **fields)
        for partition in partitions
    ]
    if topic is None:
        return fetch.FetchTopic(topic="unknown", topic_id=UUID(int=99), partitions=wanted)
    return fetch.FetchTopic(topic=topic.name, topic_id=topic.id, partitions=wanted)


async def ask(edge: Edge, *topics: Any, version: int = API.version_max, context: Any = None, **fields: Any) -> Any:
    fields.setdefault("min_bytes", 1)
    request = fetch.FetchRequest(topics=list(topics), **fields)
    return await call(API, edge.handlers[1], request, version, **(context or {}))


def partitions_of(response: Any) -> list[Any]:
    return [partition for topic in response.responses for partition in topic.partitions]


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_returns_whole_batches(version):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        append(edge, topic, b"a", b"b")
        append(edge, topic, b"c")
        response = await ask(edge, asked(topic, 0), version=version)
        (answer,) = partitions_of(response)
        assert answer.error_code == 0
        assert (answer.high_watermark, answer.last_stable_offset) == (3, 3)
        assert answer.log_start_offset == (0 if version >= 5 else -1)
        assert answer.preferred_read_replica == -1
        assert len(answer.records) == len(batch(b"a", b"b")) + len(batch(b"c"))
        assert (response.responses[0].topic_id == topic.id) == (version >= 13)
        assert (response.responses[0].topic == "t") == (version < 13)


@pytest.mark.parametrize("version", VERSIONS)
async def test_no_records_are_empty_bytes_and_not_null(version):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        (answer,) = partitions_of(await ask(edge, asked(topic, 0), version=version))
        assert answer.records is not None
        assert len(answer.records) == 0
        (failed,) = partitions_of(await ask(edge, asked(topic, 0, offset=5), version=version))
        assert failed.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
        assert failed.records is not None


async def test_an_offset_inside_a_batch_gets_the_whole_batch():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        append(edge, topic, b"a", b"b", b"c")
        (answer,) = partitions_of(await ask(edge, asked(topic, 0, offset=2)))
        assert len(answer.records) == len(batch(b"a", b"b", b"c"))


async def test_one_batch_comes_even_if_it_is_larger_than_every_limit():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        append(edge, topic, bytes(10_000))
        (answer,) = partitions_of(await ask(edge, asked(topic, 0, max_bytes=1), max_bytes=1))
        assert len(answer.records) > 10_000


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_unknown_topic_is_told_by_name_or_by_id(version):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        response = await ask(edge, asked(None, 0), asked(topic, 0, 5), version=version)
        unknown, known, beyond = partitions_of(response)
        expected = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if version < 13 else ErrorCode.UNKNOWN_TOPIC_ID
        assert (unknown.error_code, unknown.high_watermark, unknown.aborted_transactions) == (expected, -1, [])
        assert known.error_code == 0
        assert beyond.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


async def test_who_may_not_read_is_told_so():
    async with running_edge() as edge:
        mine, other = await edge.topic("mine"), await edge.topic("other")
        context = {"authorizer": Only((Operation.READ, ResourceType.TOPIC, "mine"))}
        response = await ask(edge, asked(mine, 0), asked(other, 0), asked(None, 0), version=12, context=context)
        assert [one.error_code for one in partitions_of(response)] == [
            0,
            ErrorCode.TOPIC_AUTHORIZATION_FAILED,
            ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        ]


@pytest.mark.parametrize("epoch,code", [(-1, 0), (3, 0), (2, 74), (4, 75)])
async def test_a_leader_epoch_is_checked(epoch, code):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        edge.log.partitions[topic.partition_ids[0]].epoch = 3
        (answer,) = partitions_of(await ask(edge, asked(topic, 0, current_leader_epoch=epoch), version=12))
        assert answer.error_code == code


@pytest.mark.parametrize("version", [12, 15])
async def test_a_follower_finds_no_leader_here(version):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        fields = {"replica_id": 2} if version < 15 else {"replica_state": fetch.ReplicaState(replica_id=2)}
        (answer,) = partitions_of(await ask(edge, asked(topic, 0), version=version, **fields))
        assert answer.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER


async def test_aborted_transactions_are_for_read_committed_only():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        (uncommitted,) = partitions_of(await ask(edge, asked(topic, 0)))
        (committed,) = partitions_of(await ask(edge, asked(topic, 0), isolation_level=1))
        assert uncommitted.aborted_transactions is None
        assert committed.aborted_transactions == []


async def test_a_long_poll_waits_for_records():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        client.send(
            fetch, fetch.FetchRequest(max_wait_ms=600_000, min_bytes=1, max_bytes=1000, topics=[asked(topic, 0)]), 12
        )
        await until(lambda: edge.log.waits)
        append(edge, topic, b"a")
        _, response = await client.receive(fetch, 12)
        assert len(partitions_of(response)[0].records) == len(batch(b"a"))


async def test_an_unknown_topic_does_not_end_the_wait_for_the_others():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        request = fetch.FetchRequest(
            max_wait_ms=600_000, min_bytes=1, max_bytes=1000, topics=[asked(None, 0), asked(topic, 0)]
        )
        client.send(fetch, request, 12)
        await until(lambda: edge.log.waits)
        append(edge, topic, b"a")
        assert len(partitions_of((await client.receive(fetch, 12))[1])) == 2


async def test_nobody_gets_more_than_half_of_the_fetch_memory_that_is_left():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        for _ in range(4):
            append(edge, topic, bytes(100_000))
        edge.memory.force(edge.memory.capacity - 400_000)
        (answer,) = partitions_of(await ask(edge, asked(topic, 0)))
        assert 100_000 < len(answer.records) < 200_000


# ---------------------------------------------------------------- sessions


async def start_session(edge: Edge, *topics: Any, version: int = 12) -> int:
    response = await ask(edge, *topics, version=version, session_id=0, session_epoch=0)
    assert response.session_id > 0
    return int(response.session_id)


@pytest.mark.parametrize("version", [7, 12, 13, 18])
async def test_a_session_tells_only_what_changed(version):
    async with running_edge() as edge:
        topic = await edge.topic("t", 3)
        session_id = await start_session(edge, asked(topic, 0, 1, 2), version=version)
        response = await ask(edge, version=version, session_id=session_id, session_epoch=1)
        assert (response.session_id, response.responses) == (session_id, [])
        append(edge, topic, b"a", partition=1)
        response = await ask(edge, version=version, session_id=session_id, session_epoch=2)
        (answer,) = partitions_of(response)
        assert (answer.partition_index, answer.high_watermark) == (1, 1)


async def test_session_errors_have_their_codes():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        session_id = await start_session(edge, asked(topic, 0))
        for fields, version, code in (
            ({"session_id": session_id, "session_epoch": 5}, 12, ErrorCode.INVALID_FETCH_SESSION_EPOCH),
            ({"session_id": session_id + 1, "session_epoch": 1}, 12, ErrorCode.FETCH_SESSION_ID_NOT_FOUND),
            ({"session_id": session_id, "session_epoch": 1}, 13, ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR),
        ):
            response = await ask(edge, version=version, **fields)
            assert (response.error_code, response.responses) == (code, [])


async def test_forgotten_partitions_are_not_read_any_more():
    async with running_edge() as edge:
        topic = await edge.topic("t", 2)
        session_id = await start_session(edge, asked(topic, 0, 1), version=13)
        append(edge, topic, b"a", partition=0)
        append(edge, topic, b"a", partition=1)
        forgotten = fetch.ForgottenTopic(topic="t", topic_id=topic.id, partitions=[0])
        response = await ask(
            edge, version=13, session_id=session_id, session_epoch=1, forgotten_topics_data=[forgotten]
        )
        assert [one.partition_index for one in partitions_of(response)] == [1]


async def test_a_topic_made_again_under_its_name_is_found_by_a_session_of_names():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        session_id = await start_session(edge, asked(topic, 0))
        await edge.topics.delete([topic.id])
        edge.log.delete(topic.partition_ids[0])
        (gone,) = partitions_of(await ask(edge, version=12, session_id=session_id, session_epoch=1))
        assert gone.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        append(edge, await edge.topic("t"), b"new")
        (answer,) = partitions_of(await ask(edge, version=12, session_id=session_id, session_epoch=2))
        assert (answer.error_code, answer.high_watermark) == (0, 1)


async def test_a_topic_made_again_is_unknown_to_a_session_of_ids():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        session_id = await start_session(edge, asked(topic, 0), version=13)
        await edge.topics.delete([topic.id])
        edge.log.delete(topic.partition_ids[0])
        await edge.topic("t")
        for epoch in (1, 2):
            response = await ask(edge, version=13, session_id=session_id, session_epoch=epoch)
            assert partitions_of(response)[0].error_code == ErrorCode.UNKNOWN_TOPIC_ID
