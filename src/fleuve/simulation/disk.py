"""What the simulated storage has in common with disks: it takes time, does one thing after another, fails, and is full.

A work that was handed over is done, whoever waits for it: giving up the wait does not undo it, as with a thread. Only
the end of the process that handed it over ends it, before its effect or after it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeVar

from fleuve.ports.errors import StoreUnavailable
from fleuve.simulation.loop import current_process

T = TypeVar("T")


class DiskWeather:
    """How long things take, and how often they fail."""

    def __init__(self, chance: Random, *, failures: float = 0.0) -> None:
        self.chance = chance
        self.failures = failures
        """The probability that a step fails; each change has one before its effect and one after it."""
        self.full = False
        """Nothing that needs room succeeds."""
        self.slow_s = 0.0
        """How much longer each step takes: a device that hangs."""
        self.failed = 0
        self.writes = 0

    def fails(self) -> bool:
        """Return whether the step that is due fails."""
        if self.failures <= 0 or self.chance.random() >= self.failures:
            return False
        self.failed += 1
        return True

    async def passes(self) -> None:
        """Let a step's time pass. Raises StoreUnavailable for a process that is dead."""
        process = current_process()
        if process is not None and not process.alive:
            raise StoreUnavailable("the process is dead")
        await asyncio.sleep(self.chance.choice([0, 0, 0.001, 0.005]))
        if self.slow_s:
            await asyncio.sleep(self.chance.random() * self.slow_s)


class Lane:
    """Does one work after another, in the order in which they were handed over."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]] = deque()
        self._at_work: asyncio.Task[None] | None = None
        self._outcome: asyncio.Future[Any] | None = None

    async def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what the work returns, raise what it raises."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        self._waiting.append((work, outcome))
        if self._at_work is None:
            self._at_work = loop.create_task(self._run())
        return await outcome

    def drop(self) -> None:
        """Do nothing any more, and tell those who wait."""
        waiting = [outcome for _, outcome in self._waiting]
        self._waiting.clear()
        if self._at_work is not None:
            self._at_work.cancel()
        for outcome in [*waiting, self._outcome]:
            if outcome is not None and not outcome.done():
                outcome.set_exception(StoreUnavailable("the process is dead"))

    async def _run(self) -> None:
        try:
            while self._waiting:
                work, outcome = self._waiting.popleft()
                self._outcome = outcome
                try:
                    result = await work()
                except Exception as error:
                    if not outcome.done():
                        outcome.set_exception(error)
                else:
                    if not outcome.done():
                        outcome.set_result(result)
        finally:
            self._at_work = None
