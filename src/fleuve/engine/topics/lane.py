"""Changes of the registry, one after another.

A change reads the registry, commits to the store and applies what was committed. Two at once could apply in
another order than they committed; and a change whose client hangs up between commit and apply would leave the
registry behind the store. So all changes run in one task, which nobody's disconnection cancels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fleuve.ports.errors import CatalogUnavailable

T = TypeVar("T")

WAITING_MAX = 1_000
"""Changes that wait for their turn; who comes then waits to wait, and its connection reads no further requests."""

STOPPING = "the broker is stopping"


class Lane:
    """Runs changes in the order they were asked for, as long as `run` runs."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]] = asyncio.Queue(
            WAITING_MAX
        )
        self._closed = False

    async def do(self, change: Callable[[], Awaitable[T]]) -> T:
        """Run `change` in its turn and return its result or raise its error.

        A caller that is cancelled while its change waits takes it back; a change that has begun runs to its end.
        Raises CatalogUnavailable, with nothing done or begun, once `run` has ended.
        """
        if self._closed:
            raise CatalogUnavailable(STOPPING)
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await self._waiting.put((change, outcome))
        if self._closed:  # While it waited to wait.
            _refuse(outcome)
        return await outcome

    async def run(self) -> None:
        """Run changes until cancelled; those that still wait then are told that the broker stops."""
        try:
            while True:
                change, outcome = await self._waiting.get()
                if not outcome.done():
                    await _carry_out(change, outcome)
        finally:
            self._closed = True
            while not self._waiting.empty():
                _, outcome = self._waiting.get_nowait()
                _refuse(outcome)


async def _carry_out(change: Callable[[], Awaitable[Any]], outcome: asyncio.Future[Any]) -> None:
    try:
        result = await change()
    except asyncio.CancelledError:
        _refuse(outcome)
        raise
    except Exception as error:
        # A bug, too, belongs to the task that asked: this one goes on for the others.
        if not outcome.done():
            outcome.set_exception(error)
    else:
        if not outcome.done():
            outcome.set_result(result)


def _refuse(outcome: asyncio.Future[Any]) -> None:
    if not outcome.done():
        outcome.set_exception(CatalogUnavailable(STOPPING))
