"""Record batches pass through the codec without being copied."""

from __future__ import annotations

import pytest

from fleuve.wire.generated import fetch, produce

LARGE = b"r" * 5000


def fetched(*records):
    return fetch.FetchResponse(
        responses=[
            fetch.FetchableTopicResponse(
                topic="t",
                partitions=[fetch.PartitionData(partition_index=i, records=r) for i, r in enumerate(records)],
            )
        ]
    )


@pytest.mark.parametrize("version", range(4, 19))
def test_the_parts_of_a_fetch_response_are_its_bytes(version):
    message = fetched(LARGE, None, b"", b"small", LARGE)
    parts = fetch.encode_response_parts(message, version)
    assert b"".join(parts) == fetch.encode_response(message, version)
    assert sum(part is LARGE for part in parts) == 2
    assert all(len(part) for part in parts)


@pytest.mark.parametrize("version", [4, 12, 18])
def test_records_in_several_buffers_follow_each_other(version):
    view = memoryview(bytearray(LARGE))
    scattered = fetched([b"tiny", LARGE, view, b"", LARGE], [])
    joined = fetched(b"tiny" + LARGE * 3, b"")
    parts = fetch.encode_response_parts(scattered, version)
    assert b"".join(parts) == fetch.encode_response(joined, version)
    assert sum(part is LARGE for part in parts) == 2
    assert any(part is view for part in parts)
    assert all(len(part) for part in parts)


@pytest.mark.parametrize("version", range(3, 14))
def test_produced_records_are_views_of_the_buffer(version):
    request = produce.ProduceRequest(
        topic_data=[
            produce.TopicProduceData(name="t", partition_data=[produce.PartitionProduceData(index=3, records=LARGE)])
        ]
    )
    buffer = bytearray(produce.encode_request(request, version))
    decoded = produce.decode_request(memoryview(buffer), 0, version)
    records = decoded.topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    assert records == LARGE
    assert records.obj is buffer
    records[0] = 0
    assert b"\x00" + LARGE[1:] in buffer
