"""A broker as a guest in somebody's process: in a thread with an event loop of its own, without signals.

`fleuve run` and `fleuve.testing` are made of it. A `BrokerThread` is one run of a broker, as a `Broker` is. A guest has
defaults for speed, takes nothing from the environment, which is its host's, and leaves the process as it is.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, TypeVar

from fleuve.app.broker import Broker
from fleuve.app.loops import loop_factory
from fleuve.app.options import ListenerSpec, parse_http
from fleuve.app.registry import registry
from fleuve.app.sources import Settings, read
from fleuve.app.surroundings import this_machine
from fleuve.base.errors import FleuveError, Verdict
from fleuve.base.log import Logger

T = TypeVar("T")

STOP_S_MAX = 15.0
"""A broker stops within 10 s, whatever its clients do."""

GUEST_DEFAULTS = {
    # Nothing outlives the process: a flush to the device would only take time.
    "log.flush.interval.messages": str(2**63 - 1),
    # A group's first member does not wait for others.
    "group.initial.rebalance.delay.ms": "0",
    "fleuve.http.listen": "off",
}


def guest_settings(assignments: Sequence[tuple[str, str]], *, assigned_by: str) -> Settings:
    """Return the settings of a guest. Raises SettingsError."""
    given = [*GUEST_DEFAULTS.items(), *assignments]
    return read(registry(), assignments=given, environment={}, assigned_by=assigned_by)


def guest_broker(
    settings: Settings, *, directory: Path, listener: ListenerSpec, logger: Logger, keeps_data: bool = False
) -> Broker:
    """Return a broker, not started yet, that is a guest in this process."""
    return Broker(
        registry(),
        settings,
        around=this_machine(directory, settings, logger, keeps_data=keeps_data, is_guest=True),
        listeners=(listener,),
        http=parse_http(settings.string("fleuve.http.listen")),
        logger=logger,
    )


class BrokerStuck(FleuveError, verdict=Verdict.FATAL):
    """The broker's thread did not end."""


class BrokerGone(FleuveError, verdict=Verdict.REFRESH):
    """The broker was stopped while it was asked something."""


class BrokerThread:
    """One run of a broker in a thread. Its methods are for other threads, and block."""

    def __init__(self, make: Callable[[], Broker]) -> None:
        """`make` is called in the thread, under its event loop."""
        self._make = make
        self._started: Future[tuple[Broker, asyncio.AbstractEventLoop]] = Future()
        self._stopping: Future[None] = Future()
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop
        # A process that forgets to stop its broker may end all the same.
        self._thread = threading.Thread(target=self._run, name="fleuve-broker", daemon=True)

    def start(self) -> Broker:
        """Return the broker when it serves clients. Raises FleuveError with one line, and has left nothing open then.

        Who is interrupted while waiting leaves nothing behind either.
        """
        try:
            self._thread.start()
            broker, self._loop = self._started.result()
        except BaseException:
            self._stop_soon()
            # An interrupt may come while the thread is not known to have started: then it cannot be joined yet.
            self._ended.wait(STOP_S_MAX)
            self._thread.join(STOP_S_MAX)
            raise
        return broker

    def call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what `await work()` returns in the broker's event loop, or raise what it raises, or BrokerGone."""
        coroutine = work()
        try:
            waiting = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as error:  # The loop is closed.
            coroutine.close()
            raise BrokerGone("the broker was stopped") from error
        try:
            return waiting.result()
        except CancelledError as error:
            raise BrokerGone("the broker was stopped while it was asked") from error
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
        finally:
            self._ended.set()

    async def _serve(self) -> None:
        broker = self._make()
        await broker.start()
        self._started.set_result((broker, asyncio.get_running_loop()))
        await asyncio.wrap_future(self._stopping)
        await broker.stop()
        if broker.failed.done():
            raise broker.failed.result()
