"""An event loop whose time jumps to the next thing that is due: an hour of waiting takes no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from fleuve.base.ids import TimestampMs

T = TypeVar("T")

WALL_ZERO = 1_700_000_000_000


class _JumpingSelector(selectors.DefaultSelector):
    """Lets the loop's time pass instead of waiting."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and nothing will ever happen"
            self.loop.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop under virtual time. Only for code that waits for nothing outside the process, and for no thread."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def hold_up(seconds: float) -> None:
    """Let time pass in which the loop does nothing, as if the process had been stopped."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.now += seconds


class LoopClock:
    """Wall time that passes with the running loop's."""

    def wall_ms(self) -> TimestampMs:
        return TimestampMs(WALL_ZERO + round(asyncio.get_running_loop().time() * 1000))


def virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` under virtual time and return what it returns."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
