"""Whatever the bytes are, a decoder gives a message or DecodeError, and allocates in proportion to the bytes."""

from __future__ import annotations

import importlib
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleuve.wire.apis import APIS
from fleuve.wire.errors import DecodeError
from fleuve.wire.generated import describe_log_dirs, fetch, list_groups, metadata, offset_commit, produce
from fleuve.wire.header import decode_request_header
from fleuve.wire.primitives import ELEMENTS_MAX, uvarint
from support.kio_messages import kio_bytes, kio_class, kio_messages

CASES = [
    pytest.param(api.module, version, id=f"{api.module}-v{version}")
    for api in APIS.values()
    for version in range(api.version_min, api.version_max + 1)
]
QUICK = settings(max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def decode(name, side, raw, version):
    module = importlib.import_module(f"fleuve.wire.generated.{name}")
    return getattr(module, f"decode_{side}")(memoryview(raw), 0, version)


@pytest.mark.parametrize(("name", "version"), CASES)
@QUICK
@given(garbage=st.binary(max_size=120), side=st.sampled_from(["request", "response"]))
def test_garbage_is_a_message_or_a_decode_error_and_nothing_else(name, version, garbage, side):
    try:
        decode(name, side, garbage, version)
    except DecodeError:
        pass


@pytest.mark.parametrize(("name", "version"), CASES)
@QUICK
@given(data=st.data())
def test_a_damaged_message_is_a_message_or_a_decode_error_and_nothing_else(name, version, data):
    raw = bytearray(kio_bytes(data.draw(kio_messages(kio_class(name, version, "request")))))
    for _ in range(data.draw(st.integers(1, 3))):
        if raw:
            at = data.draw(st.integers(0, len(raw) - 1))
            raw[at : at + 1] = data.draw(st.sampled_from([b"\xff", b"\x80", b"\x7f", b"\x00", b"\xff\xff\xff\xff\x0f"]))
    try:
        decode(name, "request", raw, version)
    except DecodeError:
        pass


@pytest.mark.parametrize(("name", "version"), CASES)
@QUICK
@given(data=st.data())
def test_a_truncated_message_is_a_decode_error(name, version, data):
    raw = kio_bytes(data.draw(kio_messages(kio_class(name, version, "request"))))
    if raw:
        with pytest.raises(DecodeError):
            decode(name, "request", raw[: data.draw(st.integers(0, len(raw) - 1))], version)


@pytest.mark.parametrize("version", [-1, 0, 2, 14, 32767])
def test_a_version_the_schema_lacks_is_a_decode_error(version):
    with pytest.raises(DecodeError, match=f"no version {version}"):
        produce.decode_request(memoryview(bytes(100)), 0, version)


FETCH_V12_HEAD = bytes(25)


@pytest.mark.parametrize(
    "length", [b"\xff\xff\xff\xff\x0f", b"\xff\xff\xff\xff\x07", b"\x80\x80\x80\x80\x01", b"\xff" * 9]
)
def test_a_hostile_array_length_allocates_nothing(length):
    # The request that makes other codecs ask for 34 GB.
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            fetch.decode_request(memoryview(FETCH_V12_HEAD + length), 0, 12)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_nested_lengths_may_not_claim_more_elements_than_there_are_bytes():
    # Two topics, each claiming all the bytes behind it: every length alone would be plausible.
    topic = b"\x02t" + b"\x65" + bytes(20)
    with pytest.raises(DecodeError, match="more elements"):
        offset_commit.decode_request(memoryview(b"\x02g" + bytes(4) + b"\x01" + b"\x01" + b"\x03" + topic * 2), 0, 8)


def test_the_elements_of_one_message_are_bounded():
    count = ELEMENTS_MAX + 1
    raw = memoryview(uvarint(count + 1) + b"\x01" * count + bytes(2))
    with pytest.raises(DecodeError, match="more elements"):
        list_groups.decode_request(raw, 0, 4)


def test_an_array_of_numbers_may_not_reach_past_the_end():
    with pytest.raises(DecodeError):
        describe_log_dirs.decode_request(memoryview(b"\x02\x02t\x09" + bytes(12)), 0, 2)


@pytest.mark.parametrize(("version", "raw"), [(9, b"\x02\x02\xff\x00\x00\x00\x00\x00"), (4, b"\0\0\0\1\0\1\xff\0")])
def test_text_that_is_not_utf8_is_replaced_as_kafka_does(version, raw):
    request = metadata.decode_request(memoryview(raw), 0, version)
    assert [topic.name for topic in request.topics or []] == ["\ufffd"]


def test_a_client_id_that_is_not_utf8_is_replaced():
    header, _ = decode_request_header(memoryview(b"\0\3\0\1\0\0\0\1\0\2\xfcx"))
    assert header.client_id == "\ufffdx"


def test_bytes_behind_the_message_are_ignored_as_kafka_does():
    raw = metadata.encode_request(metadata.MetadataRequest(topics=None), 9)
    assert metadata.decode_request(memoryview(raw + b"more"), 0, 9) == metadata.decode_request(memoryview(raw), 0, 9)


def test_unknown_tagged_fields_are_skipped_at_every_depth():
    tags = b"\x02\x63\x03abc\x81\x01\x01z"  # tags 99 and 129
    request = fetch.FetchRequest(
        topics=[fetch.FetchTopic(topic="t", partitions=[fetch.FetchPartition(partition=1, fetch_offset=7)])]
    )
    raw = fetch.encode_request(request, 12)
    # Empty tag sections: behind the partition, behind the topic, and at the end.
    topics_at = raw.index(b"\x02\x02t\x02")
    partition_end = topics_at + 4 + 4 + 4 + 8 + 4 + 8 + 4
    assert raw[partition_end : partition_end + 2] == b"\x00\x00"
    changed = raw[:partition_end] + tags + tags + raw[partition_end + 2 : -1] + tags
    assert fetch.decode_request(memoryview(changed), 0, 12) == request


def test_a_tagged_field_is_neither_written_nor_read_in_a_version_without_it():
    endpoints = [produce.NodeEndpoint(node_id=1, host="h", port=9092)]
    response = produce.ProduceResponse(node_endpoints=endpoints)
    assert produce.encode_response(response, 9) == produce.encode_response(produce.ProduceResponse(), 9)
    with_field = produce.encode_response(response, 10)
    assert len(with_field) > len(produce.encode_response(response, 9))
    assert produce.decode_response(memoryview(with_field), 0, 10) == response
    assert produce.decode_response(memoryview(with_field), 0, 9) == produce.ProduceResponse()
