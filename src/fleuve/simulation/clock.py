"""The wall clock of a simulated machine: it goes with virtual time, and somebody may set it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from fleuve.base.ids import TimestampMs

WALL_ZERO_MS: Final = 1_700_000_000_000


class SimulatedClock:
    """Wall time that passes with `now`, in seconds; with the running loop's time if it is not given."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        self._now = now or (lambda: asyncio.get_running_loop().time())
        self.set_ahead_ms = 0
        """How far somebody has set it ahead, or back."""
        self.latest_ms = WALL_ZERO_MS
        """The latest time that it has shown."""

    def wall_ms(self) -> TimestampMs:
        """Return milliseconds since the Unix epoch."""
        now = WALL_ZERO_MS + round(self._now() * 1000) + self.set_ahead_ms
        self.latest_ms = max(self.latest_ms, now)
        return TimestampMs(now)
