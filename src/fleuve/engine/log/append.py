"""What a Produce request gives to the log, and what it gets back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fleuve.base.errors import FleuveError


class Appended(NamedTuple):
    """Where a batch is in the log."""

    base_offset: int
    log_append_time_ms: int
    """−1 unless the topic has LogAppendTime."""
    log_start_offset: int


class AppendRequest:
    """The batches of one Produce request; `on_complete` is called once, when each has its result."""

    __slots__ = ("on_complete", "remaining", "results")

    def __init__(self, count: int, on_complete: Callable[[AppendRequest], None]) -> None:
        assert count >= 1
        self.results: list[Appended | FleuveError | None] = [None] * count
        self.remaining = count
        self.on_complete = on_complete

    def fail(self, slot: int, error: FleuveError) -> None:
        """Give `slot` an error for its result."""
        self.settle(slot, error)

    def settle(self, slot: int, result: Appended | FleuveError) -> None:
        """Give `slot` its result; the last one completes the request."""
        self.results[slot] = result
        self.remaining -= 1
        if not self.remaining:
            self.on_complete(self)
