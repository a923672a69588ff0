"""The store: bytes of the log, as extents (one for each flush) and as segments (one for each merge).

An object is a journal file or a segment file here, an object of a bucket elsewhere; its name is never reused. The
store knows flush ids and lengths; what is inside an extent's header and body is the engine's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import NamedTuple, Protocol

from fleuve.base.ids import FlushId, Incarnation

Buffer = bytes | bytearray | memoryview


class Placed(NamedTuple):
    """Where an extent's body lies."""

    object_name: str
    position: int
    """Of the body's first byte in the object."""


class Extent(NamedTuple):
    """An extent as a scan finds it, whole and checked."""

    flush: FlushId
    header: bytes
    body: memoryview
    placed: Placed


class Range(NamedTuple):
    """Bytes of an object."""

    object_name: str
    position: int
    length: int


class ObjectInfo(NamedTuple):
    """An object that exists."""

    name: str
    size_bytes: int
    growing: bool
    """It may still be appended to."""


class ExtentStore(Protocol):
    """Extents: written once, in flush order, by the incarnation whose number they carry."""

    writes_in_flight_max: int
    """Calls of `write` that may be under way at the same time."""

    async def begin(self, incarnation: Incarnation) -> None:
        """Say which incarnation writes from now on. Objects of earlier ones are never appended to again."""
        ...

    async def write(self, flush: FlushId, header: bytes, body: Sequence[Buffer], *, durable: bool) -> Placed:
        """Write an extent; with `durable`, return only when it and everything written before it is on the device.

        The buffers may not change until this returns. Raises StoreUnavailable; then no later scan yields the extent
        once any later `write` or `void` has succeeded.
        """
        ...

    async def void(self, flush: FlushId) -> None:
        """State durably that the extent of `flush` counts for nothing; no later scan yields it.

        Raises StoreUnavailable.
        """
        ...

    async def sync(self) -> None:
        """Return when everything that was written before this call is on the device. Raises StoreUnavailable."""
        ...

    def scan(self, incarnation: Incarnation, *, after: int) -> AsyncIterator[Extent]:
        """Yield that incarnation's extents with a flush number above `after`, in order, without voided ones.

        A torn end is cut: what was never acknowledged is not yielded. The body is valid until the next step.
        Raises CorruptState where something that was acknowledged cannot be read.
        """
        ...

    async def valid_end(self, object_name: str) -> int:
        """Return the position behind the last whole extent of an object that no longer grows; 0 if it is gone."""
        ...


class ObjectStore(Protocol):
    """What lies in the store, by name."""

    async def read(self, ranges: Sequence[Range]) -> list[memoryview]:
        """Return the bytes of each range, writable, the caller's own.

        Neighbouring ranges are read together. Raises ObjectMissing if an object is gone or too short, StoreUnavailable.
        """
        ...

    async def write_segment(self, object_name: str, chunks: Iterable[Buffer]) -> int:
        """Write a new object, whole and durable, and return its size in bytes.

        `chunks` is consumed in a thread, piece by piece; or, if it can be iterated asynchronously as well, on the event
        loop. Raises StoreUnavailable; then no object of that name is left.
        """
        ...

    async def delete(self, object_names: Sequence[str]) -> None:
        """Delete objects; one that is gone already is fine. Raises StoreUnavailable."""
        ...

    async def list(self) -> list[ObjectInfo]:
        """Return everything that is there, for orphan scans and sizes."""
        ...

    async def growing(self) -> ObjectInfo | None:
        """Return the object that may still be appended to, if there is one."""
        ...

    async def seal(self, *, older_than_ms: int, larger_than_bytes: int) -> None:
        """Close the growing object for good if it began at least so long ago, or is larger, and holds anything."""
        ...
