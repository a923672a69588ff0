"""Flushes what was acknowledged before its flush: Kafka's page-cache promise (`flush.messages`, `flush.ms`).

A topic whose `flush.messages` is above 1 is acknowledged when its batches are written. A partition of it is flushed
after that many records, or `flush.ms` after the first of them, in the background. One flush serves all partitions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from fleuve.base.ids import PartitionId
from fleuve.base.log import Logger
from fleuve.engine.log.batch import PendingBatch
from fleuve.ports.errors import StoreUnavailable
from fleuve.ports.store import ExtentStore

FLUSH_MS_MAX = 86_400_000 * 30
"""A timer further away than this is none: Kafka's default is 292 million years."""

RETRY_S = 1.0
"""From a flush that failed to the next attempt."""


class BackgroundSync:
    """Counts what is not flushed, and flushes it when it is due."""

    def __init__(self, store: ExtentStore, logger: Logger) -> None:
        self._store = store
        self._logger = logger
        self._records: dict[PartitionId, int] = {}
        self._due_at: float | None = None
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def wrote(self, batches: Iterable[PendingBatch], *, durable: bool) -> None:
        """Take note of batches that were written; `durable` if that flushed them, and all before them."""
        if durable:
            self._clear()
            return
        loop = asyncio.get_running_loop()
        for batch in batches:
            records = self._records.get(batch.partition_id, 0) + batch.records_count
            self._records[batch.partition_id] = records
            if records >= batch.sync_after_messages:
                self._due.set()
            if batch.sync_after_ms <= FLUSH_MS_MAX:
                due_at = loop.time() + batch.sync_after_ms / 1000
                if self._due_at is None or due_at < self._due_at:
                    self._schedule(loop, due_at)

    async def run(self) -> None:
        """Flush whenever it is due, until cancelled."""
        while True:
            await self._due.wait()
            self._clear()
            try:
                await self._store.sync()
            except StoreUnavailable as error:
                # It was acknowledged with the page-cache promise: there is nobody left to be told but the operator.
                self._logger.error("the journal could not be flushed in the background", error=str(error))
                loop = asyncio.get_running_loop()
                self._schedule(loop, loop.time() + RETRY_S)

    def _schedule(self, loop: asyncio.AbstractEventLoop, due_at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._due_at = due_at
        self._timer = loop.call_at(due_at, self._due.set)

    def _clear(self) -> None:
        self._records.clear()
        self._due.clear()
        self._due_at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
