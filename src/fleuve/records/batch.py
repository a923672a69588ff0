"""The header of a record batch: check, walk, patch, and make an empty one.

The batch (Kafka's message format 2, KIP-98), all numbers big-endian:

     0  base offset            int64    written by the broker        ┐
     8  batch length           int32    of what follows this field   │ outside
    12  partition leader epoch int32    written by the broker        │ the CRC
    16  magic                  int8     2                            │
    17  CRC-32C                uint32   of everything behind it      ┘
    21  attributes             int16    bits 0-2 compression, 3 timestamp type, 4 transactional, 5 control
    23  last offset delta      int32
    27  base timestamp         int64    of the first record
    35  max timestamp          int64
    43  producer id            int64    -1: not idempotent
    51  producer epoch         int16
    53  base sequence          int32
    57  records count          int32
    61  records, compressed as the attributes say

This is the hot path of Produce and Fetch: module-level functions over buffers and ints, one unpacking for
each batch, nothing for each record. `benchmarks/micro/records.py` measures it. Decoding records is
`record.py`'s business; a size limit is the caller's, who knows the topic.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple, NoReturn

from crc32c import crc32c

from fleuve.records.errors import (
    CorruptBatch,
    CorruptStoredBatch,
    InvalidRecord,
    InvalidTimestamp,
    UnsupportedCompression,
    UnsupportedMagic,
)

MAGIC: Final = 2
HEADER_SIZE_BYTES: Final = 61
LENGTH_OVERHEAD_BYTES: Final = 12
"""Base offset and batch length: what the batch length does not count."""
LEGACY_SIZE_BYTES_MIN: Final = 26
"""The smallest message of formats 0 and 1: a smaller size is no message of any format."""
LEADER_EPOCH_POSITION: Final = 12
MAGIC_POSITION: Final = 16
CRC_POSITION: Final = 17
ATTRIBUTES_POSITION: Final = 21
"""Here begins what the CRC covers."""
MAX_TIMESTAMP_POSITION: Final = 35

COMPRESSION_MASK: Final = 0x07
LOG_APPEND_TIME_BIT: Final = 0x08
TRANSACTIONAL_BIT: Final = 0x10
CONTROL_BIT: Final = 0x20
COMPRESSION_CODE_MAX: Final = 4
RECORD_SIZE_BYTES_MIN: Final = 7
"""A record without key, value and headers."""
OFFSET_DELTA_MAX: Final = 2**31 - 1
"""A batch cannot span more offsets than this."""

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_unpack_header: Final = _HEADER.unpack_from
_unpack_walked: Final = struct.Struct(">qi4xb6xi8xq").unpack_from
_LENGTH: Final = struct.Struct(">i")
_OFFSET: Final = struct.Struct(">q")
_CRC: Final = struct.Struct(">I")
_ATTRIBUTES: Final = struct.Struct(">h")
_pack_offset: Final = _OFFSET.pack_into
_pack_epoch: Final = _LENGTH.pack_into

assert _HEADER.size == HEADER_SIZE_BYTES


class BatchHeader(NamedTuple):
    """What a checked batch's header says. Read `attributes` with this module's functions."""

    size_bytes: int
    """The whole batch, header included."""
    last_offset_delta: int
    attributes: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    """-1: not idempotent; then epoch and sequence mean nothing."""
    producer_epoch: int
    base_sequence: int
    records_count: int
    base_offset: int
    leader_epoch: int


def compression(attributes: int) -> int:
    """Return the compression code; its names are `compression.Compression`."""
    return attributes & COMPRESSION_MASK


def is_log_append_time(attributes: int) -> bool:
    """Return whether the max timestamp is the broker's and counts for every record."""
    return attributes & LOG_APPEND_TIME_BIT != 0


def is_transactional(attributes: int) -> bool:
    """Return whether the batch is part of a transaction."""
    return attributes & TRANSACTIONAL_BIT != 0


def is_control(attributes: int) -> bool:
    """Return whether the batch holds a marker instead of a client's records."""
    return attributes & CONTROL_BIT != 0


