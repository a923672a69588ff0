"""Work for threads: CRC of large batches, decompression, conversion. What runs there touches only what it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Offload(Protocol):
    """Runs pure, CPU-bound work without holding up the event loop."""

    async def run(self, work: Callable[[], T], *, size_bytes: int) -> T:
        """Return what `work()` returns, or raise what it raises.

        `size_bytes` says how much there is to do: an adapter may run small work at once, where it is cheaper
        than handing it over. The number of works under way and queued is bounded; when it is reached, the caller
        waits here. If the caller is cancelled, work that has begun goes on to its end, so the buffers it uses
        must not be used again by others.
        """
        ...
