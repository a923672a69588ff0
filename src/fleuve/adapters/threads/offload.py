"""Offload to a bounded pool of threads.

It pays because the libraries that do the work (checksums, compression) release the interpreter's lock.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from fleuve.base.errors import FleuveError

T = TypeVar("T")

INLINE_SIZE_BYTES_MAX: Final = 64 * 1024
"""Up to here the work takes less time (CRC: 3 µs) than handing it over and back (50 to 100 µs)."""


class ThreadOffload:
    """Runs work in `threads` threads; at most `queued_max` more wait for one, further callers wait in `run`."""

    def __init__(self, *, threads: int, queued_max: int, inline_size_bytes_max: int = INLINE_SIZE_BYTES_MAX) -> None:
        assert threads > 0
        assert queued_max >= 0
        self._inline_size_bytes_max = inline_size_bytes_max
        self._places = asyncio.Semaphore(threads + queued_max)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="fleuve-offload")

    async def run(self, work: Callable[[], T], *, size_bytes: int) -> T:
        """Return what `work()` returns, or raise what it raises. Small work runs at once, on the loop."""
        if size_bytes <= self._inline_size_bytes_max:
            return work()
        loop = asyncio.get_running_loop()
        await self._places.acquire()
        try:
            future = self._executor.submit(_frameless, work)
        except RuntimeError:
            self._places.release()
            raise

        def give_back(_: object) -> None:
            # The place is free when the work has ended, not when its caller has gone.
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody waits for a place.
                loop.call_soon_threadsafe(self._places.release)

        future.add_done_callback(give_back)
        return await asyncio.wrap_future(future)

    async def close(self) -> None:
        """Wait for the work that is under way; drop what has not begun: its callers are cancelled."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)


def _frameless(work: Callable[[], T]) -> T:
    """Do the work; of an error that was raised on purpose, keep no frame.

    Frames hold what was worked with, which may be much, until whoever waits for the error has forgotten it.
    """
    try:
        return work()
    except FleuveError as error:
        link: BaseException | None = error
        while link is not None:
            link.__traceback__ = None
            link = link.__cause__ or link.__context__
        raise