def check_produced(records: memoryview) -> BatchHeader:
    """Check one partition's records of a Produce request: exactly one sound batch. Return its header.

    As in Kafka, the beginning of a second batch that is cut off is no error; it is not part of `size_bytes`
    and must not be stored.
    Raises what `check_batch` raises, and InvalidRecord if there is no batch, or more than one.
    """
    end = len(records)
    if end < LENGTH_OVERHEAD_BYTES:
        raise InvalidRecord("a produce request must have at least one record batch for each partition")
    header = check_batch(records, 0, end)
    if header.size_bytes != end:
        _refuse_second_batch(records, header.size_bytes, end)
    return header


def check_batch(view: memoryview, position: int, end: int, *, control_allowed: bool = False) -> BatchHeader:
    """Check the client's batch that begins at `position` and must not pass `end`. Return its header.

    Checked are structure, checksum and the rules for what a client may write; the records themselves are not
    decoded. `control_allowed` is for batches that a broker wrote: markers, any base offset, LogAppendTime.

    Differs from Apache Kafka, which accepts a producer id with the epoch -1, resets a LogAppendTime bit on a
    CreateTime topic, and answers UNKNOWN_SERVER_ERROR to an unknown compression code.

    Raises CorruptBatch (structure, CRC), UnsupportedMagic (formats 0 and 1), UnsupportedCompression,
    InvalidTimestamp (LogAppendTime is the broker's to set) and InvalidRecord (everything else).
    """
    if end - position < HEADER_SIZE_BYTES:
        _refuse_structure(view, position, end)
    (
        base_offset,
        length,
        leader_epoch,
        magic,
        crc,
        attributes,
        last_offset_delta,
        base_timestamp,
        max_timestamp,
        producer_id,
        producer_epoch,
        base_sequence,
        records_count,
    ) = _unpack_header(view, position)
    size_bytes = length + LENGTH_OVERHEAD_BYTES
    if magic != MAGIC or size_bytes < HEADER_SIZE_BYTES or position + size_bytes > end:
        _refuse_structure(view, position, end)
    # The cheapest proof first: what fails here was damaged, and no other field of it can be believed.
    found = crc32c(view[position + ATTRIBUTES_POSITION : position + size_bytes])
    if found != crc:
        raise CorruptBatch(f"CRC-32C of the record batch is {found:#010x}, its header says {crc:#010x}")
    if (
        base_offset != 0
        or records_count < 1
        or last_offset_delta != records_count - 1
        or (producer_id >= 0 and (base_sequence < 0 or producer_epoch < 0))
        # Any bit but the compression code and "transactional" needs a closer look.
        or attributes & ~(TRANSACTIONAL_BIT | COMPRESSION_MASK)
        or attributes & COMPRESSION_MASK > COMPRESSION_CODE_MAX
        or (attributes & TRANSACTIONAL_BIT and producer_id < 0)
        or (not attributes & COMPRESSION_MASK and records_count * RECORD_SIZE_BYTES_MIN > size_bytes)
    ):
        _refuse_fields(_unpack_header(view, position), control_allowed=control_allowed)
    return tuple.__new__(
        BatchHeader,
        (
            size_bytes,
            last_offset_delta,
            attributes,
            base_timestamp,
            max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            records_count,
            base_offset,
            leader_epoch,
        ),
    )


def read_header(view: memoryview | bytes | bytearray, position: int = 0) -> BatchHeader:
    """Return the header of a stored batch, without checking more than that it is whole and of format 2.

    Raises CorruptStoredBatch.
    """
    there = len(view) - position
    if there < HEADER_SIZE_BYTES:
        raise CorruptStoredBatch(f"{there} bytes at {position} cannot hold a batch header")
    fields = _unpack_header(view, position)
    size_bytes, magic = fields[1] + LENGTH_OVERHEAD_BYTES, fields[3]
    if magic != MAGIC or not HEADER_SIZE_BYTES <= size_bytes <= there:
        raise CorruptStoredBatch(f"no whole batch at {position}: magic {magic}, size {size_bytes}, {there} bytes there")
    return BatchHeader._make((size_bytes, fields[6], fields[5], *fields[7:], fields[0], fields[2]))


