"""Idempotent producers get their ids here (KIP-98). What they may append is decided where it is stored, by the log."""

from __future__ import annotations

import asyncio

from fleuve.base.clock import Clock
from fleuve.base.ids import ProducerId
from fleuve.ports.producers import ProducerStore

FORGET_EVERY = 1_000
"""Ids after which the records of old ones are dropped: there are never many more than this and the young ones."""


class ProducerService:
    """Hands out producer ids.

    Each is recorded with its time: the log asks how old an id is, to tell a producer whose state has expired from one
    whose first batches are still under way. An id older than `producer.id.expiration.ms` needs no record.
    """

    def __init__(self, store: ProducerStore, clock: Clock, *, expiration_ms: int) -> None:
        self._store = store
        self._clock = clock
        self._expiration_ms = expiration_ms
        self._handed_out = 0
        self._forgetting = asyncio.Lock()

    async def new_producer_id(self) -> ProducerId:
        """Return an id that nobody has had. Raises CatalogUnavailable."""
        producer_id = await self._store.allocate(1)
        self._handed_out += 1
        if self._handed_out % FORGET_EVERY == 1 and not self._forgetting.locked():
            async with self._forgetting:
                await self._store.forget(before_ms=self._clock.wall_ms() - self._expiration_ms)
        return producer_id
