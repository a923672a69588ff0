"""The offload that hands nothing over: work runs at once, on the loop. For tests and virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class InlineOffload:
    """Runs work where it is asked for."""

    async def run(self, work: Callable[[], T], *, size_bytes: int) -> T:
        """Return what `work()` returns, or raise what it raises."""
        return work()

    async def close(self) -> None:
        """Do nothing: nothing is ever under way."""
