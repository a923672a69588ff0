"""Idempotent producers get their ids here (KIP-98). What they may append is decided where it is stored, by the log."""

from __future__ import annotations

import asyncio

from fleuve.base.ids import ProducerId
from fleuve.ports.producers import ProducerStore

BLOCK_SIZE = 1_000
"""Ids taken from the store at once, as in Apache Kafka. What is left of a block when the broker stops is never used."""


class ProducerService:
    """Hands out producer ids, from blocks of the store."""

    def __init__(self, store: ProducerStore, *, block_size: int = BLOCK_SIZE) -> None:
        self._store = store
        self._block_size = block_size
        self._next = 0
        self._end = 0
        self._allocating = asyncio.Lock()

    async def new_producer_id(self) -> ProducerId:
        """Return an id that nobody has had. Raises CatalogUnavailable."""
        async with self._allocating:
            if self._next == self._end:
                self._next = await self._store.allocate(self._block_size)
                self._end = self._next + self._block_size
            self._next += 1
            return ProducerId(self._next - 1)
