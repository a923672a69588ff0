"""A piece of memory for batches, and the pieces of partitions' tails that lie in it."""

from __future__ import annotations

from typing import Final, Protocol

SLAB_BYTES: Final = 4 << 20


class TailOwner(Protocol):
    """Whose tail a piece belongs to."""

    def evict(self, piece: TailPiece) -> None:
        """Let go of `piece`."""
        ...


class TailPiece:
    """Whole batches, one after the other in one slab."""

    __slots__ = ("offset_end", "offset_first", "slab", "start", "stop")

    def __init__(self, offset_first: int, offset_end: int, slab: Slab, start: int, stop: int) -> None:
        self.offset_first = offset_first
        self.offset_end = offset_end
        self.slab = slab
        self.start = start
        self.stop = stop


class Slab:
    """One piece of memory, filled from its beginning, cleared as a whole."""

    __slots__ = ("buffer", "entries", "pending", "size", "used", "view")

    def __init__(self, size: int) -> None:
        # One byte more than asked for, taken away at once: room to grow into, so that probing never reallocates.
        self.buffer = bytearray(size + 1)
        del self.buffer[-1:]
        self.size = size
        self.view = memoryview(self.buffer)
        self.used = 0
        self.pending = 0
        """Batches in it whose flush is not settled."""
        self.entries: list[tuple[TailOwner, TailPiece]] = []
        """What lies here of the tails, in the order it entered them."""

    def recycled(self) -> bool:
        """Make the slab empty if nobody else holds a view of it; say whether that was so."""
        self.view.release()
        try:
            self.buffer.append(0)
        except BufferError:
            free = False
        else:
            self.buffer.pop()
            self.used = 0
            free = True
        self.view = memoryview(self.buffer)
        return free
