"""Record batches with good checksums and lies inside: what a producer can send that the broker takes without a look.

Also some that are damaged so that it sees it at once. Whatever is stored is read again later: by a fetch, by a look-up
of a time, by a merge, by the check of keys for a compacted topic.
"""

from __future__ import annotations

import struct
from functools import cache
from random import Random

from fleuve.records import batch as layout
from fleuve.records.batch import BatchHeader
from fleuve.records.compression import Compression, compress
from support.batches import NOW_MS

MIB = 1 << 20
BOMB_BYTES = 256 * MIB
"""What a bomb of zstd or gzip becomes: more than is ever decompressed."""
_INT64 = (0, -1, 1, NOW_MS, -(1 << 63), (1 << 63) - 1, 1 << 62)
_INT32 = (0, -1, 1, 2, 1000, (1 << 31) - 1, -(1 << 31))
_INT16 = (0, -1, 1, (1 << 15) - 1, -(1 << 15))
_LENGTHS = (0, -1, -2, 1, 3, 127, 128, 1 << 20, (1 << 31) - 1, -(1 << 31), (1 << 63) - 1, -(1 << 63), 1 << 70)


def varint(number: int) -> bytes:
    """Return a zigzag varint; of more than 64 bits, too."""
    left = (number << 1) ^ (number >> 127)
    out = bytearray()
    while left >= 0x80:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    out.append(left)
    return bytes(out)


def damaged_batch(chance: Random) -> bytes:
    """Return one batch with some lies in its records, its compression or its header."""
    if chance.random() < 0.04:
        return _bomb(chance)
    count = chance.choice((1, 1, 2, 5, 30))
    payload = b"".join(_record(chance, index, lies=chance.choice((0, 0, 0.1))) for index in range(count))
    if chance.random() < 0.3:
        payload = _torn(payload, chance)
    codec = chance.choice(list(Compression))
    stored = compress(codec, payload)
    if chance.random() < 0.3:
        stored = _torn(stored, chance)
    if chance.random() < 0.1:
        stored += chance.choice((stored, b"\0", bytes(40)))
    if chance.random() < 0.1:
        codec = chance.choice(list(Compression))
    return _batch(stored, codec, count, chance)


def _record(chance: Random, index: int, *, lies: float) -> bytes:
    def number(honest: int) -> bytes:
        if chance.random() < lies:
            return chance.choice((varint(chance.choice(_LENGTHS)), b"\x80" * 12, b"\xff" * 9 + b"\x01", b"\x80\x00"))
        return varint(honest)

    key, value = chance.choice((None, b"", b"key-%d" % index)), chance.choice((None, b"", b"value" * 20))
    body = bytes((chance.choice((0, 0, 0, 255)),)) + number(chance.choice((0, index, -index)))
    body += number(index)
    for content in (key, value):
        body += number(-1 if content is None else len(content)) + (content or b"")
    headers = chance.choice((0, 0, 1, 3))
    body += number(headers)
    for _ in range(headers):
        body += number(1) + b"\xff" + number(chance.choice((-1, 0)))
    return number(len(body)) + body


def _torn(content: bytes, chance: Random) -> bytes:
    """Change, cut or stretch a few bytes."""
    out = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(out)) if out else 0
        match chance.randrange(5):
            case 0:
                del out[at:]
            case 1:
                out[at : at + 1] = chance.randbytes(1)
            case 2:
                out[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4)))
            case 3:
                out[at:at] = chance.randbytes(chance.choice((1, 4, 100)))
            case _:
                del out[at : at + chance.choice((1, 4))]
    return bytes(out)


def _batch(stored: bytes, codec: int, count: int, chance: Random) -> bytes:
    lies = chance.random() < 0.4

    def number(honest: int, odd: tuple[int, ...]) -> int:
        return chance.choice(odd) if lies and chance.random() < 0.2 else honest

    said = number(count, _INT32)
    last = said - 1 if chance.random() < 0.9 and said > -(1 << 31) else number(count - 1, _INT32)
    size = layout.HEADER_SIZE_BYTES + len(stored)
    header = BatchHeader(
        size_bytes=size,
        last_offset_delta=last,
        attributes=number(int(codec), (5, 7, 8, 16, 32, 64, 0x7FFF, -1, 0)),
        base_timestamp=number(NOW_MS, _INT64),
        max_timestamp=number(NOW_MS, _INT64),
        producer_id=number(-1, _INT64),
        producer_epoch=number(-1, _INT16),
        base_sequence=number(-1, _INT32),
        records_count=said,
        base_offset=number(0, _INT64),
        leader_epoch=number(-1, _INT32),
    )
    out = bytearray(size)
    out[layout.HEADER_SIZE_BYTES :] = stored
    layout.write_header(out, 0, header)
    if lies and chance.random() < 0.2:
        # Outside the checksum: the length, and the format.
        if chance.random() < 0.5:
            struct.pack_into(">i", out, 8, chance.choice((*_INT32, len(out) - 13, len(out))))
        else:
            out[layout.MAGIC_POSITION] = chance.randrange(256)
    if chance.random() < 0.05:
        return _torn(bytes(out), chance)
    return bytes(out)


def _bomb(chance: Random) -> bytes:
    codec, stored = chance.choice(_bombs())
    return _batch(stored, codec, 1, chance)


@cache
def _bombs() -> list[tuple[int, bytes]]:
    zeros = bytes(BOMB_BYTES)
    found = [(int(codec), compress(codec, zeros)) for codec in (Compression.GZIP, Compression.ZSTD)]
    # One record that is well formed, and as large as its length says.
    body = b"\0\0\0" + varint(3) + b"key" + varint(64 * MIB) + bytes(64 * MIB) + b"\0"
    record = varint(len(body)) + body
    found.append((int(Compression.ZSTD), compress(Compression.ZSTD, record)))
    # Snappy says in its first bytes how large it will be.
    found.append((int(Compression.SNAPPY), b"\xff\xff\xff\xff\x0f" + b"\0" * 20))
    found.append(
        (int(Compression.SNAPPY), b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, 9) + b"\xff\xff\xff\xff\x07abcd")
    )
    return found
