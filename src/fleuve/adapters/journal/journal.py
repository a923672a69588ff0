"""The journal thread: takes writes in order, writes what waits together, flushes once for all of it, and answers.

The event loop only puts work into a queue. The thread holds the lock while it works on files; `sync_now` may be called
from any other thread and takes the same lock, so that neither ever sees the other's half-done work.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from fleuve.adapters.journal.appender import Appender, Pending
from fleuve.ports.store import Placed

GROUP_MAX = 256
"""Works that are taken together: bounds how long the first of them waits for the others."""


class _Work:
    """One queued wish: records to append, a sync (neither), or a call; None as its future's result if it has none."""

    __slots__ = ("call", "durable", "error", "future", "pending", "result")

    def __init__(
        self,
        future: asyncio.Future[Any],
        *,
        pending: Pending | None = None,
        durable: bool = True,
        call: Callable[[], Any] | None = None,
    ) -> None:
        self.future = future
        self.pending = pending
        self.durable = durable
        self.call = call
        self.result: Any = None
        self.error: BaseException | None = None


class Journal:
    """An appender with its thread. Its methods are for the event loop it was started on, except `sync_now`."""

    def __init__(self, appender: Appender, loop: asyncio.AbstractEventLoop) -> None:
        self._appender = appender
        self._loop = loop
        self._lock = threading.Lock()
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, pending: Pending, *, durable: bool) -> asyncio.Future[Placed]:
        """Append a record. Raises StoreUnavailable through the future; cancelling it does not undo the append."""
        return self._put(_Work(self._loop.create_future(), pending=pending, durable=durable))

    def sync(self) -> asyncio.Future[None]:
        """Flush what was appended before. Raises StoreUnavailable through the future."""
        return self._put(_Work(self._loop.create_future()))

    def call(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run `function` in the journal's turn, under its lock."""
        return self._put(_Work(self._loop.create_future(), call=function))

    def sync_now(self) -> None:
        """Flush what was acknowledged and is not on the device; blocks, and may be called from any thread.

        Returns at once if there is nothing: a durable write that is under way is not waited for. Raises
        StoreUnavailable.
        """
        if self._appender.needs_sync:
            with self._lock:
                self._appender.sync()

    async def close(self) -> None:
        """Finish what is queued and end the thread. The appender is not closed."""
        self._queue.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _put(self, work: _Work) -> asyncio.Future[Any]:
        self._queue.put(work)
        return work.future

    # -- the thread

    def _run(self) -> None:
        waiting: _Work | None = None
        while True:
            work = waiting or self._queue.get()
            waiting = None
            if work is None:
                return
            group = [work]
            stopping = False
            while work.call is None and len(group) < GROUP_MAX:
                try:
                    work = self._queue.get_nowait()
                except Empty:
                    break
                if work is None:
                    stopping = True
                    break
                if work.call is not None:
                    waiting = work
                    break
                group.append(work)
            with self._lock:
                self._do(group)
            # A closed loop means that nobody is left to be told.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_settle, group)
            if stopping:
                return

    def _do(self, group: list[_Work]) -> None:
        try:
            first = group[0]
            if first.call is not None:
                first.result = first.call()
                return
            appends = [work for work in group if work.pending is not None]
            durable = any(work.durable for work in group)
            if not appends:
                self._appender.sync()
                return
            records = [work.pending for work in appends if work.pending is not None]
            placed = self._appender.append(records, durable=durable, now=self._loop.time())
            for work, place in zip(appends, placed, strict=True):
                work.result = place
        except BaseException as error:
            for work in group:
                work.error = error


def _settle(group: list[_Work]) -> None:
    for work in group:
        if work.future.done():
            continue
        if work.error is not None:
            work.future.set_exception(work.error)
        else:
            work.future.set_result(work.result)
