"""Error codes are counted wherever an answer has them."""

from __future__ import annotations

from fleuve.kafka.error_counts import count_errors
from fleuve.kafka.stats import KafkaStats
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import delete_records, heartbeat, list_offsets, metadata, offset_fetch
from support.edge import running_edge


def test_the_code_of_an_answer_itself_is_counted():
    stats = KafkaStats()
    answer = heartbeat.HeartbeatResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID)
    count_errors(stats, "Heartbeat", heartbeat, answer)
    count_errors(stats, "Heartbeat", heartbeat, heartbeat.HeartbeatResponse())
    assert stats.errors == {("Heartbeat", "UNKNOWN_MEMBER_ID"): 1}


def test_the_codes_of_topics_and_partitions_are_counted_one_by_one():
    stats = KafkaStats()
    codes = [ErrorCode.NONE, ErrorCode.OFFSET_OUT_OF_RANGE, ErrorCode.OFFSET_OUT_OF_RANGE]
    partitions = [delete_records.DeleteRecordsPartitionResult(error_code=code) for code in codes]
    topics = [delete_records.DeleteRecordsTopicResult(partitions=partitions)]
    count_errors(stats, "DeleteRecords", delete_records, delete_records.DeleteRecordsResponse(topics=topics))
    assert stats.errors == {("DeleteRecords", "OFFSET_OUT_OF_RANGE"): 2}


def test_every_level_counts_and_a_null_array_does_not():
    stats = KafkaStats()
    group = offset_fetch.OffsetFetchResponseGroup(error_code=ErrorCode.STALE_MEMBER_EPOCH)
    answer = offset_fetch.OffsetFetchResponse(error_code=ErrorCode.NOT_COORDINATOR, groups=[group])
    answer.topics = None
    count_errors(stats, "OffsetFetch", offset_fetch, answer)
    assert set(stats.errors.values()) == {1}
    assert len(stats.errors) == 2


def test_without_nesting_only_the_answers_own_code_counts():
    stats = KafkaStats()
    topics = [metadata.MetadataResponseTopic(error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]
    count_errors(stats, "Metadata", metadata, metadata.MetadataResponse(topics=topics), nested=False)
    assert not stats.errors


async def test_the_broker_counts_a_partitions_error():
    async with running_edge() as edge:
        client = await edge.connect()
        wanted = list_offsets.ListOffsetsTopic(name="missing", partitions=[list_offsets.ListOffsetsPartition()])
        await client.call(list_offsets, list_offsets.ListOffsetsRequest(topics=[wanted]), 9)
        assert edge.stats.errors == {("ListOffsets", "UNKNOWN_TOPIC_OR_PARTITION"): 1}
