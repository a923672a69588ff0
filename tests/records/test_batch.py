"""The header of a batch: what a producer may send, and what the broker writes into it."""

from __future__ import annotations

import struct

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from fleuve.base.errors import FleuveError
from fleuve.records import batch as layout
from fleuve.records.batch import (
    HEADER_SIZE_BYTES,
    check_batch,
    check_produced,
    check_timestamps,
    empty_batch,
    patch,
    read_header,
    stamp_log_append_time,
    walk,
)
from fleuve.records.errors import (
    CorruptBatch,
    CorruptStoredBatch,
    InvalidRecord,
    InvalidTimestamp,
    UnsupportedCompression,
    UnsupportedMagic,
)
from fleuve.records.record import Record
from support.batches import NOW_MS, batch, built

KEYED = batch(b"a", b"b", b"c", key=b"k")


def changed(original: bytes | bytearray, *fields: tuple[int, str, int], crc: bool = True) -> memoryview:
    """Return a copy with other header fields, each (position, struct format, value), and a CRC that fits."""
    copy = bytearray(original)
    for position, form, value in fields:
        struct.pack_into(form, copy, position, value)
    if crc:
        struct.pack_into(">I", copy, 17, crc32c(bytes(copy[21:])))
    return memoryview(copy)


def test_a_sound_batch_is_described_by_its_header():
    sound = batch(b"a", b"b", producer_id=7, producer_epoch=1, base_sequence=40, attributes=layout.TRANSACTIONAL_BIT)
    header = check_produced(memoryview(sound))
    assert header.size_bytes == len(sound)
    assert header.records_count == 2
    assert header.last_offset_delta == 1
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (7, 1, 40)
    assert (header.base_timestamp, header.max_timestamp) == (NOW_MS, NOW_MS)
    assert layout.is_transactional(header.attributes)
    assert not layout.is_control(header.attributes)
    assert not layout.is_log_append_time(header.attributes)
    assert layout.compression(header.attributes) == 0


def test_a_batch_is_checked_where_it_stands_in_a_larger_buffer():
    frame = memoryview(b"before" + KEYED + b"after")
    assert check_batch(frame, 6, len(frame)).size_bytes == len(KEYED)
    assert check_batch(frame, 6, 6 + len(KEYED)) == check_produced(memoryview(KEYED))


@pytest.mark.parametrize("size_bytes", range(len(KEYED)))
def test_a_batch_cut_off_anywhere_is_no_batch(size_bytes):
    with pytest.raises(InvalidRecord):
        check_produced(memoryview(KEYED)[:size_bytes])


@pytest.mark.parametrize("position", range(layout.CRC_POSITION, len(KEYED)))
def test_one_changed_byte_under_the_checksum_is_found(position):
    damaged = bytearray(KEYED)
    damaged[position] ^= 0x10
    with pytest.raises(CorruptBatch, match="CRC-32C"):
        check_produced(memoryview(damaged))


@pytest.mark.parametrize("magic", [0, 1])
def test_the_old_formats_are_refused_by_name(magic):
    with pytest.raises(UnsupportedMagic, match=f"message format {magic} is not supported"):
        check_produced(changed(KEYED, (16, ">b", magic)))
    with pytest.raises(UnsupportedMagic):  # Their smallest message is shorter than a batch's header.
        check_produced(changed(KEYED, (16, ">b", magic), (8, ">i", 14), crc=False)[:26])


@pytest.mark.parametrize("magic", [3, -1])
def test_an_unknown_magic_is_corrupt(magic):
    with pytest.raises(CorruptBatch):
        check_produced(changed(KEYED, (16, ">b", magic)))


@pytest.mark.parametrize("length", [-(2**31), -20, -1, 0, 20, HEADER_SIZE_BYTES - 13])
def test_a_length_below_the_header_is_corrupt(length):
    with pytest.raises(CorruptBatch):
        check_produced(changed(KEYED, (8, ">i", length)))


