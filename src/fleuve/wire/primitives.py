"""The variable-length parts of Kafka's encoding that the generated codecs don't write out in line.

Hot path: functions over buffers and ints. A reader takes the position behind what the caller read already and
returns the next one. Readers may raise IndexError, struct.error or ValueError on short input; the codecs'
entry points turn those into `DecodeError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, pack
from struct import error as struct_error

from fleuve.wire.errors import DecodeError
from fleuve.wire.message import Buffer, ScatteredRecords

ELEMENTS_MAX = 1 << 20
"""Array elements that one message may hold in total. An element may take a single byte on the wire and a hundred
in memory, so the frame's size limit alone does not bound what a request makes us allocate."""

STRING_SIZE_BYTES_MAX = 0x7FFF
"""Kafka refuses longer strings, though the compact encoding could carry them."""

RECORDS_COPY_SIZE_BYTES_MAX = 512
"""Records up to this size are copied beside their neighbours: a buffer of their own costs more."""

_INT32_MAX = 0x7FFFFFFF

UVARINT: tuple[bytes, ...] = tuple(bytes((value,)) for value in range(128))
"""The unsigned varints of one byte."""

_COMPACT_INT32S = tuple(Struct(f">B{count}i").pack for count in range(9))
_INT32S = tuple(Struct(f">i{count}i").pack for count in range(9))
_write_size16 = Struct(">h").pack
_write_size32 = Struct(">i").pack

NULL_STRING = b"\xff\xff"
NULL_BYTES = b"\xff\xff\xff\xff"


# Reading


def read_uvarint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Read an unsigned varint of at most five bytes; return (value, next position)."""
    value = data[at]
    if value < 128:
        return value, at + 1
    return _uvarint_rest(data, at + 1, value)


def _uvarint_rest(data: bytes | memoryview, at: int, first: int) -> tuple[int, int]:
    value = first & 0x7F
    for shift in (7, 14, 21, 28):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 128:
            if value > _INT32_MAX:
                raise DecodeError(f"varint {value} is beyond 31 bits")
            return value, at
    raise DecodeError("varint is longer than 5 bytes")


def compact_size(data: bytes | memoryview, at: int, first: int) -> tuple[int, int]:
    """Finish a compact length that did not fit one byte; return (length + 1, next position).

    The caller has read the first byte, and it is not in 1..127. Zero means null, which is refused here.
    """
    if first == 0:
        raise DecodeError("null for a field that is not nullable")
    return _uvarint_rest(data, at, first)


def string_size(data: bytes | memoryview, at: int, first: int) -> tuple[int, int]:
    """Like `compact_size`, for a string, whose length Kafka bounds."""
    size, at = compact_size(data, at, first)
    if size > STRING_SIZE_BYTES_MAX + 1:
        raise DecodeError(f"string of {size - 1} bytes, the limit is {STRING_SIZE_BYTES_MAX}")
    return size, at


def null_refused() -> DecodeError:
    """Return the error for a negative legacy length where null is not allowed."""
    return DecodeError("null for a field that is not nullable")


def too_many() -> DecodeError:
    """Return the error for arrays that claim more elements than the message has bytes, or than we accept."""
    return DecodeError(f"arrays claim more elements than there are bytes, or more than {ELEMENTS_MAX}")


def overrun(at: int, size: int) -> DecodeError:
    """Return the error for a length that points past the end of the message."""
    return DecodeError(f"message ends at byte {size}, its lengths reach to byte {at}")


def skip_tags(data: bytes | memoryview, at: int, first: int) -> int:
    """Skip a section of tagged fields; `first` is the first byte of their count. Return the next position."""
    count = first
    if first > 127:
        count, at = _uvarint_rest(data, at, first)
    for _ in range(count):
        _, at = read_uvarint(data, at)
        size, at = read_uvarint(data, at)
        at += size
    return at


def read_tags(data: bytes | memoryview, at: int, first: int) -> tuple[dict[int, int], int]:
    """Return where each tagged field's value starts, and the position behind the section."""
    count = first
    if first > 127:
        count, at = _uvarint_rest(data, at, first)
    starts: dict[int, int] = {}
    for _ in range(count):
        tag, at = read_uvarint(data, at)
        size, at = read_uvarint(data, at)
        starts[tag] = at
        at += size
    return starts, at


# Writing


def uvarint(value: int) -> bytes:
    """Return an unsigned varint. Sizes of records take three or four bytes: written out, that is thrice as fast."""
    if value < 0x80:
        return UVARINT[value]
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    if value < 0x200000:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    if value < 0x10000000:
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14 & 0x7F | 0x80, value >> 21))
    return bytes((*(value >> shift & 0x7F | 0x80 for shift in (0, 7, 14, 21)), value >> 28))


