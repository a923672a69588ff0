"""The one door to the wall clock.

Durations and time-outs are the event loop's (`asyncio.sleep`, `loop.time`): under a virtual loop they are
virtual too. `Clock` tells only what time it is for people: record timestamps, retention, expiry.
"""

from __future__ import annotations

import time
from typing import Protocol

from fleuve.base.ids import TimestampMs


class Clock(Protocol):
    """Tells the wall time."""

    def wall_ms(self) -> TimestampMs:
        """Return milliseconds since the Unix epoch."""
        ...


class SystemClock:
    """The machine's clock."""

    def wall_ms(self) -> TimestampMs:
        """Return milliseconds since the Unix epoch, by the machine's clock."""
        return TimestampMs(time.time_ns() // 1_000_000)


class ManualClock:
    """A clock that stands still until it is told to move: for tests and virtual time."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self._now = now

    def wall_ms(self) -> TimestampMs:
        """Return the time that was last set, in milliseconds since the Unix epoch."""
        return TimestampMs(self._now)

    def advance(self, ms: int) -> None:
        """Move the clock forward by `ms` milliseconds."""
        self._now += ms
