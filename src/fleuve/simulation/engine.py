"""The simulated engine: a store and a catalog that outlive the brokers which open them, and lose power with them."""

from __future__ import annotations

import asyncio
from random import Random

from fleuve.adapters.journal.stats import JournalStats
from fleuve.app.engines import Engine
from fleuve.base.clock import Clock
from fleuve.simulation.catalog import SimulatedCatalog
from fleuve.simulation.disk import DiskWeather
from fleuve.simulation.store import SimulatedStore

VOLUME_BYTES = 1 << 40


class Device:
    """What is left of a broker when it is gone."""

    def __init__(self, chance: Random, clock: Clock, *, object_bytes: int) -> None:
        self.weather = DiskWeather(chance)
        self.store = SimulatedStore(self.weather, object_bytes=object_bytes)
        self.catalog = SimulatedCatalog(self.store, self.weather, clock)
        self.store.referred_objects = self.catalog.referred_objects

    def crash(self, *, power: bool) -> None:
        """Lose what a dead process, or the machine with its power, does not keep."""
        self.store.crash(power=power)
        self.catalog.crash(power=power)


class SimulatedEngine:
    """One broker's use of a device: an EngineOpener."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def open(self, loop: asyncio.AbstractEventLoop) -> Engine:
        """Return the ports."""
        device = self._device
        port = device.catalog.port
        log = port("log")
        return Engine(
            extents=device.store,
            objects=device.store,
            log=log,
            recovery=log,
            maintenance=port("maintenance"),
            topics=port("topics"),
            configs=port("configs"),
            groups=port("groups"),
            producers=port("producers"),
            brokers=port("brokers"),
            journal_stats=JournalStats(),
            directory="simulated",
            volume_size=lambda: (VOLUME_BYTES, VOLUME_BYTES),
        )

    async def close(self) -> None:
        """Do nothing: the device stays."""
