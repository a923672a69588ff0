"""The frame of a journal's records: encode and decode, no I/O. The page is docs/formats/journal.md.

A record is a fixed part, a header and a body. Its checksums make it whole or nothing; its own position in it keeps
bytes that only look like a record (a client's data, an old block) from being taken for one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from crc32c import crc32c

from fleuve.base.ids import FlushId, Incarnation
from fleuve.ports.errors import CorruptState
from fleuve.ports.store import Buffer

MAGIC = b"FLVJ"
FORMAT_VERSION = 1

_FIXED = struct.Struct(">4sBBHQQQQQIIII")
_CHECKED_BYTES = 60
_CRC = struct.Struct(">I")
_END = struct.Struct(">QQQQ")

FIXED_BYTES = _FIXED.size
assert _CHECKED_BYTES + _CRC.size == FIXED_BYTES

_JOIN_BUFFERS_MIN = 16
_JOIN_BUFFER_BYTES = 2048


class Kind(IntEnum):
    """What a record says."""

    OPENING = 1
    """First in every file: how the files before it ended. Its number is the file's sequence."""
    DATA = 2
    VOID = 3
    """The extent of that flush counts for nothing."""


class Fixed(NamedTuple):
    """A record's fixed part, checked."""

    kind: int
    number: int
    synced_end: int
    """Everything before this position of the file was on the device when the record was written."""
    header_length: int
    body_length: int
    body_crc: int

    @property
    def length(self) -> int:
        """Of the whole record, in bytes."""
        return FIXED_BYTES + self.header_length + self.body_length


class End(NamedTuple):
    """How a file ended, as the opening of a later one states it."""

    sequence: int
    durable_end: int
    """Up to here everything was on the device."""
    end: int
    """What lies behind this counts for nothing."""
    number_last: int
    """The highest flush number in the file; 0 if it has none."""


def frame(
    kind: Kind, flush: FlushId, header: bytes, body: Sequence[Buffer], *, position: int, synced_end: int
) -> list[Buffer]:
    """Return the buffers of a record that will lie at `position`."""
    body_length = sum(map(len, body))
    if len(body) >= _JOIN_BUFFERS_MIN and body_length < len(body) * _JOIN_BUFFER_BYTES:
        # Many small buffers: one copy is cheaper than a checksum call and an I/O vector for each.
        body = (b"".join(body),)
    body_crc = 0
    for buffer in body:
        body_crc = crc32c(buffer, body_crc)
    fixed = bytearray(
        _FIXED.pack(
            MAGIC,
            FORMAT_VERSION,
            kind,
            0,
            flush.incarnation,
            flush.number,
            position,
            synced_end,
            body_length,
            len(header),
            body_crc,
            0,
            0,
        )
    )
    checked = memoryview(fixed)[:_CHECKED_BYTES]
    _CRC.pack_into(fixed, _CHECKED_BYTES, crc32c(header, crc32c(checked)))
    return [fixed, header, *body] if header else [fixed, *body]


def read_fixed(view: memoryview, incarnation: Incarnation, position: int) -> Fixed | None:
    """Return the fixed part at the beginning of `view`, if it can be one that `incarnation` wrote at `position`.

    Its checksum covers the header too: `header_sound` looks at it.
    """
    magic, _, kind, _, found, number, at, synced_end, body_length, header_length, body_crc, _, _ = _FIXED.unpack_from(
        view
    )
    if magic != MAGIC or found != incarnation or at != position or synced_end > position:
        return None
    return Fixed(kind, number, synced_end, header_length, body_length, body_crc)


def header_sound(view: memoryview, fixed: Fixed, place: str) -> bool:
    """Say whether the fixed part and the header, which `view` begins with, are what was written.

    Raises CorruptState if they are, but of a format that this version does not know.
    """
    (crc,) = _CRC.unpack_from(view, _CHECKED_BYTES)
    header = view[FIXED_BYTES : FIXED_BYTES + fixed.header_length]
    if crc32c(header, crc32c(view[:_CHECKED_BYTES])) != crc:
        return False
    version = view[4]
    if version != FORMAT_VERSION or fixed.kind not in Kind._value2member_map_:
        raise CorruptState(
            f"{place} has a record of format {version}, kind {fixed.kind}; this Fleuve reads format {FORMAT_VERSION}: "
            "use the version that wrote it, or a newer one"
        )
    return True


def body_sound(body: memoryview, fixed: Fixed) -> bool:
    """Say whether the body is what was written."""
    return crc32c(body) == fixed.body_crc


def pack_ends(ends: Iterable[End]) -> bytes:
    """Return the header of an opening."""
    return b"".join(_END.pack(*end) for end in ends)


def unpack_ends(header: bytes) -> list[End]:
    """Return what the header of an opening states."""
    return [End(*fields) for fields in _END.iter_unpack(header)]
