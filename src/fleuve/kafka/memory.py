"""Budgets for memory that clients make the broker hold, and recycled buffers for large requests.

Single-threaded. A budget is a number with a queue: who finds it spent waits for its turn (`turns.py`).
"""

from __future__ import annotations

import asyncio

from fleuve.kafka.limits import MIB
from fleuve.kafka.turns import Granted, Queue


class Budget:
    """A bound on bytes held, and those who wait for some of it.

    A request larger than the whole budget is granted when nothing else is held, so that it can be served at all.
    """

    __slots__ = ("_waiting", "capacity", "used")

    def __init__(self, capacity: int) -> None:
        assert capacity > 0
        self.capacity = capacity
        self.used = 0
        self._waiting = Queue()

    @property
    def available(self) -> int:
        """Bytes that are still free; 0 when more is held than the budget has."""
        return max(0, self.capacity - self.used)

    @property
    def free(self) -> bool:
        """Whether there is some, and nobody waits for it."""
        return self.used < self.capacity and not self._waiting

    @property
    def waiters(self) -> int:
        """How many wait for memory."""
        return len(self._waiting)

    def take(self, size: int) -> bool:
        """Take `size` bytes and return True; return False if they are not free, or others wait already."""
        if self._waiting or not self._fits(size):
            return False
        self.used += size
        return True

    def force(self, size: int) -> None:
        """Take `size` bytes that are held already, whether they are free or not."""
        self.used += size

    def give_back(self, size: int) -> None:
        """Return `size` bytes, and grant what now fits to those who wait."""
        self.used -= size
        assert self.used >= 0
        while self._waiting and self._fits(wanted := self._waiting.next_size):
            granted = self._waiting.pop()
            self.used += wanted
            granted()

    def wait(self, size: int, granted: Granted, *, proven: bool = False) -> None:
        """Call `granted` once `size` bytes have been taken for the caller."""
        self._waiting.add(size, granted, proven=proven)

    async def until_available(self, *, proven: bool = False) -> None:
        """Return when some memory is free and it is the caller's turn. Nothing is taken."""
        await self.acquire(1, proven=proven)
        self.give_back(1)

    async def acquire(self, size: int, *, proven: bool = False) -> None:
        """Take `size` bytes, when they are free and it is the caller's turn."""
        if self.take(size):
            return
        turn = asyncio.get_running_loop().create_future()

        def granted() -> None:
            if turn.done():
                # Its caller has gone, and does not know yet that it has got it.
                self.give_back(size)
            else:
                turn.set_result(None)

        self.wait(size, granted, proven=proven)
        try:
            await turn
        except asyncio.CancelledError:
            if not self.stop_waiting(granted) and not turn.cancelled():
                self.give_back(size)
            raise

    def stop_waiting(self, granted: Granted) -> bool:
        """Forget the wait with that callback; return whether there was one."""
        if not self._waiting.discard(granted):
            return False
        # It may have been the large one that others stood behind.
        self.give_back(0)
        return True

    def _fits(self, size: int) -> bool:
        return self.used + size <= self.capacity or self.used == 0


class Holding:
    """What one answer holds of a budget while it is made."""

    __slots__ = ("_budget", "_proven", "_share", "held")

    def __init__(self, budget: Budget, *, share_min: int, proven: bool = False) -> None:
        """`share_min`: however little is left, whoever gets anything gets that much, or an eighth of all."""
        self._proven = proven
        self._budget = budget
        self._share = max(1, min(share_min, budget.capacity // 8))
        self.held = 0

    async def take(self, size: int) -> int:
        """Take up to `size` bytes, at most half of what is left but for the least share, and return how many.

        The least share is taken however small `size` is: what is read has at least one batch. Waits for it, and lets
        nobody else have it; who holds something already, for whom others may wait, gets 0 instead.
        """
        share = self._share
        if not self.held:
            await self._budget.acquire(share, proven=self._proven)
        elif not self._budget.take(share):
            return 0
        self.held += share
        more = max(0, min(size - share, self._budget.available // 2))
        self.adjust(more)
        return share + more

    def adjust(self, size: int) -> None:
        """Hold `size` bytes more, whether they are free or not; give them back if it is negative."""
        self.held += size
        if size >= 0:
            self._budget.force(size)
        else:
            self._budget.give_back(-size)

    def end(self) -> None:
        """Give everything back."""
        self.adjust(-self.held)


class Slabs:
    """Buffers for large requests, recycled: fresh memory costs more than everything else done to a request.

    Sizes are powers of two; at most `kept_max` bytes are kept for reuse. The budget is the caller's business.
    """

    __slots__ = ("_free", "_kept", "_kept_max")

    SIZE_MIN = 128 * 1024
    SIZE_KEPT_MAX = 4 * MIB

    def __init__(self, kept_max: int = 32 * MIB) -> None:
        self._free: dict[int, list[bytearray]] = {}
        self._kept = 0
        self._kept_max = kept_max

    def take(self, size: int) -> bytearray:
        """Return a buffer of at least `size` bytes; its content is anything."""
        if size > self.SIZE_KEPT_MAX:
            return bytearray(size)
        size = max(self.SIZE_MIN, 1 << (size - 1).bit_length())
        free = self._free.get(size)
        if free:
            self._kept -= size
            return free.pop()
        return bytearray(size)

    def give_back(self, buffer: bytearray) -> None:
        """Take back a buffer that nobody looks at any more."""
        size = len(buffer)
        if size <= self.SIZE_KEPT_MAX and self._kept + size <= self._kept_max:
            self._free.setdefault(size, []).append(buffer)
            self._kept += size