def check_timestamps(header: BatchHeader, *, now_ms: int, before_max_ms: int, after_max_ms: int) -> None:
    """Check `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms` for a CreateTime topic.

    Differs from Apache Kafka: it decodes each record; here the header's base timestamp (the first record's)
    and max timestamp stand for all of them, so an early record behind the first one passes, and so does a
    header that lies. Raises InvalidTimestamp.
    """
    first, latest = header.base_timestamp, header.max_timestamp
    if first >= 0 and now_ms - first > before_max_ms:
        refused = first
    elif latest >= 0 and latest - now_ms > after_max_ms:
        refused = latest
    else:
        return
    raise InvalidTimestamp(
        f"timestamp {refused} is out of range: it should be within [{now_ms - before_max_ms}, {now_ms + after_max_ms}]"
    )


def patch(buffer: bytearray | memoryview, position: int, base_offset: int, leader_epoch: int) -> None:
    """Write what a partition gives to the batch at `position`, in place. Both fields are outside the CRC."""
    _pack_offset(buffer, position, base_offset)
    _pack_epoch(buffer, position + LEADER_EPOCH_POSITION, leader_epoch)


def stamp_log_append_time(buffer: bytearray | memoryview, position: int, timestamp_ms: int) -> None:
    """Make the checked batch at `position` one of LogAppendTime `timestamp_ms`, in place, with a new CRC."""
    (length,) = _LENGTH.unpack_from(buffer, position + 8)
    (attributes,) = _ATTRIBUTES.unpack_from(buffer, position + ATTRIBUTES_POSITION)
    _ATTRIBUTES.pack_into(buffer, position + ATTRIBUTES_POSITION, attributes | LOG_APPEND_TIME_BIT)
    _pack_offset(buffer, position + MAX_TIMESTAMP_POSITION, timestamp_ms)
    _write_crc(buffer, position, length + LENGTH_OVERHEAD_BYTES)


