"""Hours of virtual time on the real SQLite and journal adapters: what is used of anything must not grow.

A broker with producers, consumers, a group, an administrator, retention and merges. From time to time everything is
measured that could leak: memory, the catalog's rows, files, descriptors.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from fleuve.simulation.admin import Admin
from fleuve.simulation.clock import SimulatedClock
from fleuve.simulation.consumers import Consumer
from fleuve.simulation.history import History, Violation
from fleuve.simulation.hostile import send_nonsense
from fleuve.simulation.life import Life
from fleuve.simulation.loop import VirtualLoop
from fleuve.simulation.members import Member
from fleuve.simulation.network import Network, NetworkWeather
from fleuve.simulation.play import Play
from fleuve.simulation.producers import Idempotent, produce_plainly
from fleuve.simulation.threads import ThreadedEngine

PACE: Final = 50.0
"""Clients do one thing in some seconds, so that hours fit into a minute."""
LOOK_S: Final = 600.0
LOOKS_AT_MEMORY: Final = 60
"""The broker's own account is looked at so many times more often."""
SETTINGS: Final = {
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "1",
    "fleuve.journal.file.bytes": "1048576",
    "fleuve.journal.roll.ms": "120000",
    "fleuve.tail.cache.bytes": "1048576",
    "fleuve.produce.buffer.bytes": "1048576",
    "fleuve.merge.interval.ms": "30000",
    "fleuve.merge.age.ms": "60000",
    "log.retention.check.interval.ms": "60000",
    "producer.id.expiration.ms": "1800000",
}


class Used(NamedTuple):
    """What is used at one moment."""

    time_s: float
    memory_kib: int
    objects: int
    """Of Python's, as far as they may refer to others."""
    blocks: int
    """Of memory: everything small that Python has, numbers and texts, too."""
    rows: int
    files: int
    file_bytes: int
    descriptors: int


class Hours:
    """One long simulation, in `directory`."""

    def __init__(self, seed: int, seconds: float, directory: Path) -> None:
        self.loop = VirtualLoop.new()
        self.looks: list[Used] = []
        self._seconds = seconds
        self._directory = directory
        chance = Random(seed)
        clock = SimulatedClock(self.loop.time)
        network = Network(self.loop, Random(chance.getrandbits(64)), NetworkWeather())
        history = History(self.loop.time)
        self.play = Play(now=self.loop.time, clock=clock, network=network, chance=chance, history=history)
        self.play.pace = PACE
        self.play.forever = False
        self.engine = ThreadedEngine(directory, self.loop, clock, journal_file_bytes=1 << 20)
        self._clock = clock
        self._new_life: Callable[[], Life] = lambda: Life(
            1,
            loop=self.loop,
            network=network,
            device=None,
            engine=self.engine,
            clock=clock,
            chance=Random(chance.getrandbits(64)),
            settings=SETTINGS,
            history=history,
            is_rough=lambda: False,
        )

    @property
    def flushes(self) -> int:
        """How many flushes the journal was asked for."""
        return self.engine.calls["write"]

    def run(self) -> None:
        """Run it. Raises Violation."""
        with self.loop:
            self.loop.run(self._run())

    async def _run(self) -> None:
        play = self.play
        life = self._new_life()
        await life.begin(patience_s=None)
        async with asyncio.TaskGroup() as tasks:
            clients = [tasks.create_task(work) for work in self._clients()]
            while self.loop.now < self._seconds:
                for _ in range(LOOKS_AT_MEMORY):
                    await asyncio.sleep(LOOK_S / LOOKS_AT_MEMORY)
                    life.check_memory(idle=False)
                self._look()
            play.going = False
            await asyncio.wait(clients, timeout=600)
            if not all(client.done() for client in clients):
                raise Violation(9, "clients do not come to an end")
        await life.stop()

    def _clients(self) -> list[Coroutine[Any, Any, None]]:
        play = self.play
        group = play.group("blue")
        return [
            Admin(play, play.client("admin")).run(),
            produce_plainly(play, play.client("plain")),
            Idempotent(play, play.client("exact")).run(),
            Consumer(play, play.client("reader-1")).run(),
            Consumer(play, play.client("reader-2")).run(),
            *[Member(play, play.client(f"blue-{n}"), group, "blue-static" if n == 0 else None).run() for n in range(3)],
            send_nonsense(play, play.client("hostile")),
        ]

    def _look(self) -> None:
        play = self.play
        for topic in play.model.living():
            for partition in topic.partitions:
                partition.check_expiry(self._clock.latest_ms)
        play.model.forget_deleted()
        for group in play.groups.values():
            group.forget_old(play.model.topics.keys())
        gc.collect()
        files = [path.stat().st_size for path in self._directory.rglob("*") if path.is_file()]
        self.looks.append(
            Used(
                time_s=self.loop.now,
                memory_kib=_resident_kib(),
                objects=len(gc.get_objects()),
                blocks=sys.getallocatedblocks(),
                rows=_rows(self._directory / "catalog.sqlite"),
                files=len(files),
                file_bytes=sum(files),
                descriptors=len(list(Path("/proc/self/fd").iterdir())),
            )
        )


def _rows(catalog: Path) -> int:
    """Return the number of all rows of the catalog."""
    connection = sqlite3.connect(f"file:{catalog}?mode=ro", uri=True)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return sum(connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables)
    finally:
        connection.close()


def _resident_kib() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")
