"""Gives space back: objects that nobody refers to, and what a crash left behind.

An object without a run is marked, waits a grace period for readers that were directed to it, and goes. An orphan (in
the store, unknown to the catalog) waits as long. Neither may still grow, nor may a flush be under way whose commit
would refer to it: so the store is asked what grows first, then the flushes under way are waited for, and only then
the catalog is believed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from fleuve.base.clock import Clock
from fleuve.engine.maintenance.stats import MaintenanceStats
from fleuve.ports.maintenance import MaintenanceCatalog
from fleuve.ports.store import ObjectStore

DELETED_AT_ONCE: Final = 256
"""Objects in one call of the store and of the catalog."""


class SettledFlushes(Protocol):
    """Tells when the flushes that are under way have ended; the log room's service does."""

    async def flushes_settled(self) -> None:
        """Return when every flush that is under way now is committed or given up."""
        ...


class Garbage:
    """Marks, deletes and forgets objects."""

    def __init__(
        self,
        *,
        catalog: MaintenanceCatalog,
        store: ObjectStore,
        flushes: SettledFlushes,
        clock: Clock,
        stats: MaintenanceStats,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._flushes = flushes
        self._clock = clock
        self._stats = stats
        self._orphans_since: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        """Of the objects in the store, as the last scan for orphans found them."""

    async def mark(self) -> None:
        """Mark what nobody refers to any more."""
        candidates = await self._catalog.unreferenced()
        if not candidates:
            return
        growing = await self._store.growing()
        await self._flushes.flushes_settled()
        names = [row.name for row in candidates if growing is None or row.name != growing.name]
        for first in range(0, len(names), DELETED_AT_ONCE):
            await self._catalog.mark_garbage(names[first : first + DELETED_AT_ONCE])

    async def delete(self, *, grace_ms: int) -> None:
        """Delete what was marked at least `grace_ms` ago."""
        now = self._clock.wall_ms()
        names = await self._catalog.garbage(before_ms=now - grace_ms)
        for first in range(0, len(names), DELETED_AT_ONCE):
            some = names[first : first + DELETED_AT_ONCE]
            await self._store.delete(some)
            await self._catalog.forget_objects(some)
            self._stats.deleted_objects += len(some)
            for name in some:
                self.sizes.pop(name, None)
        waiting = await self._catalog.garbage(before_ms=now) if grace_ms else []
        self._stats.garbage_objects = len(waiting)

    async def delete_orphans(self, *, grace_ms: int, writing: Collection[str]) -> None:
        """Delete what the catalog does not know, `grace_ms` after it was first seen."""
        infos = await self._store.list()
        await self._flushes.flushes_settled()
        known = {row.name for row in await self._catalog.objects(segments=True)}
        self.sizes = {info.name: info.size_bytes for info in infos if info.name in known}
        now = self._clock.wall_ms()
        orphans = [
            info.name for info in infos if not info.growing and info.name not in known and info.name not in writing
        ]
        self._orphans_since = {name: self._orphans_since.get(name, now) for name in orphans}
        names = [name for name, since in self._orphans_since.items() if now - since >= grace_ms]
        if not names:
            return
        # A flush that was committed without a run leaves nothing but its number, and that must outlive its journal
        # file: a durable commit proves that all before it are.
        await self._catalog.forget_objects(names)
        for first in range(0, len(names), DELETED_AT_ONCE):
            await self._store.delete(names[first : first + DELETED_AT_ONCE])
        self._stats.deleted_objects += len(names)
