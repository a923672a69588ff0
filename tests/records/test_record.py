"""Records in their batch, against three other libraries, and against hostile bytes."""

from __future__ import annotations

import contextlib
import warnings

import pytest
from aiokafka.record.default_records import DefaultRecordBatch as AiokafkaBatch
from aiokafka.record.default_records import DefaultRecordBatchBuilder as AiokafkaBuilder
from hypothesis import given
from hypothesis import strategies as st
from kio.records.readers import read_batch as kio_read_batch

from fleuve.records import batch as layout
from fleuve.records.batch import check_produced, empty_batch, read_header, stamp_log_append_time
from fleuve.records.compression import Compression
from fleuve.records.errors import CorruptBatch, CorruptRecord, InvalidRecord, UnsupportedCompression
from fleuve.records.record import (
    Record,
    build_batch,
    check_keys,
    decode,
    keyless_records,
    max_timestamp_record,
    offset_for_timestamp,
)
from support.batches import NOW_MS, batch, built

with warnings.catch_warnings():
    # It reads its schemas in a way that Python 3.11 calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka.record.default_records import DefaultRecordBatch as KafkaPythonBatch
    from kafka.record.default_records import DefaultRecordBatchBuilder as KafkaPythonBuilder

SIZE_BYTES_MAX = 1 << 20

nullable = st.none() | st.binary(max_size=150)
headers = st.lists(st.tuples(st.text(max_size=9).map(str.encode), nullable), max_size=3).map(tuple)
contents = st.lists(st.tuples(st.integers(-(2**40), 2**40), nullable, nullable, headers), min_size=1, max_size=8).map(
    lambda rows: [Record(index, *row) for index, row in enumerate(rows)]
)
codes = st.sampled_from(Compression)


@given(contents=contents, code=codes)
def test_records_come_back(contents, code):
    made = build_batch(contents, base_timestamp=NOW_MS, compression=code)
    assert check_produced(memoryview(made)).records_count == len(contents)
    assert list(decode(made, size_bytes_max=SIZE_BYTES_MAX)) == contents


@given(contents=contents, code=codes)
def test_aiokafka_reads_what_we_build(contents, code):
    made = build_batch(contents, base_timestamp=NOW_MS, compression=code)
    theirs = AiokafkaBatch(made)
    assert theirs.validate_crc()
    assert [
        Record(r.offset, r.timestamp - NOW_MS, r.key, r.value, tuple((name.encode(), v) for name, v in r.headers))
        for r in theirs
    ] == contents


@given(contents=contents, code=st.sampled_from([Compression.NONE, Compression.GZIP]))
def test_kafka_python_reads_what_we_build(contents, code):
    theirs = KafkaPythonBatch(build_batch(contents, base_timestamp=NOW_MS, compression=code))
    assert theirs.validate_crc()
    assert [(r.offset, r.timestamp - NOW_MS, r.key, r.value) for r in theirs] == [c[:4] for c in contents]


@given(contents=contents)
def test_kio_reads_what_we_build(contents):
    made = build_batch(contents, base_timestamp=NOW_MS, base_offset=70, leader_epoch=4)
    theirs, size_bytes = kio_read_batch(made, 0)
    assert size_bytes == len(made)
    assert theirs.base_offset == 70
    assert theirs.partition_leader_epoch == 4
    assert [(r.offset - 70, r.key, r.value, tuple((h.key, h.value) for h in r.headers)) for r in theirs.records] == [
        (c.offset_delta, c.key, c.value, c.headers) for c in contents
    ]


