"""One run of a broker in a simulation: the real `Broker`, in a process that can be killed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from random import Random

from fleuve.adapters.memory.offload import InlineOffload
from fleuve.app.broker import Broker
from fleuve.app.engines import EngineOpener
from fleuve.app.options import parse_listener
from fleuve.app.registry import Registry, registry
from fleuve.app.sources import read
from fleuve.app.surroundings import Surroundings
from fleuve.simulation.client import BROKER
from fleuve.simulation.clock import SimulatedClock
from fleuve.simulation.engine import Device
from fleuve.simulation.history import History, HistoryLogger, Violation
from fleuve.simulation.loop import Process, VirtualLoop
from fleuve.simulation.network import Network

PINNED_SHARE = 1.5
"""The tail cache, and what slow readers hold of what has left it (`engine/log/arena.py`)."""
ONE_BYTES = 1 << 20
"""Bounds are looked at before a batch or a slab is taken: by so much they may be passed."""


class Life:
    """One run of a broker; the device, if there is one, is told of its end."""

    def __init__(
        self,
        number: int,
        *,
        loop: VirtualLoop,
        network: Network,
        device: Device | None,
        engine: EngineOpener,
        clock: SimulatedClock,
        chance: Random,
        settings: dict[str, str],
        history: History,
        is_rough: Callable[[], bool],
    ) -> None:
        self.process = Process(f"broker-{number}")
        self._loop = loop
        self._network = network
        self._device = device
        self._history = history
        self._stopping = asyncio.Event()
        self._errors: list[str] = []
        self._is_rough = is_rough
        self._running: asyncio.Task[None]
        self._serving = asyncio.Event()
        self._tail_cache_bytes = int(settings["fleuve.tail.cache.bytes"])
        host, port = BROKER
        table = _registry()
        self.broker = Broker(
            table,
            read(table, assignments=list(settings.items()), environment={}),
            around=Surroundings(
                engine=engine,
                clock=clock,
                chance=chance,
                offload=InlineOffload(),
                listening=network.listening,
            ),
            listeners=(parse_listener(f"{host}:{port}"),),
            http=None,
            logger=HistoryLogger(history, self.process, self._take_error),
        )

    async def begin(self, *, patience_s: float | None) -> bool:
        """Return when clients are served, or, with False, after so long. Raises FleuveError where it cannot start."""
        self._running = self._loop.start(self.process, self._live())
        serving = self._loop.create_task(self._serving.wait())
        await asyncio.wait([self._running, serving], timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        serving.cancel()
        if self._running.done():
            await self._running
        if self._serving.is_set():
            self._history.note(self.process.name, "serves")
        return self._serving.is_set()

    async def _live(self) -> None:
        await self.broker.start()
        self._serving.set()
        await self._stopping.wait()
        await self.broker.stop()

    async def stop(self) -> None:
        """Let it stop in good order."""
        self.check_errors()
        self._history.note(self.process.name, "stops")
        self._stopping.set()
        await self._running
        self.check_errors()
        await self._kill()
        if self._device is not None:
            self._device.crash(power=False)

    async def kill(self, *, power: bool) -> None:
        """End it at once; with a power cut, its device loses what was not flushed."""
        self.check_errors()
        self._history.note(self.process.name, "loses power" if power else "is killed")
        await self._kill()
        if self._device is not None:
            self._device.crash(power=power)

    async def _kill(self) -> None:
        await self._loop.killed(self.process, then=lambda: self._network.break_off(self.process))

    # ------------------------------------------------------------ checks

    def _take_error(self, text: str) -> None:
        # That data cannot be read, people are to know; here they know why.
        if "bug" in text or not self._is_rough():
            self._errors.append(text)

    def check_errors(self) -> None:
        """Raise what the broker has logged as an error, or died of."""
        if self._errors:
            raise Violation(9, f"the broker has logged an error: {self._errors[0]}")
        if self._serving.is_set() and self.broker.failed.done():
            raise Violation(9, f"the broker cannot go on: {self.broker.failed.result()}")

    def check_memory(self, *, idle: bool) -> None:
        """Check that memory is inside its bounds; `idle`: no client is connected."""
        self.check_errors()
        if not self._serving.is_set() or not self.process.alive:
            return
        rooms, connections = self.broker.rooms, self.broker._connections
        rooms.log.refresh_stats()
        stats = rooms.log.stats
        if stats.arena_bytes > self._tail_cache_bytes * PINNED_SHARE + ONE_BYTES:
            raise Violation(8, f"the tail cache has {stats.arena_bytes} bytes")
        if stats.buffer_bytes > stats.buffer_bytes_max + ONE_BYTES:
            raise Violation(8, f"{stats.buffer_bytes} bytes wait for their flush")
        for budget in (connections.admission.requests, connections.fetch_memory):
            if budget.used > budget.capacity or budget.used < 0:
                raise Violation(8, f"{budget.used} bytes of {budget.capacity} are used")
            if idle and budget.used:
                raise Violation(8, f"{budget.used} bytes are used for clients that are gone")
        if idle and stats.buffer_bytes:
            raise Violation(8, f"{stats.buffer_bytes} bytes wait for a flush that never comes")


@cache
def _registry() -> Registry:
    return registry()
