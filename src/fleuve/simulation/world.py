"""One simulation: a broker, life after life, the device under it, a network, clients, and somebody who breaks things.

Everything follows from the seed. What is checked, and where:

1. Acknowledged records are there, at their offsets, in every fetch that should see them and in the last reading
   (`Partition.check_ends`, `check_nothing`, `check_all`); so are topics and configs (`Admin`).
2. An offset has one value for ever, and batches follow each other without gaps (`Partition._learn`, `read`).
3. What was read once is read again the same, the log start never goes back, and nothing expires before its time
   (`Partition._learn`, `begin_at`, `check_expiry`).
4. A value is in the log at one offset; each producer's sequences are there once and in order, through its epochs;
   refused records are not there (`Partition._learn`, `check_sequences`, `refuse`).
5. Nothing is shown at or above the high watermark; the last stable offset is the high watermark, as there are no
   transactions (`Partition.read`, `Consumer._take_records`).
6. Fetched offsets are committed ones and never older than what was known; members that are fenced do not commit
   (`GroupModel`).
7. No object is deleted that a run refers to, now or after a power cut (`SimulatedStore._delete`).
8. Memory stays inside its settings, and all of it comes back when clients have gone (`Life.check_memory`).
9. Nonsense costs its own connection: everybody else gets answers in time, and no error without a reason
   (`send_nonsense`, `Client.answer`, each client's check of errors).
10. When it has become quiet, nothing is left in the store that nobody refers to (`World._check_tidy`).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Final

from fleuve.base.errors import FleuveError
from fleuve.simulation.admin import Admin
from fleuve.simulation.clock import SimulatedClock
from fleuve.simulation.consumers import Consumer
from fleuve.simulation.engine import Device, SimulatedEngine
from fleuve.simulation.history import History, Violation
from fleuve.simulation.hostile import send_nonsense
from fleuve.simulation.life import Life
from fleuve.simulation.loop import VirtualLoop
from fleuve.simulation.members import Member
from fleuve.simulation.network import Network, NetworkWeather
from fleuve.simulation.play import Play
from fleuve.simulation.producers import Idempotent, produce_plainly
from fleuve.simulation.reading import read_everything

RECOVERY_S: Final = 5.0
"""So long after something was broken, errors are no surprise."""
END_S_MAX: Final = 180.0
"""So long clients may take to come to an end when nothing is broken any more."""
TIDY_S_MAX: Final = 60.0
LIVES_MAX: Final = 30
"""After so many the device is calmed, so that the simulation comes to an end."""


class World:
    """A simulation. `write` gets the lines of its history."""

    def __init__(self, seed: int, *, write: Callable[[str], object] | None = None) -> None:
        self.seed = seed
        self.loop = VirtualLoop.new()
        self.history = History(self.loop.time, write=write)
        self._chance = chance = Random(seed)
        self._clock = SimulatedClock()
        self._device = Device(Random(chance.getrandbits(64)), self._clock, object_bytes=chance.choice([3_000, 1 << 20]))
        self._weather = NetworkWeather(delay_s=chance.choice([0.0005, 0.005]), splits=chance.choice([0.05, 0.5]))
        self._network = Network(self.loop, Random(chance.getrandbits(64)), self._weather)
        self.play = Play(
            now=self.loop.time,
            clock=self._clock,
            network=self._network,
            chance=Random(chance.getrandbits(64)),
            history=self.history,
        )
        if chance.random() < 0.2:
            self.play.sizes = (1_000, 20_000, 100_000)
        self.play.is_rough = self._is_rough
        self.play.is_slow = lambda: self._is_rough() or self._device.weather.slow_s > 0 or self._weather.stalls > 0
        self._settings = self._some_settings()
        self._life: Life
        self.lives = 0
        self.power_cuts = 0
        self._rough_until = 0.0

    def run(self) -> None:
        """Run it. Raises what goes wrong, most of all Violation."""
        collecting = gc.isenabled()
        gc.disable()
        try:
            with self.loop:
                self.loop.run(self._run())
        finally:
            if collecting:
                gc.enable()

    def summary(self) -> str:
        """Return what was done, in a line."""
        play, device = self.play, self._device
        return (
            f"seed {self.seed}: {self.loop.now:.0f} s, {self.lives} lives, {self.power_cuts} power cuts, "
            f"{device.weather.writes} flushes, {device.weather.failed} failures, {play.acknowledged} records "
            f"acknowledged, {play.records_read} read, {play.offsets_committed} offsets committed, "
            f"history {self.history.digest()} of {self.history.lines} lines"
        )

    def _some_settings(self) -> dict[str, str]:
        chance = self._chance
        return {
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "1",
            "group.initial.rebalance.delay.ms": str(chance.choice([0, 500])),
            "group.min.session.timeout.ms": "500",
            "fleuve.merge.interval.ms": str(chance.choice([500, 2_000])),
            "fleuve.merge.age.ms": str(chance.choice([0, 3_000])),
            "fleuve.merge.backlog.files": str(chance.choice([1, 4])),
            "fleuve.garbage.grace.ms": str(chance.choice([0, 1_000])),
            "fleuve.journal.roll.ms": str(chance.choice([1_000, 5_000])),
            "log.retention.check.interval.ms": str(chance.choice([500, 2_000])),
            "fleuve.tail.cache.bytes": "1048576",
            "fleuve.produce.buffer.bytes": "1048576",
            "max.incremental.fetch.session.cache.slots": str(chance.choice([2, 1_000])),
        }

    # ------------------------------------------------------------ the course of things

    async def _run(self) -> None:
        chance, play = self._chance, self.play
        async with asyncio.TaskGroup() as tasks:
            self._life = await self._begin()
            watching = tasks.create_task(self._watch())
            clients = [tasks.create_task(work) for work in self._clients()]
            for _ in range(chance.choice([0, 1, 1, 2, 3])):
                await self._trouble(chance.choice([0.5, 2.0, 6.0]))
                await self._end_life()
            await self._trouble(chance.choice([2.0, 6.0]))
            self._calm()
            await asyncio.sleep(RECOVERY_S + chance.choice([0.0, 4.0]))
            play.going = False
            _, unfinished = await asyncio.wait(clients, timeout=END_S_MAX)
            if unfinished:
                raise Violation(9, f"{len(unfinished)} clients do not come to an end: {unfinished}")
            self._break_network()
            await asyncio.sleep(1.0)
            self._life.check_memory(idle=True)
            await self._check_tidy()
            await self._end_life()
            watching.cancel()
        await self._check_everything()
        await self._life.stop()

    def _clients(self) -> list[Coroutine[Any, Any, None]]:
        chance, play = self._chance, self.play
        found: list[Coroutine[Any, Any, None]] = [Admin(play, play.client("admin")).run()]
        found += [produce_plainly(play, play.client(f"plain-{n}")) for n in range(chance.choice([1, 2]))]
        found += [Idempotent(play, play.client(f"exact-{n}")).run() for n in range(chance.choice([1, 2, 3]))]
        found += [Consumer(play, play.client(f"reader-{n}")).run() for n in range(chance.choice([1, 2, 3]))]
        for name in [["blue"], ["blue", "red"], []][chance.randrange(3)]:
            group = play.group(name)
            for n in range(chance.choice([2, 3])):
                instance = f"{name}-static-{n % 2}" if chance.random() < 0.3 else None
                found.append(Member(play, play.client(f"{name}-{n}"), group, instance).run())
        if chance.random() < 0.5:
            found.append(send_nonsense(play, play.client("hostile")))
        return found

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self._life.check_memory(idle=False)
            for topic in self.play.model.living():
                for partition in topic.partitions:
                    partition.check_expiry(self._clock.latest_ms)

    # ------------------------------------------------------------ trouble

    def _is_rough(self) -> bool:
        disk, network = self._device.weather, self._weather
        if disk.failures or disk.full or disk.slow_s or network.resets or network.stalls:
            self._be_rough()
        return self.loop.now < self._rough_until

    def _be_rough(self) -> None:
        self._rough_until = self.loop.now + RECOVERY_S

    async def _trouble(self, seconds: float) -> None:
        """Let so much time pass, in which something may go wrong."""
        chance, disk, network = self._chance, self._device.weather, self._weather
        self._calm()
        kind = chance.choice(["none", "none", "failures", "slow", "stalls", "resets", "full", "clock"])
        self.history.note("trouble", f"{kind} for {seconds} s")
        if kind == "failures":
            disk.failures = chance.choice([0.02, 0.1])
        elif kind == "slow":
            disk.slow_s = chance.choice([0.05, 0.3])
        elif kind == "stalls":
            network.stalls, network.stall_s = 0.02, 2.0
        elif kind == "resets":
            network.resets = 0.01
        elif kind == "full":
            disk.full = True
        elif kind == "clock":
            self._clock.set_ahead_ms += chance.choice([-5_000, -100, 100, 2_000])
            self.history.note("trouble", f"the clock is set {self._clock.set_ahead_ms} ms ahead")
        await asyncio.sleep(seconds)
        disk.full = False

    def _calm(self) -> None:
        disk, network = self._device.weather, self._weather
        self._is_rough()
        disk.failures = disk.slow_s = network.stalls = network.resets = 0.0
        disk.full = False

    def _break_network(self) -> None:
        for pair in list(self._network.pairs):
            pair.reset()

    # ------------------------------------------------------------ lives

    async def _begin(self) -> Life:
        """Begin a life, and try again until one begins."""
        while True:
            self.lives += 1
            life = Life(
                self.lives,
                loop=self.loop,
                network=self._network,
                device=self._device,
                engine=SimulatedEngine(self._device),
                clock=self._clock,
                chance=Random(self._chance.getrandbits(64)),
                settings=self._settings,
                history=self.history,
                is_rough=self._is_rough,
            )
            self._be_rough()
            patience_s = self._chance.random() * 0.05 if self._chance.random() < 0.1 else None
            try:
                if await life.begin(patience_s=patience_s):
                    return life
            except FleuveError as error:
                self.history.note("trouble", f"no start: {error}")
            if self.lives > LIVES_MAX:
                self._calm()
            await self._kill(life)

    async def _end_life(self) -> None:
        chance = self._chance
        self._be_rough()
        for group in self.play.groups.values():
            group.forget_leavers()
        if chance.random() < 0.2:
            await self._life.stop()
        else:
            await self._kill(self._life)
        self._life = await self._begin()

    async def _until_it_hurts(self) -> None:
        """Wait a little for a moment in which something is written and not flushed."""
        for _ in range(500):
            if self._device.store.has_unflushed and self._chance.random() < 0.5:
                return
            await asyncio.sleep(0.002)

    async def _kill(self, life: Life) -> None:
        power = self._chance.random() < 0.6
        self.power_cuts += power
        if power:
            if self._chance.random() < 0.7:
                await self._until_it_hurts()
            self.play.model.lose_power()
        await life.kill(power=power)

    # ------------------------------------------------------------ the end

    async def _check_tidy(self) -> None:
        """Wait until nothing is left that nobody refers to."""
        device = self._device
        lost: list[str] = []
        for _ in range(int(TIDY_S_MAX)):
            left = [info.name for info in await device.store.list() if not info.growing]
            referred = device.catalog.referred_objects()
            lost = [name for name in left if name not in referred]
            if not lost:
                return
            await asyncio.sleep(1.0)
        raise Violation(10, f"nobody deletes {lost}")

    async def _check_everything(self) -> None:
        client = self.play.client("auditor")
        for topic in self.play.model.living():
            for index, partition in enumerate(topic.partitions):
                batches, log_start, high_watermark = await read_everything(client, topic, index)
                count = partition.check_all(batches, log_start=log_start, high_watermark=high_watermark)
                client.note(f"{partition.name}: {count} records from {log_start} to {high_watermark}")
                partition.check_expiry(self._clock.latest_ms)
        client.hang_up()