def walk(view: memoryview | bytes | bytearray, start: int, end: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (position, size in bytes, base offset, last offset delta, max timestamp) of each stored batch.

    Batches must fill `start` … `end` exactly. Checksums are not checked. Raises CorruptStoredBatch.
    """
    position = start
    while position < end:
        there = end - position
        if there < HEADER_SIZE_BYTES:
            raise CorruptStoredBatch(f"{there} bytes at {position} cannot hold a batch header")
        base_offset, length, magic, last_offset_delta, max_timestamp = _unpack_walked(view, position)
        size_bytes = length + LENGTH_OVERHEAD_BYTES
        if magic != MAGIC or last_offset_delta < 0 or not HEADER_SIZE_BYTES <= size_bytes <= there:
            raise CorruptStoredBatch(
                f"no whole batch at {position}: magic {magic}, size {size_bytes}, {there} bytes there, "
                f"last offset delta {last_offset_delta}"
            )
        yield position, size_bytes, base_offset, last_offset_delta, max_timestamp
        position += size_bytes


def empty_batch(
    base_offset: int,
    last_offset: int,
    leader_epoch: int,
    *,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    attributes: int = 0,
    max_timestamp: int = -1,
) -> bytes:
    """Return a batch without records over `base_offset` … `last_offset`, as Kafka's cleaner leaves them.

    Consumers step over it. Of `attributes` the compression code is dropped: nothing is compressed.
    """
    assert 0 <= base_offset <= last_offset
    assert last_offset - base_offset <= OFFSET_DELTA_MAX
    batch = bytearray(HEADER_SIZE_BYTES)
    write_header(
        batch,
        0,
        BatchHeader(
            size_bytes=HEADER_SIZE_BYTES,
            last_offset_delta=last_offset - base_offset,
            attributes=attributes & ~COMPRESSION_MASK,
            base_timestamp=-1,
            max_timestamp=max_timestamp,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            base_sequence=base_sequence,
            records_count=0,
            base_offset=base_offset,
            leader_epoch=leader_epoch,
        ),
    )
    return bytes(batch)


def write_header(buffer: bytearray | memoryview, position: int, header: BatchHeader) -> None:
    """Write `header` in front of the records that already stand behind it, and the CRC over both."""
    _HEADER.pack_into(
        buffer,
        position,
        header.base_offset,
        header.size_bytes - LENGTH_OVERHEAD_BYTES,
        header.leader_epoch,
        MAGIC,
        0,
        header.attributes,
        header.last_offset_delta,
        header.base_timestamp,
        header.max_timestamp,
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
        header.records_count,
    )
    _write_crc(buffer, position, header.size_bytes)


def _write_crc(buffer: bytearray | memoryview, position: int, size_bytes: int) -> None:
    # The view must not outlive this function: a bytearray cannot grow while one exists.
    with memoryview(buffer) as view, view[position + ATTRIBUTES_POSITION : position + size_bytes] as covered:
        crc = crc32c(covered)
    _CRC.pack_into(buffer, position + CRC_POSITION, crc)


def _refuse_structure(view: memoryview, position: int, end: int) -> NoReturn:
    """Say what is wrong with bytes that are no whole batch of format 2.

    The order of the checks and the kinds of error are Kafka's: a batch cut off is no batch, not a corrupt one.
    """
    there = end - position
    if there > MAGIC_POSITION:
        (length,) = _LENGTH.unpack_from(view, position + 8)
        size_bytes = length + LENGTH_OVERHEAD_BYTES
        magic = view[position + MAGIC_POSITION]
        if magic > MAGIC:
            raise CorruptBatch(f"magic {magic} in a record batch, 2 was expected")
        if magic < MAGIC:
            raise UnsupportedMagic(
                f"message format {magic} is not supported: record batches must have magic 2 (KIP-724)"
            )
        if size_bytes < HEADER_SIZE_BYTES:
            raise CorruptBatch(f"a record batch says it has {size_bytes} bytes, its header alone takes 61")
        raise InvalidRecord(f"a record batch says it has {size_bytes} bytes, {there} are there")
    raise InvalidRecord(f"{there} bytes cannot hold a record batch")


def _refuse_second_batch(records: memoryview, position: int, end: int) -> None:
    """Refuse what follows the first batch, unless it is the beginning of a batch that is cut off."""
    there = end - position
    if there <= MAGIC_POSITION:
        return
    (length,) = _LENGTH.unpack_from(records, position + 8)
    magic = records[position + MAGIC_POSITION]
    if magic > MAGIC or length + LENGTH_OVERHEAD_BYTES < LEGACY_SIZE_BYTES_MIN:
        raise CorruptBatch(f"no record batch follows the first one: magic {magic}, length {length}")
    if length + LENGTH_OVERHEAD_BYTES <= there:
        raise InvalidRecord("a produce request must have exactly one record batch for each partition")


def _refuse_fields(fields: tuple[int, ...], *, control_allowed: bool) -> None:
    """Say which field of a batch with a good checksum a client may not send, if one is."""
    base_offset, attributes, last_offset_delta = fields[0], fields[5], fields[6]
    producer_id, producer_epoch, base_sequence, records_count = fields[9:]
    code = attributes & COMPRESSION_MASK
    if base_offset != 0 and not control_allowed:
        raise InvalidRecord(f"the base offset of a produced batch must be 0, it is {base_offset}")
    if code > COMPRESSION_CODE_MAX:
        raise UnsupportedCompression(f"compression code {code} is unknown, 0 to 4 are known")
    if records_count < 1 or last_offset_delta != records_count - 1:
        raise InvalidRecord(f"last offset delta {last_offset_delta} does not fit {records_count} records")
    # A cheap bound on what a lie can do to the offsets; inside compressed records nobody looks.
    if not code and records_count * RECORD_SIZE_BYTES_MIN > fields[1] + LENGTH_OVERHEAD_BYTES:
        raise InvalidRecord(f"{records_count} records cannot be in a batch of {fields[1]} bytes")
    if attributes & CONTROL_BIT and not control_allowed:
        raise InvalidRecord("clients are not allowed to write control records")
    if producer_id >= 0 and base_sequence < 0:
        raise InvalidRecord(f"producer id {producer_id} with the sequence number {base_sequence}")
    if producer_id >= 0 and producer_epoch < 0:
        raise InvalidRecord(f"producer id {producer_id} with the epoch {producer_epoch}")
    if producer_id < 0 and attributes & TRANSACTIONAL_BIT:
        raise InvalidRecord("a transactional batch must have a producer id")
    if attributes & LOG_APPEND_TIME_BIT and not control_allowed:
        raise InvalidTimestamp("producers must not set the timestamp type LogAppendTime")
