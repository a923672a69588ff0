"""Records inside a batch: decode, encode, and the few questions that need a look at each of them.

One record, behind a varint with its length (varints are zigzag, as in Protocol Buffers):

    attributes int8 · timestamp delta varlong · offset delta varint
    · key length varint, key · value length varint, value
    · headers count varint · { key length varint, key · value length varint, value } …

A negative length is null. All this is the producer's: a good checksum says nothing about it, so every length
is checked before it is believed. None of it is on the path of Produce or Fetch; callers run it off the event
loop when a batch is large. Batches here are whole and were checked (`batch.check_batch`) when they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, NoReturn

from fleuve.records import batch as layout
from fleuve.records.batch import BatchHeader, read_header
from fleuve.records.compression import Buffer, Compression, compress, decompress
from fleuve.records.errors import CorruptRecord, InvalidRecord, RecordError

Header = tuple[bytes, bytes | None]

_INT64_MAX: Final = 2**63 - 1
_RECORD_ERRORS_MAX: Final = 100
"""Records at fault that one refusal names. Kafka names all; a batch can have a million."""


class Record(NamedTuple):
    """One record, with its place and time relative to its batch."""

    offset_delta: int
    timestamp_delta: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()
    """Names are bytes: nobody promised that they are UTF-8."""


def payload_of(batch: Buffer, header: BatchHeader, *, size_bytes_max: int) -> memoryview:
    """Return the decompressed records of the batch. Raises CorruptRecord, also if they exceed `size_bytes_max`."""
    stored = memoryview(batch)[layout.HEADER_SIZE_BYTES : header.size_bytes]
    return decompress(layout.compression(header.attributes), stored, size_bytes_max=size_bytes_max)


def spans(payload: memoryview, header: BatchHeader) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (offset delta, timestamp delta, key length, position of the key, record's end) of each record.

    Keys, values and headers are not touched; a negative key length is null. Raises CorruptRecord.
    """
    # The one loop here that runs for each record of a batch somebody waits for: numbers of one byte, the usual
    # ones, are read in place, and bounds are checked once for all of a record's numbers.
    base_timestamp, last_offset_delta = header.base_timestamp, header.last_offset_delta
    position, end = 0, len(payload)
    if header.records_count < 0:
        _refuse(f"{header.records_count} records")
    try:
        for _ in range(header.records_count):
            number = payload[position]
            position += 1
            if number >= 0x80:
                number, position = _long_number(payload, position, number)
            record_end = position + ((number >> 1) ^ -(number & 1))
            # The attributes byte has no meaning yet.
            number = payload[position + 1]
            position += 2
            if number >= 0x80:
                number, position = _long_number(payload, position, number)
            timestamp_delta = (number >> 1) ^ -(number & 1)
            number = payload[position]
            position += 1
            if number >= 0x80:
                number, position = _long_number(payload, position, number)
            offset_delta = (number >> 1) ^ -(number & 1)
            number = payload[position]
            position += 1
            if number >= 0x80:
                number, position = _long_number(payload, position, number)
            key_length = (number >> 1) ^ -(number & 1)
            if position > record_end or record_end > end or key_length > record_end - position:
                _refuse(f"a key of {key_length} bytes at {position} in a record to {record_end} of {end}")
            if not 0 <= offset_delta <= last_offset_delta:
                _refuse(f"offset delta {offset_delta}, the batch's last one is {last_offset_delta}")
            if not -_INT64_MAX <= base_timestamp + timestamp_delta <= _INT64_MAX:
                _refuse(f"timestamp delta {timestamp_delta} leaves the range of timestamps")
            yield offset_delta, timestamp_delta, key_length, position, record_end
            position = record_end
    except IndexError:
        _refuse(f"they are cut off after {end} bytes")
    if position != end:
        _refuse(f"{end - position} bytes behind the last one of {header.records_count} records")