def compact_string(text: str) -> bytes:
    """Return a string with its compact length; what is too long is cut."""
    raw = text.encode()
    size = len(raw) + 1
    return UVARINT[size] + raw if size < 128 else _long_compact_string(raw)


def compact_nullable_string(text: str | None) -> bytes:
    """Return a string with its compact length, or null; what is too long is cut."""
    if text is None:
        return b"\x00"
    raw = text.encode()
    size = len(raw) + 1
    return UVARINT[size] + raw if size < 128 else _long_compact_string(raw)


def _long_compact_string(raw: bytes) -> bytes:
    raw = _cut(raw)
    return uvarint(len(raw) + 1) + raw


def string(text: str) -> bytes:
    """Return a string with its 16-bit length; what is too long is cut."""
    raw = text.encode()
    if len(raw) > STRING_SIZE_BYTES_MAX:
        raw = _cut(raw)
    return _write_size16(len(raw)) + raw


def nullable_string(text: str | None) -> bytes:
    """Return a string with its 16-bit length, or null; what is too long is cut."""
    return NULL_STRING if text is None else string(text)


def _cut(raw: bytes) -> bytes:
    """Return as much of a string as the protocol can carry, in whole characters.

    Bytes that are no UTF-8 grow threefold when they are read, and what names a client's string, such as an error
    message or a list of all groups, grows with it: neither may keep an answer from being written.
    """
    if len(raw) <= STRING_SIZE_BYTES_MAX:
        return raw
    return raw[:STRING_SIZE_BYTES_MAX].decode(errors="ignore").encode()


def compact_bytes(raw: Buffer) -> bytes:
    """Return bytes with their compact length."""
    return uvarint(len(raw) + 1) + raw


def compact_nullable_bytes(raw: Buffer | None) -> bytes:
    """Return bytes with their compact length, or null."""
    return b"\x00" if raw is None else uvarint(len(raw) + 1) + raw


def sized_bytes(raw: Buffer) -> bytes:
    """Return bytes with their 32-bit length."""
    return _write_size32(len(raw)) + raw


def nullable_sized_bytes(raw: Buffer | None) -> bytes:
    """Return bytes with their 32-bit length, or null."""
    return NULL_BYTES if raw is None else _write_size32(len(raw)) + raw


def compact_int32s(values: Sequence[int]) -> bytes:
    """Return an array of 32-bit ints with its compact length."""
    count = len(values)
    if count < 9:
        return _COMPACT_INT32S[count](count + 1, *values)
    return uvarint(count + 1) + pack(f">{count}i", *values)


def int32s(values: Sequence[int]) -> bytes:
    """Return an array of 32-bit ints with its 32-bit length."""
    count = len(values)
    if count < 9:
        return _INT32S[count](count, *values)
    return pack(f">i{count}i", count, *values)


def compact_numbers(code: str, values: Sequence[int | float]) -> bytes:
    """Return an array of numbers, of that `struct` code, with its compact length."""
    return uvarint(len(values) + 1) + pack(f">{len(values)}{code}", *values)


def numbers(code: str, values: Sequence[int | float]) -> bytes:
    """Return an array of numbers, of that `struct` code, with its 32-bit length."""
    return pack(f">i{len(values)}{code}", len(values), *values)


def tag_section(fields: list[tuple[int, bytes]]) -> bytes:
    """Return a section of tagged fields, which come in ascending order of their tags."""
    parts = [uvarint(len(fields))]
    for tag, value in fields:
        parts += (uvarint(tag), uvarint(len(value)), value)
    return b"".join(parts)


def records_size(records: ScatteredRecords) -> int:
    """Return how many bytes the record batches have."""
    if isinstance(records, list):
        return sum(map(len, records))
    return len(records)


def put_records(out: list[Buffer], parts: list[Buffer], records: ScatteredRecords) -> None:
    """Put `records` behind `parts` without copying them: what is in `parts` moves to `out` first."""
    for buffer in records if isinstance(records, list) else (records,):
        size = len(buffer)
        if size > RECORDS_COPY_SIZE_BYTES_MAX:
            if parts:
                out.append(b"".join(parts))
                parts.clear()
            out.append(buffer)
        elif size:
            parts.append(buffer)


# What the entry points raise


def unknown_version(name: str, version: int) -> DecodeError:
    """Return the error for a version that the schema does not know."""
    return DecodeError(f"{name}: no version {version}")


def decode_failed(name: str, version: int, cause: Exception) -> DecodeError:
    """Return the error for bytes that a decoder stumbled over."""
    # The interpreter's words ("unpack_from requires …") mean nothing to whoever reads a log.
    if isinstance(cause, IndexError | struct_error):
        return DecodeError(f"{name} v{version} is cut off, or a length in it is wrong")
    return DecodeError(f"{name} v{version}: {cause}")
