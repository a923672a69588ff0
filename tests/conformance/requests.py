"""Requests as cases need them: by name or, in the versions that have them, by id; and batches damaged on purpose."""

from __future__ import annotations

from typing import Any

from crc32c import crc32c

from conformance.messages import CRC, CRC_COVERS_FROM
from conformance.scenario import Connection, Topic
from fleuve.records.record import Record, build_batch
from fleuve.wire.generated import delete_records, fetch, list_offsets, produce
from support.batches import NOW_MS

PRODUCE_IDS = 13
FETCH_IDS = 13
PRODUCE_VERSION = 12
"""The newest with names."""
FETCH_VERSION = 12
"""The newest with names."""
WAIT_MS = 30_000


def produced(
    topic: Topic, batches: dict[int, Any], version: int, *, acks: int = -1, timeout_ms: int = WAIT_MS
) -> produce.ProduceRequest:
    """Ask for batches to be appended, one for each partition."""
    data = produce.TopicProduceData(
        partition_data=[
            produce.PartitionProduceData(index=index, records=records) for index, records in batches.items()
        ]
    )
    if version < PRODUCE_IDS:
        data.name = topic.name
    else:
        data.topic_id = topic.id
    return produce.ProduceRequest(acks=acks, timeout_ms=timeout_ms, topic_data=[data])


def append(a: Connection, topic: Topic, records: Any, partition: int = 0, version: int = PRODUCE_VERSION) -> Any:
    """Append one batch; return the partition's answer."""
    answer = a.call(produce, produced(topic, {partition: records}, version), version)
    return answer and answer.responses[0].partition_responses[0]


def fetched(
    topic: Topic,
    offsets: dict[int, int],
    version: int = FETCH_VERSION,
    *,
    partition_max_bytes: int = 1 << 20,
    epoch: int = -1,
    **options: Any,
) -> fetch.FetchRequest:
    """Ask for records from these offsets of the partitions on; without waiting, if the options do not say otherwise."""
    wanted = fetch.FetchTopic(
        partitions=[
            fetch.FetchPartition(
                partition=partition,
                fetch_offset=offset,
                partition_max_bytes=partition_max_bytes,
                current_leader_epoch=epoch,
            )
            for partition, offset in offsets.items()
        ]
    )
    if version < FETCH_IDS:
        wanted.topic = topic.name
    else:
        wanted.topic_id = topic.id
    return fetch.FetchRequest(topics=[wanted] if offsets else [], **options)


def looked_up(
    topic: Topic, timestamps: dict[int, int], *, epoch: int = -1, isolation_level: int = 0
) -> list_offsets.ListOffsetsRequest:
    """Ask for offsets by timestamp, one for each partition."""
    wanted = [
        list_offsets.ListOffsetsPartition(partition_index=partition, timestamp=timestamp, current_leader_epoch=epoch)
        for partition, timestamp in timestamps.items()
    ]
    return list_offsets.ListOffsetsRequest(
        replica_id=-1,
        isolation_level=isolation_level,
        topics=[list_offsets.ListOffsetsTopic(name=topic.name, partitions=wanted)],
        timeout_ms=WAIT_MS,
    )


def deleted_up_to(topic: Topic, offsets: dict[int, int]) -> delete_records.DeleteRecordsRequest:
    """Ask for records below these offsets to be deleted."""
    wanted = [
        delete_records.DeleteRecordsPartition(partition_index=partition, offset=offset)
        for partition, offset in offsets.items()
    ]
    return delete_records.DeleteRecordsRequest(
        topics=[delete_records.DeleteRecordsTopic(name=topic.name, partitions=wanted)], timeout_ms=WAIT_MS
    )


def numbered(first: int, count: int, *, step_ms: int = 10, key: bytes | None = None, **options: Any) -> bytearray:
    """Return a batch whose records are told apart by value, each a step later than the one before."""
    records = [Record(index, index * step_ms, key, f"{first + index}".encode()) for index in range(count)]
    return bytearray(build_batch(records, base_timestamp=NOW_MS + first * step_ms, **options))


def patched(records: bytes | bytearray, at: int, content: bytes, *, right_crc: bool = True) -> bytes:
    """Return a batch with other bytes somewhere in it."""
    changed = bytearray(records)
    changed[at : at + len(content)] = content
    if right_crc:
        changed[CRC] = crc32c(changed[CRC_COVERS_FROM:]).to_bytes(4)
    return bytes(changed)