def decode(batch: Buffer, *, size_bytes_max: int) -> Iterator[Record]:
    """Yield the records of a whole stored batch.

    `size_bytes_max` bounds what the payload may become. Raises CorruptStoredBatch if the header is none, and
    CorruptRecord when the first record is reached that cannot be decoded.
    """
    header = read_header(memoryview(batch))
    payload = payload_of(batch, header, size_bytes_max=size_bytes_max)
    for offset_delta, timestamp_delta, key_length, position, end in spans(payload, header):
        key, position = _taken(payload, position, key_length, end)
        value_length, position = _varint(payload, position, end)
        value, position = _taken(payload, position, value_length, end)
        headers, position = _headers(payload, position, end)
        if position != end:
            _refuse(f"{end - position} bytes behind a record's headers")
        yield Record(offset_delta, timestamp_delta, key, value, headers)


def keyless_records(batch: Buffer, *, size_bytes_max: int) -> tuple[int, list[int]]:
    """Return how many records of the batch have no key, and the indexes of the first ones. Raises CorruptRecord."""
    header = read_header(memoryview(batch))
    payload = payload_of(batch, header, size_bytes_max=size_bytes_max)
    keyless = (index for index, span in enumerate(spans(payload, header)) if span[2] < 0)
    first = list(islice(keyless, _RECORD_ERRORS_MAX))
    # A few bytes can become millions of records: they are counted, not listed.
    return len(first) + sum(1 for _ in keyless), first


def check_keys(batch: Buffer, *, size_bytes_max: int) -> None:
    """Check that each record has a key, as a compacted topic wants it. Raises InvalidRecord, naming the records."""
    count, first = keyless_records(batch, size_bytes_max=size_bytes_max)
    if count:
        raise InvalidRecord(
            f"{count} records of the batch have no key, which a compacted topic cannot accept",
            [RecordError(index, "Compacted topic cannot accept message without key") for index in first],
        )


def offset_for_timestamp(
    batch: Buffer, timestamp: int, *, size_bytes_max: int, offset_first: int = 0
) -> tuple[int, int] | None:
    """Return (offset, timestamp) of the first record that is not older than `timestamp`, if the batch has one.

    Records below `offset_first` (the log's start may be inside a batch) do not count. Raises CorruptRecord if
    the records cannot be decoded.
    """
    header = read_header(memoryview(batch))
    if header.max_timestamp < timestamp:
        return None
    if _is_uniform(header):
        offset = max(header.base_offset, offset_first)
        last_offset = header.base_offset + header.last_offset_delta
        return (offset, header.max_timestamp) if offset <= last_offset else None
    for offset, found in _timestamps(batch, header, size_bytes_max):
        if found >= timestamp and offset >= offset_first:
            return offset, found
    return None


def max_timestamp_record(batch: Buffer, *, size_bytes_max: int) -> tuple[int, int] | None:
    """Return (offset, timestamp) of the first record with the latest timestamp (KIP-734); None if it is empty.

    Raises CorruptRecord if the records cannot be decoded.
    """
    header = read_header(memoryview(batch))
    if _is_uniform(header):
        return header.base_offset, header.max_timestamp
    latest: tuple[int, int] | None = None
    for offset, found in _timestamps(batch, header, size_bytes_max):
        if latest is None or found > latest[1]:
            latest = offset, found
    return latest


def build_batch(
    records: Iterable[Record],
    *,
    base_timestamp: int = 0,
    base_offset: int = 0,
    leader_epoch: int = -1,
    compression: int = Compression.NONE,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    attributes: int = 0,
    log_append_timestamp: int | None = None,
    last_offset_delta: int | None = None,
) -> bytes:
    """Return a whole batch of at least one record.

    `attributes` may hold the transactional and the control bit. With `log_append_timestamp` it becomes a batch
    of LogAppendTime. `last_offset_delta` is told for a batch that lost its last records to compaction.
    """
    payload = bytearray()
    count, latest, last = 0, -1, -1
    for record in records:
        _encode(payload, record)
        count += 1
        latest = max(latest, base_timestamp + record.timestamp_delta)
        last = record.offset_delta
    assert count > 0
    if log_append_timestamp is not None:
        attributes |= layout.LOG_APPEND_TIME_BIT
        latest = log_append_timestamp
    stored = compress(compression, payload)
    size_bytes = layout.HEADER_SIZE_BYTES + len(stored)
    batch = bytearray(size_bytes)
    batch[layout.HEADER_SIZE_BYTES :] = stored
    header = BatchHeader(
        size_bytes=size_bytes,
        last_offset_delta=last if last_offset_delta is None else last_offset_delta,
        attributes=attributes & ~layout.COMPRESSION_MASK | compression,
        base_timestamp=base_timestamp,
        max_timestamp=latest,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        records_count=count,
        base_offset=base_offset,
        leader_epoch=leader_epoch,
    )
    layout.write_header(batch, 0, header)
    return bytes(batch)


