"""Reading a partition from begin to end, when everything is over."""

from __future__ import annotations

import asyncio

from fleuve.simulation.client import Client, Lost
from fleuve.simulation.consumers import EARLIEST, batches_of
from fleuve.simulation.history import Violation
from fleuve.simulation.model import Batch, Topic
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import fetch, list_offsets

ATTEMPTS_MAX = 50


async def read_everything(client: Client, topic: Topic, index: int) -> tuple[list[Batch], int, int]:
    """Return all batches of a partition, its log start and its high watermark."""
    found: list[Batch] = []
    offset = topic.partitions[index].log_start
    for _ in range(ATTEMPTS_MAX):
        found = []
        answer = await _fetch(client, topic, index, offset)
        if answer.error_code == ErrorCode.OFFSET_OUT_OF_RANGE:
            # Something has expired since it was last looked at.
            offset = await _earliest(client, topic, index)
            continue
        if answer.error_code:
            raise Violation(1, f"{topic.name}-{index}: {ErrorCode(answer.error_code).name} to the last reading")
        log_start = answer.log_start_offset
        at = log_start
        while at < answer.high_watermark:
            answer = await _fetch(client, topic, index, at)
            batches = batches_of(answer.records) if not answer.error_code else []
            if not batches:
                break
            for first, last, _ in batches:
                if not (first == at or (at == log_start and first < at <= last)):
                    raise Violation(2, f"{topic.name}-{index}: a batch begins at {first} where {at} was due")
                at = last + 1
            found += batches
        else:
            return found, log_start, answer.high_watermark
        if answer.error_code != ErrorCode.OFFSET_OUT_OF_RANGE:
            raise Violation(1, f"{topic.name}-{index}: nothing at {at} of {answer.high_watermark}: {answer.error_code}")
    raise Violation(3, f"{topic.name}-{index} cannot be read from its beginning")


async def _earliest(client: Client, topic: Topic, index: int) -> int:
    wanted = list_offsets.ListOffsetsPartition(partition_index=index, timestamp=EARLIEST, current_leader_epoch=-1)
    request = list_offsets.ListOffsetsRequest(
        replica_id=-1, topics=[list_offsets.ListOffsetsTopic(name=topic.name, partitions=[wanted])]
    )
    try:
        response = await client.call(list_offsets, request, 7, f"ListOffsets {topic.name}-{index}")
    except Lost:
        return 0
    return int(response.topics[0].partitions[0].offset)


async def _fetch(client: Client, topic: Topic, index: int, offset: int) -> fetch.PartitionData:
    wanted = fetch.FetchPartition(
        partition=index, current_leader_epoch=-1, fetch_offset=offset, partition_max_bytes=100_000
    )
    request = fetch.FetchRequest(
        max_wait_ms=0,
        min_bytes=0,
        max_bytes=1_000_000,
        session_epoch=-1,
        topics=[fetch.FetchTopic(topic_id=topic.id, partitions=[wanted])],
    )
    for _ in range(ATTEMPTS_MAX):
        try:
            response = await client.call(fetch, request, 15, f"Fetch {topic.name}-{index}@{offset}")
        except Lost:
            await asyncio.sleep(0.1)
            continue
        (answer,) = response.responses[0].partitions
        found: fetch.PartitionData = answer
        return found
    raise Violation(9, "the broker does not answer")
