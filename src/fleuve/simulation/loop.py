"""An event loop whose time jumps to the next thing that is due: an hour of waiting takes no time.

There is no selector in it: nothing outside the process is waited for, except threads that say so (`run_in_executor`,
`outside`), and for those time stands still. What is ready runs first come, first served, as asyncio promises; chance
comes in through how long things take.

Everything that runs belongs to a *process*, which is what `kill` ends as SIGKILL would: nothing of it runs again. What
its tasks would still do while they are cancelled is done at once and reaches nobody, since whoever stands outside (the
network, the device) does nothing any more for a process that is dead.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from types import TracebackType
from typing import Any, Final, Self, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

UNWINDING_TURNS_MAX: Final = 1_000
"""Turns that a dead process's tasks get to unwind."""
OUTSIDE_S_MAX: Final = 30.0
"""Real time for which threads are waited for at once; whoever hangs that long hangs for ever."""


class Stuck(Exception):
    """Everybody waits, and nothing will ever happen."""


class Process:
    """Something that can be killed: a broker, or a client."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.tasks: dict[asyncio.Task[Any], None] = {}

    def __repr__(self) -> str:
        return self.name


_process: ContextVar[Process | None] = ContextVar("process", default=None)


def current_process() -> Process | None:
    """Return the process that the running code belongs to."""
    return _process.get()


class _Future(asyncio.Future[Any]):
    """A future whose hash is its number, so that sets of futures have the same order in every run."""

    __slots__ = ("number",)
    number: int

    def __hash__(self) -> int:
        return self.number


class _Task(asyncio.Task[Any]):
    """The same for tasks. The number comes first: asyncio puts a task into a set where it is made."""

    def __init__(self, coro: Any, *, number: int, loop: VirtualLoop, name: str | None, context: Context | None) -> None:
        self.number = number
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.number


class VirtualLoop(asyncio.AbstractEventLoop):
    """A loop under virtual time. A context manager: leaving cancels what is left and closes it.

    Of what asyncio's loops can do, it can what needs no world outside: no sockets, no signals, no processes.
    """

    @classmethod
    def new(cls) -> Self:
        """Return a new loop."""
        return cls()

    def __init__(self) -> None:
        self.now = 0.0
        self.turns = 0
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = 0
        self._stopping = False
        self._closed = False
        self._running = False
        self._outside = 0
        self._from_threads = threading.Semaphore(0)
        self._executor: ThreadPoolExecutor | None = None
        self.errors: list[BaseException] = []
        """What nobody caught."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------ time

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self.now

    def hold_up(self, seconds: float) -> None:
        """Let time pass in which the loop does nothing, as if the process had been stopped."""
        self.now += seconds

    # ------------------------------------------------------------ what runs

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run the callback in this turn or the next."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Do the same from another thread."""
        handle = self.call_soon(callback, *args, context=context)
        self._from_threads.release()
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run the callback when `delay` seconds have passed."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Run the callback at a time. Of several at one time, the first asked for comes first."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, self._next_number(), handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: it is dropped when its time comes."""

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future with a number."""
        future = _Future(loop=self)
        future.number = self._next_number()
        return future

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        """Return a task that belongs to the process that asks for it, or to that of the context."""
        process = _process.get() if context is None else context.get(_process)
        number = self._next_number()
        task = _Task(coro, number=number, loop=self, name=name or f"task-{number}", context=context)
        if process is not None:
            process.tasks[task] = None
            task.add_done_callback(lambda done: process.tasks.pop(done, None), context=context)
        return task

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    # ------------------------------------------------------------ processes

    def start(self, process: Process, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` as a part of `process`."""
        context = copy_context()
        context.run(_process.set, process)
        return self.create_task(work, context=context)

    async def killed(self, process: Process, *, then: Callable[[], None] | None = None) -> None:
        """End a process, for a task of another one; `then` follows at the same instant."""
        done = self.create_future()

        def kill() -> None:
            self.kill(process)
            if then is not None:
                then()
            done.set_result(None)

        self.call_soon(kill)
        await done

    def kill(self, process: Process) -> None:
        """End a process at this instant. Only for a callback of the loop: no task may be running."""
        assert asyncio.current_task(self) is None, "a task cannot kill: it might be killing itself"
        process.alive = False
        for _, _, timer in self._timers:
            if _process_of(timer) is process:
                timer.cancel()
        for _ in range(UNWINDING_TURNS_MAX):
            for task in list(process.tasks):
                task.cancel()
            # What others are to do stays where it is.
            mine = [handle for handle in self._ready if _process_of(handle) is process]
            if not mine:
                break
            self._ready = deque(handle for handle in self._ready if _process_of(handle) is not process)
            for handle in mine:
                if not handle.cancelled():
                    handle._run()
        assert not process.tasks, f"{process} does not die: {list(process.tasks)}"
        for _, _, timer in self._timers:
            if _process_of(timer) is process:
                timer.cancel()

    # ------------------------------------------------------------ running

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run until `work` is done; return what it returns, raise what it or any callback raises."""
        task = self.create_task(work)
        task.add_done_callback(lambda _: self.stop())
        self.run_forever()
        if self.errors:
            raise self.errors[0]
        result: T = task.result()
        return result

    def run_forever(self) -> None:
        """Run until `stop`. Raises Stuck when nothing is left to happen."""
        assert not self._running
        self._stopping = False
        self._running = True
        asyncio._set_running_loop(self)
        try:
            while not self._stopping and not self.errors:
                self._turn()
        finally:
            asyncio._set_running_loop(None)
            self._running = False

    def _turn(self) -> None:
        timers = self._timers
        while not self._ready and self._outside and self._from_threads.acquire(timeout=OUTSIDE_S_MAX):
            pass
        if not self._ready:
            while timers and timers[0][2].cancelled():
                heapq.heappop(timers)
            if not timers:
                raise Stuck(f"everybody waits, and nothing will ever happen (at {self.now:.3f} s)")
            self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            handle: asyncio.Handle = heapq.heappop(timers)[2]
            if not handle.cancelled():
                self._ready.append(handle)
        self.turns += 1
        for _ in range(len(self._ready)):
            # A kill takes handles out of the middle.
            if not self._ready:
                break
            handle = self._ready.popleft()
            if not handle.cancelled():
                handle._run()

    def stop(self) -> None:
        """Stop after this turn."""
        self._stopping = True

    def is_running(self) -> bool:
        """Return whether it runs."""
        return self._running

    def is_closed(self) -> bool:
        """Return whether it is closed."""
        return self._closed

    def close(self) -> None:
        """Cancel what is left and let it unwind."""
        if self._closed:
            return
        asyncio._set_running_loop(self)
        try:
            for _ in range(UNWINDING_TURNS_MAX):
                for task in asyncio.all_tasks(self):
                    task.cancel()
                if not self._ready:
                    break
                self._timers.clear()
                for _ in range(len(self._ready)):
                    self._ready.popleft()._run()
        finally:
            asyncio._set_running_loop(None)
        self._closed = True
        if self._executor is not None:
            self._executor.shutdown()

    # ------------------------------------------------------------ threads

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let time stand still meanwhile: a thread of the process is at work, and what it answers is waited for."""
        self._outside += 1
        try:
            yield
        finally:
            self._outside -= 1

    def outside(self, future: asyncio.Future[T]) -> asyncio.Future[T]:
        """Let time stand still until the future is done: a thread of the process works on it."""
        self._outside += 1
        future.add_done_callback(self._came_back)
        return future

    def _came_back(self, _: object) -> None:
        self._outside -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run `func` in a thread while time stands still."""
        if executor is None:
            self._executor = self._executor or ThreadPoolExecutor(1)
            executor = self._executor
        return self.outside(asyncio.wrap_future(executor.submit(func, *args), loop=self))

    # ------------------------------------------------------------ what asyncio asks for

    def get_debug(self) -> bool:
        """Return False."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody caught: it ends the run."""
        error = context.get("exception") or RuntimeError(context.get("message"))
        assert isinstance(error, BaseException)
        process = _process.get()
        if process is None or process.alive:
            self.errors.append(error)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Do the same."""
        self.call_exception_handler(context)

    async def shutdown_asyncgens(self) -> None:
        """Do nothing."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Do nothing: `close` does."""


def _process_of(handle: asyncio.Handle) -> Process | None:
    context: Context = handle._context  # type: ignore[attr-defined]
    return context.get(_process)


def virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` under virtual time and return what it returns."""
    with VirtualLoop.new() as loop:
        return loop.run(work)


def hold_up(seconds: float) -> None:
    """Let time pass in which the running loop does nothing, as if the process had been stopped."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.hold_up(seconds)