@pytest.mark.parametrize("builder", [AiokafkaBuilder, KafkaPythonBuilder])
@given(contents=contents, code=codes)
def test_we_read_what_others_build(builder, contents, code):
    if builder is KafkaPythonBuilder and code > Compression.GZIP:
        code = Compression.GZIP  # The others need packages of their own.
    made = builder(2, code, 1, 9, 2, 30, 1 << 20)
    for index, record in enumerate(contents):
        named = [(name.decode(), value) for name, value in record.headers]
        made.append(index, NOW_MS + record.timestamp_delta, record.key, record.value, named)
    stored = bytes(made.build())
    header = check_produced(memoryview(stored))
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (9, 2, 30)
    assert layout.is_transactional(header.attributes)
    got = decode(stored, size_bytes_max=SIZE_BYTES_MAX)
    shift = header.base_timestamp - NOW_MS
    assert [record._replace(timestamp_delta=record.timestamp_delta + shift) for record in got] == contents


FULL = built([Record(0, 0, b"key", b"value", ((b"h", b"1"), (b"i", None))), Record(1, 300, None, None)])


def payload_replaced(payload: bytes, records_count: int = 2) -> bytearray:
    """Return FULL's header, with a checksum that fits, in front of another payload."""
    hostile = FULL[: layout.HEADER_SIZE_BYTES] + payload
    header = read_header(FULL)._replace(size_bytes=len(hostile), records_count=records_count)
    layout.write_header(hostile, 0, header)
    return hostile


def decoded(stored: bytes | bytearray) -> list[Record]:
    return list(decode(stored, size_bytes_max=SIZE_BYTES_MAX))


@pytest.mark.parametrize("size_bytes", range(len(FULL) - layout.HEADER_SIZE_BYTES))
def test_records_cut_off_anywhere_are_corrupt(size_bytes):
    payload = bytes(FULL[layout.HEADER_SIZE_BYTES :][:size_bytes])
    with pytest.raises(CorruptRecord):
        decoded(payload_replaced(payload))


@pytest.mark.parametrize("records_count", [-(2**31), -1, 0, 1, 3, 2**31 - 1])
def test_a_count_that_lies_is_corrupt(records_count):
    payload = bytes(FULL[layout.HEADER_SIZE_BYTES :])
    with pytest.raises(CorruptRecord):
        decoded(payload_replaced(payload, records_count))


@pytest.mark.parametrize(
    "payload",
    [
        b"\x01",  # length -1
        b"\xff\xff\xff\xff\x0f" + bytes(20),  # a length of 2 GiB
        b"\x80" * 11,  # a number that does not end
        b"\x0c\x00\x00\x00\x7e\x00\x00",  # a key longer than its record
        b"\x0c\x00\x00\x00\x01\x7e\x00",  # a value longer than its record
        b"\x0c\x00\x00\x00\x01\x01\x7e",  # 63 headers in no bytes
        b"\x0c\x00\x00\x00\x01\x01\x01",  # -1 headers
        b"\x10\x00\x00\x00\x01\x01\x02\x01\x01",  # a header without a name
        b"\x0e\x00\x00\x00\x01\x01\x00\x00",  # a byte behind the headers
        b"\x0c\x00\x00\x08\x01\x01\x00",  # an offset beyond the batch's last one
        b"\x0c\x00\x00\x01\x01\x01\x00",  # an offset before its first one
        b"\x1e\x00" + b"\xfe" + b"\xff" * 8 + b"\x01\x00\x01\x01\x00",  # a time out of range
    ],
)
def test_hostile_numbers_are_corrupt(payload):
    with pytest.raises(CorruptRecord):
        decoded(payload_replaced(payload, 1))


@given(payload=st.binary(max_size=60), records_count=st.integers(-5, 100), code=st.integers(0, 7))
def test_garbage_never_raises_anything_but_our_errors(payload, records_count, code):
    hostile = payload_replaced(payload, records_count)
    hostile[22] = code
    for question in (
        lambda: decoded(hostile),
        lambda: keyless_records(hostile, size_bytes_max=1000),
        lambda: offset_for_timestamp(hostile, NOW_MS + 1, size_bytes_max=1000),
        lambda: max_timestamp_record(hostile, size_bytes_max=1000),
    ):
        with contextlib.suppress(InvalidRecord, CorruptBatch, UnsupportedCompression):
            question()


