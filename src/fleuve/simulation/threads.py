"""The real embedded engine under virtual time: while any of its threads is at work, time stands still."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from fleuve.app.engines import EmbeddedEngine, Engine
from fleuve.base.clock import Clock
from fleuve.base.log import SilentLogger
from fleuve.simulation.loop import VirtualLoop

NO_PORTS = {"journal_stats", "directory", "volume_size"}


class ThreadedEngine:
    """An EngineOpener over SQLite and the journal in a directory."""

    def __init__(self, path: Path, loop: VirtualLoop, clock: Clock, *, journal_file_bytes: int) -> None:
        self._loop = loop
        self._engine = EmbeddedEngine(path, journal_file_bytes=journal_file_bytes, clock=clock, logger=SilentLogger())
        self.calls: Counter[str] = Counter()
        """How often each method of a port was called."""

    def open(self, loop: asyncio.AbstractEventLoop) -> Engine:
        """Return the ports."""
        engine = self._engine.open(loop)
        watched: dict[str, Any] = {
            field.name: _Watched(self, getattr(engine, field.name))
            for field in fields(engine)
            if field.name not in NO_PORTS
        }
        return replace(engine, **watched)

    async def close(self) -> None:
        """Close it."""
        await self.wait_for(self._engine.close())

    async def wait_for(self, work: Awaitable[Any]) -> Any:
        """Return what the work returns; time stands still until then."""
        with self._loop.standing_still():
            return await work

    async def each_of(self, steps: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """Yield what `steps` yield; time stands still while they are waited for."""
        while True:
            with self._loop.standing_still():
                try:
                    step = await anext(steps)
                except StopAsyncIteration:
                    return
            yield step


class _Watched:
    """A port whose calls are waited for."""

    def __init__(self, engine: ThreadedEngine, inner: Any) -> None:
        self._engine = engine
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*args: Any, **options: Any) -> Any:
            self._engine.calls[name] += 1
            result = found(*args, **options)
            if inspect.isasyncgen(result):
                return self._engine.each_of(result)
            return self._engine.wait_for(result) if inspect.isawaitable(result) else result

        return call
