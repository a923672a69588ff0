"""The footer of a segment: an index of the batches before it, so that one can be found without walking them all.

A segment is an object that holds batches of one partition in offset order, with their real offsets, from position 0;
behind them:

    0   magic                  8 bytes "FLEUVSEG"
    8   format version         uint32  1
    12  entries                uint32
    16  CRC-32C                uint32  of the entries' bytes
    20  partition id           uint64
    28  per entry:
        base offset            int64   of the first batch it covers
        position               int64   of that batch
        max timestamp          int64   of all batches up to the next entry's

An entry covers about `INTERVAL_BYTES`. Where the footer begins is in the catalog: it is the length of the run.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from crc32c import crc32c

from fleuve.base.ids import PartitionId
from fleuve.ports.errors import CorruptState

MAGIC: Final = b"FLEUVSEG"
FORMAT_VERSION: Final = 1
INTERVAL_BYTES: Final = 64 << 10

_HEAD: Final = struct.Struct(">8sIIIQ")
_ENTRY: Final = struct.Struct(">qqq")
HEAD_SIZE_BYTES: Final = _HEAD.size


class SegmentIndex:
    """Where batches are in a segment, roughly. Built batch by batch in offset order, or decoded."""

    __slots__ = ("_next_entry", "max_timestamps", "offsets", "positions")

    def __init__(self) -> None:
        self.offsets = array("q")
        self.positions = array("q")
        self.max_timestamps = array("q")
        self._next_entry = 0

    def add(self, base_offset: int, position: int, max_timestamp: int) -> None:
        """Add the batch that begins at `position`, behind the one added before."""
        if position >= self._next_entry:
            self.offsets.append(base_offset)
            self.positions.append(position)
            self.max_timestamps.append(max_timestamp)
            self._next_entry = position + INTERVAL_BYTES
        elif max_timestamp > self.max_timestamps[-1]:
            self.max_timestamps[-1] = max_timestamp

    def position_of(self, offset: int) -> int:
        """Return the position of a batch at or before the one that holds `offset`."""
        return self.positions[max(0, bisect_right(self.offsets, offset) - 1)]

    def spans_since(self, timestamp: int, *, offset: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield (position, end) of each span from `offset` on with a batch as young as `timestamp`.

        In the first one that batch may lie before `offset`. `end` is where the batches of the segment end.
        """
        first = max(0, bisect_right(self.offsets, offset) - 1)
        for index in range(first, len(self.positions)):
            if self.max_timestamps[index] >= timestamp:
                stop = self.positions[index + 1] if index + 1 < len(self.positions) else end
                yield self.positions[index], stop

    def encode(self, partition_id: PartitionId) -> bytes:
        """Return the footer."""
        entries = b"".join(map(_ENTRY.pack, self.offsets, self.positions, self.max_timestamps))
        return _HEAD.pack(MAGIC, FORMAT_VERSION, len(self.offsets), crc32c(entries), partition_id) + entries


def entries_size(head: bytes | memoryview) -> int:
    """Return the size in bytes of what follows the footer's head. Raises CorruptState."""
    magic, version, count, _, _ = _HEAD.unpack_from(head)
    if magic != MAGIC or version != FORMAT_VERSION:
        raise CorruptState(f"segment footer: magic {magic!r}, format {version}; this broker reads {FORMAT_VERSION}")
    return int(count) * _ENTRY.size


def decode(head: bytes | memoryview, entries: bytes | memoryview, *, partition_id: PartitionId) -> SegmentIndex:
    """Return the index in a footer. Raises CorruptState."""
    _, _, _, crc, found_partition_id = _HEAD.unpack_from(head)
    if crc32c(entries) != crc or found_partition_id != partition_id:
        raise CorruptState(f"segment footer of partition {partition_id}: checksum or partition differs")
    index = SegmentIndex()
    columns: Sequence[Sequence[int]] = list(zip(*_ENTRY.iter_unpack(entries), strict=True))
    if columns:
        index.offsets, index.positions, index.max_timestamps = (array("q", column) for column in columns)
    return index