def test_records_without_a_key_are_named():
    mixed = built([Record(i, 0, key, b"v") for i, key in enumerate([b"k", None, b"", None])])
    assert keyless_records(mixed, size_bytes_max=SIZE_BYTES_MAX) == (2, [1, 3])
    with pytest.raises(InvalidRecord) as refused:
        check_keys(mixed, size_bytes_max=SIZE_BYTES_MAX)
    assert [record.batch_index for record in refused.value.records] == [1, 3]
    check_keys(batch(b"a", key=b"k"), size_bytes_max=SIZE_BYTES_MAX)


def test_of_very_many_records_without_a_key_the_first_are_named():
    # A kilobyte of zstd may hold them.
    many = built([Record(index, 0, None, None) for index in range(5000)], compression=Compression.ZSTD)
    count, first = keyless_records(many, size_bytes_max=SIZE_BYTES_MAX)
    assert (count, first) == (5000, list(range(100)))
    with pytest.raises(InvalidRecord, match="5000 records") as refused:
        check_keys(many, size_bytes_max=SIZE_BYTES_MAX)
    assert len(refused.value.records) == 100


@pytest.mark.parametrize("code", Compression)
def test_a_time_is_found_to_the_record(code):
    # Times that go back and forth, as producers' clocks do.
    deltas = [0, 9, 9, 3, 20]
    timed = built([Record(i, d, None, b"v") for i, d in enumerate(deltas)], base_offset=100, compression=code)

    def asked(delta: int, offset_first: int = 0) -> tuple[int, int] | None:
        found = offset_for_timestamp(timed, NOW_MS + delta, size_bytes_max=SIZE_BYTES_MAX, offset_first=offset_first)
        return found and (found[0], found[1] - NOW_MS)

    assert asked(-1) == (100, 0)
    assert asked(0) == (100, 0)
    assert asked(1) == (101, 9)
    assert asked(1, offset_first=103) == (103, 3)
    assert asked(10) == (104, 20)
    assert asked(21) is None
    assert asked(0, offset_first=105) is None


def test_the_latest_record_is_the_first_of_its_time():
    timed = built([Record(i, d, None, b"v") for i, d in enumerate([0, 9, 9, 3])], base_offset=100)
    assert max_timestamp_record(timed, size_bytes_max=SIZE_BYTES_MAX) == (101, NOW_MS + 9)


def test_under_log_append_time_all_records_have_the_batchs_time():
    stamped = built([Record(0, 50, None, b"a"), Record(1, 0, None, b"b")], base_offset=10, compression=1)
    stamp_log_append_time(stamped, 0, NOW_MS + 7)
    assert max_timestamp_record(stamped, size_bytes_max=0) == (10, NOW_MS + 7)
    assert offset_for_timestamp(stamped, NOW_MS + 7, size_bytes_max=0) == (10, NOW_MS + 7)
    assert offset_for_timestamp(stamped, NOW_MS + 7, size_bytes_max=0, offset_first=11) == (11, NOW_MS + 7)
    assert offset_for_timestamp(stamped, NOW_MS + 7, size_bytes_max=0, offset_first=12) is None
    assert offset_for_timestamp(stamped, NOW_MS + 8, size_bytes_max=0) is None


def test_under_log_append_time_missing_offsets_are_not_answered():
    compacted = built([Record(3, 0, b"k", b"a")], log_append_timestamp=NOW_MS, last_offset_delta=5)
    assert max_timestamp_record(compacted, size_bytes_max=SIZE_BYTES_MAX) == (3, NOW_MS)
    assert offset_for_timestamp(compacted, 0, size_bytes_max=SIZE_BYTES_MAX) == (3, NOW_MS)


def test_an_empty_batch_answers_nothing():
    empty = empty_batch(5, 9, 0, max_timestamp=NOW_MS)
    assert decoded(empty) == []
    assert max_timestamp_record(empty, size_bytes_max=0) is None
    assert offset_for_timestamp(empty, 0, size_bytes_max=0) is None
