"""What a broker remembers of a partition: where it stands, its newest batches, and who waits for more.

Only records are answered from here; what the catalog alone may decide is asked there (invariants 2 and 3). The
tail is a list of pieces in offset order, each one or more whole batches with their real offsets, without a hole.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import Final

from fleuve.base.ids import PartitionId
from fleuve.engine.log.slab import Slab, TailPiece
from fleuve.ports.log import LogState
from fleuve.records.batch import walk

JOINED_BYTES_MAX: Final = 32 << 10
"""Pieces are joined up to this size: fewer of them, but finding a batch in one means to walk it."""

_offset_first = attrgetter("offset_first")


class PartitionView:
    """A partition as this broker knows it."""

    __slots__ = ("_tail", "_waiters", "high_watermark", "leader_epoch", "log_start", "partition_id")

    def __init__(self, partition_id: PartitionId, state: LogState) -> None:
        self.partition_id = partition_id
        self.log_start = state.log_start
        self.high_watermark = state.next_offset
        self.leader_epoch = state.leader_epoch
        self._tail: list[TailPiece] = []
        # None while nobody waits, as for most partitions: an empty set is 200 bytes.
        self._waiters: dict[Callable[[PartitionView], None], None] | None = None

    @property
    def tail_start(self) -> int:
        """The first offset in memory; the high watermark if there is none."""
        return self._tail[0].offset_first if self._tail else self.high_watermark

    def append(self, offset_first: int, offset_end: int, slab: Slab, start: int, stop: int) -> None:
        """Add batches behind the high watermark, and move it."""
        tail = self._tail
        if tail and offset_first != tail[-1].offset_end:
            # Something came between that was not seen here: what is older is no tail any more.
            tail.clear()
        self.high_watermark = offset_end
        if tail:
            last = tail[-1]
            if last.stop == start and last.slab is slab and stop - last.start <= JOINED_BYTES_MAX:
                last.stop = stop
                last.offset_end = offset_end
                return
        piece = TailPiece(offset_first, offset_end, slab, start, stop)
        tail.append(piece)
        slab.entries.append((self, piece))

    def refresh(self, state: LogState) -> None:
        """Take over what the catalog says; the tail goes if it does not reach the end any more."""
        if state.next_offset != self.high_watermark:
            self._tail.clear()
        self.log_start = state.log_start
        self.high_watermark = state.next_offset
        self.leader_epoch = state.leader_epoch

    def wait(self, callback: Callable[[PartitionView], None]) -> None:
        """Call `callback` whenever the high watermark has moved."""
        if self._waiters is None:
            self._waiters = {}
        self._waiters[callback] = None

    def wait_no_more(self, callback: Callable[[PartitionView], None]) -> None:
        """Stop calling `callback`."""
        if self._waiters is not None:
            self._waiters.pop(callback, None)
            if not self._waiters:
                self._waiters = None

    def wake(self) -> None:
        """Tell those who wait."""
        if self._waiters is not None:
            for callback in tuple(self._waiters):
                callback(self)

    def evict(self, piece: TailPiece) -> None:
        """Let go of `piece`, the oldest one; one that is gone already is fine."""
        if self._tail and self._tail[0] is piece:
            del self._tail[0]

    def read_tail(self, offset: int, *, max_bytes: int, at_least_one: bool) -> tuple[list[memoryview], int]:
        """Return whole batches in memory from the one that holds `offset`, and their size in bytes.

        `offset` is in memory: `tail_start` ≤ offset < high watermark. As many batches as fit into `max_bytes`; with
        `at_least_one`, the first one even if it does not fit (KIP-74). The views pin their slabs.
        """
        tail = self._tail
        index = bisect_right(tail, offset, key=_offset_first) - 1
        views: list[memoryview] = []
        size = 0
        while index < len(tail):
            piece = tail[index]
            start, stop = piece.start, piece.stop
            if piece.offset_first < offset:
                start = _position_of(piece, offset)
            if size + stop - start > max_bytes:
                stop = _stop_within(piece, start, max_bytes - size, at_least_one=at_least_one and not size)
                if stop > start:
                    views.append(piece.slab.view[start:stop])
                    size += stop - start
                break
            views.append(piece.slab.view[start:stop])
            size += stop - start
            index += 1
        return views, size


def _position_of(piece: TailPiece, offset: int) -> int:
    """Return where the batch that holds `offset` begins in the piece's slab."""
    for position, _, base_offset, last_offset_delta, _ in walk(piece.slab.view, piece.start, piece.stop):
        if base_offset + last_offset_delta >= offset:
            return position
    raise AssertionError(f"offset {offset} is not in the piece {piece.offset_first}..{piece.offset_end}")


def _stop_within(piece: TailPiece, start: int, room: int, *, at_least_one: bool) -> int:
    """Return the end of the last batch that fits into `room` bytes from `start`; of the first one if it must."""
    stop = start
    for position, size, _, _, _ in walk(piece.slab.view, start, piece.stop):
        if position + size - start > room and not (at_least_one and position == start):
            break
        stop = position + size
    return stop
