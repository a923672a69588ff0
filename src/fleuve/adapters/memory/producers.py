"""Producer ids in memory."""

from __future__ import annotations

from fleuve.base.clock import Clock
from fleuve.base.ids import ProducerId, TimestampMs


class MemoryProducerStore:
    """A ProducerStore that forgets everything with the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._blocks: list[tuple[int, int, TimestampMs]] = []

    async def allocate(self, size: int) -> ProducerId:
        """Take the next `size` ids; return the first."""
        assert size > 0
        first = self._blocks[-1][0] + self._blocks[-1][1] if self._blocks else 0
        self._blocks.append((first, size, self._clock.wall_ms()))
        return ProducerId(first)

    async def allocated_ms(self, producer_id: ProducerId) -> TimestampMs | None:
        """Return when the block with `producer_id` was handed out."""
        for first, size, when in self._blocks:
            if first <= producer_id < first + size:
                return when
        return None

    async def forget(self, *, before_ms: int) -> int:
        """Drop old blocks, but the newest."""
        kept = [block for block in self._blocks[:-1] if block[2] >= before_ms] + self._blocks[-1:]
        count = len(self._blocks) - len(kept)
        self._blocks = kept
        return count
