"""The store in memory: for tests, and for a broker that keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence

from fleuve.base.ids import FlushId, Incarnation
from fleuve.ports.errors import ObjectMissing
from fleuve.ports.store import Buffer, Extent, ObjectInfo, Placed, Range

OBJECT_BYTES = 64 << 20
"""An object grows up to about this size; then the next one begins."""


class _Object:
    """Extents one behind the other, or a segment."""

    __slots__ = ("began", "extents", "growing", "incarnation", "pieces", "size")

    def __init__(self, incarnation: Incarnation | None, *, began: float, growing: bool) -> None:
        self.incarnation = incarnation
        self.began = began
        self.growing = growing
        self.size = 0
        self.pieces = bytearray()
        self.extents: list[tuple[FlushId, bytes, int, int]] = []
        """Flush, header, the body's position and length."""


class MemoryStore:
    """An ExtentStore and an ObjectStore whose content goes with it. Everything is durable for as long as it lives."""

    def __init__(self, *, object_bytes: int = OBJECT_BYTES, writes_in_flight_max: int = 2) -> None:
        self.writes_in_flight_max = writes_in_flight_max
        self._object_bytes = object_bytes
        self._objects: dict[str, _Object] = {}
        self._voided: set[FlushId] = set()
        self._incarnation: Incarnation | None = None
        self._sequence = 0
        self._growing: str | None = None
        self._number_last = 0

    # -- extents

    async def begin(self, incarnation: Incarnation) -> None:
        """Say which incarnation writes from now on."""
        assert self._incarnation is None or incarnation > self._incarnation
        self._close_growing()
        self._incarnation = incarnation
        self._number_last = 0

    async def write(self, flush: FlushId, header: bytes, body: Sequence[Buffer], *, durable: bool) -> Placed:
        """Keep an extent."""
        assert flush.incarnation == self._incarnation
        assert flush.number > self._number_last
        self._number_last = flush.number
        name, target = self._appendable()
        position = target.size
        for buffer in body:
            target.pieces += buffer
        target.size = len(target.pieces)
        target.extents.append((flush, header, position, target.size - position))
        return Placed(name, position)

    async def void(self, flush: FlushId) -> None:
        """Let the extent of `flush` count for nothing."""
        self._voided.add(flush)

    async def sync(self) -> None:
        """Do nothing: what was written is as durable as it gets."""

    async def scan(self, incarnation: Incarnation, *, after: int) -> AsyncIterator[Extent]:
        """Yield the incarnation's extents above `after`, in order, without voided ones."""
        for name, found in list(self._objects.items()):
            if found.incarnation != incarnation:
                continue
            for flush, header, position, length in list(found.extents):
                if flush.number > after and flush not in self._voided:
                    body = memoryview(bytes(memoryview(found.pieces)[position : position + length]))
                    yield Extent(flush, header, body, Placed(name, position))

    async def valid_end(self, object_name: str) -> int:
        """Return the object's size; 0 if it is gone."""
        found = self._objects.get(object_name)
        return 0 if found is None else found.size

    def _appendable(self) -> tuple[str, _Object]:
        if self._growing is not None and self._objects[self._growing].size >= self._object_bytes:
            self._close_growing()
        if self._growing is None:
            self._sequence += 1
            self._growing = f"journal/{self._incarnation:010d}-{self._sequence:08d}.journal"
            began = asyncio.get_running_loop().time()
            self._objects[self._growing] = _Object(self._incarnation, began=began, growing=True)
        return self._growing, self._objects[self._growing]

    def _close_growing(self) -> None:
        if self._growing is not None:
            self._objects[self._growing].growing = False
            self._growing = None

    # -- objects

    async def read(self, ranges: Sequence[Range]) -> list[memoryview]:
        """Return copies of the bytes of each range. Raises ObjectMissing."""
        results = []
        for object_name, position, length in ranges:
            found = self._objects.get(object_name)
            if found is None:
                raise ObjectMissing(f"{object_name} is gone")
            if position + length > found.size:
                raise ObjectMissing(f"{object_name} ends at {found.size}, wanted up to {position + length}")
            results.append(memoryview(found.pieces[position : position + length]))
        return results

    async def write_segment(self, object_name: str, chunks: Iterable[Buffer]) -> int:
        """Keep a new object; return its size in bytes."""
        assert object_name not in self._objects
        segment = _Object(None, began=asyncio.get_running_loop().time(), growing=False)
        if isinstance(chunks, AsyncIterable):
            async for chunk in chunks:
                segment.pieces += chunk
        else:
            segment.pieces = bytearray(b"").join(chunks)
        segment.size = len(segment.pieces)
        self._objects[object_name] = segment
        return segment.size

    async def delete(self, object_names: Sequence[str]) -> None:
        """Delete objects; one that is gone already is fine."""
        for object_name in object_names:
            assert object_name != self._growing
            self._objects.pop(object_name, None)

    async def list(self) -> list[ObjectInfo]:
        """Return everything that is there."""
        return [ObjectInfo(name, found.size, found.growing) for name, found in self._objects.items()]

    async def growing(self) -> ObjectInfo | None:
        """Return the object that may still be appended to."""
        name = self._growing
        return None if name is None else ObjectInfo(name, self._objects[name].size, growing=True)

    async def seal(self, *, older_than_ms: int, larger_than_bytes: int) -> None:
        """Close the growing object for good if it is old or large enough and holds anything."""
        if self._growing is None:
            return
        target = self._objects[self._growing]
        began_before = asyncio.get_running_loop().time() - older_than_ms / 1000
        if target.extents and (target.began <= began_before or target.size > larger_than_bytes):
            self._close_growing()