@pytest.mark.parametrize(
    ("fields", "expected", "text"),
    [
        ([(0, ">q", 5)], InvalidRecord, "base offset"),
        ([(23, ">i", 7)], InvalidRecord, "last offset delta 7"),
        ([(23, ">i", -1)], InvalidRecord, "last offset delta -1"),
        ([(57, ">i", 0), (23, ">i", -1)], InvalidRecord, "0 records"),
        ([(57, ">i", -3), (23, ">i", -4)], InvalidRecord, "-3 records"),
        ([(57, ">i", 2**31 - 1), (23, ">i", 2**31 - 2)], InvalidRecord, "cannot be in a batch"),
        ([(21, ">h", 5)], UnsupportedCompression, "code 5"),
        ([(21, ">h", 7)], UnsupportedCompression, "code 7"),
        ([(21, ">h", layout.CONTROL_BIT)], InvalidRecord, "control"),
        ([(21, ">h", layout.LOG_APPEND_TIME_BIT)], InvalidTimestamp, "LogAppendTime"),
        ([(21, ">h", layout.TRANSACTIONAL_BIT)], InvalidRecord, "transactional"),
        ([(43, ">q", 9), (51, ">h", 0)], InvalidRecord, "sequence number -1"),
        ([(43, ">q", 9), (53, ">i", 0)], InvalidRecord, "epoch -1"),
    ],
)
def test_a_lie_under_a_good_checksum_is_refused(fields, expected, text):
    with pytest.raises(expected, match=text):
        check_produced(changed(KEYED, *fields))


@pytest.mark.parametrize("attributes", [0x40, -(2**15)])
def test_unused_attribute_bits_are_accepted_as_kafka_accepts_them(attributes):
    assert check_produced(changed(KEYED, (21, ">h", attributes))).attributes == attributes


def test_any_negative_producer_id_is_none():
    assert check_produced(changed(KEYED, (43, ">q", -5))).producer_id == -5


def test_what_a_broker_wrote_may_be_a_marker_at_any_offset():
    marker = batch(b"x", key=b"k", attributes=layout.CONTROL_BIT, base_offset=12)
    header = check_batch(memoryview(marker), 0, len(marker), control_allowed=True)
    assert layout.is_control(header.attributes)
    assert header.base_offset == 12


def test_a_second_batch_is_refused():
    with pytest.raises(InvalidRecord, match="exactly one"):
        check_produced(memoryview(KEYED + KEYED))


@pytest.mark.parametrize("rest", [b"12345", bytes(KEYED[:-1])])
def test_the_beginning_of_a_second_batch_is_ignored(rest):
    assert check_produced(memoryview(bytes(KEYED) + rest)).size_bytes == len(KEYED)


@pytest.mark.parametrize("rest", [bytes(20), b"\xff" * 30])
def test_garbage_behind_the_batch_is_corrupt(rest):
    with pytest.raises(CorruptBatch):
        check_produced(memoryview(bytes(KEYED) + rest))


def test_nothing_at_all_is_no_batch():
    with pytest.raises(InvalidRecord, match="at least one"):
        check_produced(memoryview(b""))


