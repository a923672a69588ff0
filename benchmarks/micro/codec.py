"""How long the codec takes: microseconds per call, and milliseconds to import it.

    python benchmarks/micro/codec.py

Prints a table. On a noisy machine the best of several repetitions is the honest number.
"""

from __future__ import annotations

import subprocess
import sys
import timeit
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "src"))

from fleuve.wire.framing import parse_frames
from fleuve.wire.generated import fetch, heartbeat, join_group, list_offsets, metadata, offset_commit, produce
from fleuve.wire.header import RequestHeader, decode_request_header, encode_request_header, encode_response_header

TOPIC_ID = UUID(int=0x1234567890ABCDEF1234567890ABCDEF)
RECORDS = b"r" * 1024


def measured(call: Callable[[], object]) -> float:
    """Return the best time of a call in microseconds."""
    timer = timeit.Timer(call)
    number, _ = timer.autorange(None)
    number = max(1, number // 16)
    return min(timer.repeat(repeat=12, number=number)) / number * 1e6


def produce_request(topics: int, partitions: int) -> produce.ProduceRequest:
    return produce.ProduceRequest(
        acks=-1,
        timeout_ms=30_000,
        topic_data=[
            produce.TopicProduceData(
                name=f"benchmark-topic-{t}",
                topic_id=TOPIC_ID,
                partition_data=[produce.PartitionProduceData(index=p, records=RECORDS) for p in range(partitions)],
            )
            for t in range(topics)
        ],
    )


def produce_response(topics: int, partitions: int) -> produce.ProduceResponse:
    return produce.ProduceResponse(
        responses=[
            produce.TopicProduceResponse(
                name=f"benchmark-topic-{t}",
                topic_id=TOPIC_ID,
                partition_responses=[
                    produce.PartitionProduceResponse(index=p, base_offset=123_456, log_start_offset=0)
                    for p in range(partitions)
                ],
            )
            for t in range(topics)
        ]
    )


def fetch_request(topics: int, partitions: int) -> fetch.FetchRequest:
    return fetch.FetchRequest(
        max_wait_ms=500,
        min_bytes=1,
        topics=[
            fetch.FetchTopic(
                topic=f"benchmark-topic-{t}",
                topic_id=TOPIC_ID,
                partitions=[
                    fetch.FetchPartition(partition=p, fetch_offset=99, partition_max_bytes=1 << 20)
                    for p in range(partitions)
                ],
            )
            for t in range(topics)
        ],
    )


def fetch_response(topics: int, partitions: int, records: bytes) -> fetch.FetchResponse:
    return fetch.FetchResponse(
        responses=[
            fetch.FetchableTopicResponse(
                topic=f"benchmark-topic-{t}",
                topic_id=TOPIC_ID,
                partitions=[
                    fetch.PartitionData(partition_index=p, high_watermark=100, records=records)
                    for p in range(partitions)
                ],
            )
            for t in range(topics)
        ]
    )


def metadata_response(topics: int, partitions: int) -> metadata.MetadataResponse:
    return metadata.MetadataResponse(
        brokers=[metadata.MetadataResponseBroker(node_id=1, host="localhost", port=9092)],
        cluster_id="benchmark",
        controller_id=1,
        topics=[
            metadata.MetadataResponseTopic(
                name=f"benchmark-topic-{t}",
                topic_id=TOPIC_ID,
                partitions=[
                    metadata.MetadataResponsePartition(
                        partition_index=p, leader_id=1, leader_epoch=0, replica_nodes=[1], isr_nodes=[1]
                    )
                    for p in range(partitions)
                ],
            )
            for t in range(topics)
        ],
    )


def rows() -> list[tuple[str, Callable[[], object]]]:
    """Return what is measured."""
    out: list[tuple[str, Callable[[], object]]] = []
    raw_header = memoryview(
        encode_request_header(RequestHeader(api_key=0, api_version=9, correlation_id=7, client_id="producer-1"))
    )
    out.append(("request header decode", partial(decode_request_header, raw_header)))
    out.append(("response header encode", partial(encode_response_header, 7, True)))
    frames = memoryview((b"\x00\x00\x00\x40" + bytes(64)) * 4)
    out.append(("frames: scan 4", partial(parse_frames, frames, len(frames))))
    for topics, partitions in ((1, 1), (2, 5), (1, 100)):
        shape = f"{topics}x{partitions}"
        for version in (7, 9, 13) if partitions == 1 else (9,):
            raw = memoryview(produce.encode_request(produce_request(topics, partitions), version))
            reply = produce_response(topics, partitions)
            out += [
                (
                    f"produce v{version} {shape} request decode",
                    partial(produce.decode_request, raw, 0, version),
                ),
                (
                    f"produce v{version} {shape} response encode",
                    partial(produce.encode_response, reply, version),
                ),
            ]
        for version in (11, 12, 17) if partitions == 1 else (12,):
            raw = memoryview(fetch.encode_request(fetch_request(topics, partitions), version))
            answer = fetch_response(topics, partitions, bytes(100_000))
            empty = fetch_response(topics, partitions, b"")
            out += [
                (f"fetch v{version} {shape} request decode", partial(fetch.decode_request, raw, 0, version)),
                (
                    f"fetch v{version} {shape} response parts, 100 KB each",
                    partial(fetch.encode_response_parts, answer, version),
                ),
                (
                    f"fetch v{version} {shape} response encode, empty",
                    partial(fetch.encode_response, empty, version),
                ),
            ]
    for topics, partitions in ((1, 1), (10, 10), (100, 10), (1, 1000)):
        message = metadata_response(topics, partitions)
        for version in (5, 12):
            out.append(
                (
                    f"metadata v{version} {topics}x{partitions} response encode",
                    partial(metadata.encode_response, message, version),
                )
            )
    out += small_rows()
    return out


def small_rows() -> list[tuple[str, Callable[[], object]]]:
    """Return the messages of groups."""
    beat = memoryview(heartbeat.encode_request(heartbeat.HeartbeatRequest(group_id="group", member_id="m" * 40), 4))
    join = memoryview(
        join_group.encode_request(
            join_group.JoinGroupRequest(
                group_id="group",
                protocol_type="consumer",
                protocols=[join_group.JoinGroupRequestProtocol(name="range", metadata=bytes(60))],
            ),
            9,
        )
    )
    commit = memoryview(
        offset_commit.encode_request(
            offset_commit.OffsetCommitRequest(
                group_id="group",
                topics=[
                    offset_commit.OffsetCommitRequestTopic(
                        name="benchmark-topic",
                        partitions=[
                            offset_commit.OffsetCommitRequestPartition(partition_index=p, committed_offset=9)
                            for p in range(10)
                        ],
                    )
                ],
            ),
            8,
        )
    )
    offsets = list_offsets.ListOffsetsResponse(
        topics=[
            list_offsets.ListOffsetsTopicResponse(
                name="benchmark-topic",
                partitions=[list_offsets.ListOffsetsPartitionResponse(partition_index=p) for p in range(10)],
            )
        ]
    )
    return [
        ("heartbeat v4 request decode", lambda: heartbeat.decode_request(beat, 0, 4)),
        ("heartbeat v4 response encode", lambda: heartbeat.encode_response(heartbeat.HeartbeatResponse(), 4)),
        ("join group v9 request decode", lambda: join_group.decode_request(join, 0, 9)),
        ("offset commit v8 1x10 request decode", lambda: offset_commit.decode_request(commit, 0, 8)),
        ("list offsets v7 1x10 response encode", lambda: list_offsets.encode_response(offsets, 7)),
    ]


IMPORT_ALL = """
import sys, time
sys.path.insert(0, {path!r})
before = time.perf_counter()
import importlib
from fleuve.wire.apis import APIS
import fleuve.wire.header, fleuve.wire.framing
for api in APIS.values():
    importlib.import_module("fleuve.wire.generated." + api.module)
print((time.perf_counter() - before) * 1000)
"""


def import_ms() -> float:
    """Return how many milliseconds importing every codec takes, in a process of its own."""
    path = str(Path(__file__).parent.parent.parent / "src")
    code = IMPORT_ALL.format(path=path)
    return min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(5))


def main() -> None:
    """Print the table."""
    for name, call in rows():
        print(f"{name:52} {measured(call):10.2f} us")
    print(f"{'import of all codecs':52} {import_ms():10.2f} ms")


if __name__ == "__main__":
    main()
