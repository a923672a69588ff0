"""A store in memory with a device behind it: what was not flushed may be gone after a power cut, in the order written.

It behaves as the journal does. Extents are on the device once a durable write, or a sync, has returned.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from fleuve.adapters.memory.store import MemoryStore
from fleuve.base.ids import FlushId, Incarnation
from fleuve.ports.errors import StoreUnavailable
from fleuve.ports.store import Buffer, Extent, Placed, Range
from fleuve.simulation.disk import DiskWeather, Lane


class SimulatedStore(MemoryStore):
    """A MemoryStore that survives its brokers, as a device does. `crash` ends one's use of it."""

    def __init__(self, weather: DiskWeather, *, object_bytes: int) -> None:
        super().__init__(object_bytes=object_bytes)
        self._weather = weather
        self._order: list[tuple[str, FlushId]] = []
        self._synced = 0
        """How many of them are on the device."""
        self._failed: set[FlushId] = set()
        """Extents whose write failed: they count for nothing once anything later has succeeded."""
        self._lane = Lane()
        self._changes = Lane()
        self.referred_objects: Callable[[], set[str]] = set
        """Which objects a reader may be directed to, now or after a power cut."""
        self.on_lost: Callable[[str], None] = _deleted_too_early
        """Told of an object that is deleted though a reader may be directed to it."""

    # -- extents

    async def write(self, flush: FlushId, header: bytes, body: Sequence[Buffer], *, durable: bool) -> Placed:
        """Write an extent, after all that was handed over before."""
        return await self._lane.do(lambda: self._write(flush, header, body, durable=durable))

    async def _write(self, flush: FlushId, header: bytes, body: Sequence[Buffer], *, durable: bool) -> Placed:
        weather = self._weather
        weather.writes += 1
        growing = self._growing
        fails_before, fails_after = weather.fails() or weather.full, weather.fails()
        await weather.passes()
        if fails_before:
            raise StoreUnavailable("failed on purpose, before")
        placed = await super().write(flush, header, body, durable=durable)
        if placed.object_name != growing:
            # The object before it was flushed when it was closed.
            self._synced = len(self._order)
        self._order.append((placed.object_name, flush))
        await weather.passes()
        if fails_after:
            self._failed.add(flush)
            raise StoreUnavailable("failed on purpose, after")
        self._succeeded()
        if durable:
            self._synced = len(self._order)
        return placed

    async def void(self, flush: FlushId) -> None:
        """Let the extent count for nothing, durably."""
        await self._lane.do(lambda: self._void(flush))

    async def _void(self, flush: FlushId) -> None:
        await self._weather.passes()
        if self._weather.fails() or self._weather.full:
            raise StoreUnavailable("failed on purpose")
        await super().void(flush)
        self._succeeded()
        self._synced = len(self._order)

    async def sync(self) -> None:
        """Bring what was written before to the device."""
        await self._lane.do(self._sync)

    async def _sync(self) -> None:
        await self._weather.passes()
        self.sync_now()

    def sync_now(self) -> None:
        """Do the same at once, for the catalog. Raises StoreUnavailable."""
        if self._weather.fails():
            raise StoreUnavailable("failed on purpose")
        self._synced = len(self._order)

    async def begin(self, incarnation: Incarnation) -> None:
        """Say which incarnation writes from now on."""
        await self._weather.passes()
        await super().begin(incarnation)

    async def scan(self, incarnation: Incarnation, *, after: int) -> AsyncIterator[Extent]:
        """Yield the incarnation's extents."""
        async for extent in super().scan(incarnation, after=after):
            await self._weather.passes()
            yield extent

    @property
    def has_unflushed(self) -> bool:
        """Whether a power cut would lose anything."""
        return self._synced < len(self._order)

    def _succeeded(self) -> None:
        self._voided |= self._failed
        self._failed.clear()

    # -- objects

    async def read(self, ranges: Sequence[Range]) -> list[memoryview]:
        """Return copies of the bytes of each range."""
        await self._weather.passes()
        if self._weather.fails():
            raise StoreUnavailable("failed on purpose")
        return await super().read(ranges)

    async def write_segment(self, object_name: str, chunks: Iterable[Buffer]) -> int:
        """Write a segment: whole, or not at all."""
        fails_before, fails_after = self._weather.fails() or self._weather.full, self._weather.fails()
        if fails_before:
            await self._weather.passes()
            raise StoreUnavailable("failed on purpose, before")
        size = await super().write_segment(object_name, chunks)
        await self._weather.passes()
        if fails_after:
            await super().delete([object_name])
            raise StoreUnavailable("failed on purpose, after")
        return size

    async def delete(self, object_names: Sequence[str]) -> None:
        """Delete objects."""
        await self._changes.do(lambda: self._delete(object_names))

    async def _delete(self, object_names: Sequence[str]) -> None:
        await self._weather.passes()
        if self._weather.fails():
            raise StoreUnavailable("failed on purpose, before")
        referred = self.referred_objects()
        for name in object_names:
            if name in referred:
                self.on_lost(name)
        await super().delete(object_names)
        await self._weather.passes()
        if self._weather.fails():
            raise StoreUnavailable("failed on purpose, after")

    # -- the end of a process

    def crash(self, *, power: bool) -> None:
        """Lose what is not on the device; without a power cut, only what was never written whole."""
        # Objects that are gone were merged: all of them was on the device.
        self._synced = sum(name in self._objects for name, _ in self._order[: self._synced])
        self._order = [(name, flush) for name, flush in self._order if name in self._objects]
        if power:
            kept = self._weather.chance.randrange(self._synced, len(self._order) + 1)
            for name, flush in reversed(self._order[kept:]):
                found = self._objects[name]
                assert found.extents[-1][0] == flush
                _, _, position, _ = found.extents.pop()
                del found.pieces[position:]
                found.size = position
            del self._order[kept:]
        # A failed write may be there all the same.
        self._failed = {flush for flush in sorted(self._failed) if self._weather.chance.random() < 0.5}
        self._succeeded()
        self._close_growing()
        # What a scan reads, it has brought to the device first.
        self._synced = len(self._order)
        self._lane.drop()
        self._changes.drop()
        self._lane, self._changes = Lane(), Lane()


def _deleted_too_early(object_name: str) -> None:
    raise AssertionError(f"{object_name} is deleted, and the catalog refers to it")
