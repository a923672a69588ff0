"""Ports that fail on purpose: before the effect, or after it, when the caller cannot know."""

from __future__ import annotations

import random
from typing import Any

from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown, StoreUnavailable


class FaultyLogCatalog:
    """Wraps a LogCatalog: `commit` and `void` fail by chance."""

    def __init__(self, inner: Any, chance: random.Random, *, probability: float) -> None:
        self._inner = inner
        self._chance = chance
        self.probability = probability
        self.produce_commits_durable = inner.produce_commits_durable

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _fails(self) -> bool:
        return self._chance.random() < self.probability

    async def commit(self, rows: Any, decide: Any) -> Any:
        if self._fails():
            raise CatalogUnavailable("failed on purpose, before")
        if self._fails():
            raise CommitOutcomeUnknown("failed on purpose, before")
        decision = await self._inner.commit(rows, decide)
        if self._fails():
            raise CommitOutcomeUnknown("failed on purpose, after")
        return decision

    async def void(self, flush: Any) -> bool:
        if self._fails():
            raise CatalogUnavailable("failed on purpose, before")
        voided = await self._inner.void(flush)
        if self._fails():
            raise CommitOutcomeUnknown("failed on purpose, after")
        return bool(voided)


class FaultyExtentStore:
    """Wraps a store: `write` and `void` fail by chance, before the effect."""

    def __init__(self, inner: Any, chance: random.Random, *, probability: float) -> None:
        self._inner = inner
        self._chance = chance
        self.probability = probability
        self.writes_in_flight_max = inner.writes_in_flight_max

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def write(self, flush: Any, header: bytes, body: Any, *, durable: bool) -> Any:
        if self._chance.random() < self.probability:
            raise StoreUnavailable("failed on purpose")
        return await self._inner.write(flush, header, body, durable=durable)

    async def void(self, flush: Any) -> None:
        if self._chance.random() < self.probability:
            raise StoreUnavailable("failed on purpose")
        await self._inner.void(flush)
