"""Bounded, recycled memory for batches: those that wait for their flush, and the tail that readers want most.

Batches are copied into slabs, first come first served. When all slabs are in use the oldest one is cleared (its
batches leave the tail cache) and used again: fresh memory costs three times as much as recycled memory, since the
kernel has to zero it page by page.

A slab is used again only when nobody holds a view of it: not a flush, not a socket whose client reads slowly. Views
keep the buffer exported, and CPython refuses to resize an exported bytearray; that is how a slab finds out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from fleuve.engine.log.slab import SLAB_BYTES, Slab

SLAB_BYTES_MIN: Final = 64 << 10
SLABS_MIN: Final = 4
"""A small tail cache has smaller slabs, so that it holds no more than it may."""
SLAB_ENTRIES_MAX: Final = 8_192
"""Entries in a slab: small batches cost more in bookkeeping than in bytes, and that is memory too."""


class Arena:
    """The slabs.

    `size_bytes` bounds what is kept for readers and flushes. Slabs that slow readers still hold after they were
    cleared may add up to half as much again; beyond that `release_pinned` is called, to get rid of such readers.
    """

    def __init__(self, *, size_bytes: int, release_pinned: Callable[[], None] = lambda: None) -> None:
        self.slab_bytes = min(SLAB_BYTES, max(SLAB_BYTES_MIN, size_bytes // SLABS_MIN))
        self.slabs_max = max(2, size_bytes // self.slab_bytes)
        self.release_pinned = release_pinned
        self._slabs: deque[Slab] = deque()
        self._pinned: list[Slab] = []
        self._current: Slab | None = None

    @property
    def size_bytes(self) -> int:
        """Memory held, pinned slabs included."""
        return sum(slab.size for slab in self._slabs) + self.pinned_bytes

    @property
    def pinned_bytes(self) -> int:
        """Memory that was cleared and was still in somebody's hands when last looked at."""
        return sum(slab.size for slab in self._pinned)

    def store(self, data: memoryview) -> tuple[Slab, int]:
        """Copy `data` into a slab; return the slab and where it begins there. The slab has one pending batch more."""
        size = len(data)
        slab = self._current
        if slab is None or slab.used + size > self.slab_bytes or len(slab.entries) + slab.pending >= SLAB_ENTRIES_MAX:
            slab = self._next(size)
        start = slab.used
        slab.used = stop = start + size
        slab.view[start:stop] = data
        slab.pending += 1
        return slab, start

    def release(self) -> None:
        """Let go of everything that no flush needs: nobody will read from here any more."""
        while self._clear_oldest():
            pass
        self._pinned.clear()

    def _next(self, size: int) -> Slab:
        while len(self._slabs) > self.slabs_max and self._clear_oldest():
            if self._pinned[-1].recycled():
                self._pinned.pop()
        if size > self.slab_bytes:
            # A batch larger than a slab gets one of its own. What comes later must lie behind it: slabs are cleared
            # in the order of their batches.
            slab = Slab(size)
            self._current = None
        else:
            slab = (self._recycled() if len(self._slabs) >= self.slabs_max else None) or Slab(self.slab_bytes)
            self._current = slab
        self._slabs.append(slab)
        return slab

    def _recycled(self) -> Slab | None:
        """Return an empty slab in place of the oldest one; None if that one is needed by a flush or a reader."""
        for index, slab in enumerate(self._pinned):
            if slab.size == self.slab_bytes and slab.recycled():
                del self._pinned[index]
                self._clear_oldest()
                return slab
        while self._clear_oldest():
            slab = self._pinned[-1]
            if not slab.recycled():
                if len(self._pinned) > self.slabs_max // 2:
                    self.release_pinned()
                return None
            self._pinned.pop()
            if slab.size == self.slab_bytes:
                return slab
        return None

    def _clear_oldest(self) -> bool:
        """Take the oldest slab out of use and its batches out of the tails; False if a flush needs it."""
        if not self._slabs or self._slabs[0].pending:
            return False
        slab = self._slabs.popleft()
        if slab is self._current:
            self._current = None
        for partition, piece in slab.entries:
            partition.evict(piece)
        slab.entries.clear()
        self._pinned.append(slab)
        return True
