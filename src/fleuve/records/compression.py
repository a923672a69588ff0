"""Compression of record batches, with a hard limit on what a few hostile bytes may become.

Kafka's four codecs. A kilobyte of zstd can hold a gigabyte of zeros, so nothing here decompresses without a
limit, and memory grows with what really comes out, in steps. Where a batch's codec is written is `batch.py`'s
business. Everything releases the interpreter's lock while it works, so large payloads belong to a thread.

gzip, lz4 and zstd are their own stream formats. Snappy is not one: Kafka's Java client frames raw blocks in the
format of the xerial library; other clients send one raw block. Both are read, the framed one is written.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import cramjam

from fleuve.records.errors import CorruptRecord, UnsupportedCompression

if TYPE_CHECKING:
    from collections.abc import Callable

Buffer = bytes | bytearray | memoryview

XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
XERIAL_HEADER: Final = XERIAL_MAGIC + struct.pack(">ii", 1, 1)
XERIAL_BLOCK_SIZE_BYTES: Final = 32 * 1024
"""What the Java client puts into one block."""

_GUESS_SIZE_BYTES_MIN: Final = 64 * 1024
_GUESS_FACTOR: Final = 4
"""The next try after a buffer that was too small is this much larger: all tries together cost a third more."""
_TOO_SMALL: Final = "failed to write whole buffer"
"""What cramjam says when the output does not fit; a test pins it."""


class Compression(IntEnum):
    """The compression codes of a batch's attributes."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


def decompress(code: int, payload: Buffer, *, size_bytes_max: int) -> memoryview:
    """Return the decompressed payload: a view of `payload` itself if `code` is NONE.

    Raises CorruptRecord if the payload is damaged or would become larger than `size_bytes_max`, and
    UnsupportedCompression for an unknown code.
    """
    if code == Compression.NONE:
        if len(payload) > size_bytes_max:
            raise _too_large(size_bytes_max)
        return memoryview(payload)
    if code == Compression.SNAPPY:
        return _snappy(memoryview(payload), size_bytes_max)
    into = _INTO.get(code)
    if into is None:
        raise UnsupportedCompression(f"compression code {code} is unknown, 0 to 4 are known")
    return _grow(into, payload, size_bytes_max)


def compress(code: int, payload: Buffer) -> bytes:
    """Return the payload as a producer with default settings would compress it, except that it is fast.

    lz4 as Kafka wants it (KIP-57): independent blocks, no content checksum. Raises UnsupportedCompression.
    """
    match code:
        case Compression.NONE:
            return bytes(payload)
        case Compression.GZIP:
            return bytes(cramjam.gzip.compress(payload, level=6))
        case Compression.SNAPPY:
            return _xerial(memoryview(payload))
        case Compression.LZ4:
            # The default level is 15 times slower for a few per cent.
            compressor = cramjam.lz4.Compressor(level=1, content_checksum=False, block_linked=False)
            compressor.compress(bytes(payload))  # It takes nothing else.
            return bytes(compressor.finish())
        case Compression.ZSTD:
            return bytes(cramjam.zstd.compress(payload, level=3))
        case _:
            raise UnsupportedCompression(f"compression code {code} is unknown, 0 to 4 are known")


_INTO: Final[dict[int, Callable[[Buffer, bytearray], int]]] = {
    Compression.GZIP: cramjam.gzip.decompress_into,
    Compression.LZ4: cramjam.lz4.decompress_into,
    Compression.ZSTD: cramjam.zstd.decompress_into,
}


def _grow(into: Callable[[Buffer, bytearray], int], payload: Buffer, size_bytes_max: int) -> memoryview:
    """Decompress into larger and larger buffers until it fits or is refused."""
    size_bytes = min(size_bytes_max, max(_GUESS_SIZE_BYTES_MIN, _GUESS_FACTOR * len(payload)))
    while True:
        output = bytearray(size_bytes)
        try:
            written = into(payload, output)
        except cramjam.DecompressionError as error:
            if _TOO_SMALL not in str(error):
                raise CorruptRecord(f"compressed records are damaged: {error}") from error
            if size_bytes >= size_bytes_max:
                raise _too_large(size_bytes_max) from error
            size_bytes = min(size_bytes_max, _GUESS_FACTOR * size_bytes)
            # Not beside the next one: the limit is one for all that is held.
            del output
        else:
            return memoryview(output)[:written]


def _snappy(payload: memoryview, size_bytes_max: int) -> memoryview:
    """Read xerial's frames, or else one raw block. Version numbers in xerial's header mean nothing in practice."""
    if not _is_xerial(payload, 0):
        return memoryview(_snappy_block(payload, size_bytes_max, size_bytes_max))
    output = bytearray()
    position = 0
    while position < len(payload):
        # Streams that were joined carry a header in the middle.
        if _is_xerial(payload, position):
            position += len(XERIAL_HEADER)
            continue
        if len(payload) - position < 4:
            raise CorruptRecord("compressed records are damaged: a snappy block's length is cut off")
        (block_size_bytes,) = struct.unpack_from(">i", payload, position)
        position += 4
        if not 0 <= block_size_bytes <= len(payload) - position:
            raise CorruptRecord(
                f"compressed records are damaged: a snappy block says it has {block_size_bytes} bytes, "
                f"{len(payload) - position} are there"
            )
        block = payload[position : position + block_size_bytes]
        output += _snappy_block(block, size_bytes_max - len(output), size_bytes_max)
        position += block_size_bytes
    return memoryview(output)


def _is_xerial(payload: memoryview, position: int) -> bool:
    return bytes(payload[position : position + len(XERIAL_MAGIC)]) == XERIAL_MAGIC


def _snappy_block(block: memoryview, size_bytes_left: int, size_bytes_max: int) -> bytearray:
    try:
        size_bytes = cramjam.snappy.decompress_raw_len(block)
        if size_bytes > size_bytes_left:
            raise _too_large(size_bytes_max)
        output = bytearray(size_bytes)
        written = cramjam.snappy.decompress_raw_into(block, output)
    except cramjam.DecompressionError as error:
        raise CorruptRecord(f"compressed records are damaged: {error}") from error
    del output[written:]
    return output


def _xerial(payload: memoryview) -> bytes:
    parts = [XERIAL_HEADER]
    for position in range(0, len(payload), XERIAL_BLOCK_SIZE_BYTES):
        block = bytes(cramjam.snappy.compress_raw(payload[position : position + XERIAL_BLOCK_SIZE_BYTES]))
        parts += (struct.pack(">i", len(block)), block)
    return b"".join(parts)


def _too_large(size_bytes_max: int) -> CorruptRecord:
    return CorruptRecord(f"decompressed records would take more than the limit of {size_bytes_max} bytes")
