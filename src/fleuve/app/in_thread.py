"""A broker as a guest in somebody's process: in a thread with an event loop of its own, without signals.

`fleuve run` and `fleuve.testing` are made of it. A `BrokerThread` is one run of a broker, as a `Broker` is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from fleuve.app.broker import Broker
from fleuve.app.loops import loop_factory
from fleuve.base.errors import FleuveError, Verdict

T = TypeVar("T")

STOP_S_MAX = 15.0
"""A broker stops within 10 s, whatever its clients do."""


class BrokerStuck(FleuveError, verdict=Verdict.FATAL):
    """The broker's thread did not end."""


class BrokerThread:
    """One run of a broker in a thread. Its methods are for other threads, and block."""

    def __init__(self, make: Callable[[], Broker]) -> None:
        """`make` is called in the thread, under its event loop."""
        self._make = make
        self._started: Future[tuple[Broker, asyncio.AbstractEventLoop]] = Future()
        self._stopping: Future[None] = Future()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        # A process that forgets to stop its broker may end all the same.
        self._thread = threading.Thread(target=self._run, name="fleuve-broker", daemon=True)

    def start(self) -> Broker:
        """Return the broker when it serves clients. Raises FleuveError with one line, and has left nothing open then.

        Who is interrupted while waiting leaves nothing behind either.
        """
        self._thread.start()
        try:
            broker, self._loop = self._started.result()
        except BaseException:
            self._stop_soon()
            self._thread.join(STOP_S_MAX)
            raise
        return broker

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `await work()` returns in the broker's event loop, or raise what it raises."""
        waiting = asyncio.run_coroutine_threadsafe(work(), self._loop)
        try:
            return waiting.result()
        except BaseException:
            waiting.cancel()
            raise

    def stop(self) -> None:
        """Answer what is under way, close everything and end the thread.

        Raises what made the broker fail, or its stop, if anything did.
        """
        self._stop_soon()
        self._thread.join(STOP_S_MAX)
        if self._thread.is_alive():
            raise BrokerStuck("the broker does not stop; its thread is left behind")
        if self._error is not None:
            raise self._error

    def _stop_soon(self) -> None:
        if not self._stopping.done():
            self._stopping.set_result(None)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._serve())
        except BaseException as error:
            if self._started.done():
                self._error = error
            else:
                self._started.set_exception(error)

    async def _serve(self) -> None:
        broker = self._make()
        await broker.start()
        self._started.set_result((broker, asyncio.get_running_loop()))
        await asyncio.wrap_future(self._stopping)
        await broker.stop()
        if broker.failed.done():
            raise broker.failed.result()
