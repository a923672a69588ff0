"""The smaller APIs about the log: ListOffsets, DeleteRecords, OffsetForLeaderEpoch, InitProducerId, DescribeLogDirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fleuve.engine.access.service import Operation, ResourceType
from fleuve.engine.log.append import AppendRequest
from fleuve.engine.topics.configs import DEFAULTS
from fleuve.engine.topics.service import Topic
from fleuve.kafka.handlers import (
    api_versions,
    delete_records,
    describe_log_dirs,
    init_producer_id,
    list_offsets,
    offset_for_leader_epoch,
)
from fleuve.ports.errors import CatalogUnavailable
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import (
    api_versions as api_versions_codec,
)
from fleuve.wire.generated import (
    delete_records as delete_codec,
)
from fleuve.wire.generated import (
    describe_log_dirs as dirs_codec,
)
from fleuve.wire.generated import (
    init_producer_id as init_codec,
)
from fleuve.wire.generated import (
    list_offsets as list_codec,
)
from fleuve.wire.generated import (
    offset_for_leader_epoch as epoch_codec,
)
from support.batches import NOW_MS, batch
from support.calls import Only, call
from support.edge import Edge, running_edge
from support.topics import PlainConfigs, topic_service


def append(edge: Edge, topic: Topic, *values: bytes, timestamp: int = NOW_MS) -> None:
    records = memoryview(batch(*values, base_timestamp=timestamp))
    edge.log.append(AppendRequest(1, lambda request: None), 0, topic.partition_ids[0], DEFAULTS, records)


# ---------------------------------------------------------------- ListOffsets


async def offsets(edge: Edge, name: str, *timestamps: int, version: int = 11, context: Any = None, **fields: Any):
    wanted = [
        list_codec.ListOffsetsPartition(partition_index=0, timestamp=timestamp, **fields) for timestamp in timestamps
    ]
    request = list_codec.ListOffsetsRequest(topics=[list_codec.ListOffsetsTopic(name=name, partitions=wanted)])
    response = await call(list_offsets.API, edge.handlers[2], request, version, **(context or {}))
    return [(one.error_code, one.offset, one.timestamp, one.leader_epoch) for one in response.topics[0].partitions]


@pytest.mark.parametrize("version", range(1, 12))
async def test_every_version_knows_earliest_latest_and_times(version):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        append(edge, topic, b"a", timestamp=NOW_MS)
        append(edge, topic, b"b", timestamp=NOW_MS + 100)
        edge.log.partitions[topic.partition_ids[0]].epoch = 2
        epoch = 2 if version >= 4 else -1
        assert await offsets(edge, "t", -1, version=version) == [(0, 2, -1, epoch)]
        assert await offsets(edge, "t", -2, version=version) == [(0, 0, -1, epoch)]
        assert await offsets(edge, "t", NOW_MS + 1, version=version) == [(0, 1, NOW_MS + 100, epoch)]
        assert await offsets(edge, "t", NOW_MS + 101, version=version) == [(0, -1, -1, -1)]


@pytest.mark.parametrize("timestamp,first", [(-3, 7), (-4, 8), (-5, 9), (-6, 11), (-7, 99)])
async def test_special_times_exist_from_their_version_on(timestamp, first):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        append(edge, topic, b"a", timestamp=NOW_MS)
        expected = {-3: (0, 0, NOW_MS, 0), -4: (0, 0, -1, 0), -5: (0, -1, -1, -1), -6: (0, -1, -1, -1)}
        for version in range(4, 12):
            found = await offsets(edge, "t", timestamp, version=version)
            unsupported = (ErrorCode.UNSUPPORTED_VERSION, -1, -1, -1)
            assert found == [unsupported if version < first else expected[timestamp]]


async def test_a_partition_twice_is_an_invalid_request():
    async with running_edge() as edge:
        await edge.topic("t")
        assert [code for code, *_ in await offsets(edge, "t", -1, -2)] == [ErrorCode.INVALID_REQUEST]


async def test_a_topic_without_partitions_is_not_answered():
    async with running_edge() as edge:
        await edge.topic("t")
        look_up = list_codec.ListOffsetsRequest(replica_id=-1, topics=[list_codec.ListOffsetsTopic(name="t")])
        assert (await call(list_offsets.API, edge.handlers[2], look_up)).topics == []
        deletion = delete_codec.DeleteRecordsRequest(topics=[delete_codec.DeleteRecordsTopic(name="t")])
        assert (await call(delete_records.API, edge.handlers[21], deletion)).topics == []


@pytest.mark.parametrize("epoch,code", [(-1, 0), (3, 0), (2, 74), (4, 75)])
async def test_list_offsets_checks_the_leader_epoch(epoch, code):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        edge.log.partitions[topic.partition_ids[0]].epoch = 3
        assert (await offsets(edge, "t", -1, current_leader_epoch=epoch))[0][0] == code


async def test_list_offsets_tells_unknown_and_forbidden_topics():
    async with running_edge() as edge:
        await edge.topic("t")
        assert (await offsets(edge, "u", -1))[0][0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        forbidden = await offsets(edge, "t", -1, context={"authorizer": Only()})
        assert forbidden[0][0] == ErrorCode.TOPIC_AUTHORIZATION_FAILED


# ---------------------------------------------------------------- DeleteRecords


async def test_of_two_wishes_for_one_partition_the_last_counts():
    async with running_edge() as edge:
        topic = await edge.topic("t")
        append(edge, topic, b"a", b"b", timestamp=NOW_MS)
        wanted = [delete_codec.DeleteRecordsPartition(partition_index=0, offset=offset) for offset in (2, 1)]
        topics = [delete_codec.DeleteRecordsTopic(name="t", partitions=[one]) for one in wanted]
        response = await call(
            delete_records.API, edge.handlers[21], delete_codec.DeleteRecordsRequest(topics=topics, timeout_ms=1000)
        )
        assert [one.low_watermark for topic in response.topics for one in topic.partitions] == [1]


async def delete(edge: Edge, name: str, offset: int, *, partition: int = 0, version: int = 2, context: Any = None):
    wanted = delete_codec.DeleteRecordsPartition(partition_index=partition, offset=offset)
    topic = delete_codec.DeleteRecordsTopic(name=name, partitions=[wanted])
    request = delete_codec.DeleteRecordsRequest(topics=[topic], timeout_ms=1000)
    response = await call(delete_records.API, edge.handlers[21], request, version, **(context or {}))
    (answer,) = response.topics[0].partitions
    return answer.error_code, answer.low_watermark


@pytest.mark.parametrize("version", [0, 1, 2])
async def test_records_are_deleted_up_to_an_offset_or_all(version):
    async with running_edge() as edge:
        append(edge, await edge.topic("t"), b"a", b"b", b"c")
        assert await delete(edge, "t", 2, version=version) == (0, 2)
        assert await delete(edge, "t", 1, version=version) == (0, 2)
        assert await delete(edge, "t", -1, version=version) == (0, 3)


async def test_delete_records_refuses_what_cannot_be():
    async with running_edge() as edge:
        append(edge, await edge.topic("t"), b"a")
        assert await delete(edge, "t", 2) == (ErrorCode.OFFSET_OUT_OF_RANGE, -1)
        assert await delete(edge, "t", -2) == (ErrorCode.OFFSET_OUT_OF_RANGE, -1)
        assert await delete(edge, "t", 0, partition=3) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1)
        assert await delete(edge, "u", 0) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1)
        context = {"authorizer": Only((Operation.READ, ResourceType.TOPIC, "t"))}
        assert await delete(edge, "t", 0, context=context) == (ErrorCode.TOPIC_AUTHORIZATION_FAILED, -1)


async def test_records_of_a_topic_that_is_only_compacted_cannot_be_deleted():
    configs = PlainConfigs()
    configs.configs = replace(DEFAULTS, compact=True, delete=False)
    async with running_edge(topics=topic_service(configs=configs)) as edge:
        await edge.topic("t")
        assert await delete(edge, "t", 0) == (ErrorCode.POLICY_VIOLATION, -1)


# ---------------------------------------------------------------- OffsetForLeaderEpoch


@pytest.mark.parametrize("version", [2, 3, 4])
async def test_an_epoch_ends_where_the_log_does(version):
    async with running_edge() as edge:
        topic = await edge.topic("t")
        append(edge, topic, b"a")

        async def ask(name: str, epoch: int, current: int = -1, context: Any = None) -> tuple[int, int, int]:
            wanted = epoch_codec.OffsetForLeaderPartition(partition=0, leader_epoch=epoch, current_leader_epoch=current)
            asked = epoch_codec.OffsetForLeaderTopic(topic=name, partitions=[wanted])
            request = epoch_codec.OffsetForLeaderEpochRequest(topics=[asked])
            response = await call(offset_for_leader_epoch.API, edge.handlers[23], request, version, **(context or {}))
            (answer,) = response.topics[0].partitions
            return answer.error_code, answer.leader_epoch, answer.end_offset

        assert await ask("t", 0) == (0, 0, 1)
        assert await ask("t", 5) == (0, -1, -1)
        assert await ask("t", 0, current=1) == (ErrorCode.UNKNOWN_LEADER_EPOCH, -1, -1)
        assert await ask("u", 0) == (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1)
        forbidden = {"authorizer": Only()}
        assert await ask("t", 0, context=forbidden) == (ErrorCode.TOPIC_AUTHORIZATION_FAILED, -1, -1)


# ---------------------------------------------------------------- InitProducerId


async def init(handler: Any, version: int = 5, *, context: Any = None, **fields: Any) -> tuple[int, int, int]:
    fields.setdefault("transactional_id", None)
    request = init_codec.InitProducerIdRequest(transaction_timeout_ms=1000, **fields)
    answer = await call(init_producer_id.API, handler, request, version, **(context or {}))
    return answer.error_code, answer.producer_id, answer.producer_epoch


@pytest.mark.parametrize("version", range(6))
async def test_every_idempotent_producer_gets_its_own_id(version):
    async with running_edge() as edge:
        answers = [await init(edge.handlers[22], version) for _ in range(3)]
        assert {(code, epoch) for code, _, epoch in answers} == {(0, 0)}
        assert len({producer_id for _, producer_id, _ in answers}) == 3


@pytest.mark.parametrize("version", [3, 4, 5])
async def test_a_producer_that_has_an_id_gets_another(version):
    async with running_edge() as edge:
        handler = edge.handlers[22]
        _, first, _ = await init(handler, version)
        code, second, epoch = await init(handler, version, producer_id=first, producer_epoch=7)
        assert (code, epoch) == (0, 0)
        assert second != first
        for half in ({"producer_id": first}, {"producer_epoch": 1}):
            assert await init(handler, version, **half) == (ErrorCode.INVALID_REQUEST, -1, -1)


async def test_transactional_ids_are_refused_for_good():
    async with running_edge() as edge:
        handler = edge.handlers[22]
        refused = (ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, -1, -1)
        assert await init(handler, transactional_id="tx") == refused
        assert await init(handler, transactional_id="") == (ErrorCode.INVALID_REQUEST, -1, -1)


async def test_producer_ids_need_idempotent_write():
    async with running_edge() as edge:
        answer = await init(edge.handlers[22], context={"authorizer": Only()})
        assert answer == (ErrorCode.CLUSTER_AUTHORIZATION_FAILED, -1, -1)


async def test_a_catalog_that_is_not_available_is_worth_another_try():
    class Broken:
        async def new_producer_id(self) -> Any:
            raise CatalogUnavailable("disk full")

    answer = await init(init_producer_id.Handler(Broken()))  # type: ignore[arg-type]
    assert answer == (ErrorCode.COORDINATOR_NOT_AVAILABLE, -1, -1)


# ---------------------------------------------------------------- DescribeLogDirs


@pytest.mark.parametrize("version", range(1, 6))
async def test_there_is_one_directory_with_the_partitions_sizes(version):
    async with running_edge() as edge:
        topic, _ = await edge.topic("t", 2), await edge.topic("u")
        append(edge, topic, b"a")
        wanted = [dirs_codec.DescribableLogDirTopic(topic="t", partitions=[0, 9])]
        request = dirs_codec.DescribeLogDirsRequest(topics=wanted)
        response = await call(describe_log_dirs.API, edge.handlers[35], request, version)
        (directory,) = response.results
        assert (directory.error_code, directory.log_dir) == (0, "/data")
        ((name, (partition,)),) = [(one.name, one.partitions) for one in directory.topics]
        assert (name, partition.partition_index, partition.partition_size) == ("t", 0, len(batch(b"a")))
        assert (directory.total_bytes, directory.usable_bytes) == ((1000, 400) if version >= 4 else (-1, -1))
        response = await call(
            describe_log_dirs.API, edge.handlers[35], dirs_codec.DescribeLogDirsRequest(topics=None), version
        )
        assert {(one.name, len(one.partitions)) for one in response.results[0].topics} == {("t", 2), ("u", 1)}


async def test_log_dirs_need_describe_on_the_cluster():
    async with running_edge() as edge:
        request = dirs_codec.DescribeLogDirsRequest(topics=None)
        response = await call(describe_log_dirs.API, edge.handlers[35], request, 4, authorizer=Only())
        assert (response.error_code, response.results) == (ErrorCode.CLUSTER_AUTHORIZATION_FAILED, [])


# ---------------------------------------------------------------- ApiVersions


@pytest.mark.parametrize("version", range(5))
async def test_api_versions_is_computed_from_the_handlers(version):
    async with running_edge() as edge:
        handler = api_versions.Handler(edge.table.apis)
        request = api_versions_codec.ApiVersionsRequest(client_software_name="a", client_software_version="1")
        response = await call(api_versions.API, handler, request, version)
        served = {(key.api_key, key.min_version, key.max_version) for key in response.api_keys}
        assert served == {(api.key, api.version_min, api.version_max) for api in edge.table.apis}
        assert (0, 0, 13) in served, "librdkafka before 2.11.1 disables compression unless Produce begins at 0"
        assert (18, 0, 4) in served
        assert response.finalized_features == []