def _is_uniform(header: BatchHeader) -> bool:
    """Return whether all records have one timestamp and no offset is missing: no need to decompress them."""
    dense = header.records_count == header.last_offset_delta + 1
    return dense and layout.is_log_append_time(header.attributes)


def _timestamps(batch: Buffer, header: BatchHeader, size_bytes_max: int) -> Iterator[tuple[int, int]]:
    """Yield (offset, timestamp) of each record."""
    base_offset, base_timestamp = header.base_offset, header.base_timestamp
    log_append_time = layout.is_log_append_time(header.attributes)
    payload = payload_of(batch, header, size_bytes_max=size_bytes_max)
    for offset_delta, timestamp_delta, _, _, _ in spans(payload, header):
        timestamp = header.max_timestamp if log_append_time else base_timestamp + timestamp_delta
        yield base_offset + offset_delta, timestamp


def _headers(payload: memoryview, position: int, end: int) -> tuple[tuple[Header, ...], int]:
    count, position = _varint(payload, position, end)
    if count == 0:
        return (), position
    # Each header takes two bytes at least: a hostile count must not keep us busy.
    if not 0 <= count <= (end - position) // 2:
        _refuse(f"{count} headers in {end - position} bytes")
    headers: list[Header] = []
    for _ in range(count):
        key_length, position = _varint(payload, position, end)
        key, position = _taken(payload, position, key_length, end)
        value_length, position = _varint(payload, position, end)
        value, position = _taken(payload, position, value_length, end)
        if key is None:
            _refuse("a header without a name")
        headers.append((key, value))
    return tuple(headers), position


def _taken(payload: memoryview, position: int, length: int, end: int) -> tuple[bytes | None, int]:
    if length < 0:
        return None, position
    if length > end - position:
        _refuse(f"a field of {length} bytes, {end - position} are there")
    return bytes(payload[position : position + length]), position + length


def _varint(payload: memoryview, position: int, end: int) -> tuple[int, int]:
    """Return the zigzag number at `position` and the position behind it, which is not beyond `end`."""
    if position >= end:
        _refuse("a number is cut off")
    number = payload[position]
    position += 1
    if number >= 0x80:
        try:
            number, position = _long_number(payload, position, number)
        except IndexError:
            position = end + 1
        if position > end:
            _refuse("a number is cut off")
    return (number >> 1) ^ -(number & 1), position


def _long_number(payload: memoryview, position: int, first: int) -> tuple[int, int]:
    """Return the unsigned number whose first byte was `first`, and the position behind it; IndexError if cut off."""
    number, shift = first & 0x7F, 7
    while shift < 70:
        byte = payload[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    else:
        _refuse("a number has more than ten bytes")
    return number, position


def _encode(payload: bytearray, record: Record) -> None:
    body = bytearray(1)
    _put_varint(body, record.timestamp_delta)
    _put_varint(body, record.offset_delta)
    _put_bytes(body, record.key)
    _put_bytes(body, record.value)
    _put_varint(body, len(record.headers))
    for name, value in record.headers:
        _put_bytes(body, name)
        _put_bytes(body, value)
    _put_varint(payload, len(body))
    payload += body


def _put_bytes(output: bytearray, value: bytes | None) -> None:
    if value is None:
        _put_varint(output, -1)
    else:
        _put_varint(output, len(value))
        output += value


def _put_varint(output: bytearray, number: int) -> None:
    zigzag = (number << 1) ^ (number >> 63)
    while zigzag >= 0x80:
        output.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    output.append(zigzag)


def _refuse(what: str) -> NoReturn:
    raise CorruptRecord(f"records cannot be decoded: {what}")