@given(garbage=st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else(garbage):
    with pytest.raises(FleuveError):
        check_produced(memoryview(garbage))


@given(position=st.integers(0, HEADER_SIZE_BYTES - 1), data=st.binary(min_size=1, max_size=12))
def test_a_hostile_header_with_a_good_checksum_is_accepted_or_refused(position, data):
    hostile = bytearray(KEYED)
    hostile[position : position + len(data)] = data
    hostile[16] = 2
    try:
        header = check_produced(changed(hostile))
    except FleuveError:
        return
    assert header.records_count == header.last_offset_delta + 1
    assert HEADER_SIZE_BYTES <= header.size_bytes <= len(hostile)


def test_offset_and_leader_epoch_are_patched_without_touching_the_checksum():
    frame = bytearray(b"xx") + KEYED
    patch(frame, 2, 2**40, 17)
    header = check_batch(memoryview(frame), 2, len(frame), control_allowed=True)
    assert (header.base_offset, header.leader_epoch) == (2**40, 17)
    assert frame[2 + layout.CRC_POSITION :] == KEYED[layout.CRC_POSITION :]


def test_log_append_time_is_stamped_with_a_new_checksum():
    frame = bytearray(b"xx") + batch(b"a", compression=4) + bytearray(b"behind")
    stamp_log_append_time(memoryview(frame), 2, NOW_MS + 5)
    header = check_batch(memoryview(frame), 2, len(frame), control_allowed=True)
    assert layout.is_log_append_time(header.attributes)
    assert layout.compression(header.attributes) == 4
    assert (header.base_timestamp, header.max_timestamp) == (NOW_MS, NOW_MS + 5)
    assert frame.endswith(b"behind")
    frame += b"!"  # No view of the buffer is left behind.


def test_walking_finds_each_batch():
    first = batch(b"a", b"b")
    second = empty_batch(2, 9, 3, max_timestamp=5)
    third = batch(b"c", base_offset=10)
    log = bytes(first + second + third)
    assert list(walk(memoryview(log), 0, len(log))) == [
        (0, len(first), 0, 1, NOW_MS),
        (len(first), 61, 2, 7, 5),
        (len(first) + 61, len(third), 10, 0, NOW_MS),
    ]


@pytest.mark.parametrize("cut", [1, 60, 61, len(KEYED) - 1])
def test_walking_finds_a_cut_off_end(cut):
    log = bytes(KEYED + KEYED[:cut])
    steps = walk(log, 0, len(log))
    next(steps)
    with pytest.raises(CorruptStoredBatch):
        next(steps)


@given(garbage=st.binary(min_size=1, max_size=200))
def test_walking_and_reading_garbage_raises_and_nothing_else(garbage):
    with pytest.raises(CorruptStoredBatch):
        list(walk(garbage, 0, len(garbage)))
    with pytest.raises(CorruptStoredBatch):
        read_header(garbage)


def test_an_empty_batch_keeps_offsets_and_the_producers_state():
    empty = empty_batch(
        5,
        5 + layout.OFFSET_DELTA_MAX,
        2,
        producer_id=7,
        producer_epoch=1,
        base_sequence=4,
        attributes=layout.TRANSACTIONAL_BIT | 4,
        max_timestamp=NOW_MS,
    )
    header = read_header(empty)
    assert header == layout.BatchHeader(
        size_bytes=61,
        last_offset_delta=layout.OFFSET_DELTA_MAX,
        attributes=layout.TRANSACTIONAL_BIT,
        base_timestamp=-1,
        max_timestamp=NOW_MS,
        producer_id=7,
        producer_epoch=1,
        base_sequence=4,
        records_count=0,
        base_offset=5,
        leader_epoch=2,
    )
    assert struct.unpack_from(">I", empty, 17) == (crc32c(empty[21:]),)


def test_times_out_of_range_are_refused():
    header = read_header(built([Record(0, 0, None, b"a"), Record(1, 10, None, b"b")]))
    check_timestamps(header, now_ms=NOW_MS + 5, before_max_ms=5, after_max_ms=5)
    with pytest.raises(InvalidTimestamp, match=str(NOW_MS)):
        check_timestamps(header, now_ms=NOW_MS + 5, before_max_ms=4, after_max_ms=5)
    with pytest.raises(InvalidTimestamp, match=str(NOW_MS + 10)):
        check_timestamps(header, now_ms=NOW_MS + 5, before_max_ms=5, after_max_ms=4)


def test_records_without_a_time_are_never_out_of_range():
    header = read_header(batch(b"a", base_timestamp=-1))
    check_timestamps(header, now_ms=NOW_MS, before_max_ms=0, after_max_ms=0)
