"""Checks stored batches on their way into another object: pure, over buffers.

A batch is copied as it is: what is inside it is not decoded. Its checksum is checked, so that damage is never passed
on, and a journal's batches get the offsets and the leader epoch that the index gives them.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from crc32c import crc32c

from fleuve.ports.errors import CorruptState
from fleuve.ports.log import StoredRun
from fleuve.records.batch import ATTRIBUTES_POSITION, HEADER_SIZE_BYTES, LENGTH_OVERHEAD_BYTES, MAGIC, patch

SLICE_BYTES: Final = 256 << 10
SLICE_BATCHES: Final = 256
"""What is checked before others get a turn: well under a millisecond."""

_unpack: Final = struct.Struct(">qi4xbI2xi8xq").unpack_from


class CheckedBatch(NamedTuple):
    """Where a sound batch lies in the buffer, and what an index says of it."""

    position: int
    size: int
    base_offset: int
    last_offset: int
    max_timestamp: int


class RunChecker:
    """Checks the batches of one run, given piece by piece."""

    def __init__(self, stored: StoredRun) -> None:
        self._stored = stored
        self._offset = stored.run.offset_first

    def check(self, data: memoryview, position: int) -> tuple[list[CheckedBatch], int]:
        """Return the next sound batches in `data` from `position` on, a slice of them, and where the next one begins.

        Journal batches get their offsets and leader epoch written in. No batch: what is left is not a whole one.
        Raises CorruptState.
        """
        run, is_segment = self._stored.run, self._stored.is_segment
        has_offsets = is_segment
        batches: list[CheckedBatch] = []
        end, stop = len(data), position + SLICE_BYTES
        while end - position >= HEADER_SIZE_BYTES and position < stop and len(batches) < SLICE_BATCHES:
            base_offset, length, magic, crc, last_offset_delta, max_timestamp = _unpack(data, position)
            size = length + LENGTH_OVERHEAD_BYTES
            if magic != MAGIC or size < HEADER_SIZE_BYTES or last_offset_delta < 0 or size > run.length:
                raise self._damage(f"there is no batch where offset {self._offset} should be")
            if position + size > end:
                break
            if crc32c(data[position + ATTRIBUTES_POSITION : position + size]) != crc:
                raise self._damage(f"the checksum of the batch at offset {self._offset} is wrong")
            if has_offsets:
                if base_offset < self._offset:
                    raise self._damage(f"offset {base_offset} comes where {self._offset} is the least")
            else:
                base_offset = self._offset
                patch(data, position, base_offset, run.leader_epoch)
            last_offset = base_offset + last_offset_delta
            if last_offset >= run.offset_end:
                raise self._damage(f"a batch ends at offset {last_offset}, the run at {run.offset_end}")
            batches.append(CheckedBatch(position, size, base_offset, last_offset, max_timestamp))
            position += size
            self._offset = last_offset + 1
        return batches, position

    def finish(self, left: int) -> None:
        """State that the run has ended, with `left` bytes that are no whole batch. Raises CorruptState."""
        if left:
            raise self._damage(f"its last {left} bytes are no whole batch")
        if not self._stored.is_segment and self._offset != self._stored.run.offset_end:
            raise self._damage(f"its batches end at offset {self._offset}, not at {self._stored.run.offset_end}")

    def _damage(self, what: str) -> CorruptState:
        run = self._stored.run
        return CorruptState(
            f"{self._stored.object_name}: {what} (partition {run.partition_id}, offsets {run.offset_first}.."
            f"{run.offset_end}, {run.length} bytes at {run.position})"
        )
