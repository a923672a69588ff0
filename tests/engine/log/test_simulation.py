"""The whole room under virtual time: failing storage, crashes, power cuts and recoveries, and clients that go on.

What is checked are invariants 1 to 4: an acknowledged record survives at its offset, offsets are dense and never given
twice, whatever a reader saw stays, and an idempotent producer's records are in the log exactly once and in order.
`fleuve.simulation` has the device that loses what was not flushed; there whole brokers run on it.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from fleuve.adapters.memory.offload import InlineOffload
from fleuve.base.errors import FleuveError
from fleuve.base.ids import NodeId, PartitionId, TimestampMs
from fleuve.base.log import SilentLogger
from fleuve.engine.log.append import Appended
from fleuve.engine.log.errors import (
    OffsetOutOfRange,
    OutcomeUnknown,
    OutOfOrderSequence,
    ShuttingDown,
    StorageFailed,
)
from fleuve.engine.log.policy import LogPolicy
from fleuve.engine.log.recovery import Recovery
from fleuve.engine.log.service import LogService
from fleuve.ports.errors import CatalogUnavailable, StoreUnavailable
from fleuve.records.batch import walk
from fleuve.records.record import decode
from fleuve.simulation.clock import SimulatedClock
from fleuve.simulation.engine import Device
from fleuve.simulation.loop import Process, VirtualLoop, virtually
from support.batches import batch
from support.logs import FOREVER, Log, MemoryCatalog

FLUSHED = (1, 2)
PAGE_CACHE = 3
LOST = object()
"""What became of a batch whose broker died."""


class World:
    """A broker's log, life after life, with its clients and what they know."""

    def __init__(self, seed: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.chance = chance = random.Random(seed)
        self.clock = SimulatedClock()
        self.device = Device(chance, self.clock, object_bytes=chance.choice([300, 2_000, 1 << 20]))
        self.weather, self.store = self.device.weather, self.device.store
        self.weather.failures = chance.choice([0.0, 0.05, 0.2])
        self.rows = MemoryCatalog.over(self.device.catalog)
        self.catalog = self.device.catalog.port("log")
        self.policy = LogPolicy(
            tail_cache_bytes=8 << 20, extent_bytes_max=chance.choice([200, 1 << 20]), producer_expiration_ms=86_400_000
        )
        self.log: Log | None = None
        self.up = asyncio.Event()
        self.waiting: set[asyncio.Future[object]] = set()
        self.acknowledged: dict[int, dict[int, tuple[bytes, int]]] = {1: {}, 2: {}, 3: {}}
        """By partition and offset: value, and the append time if the broker gave it."""
        self.seen: dict[int, dict[int, bytes]] = {1: {}, 2: {}, 3: {}}
        self.sent_in_order: dict[tuple[int, int], list[bytes]] = {}
        """By producer and partition: what it was acknowledged."""
        self.log_starts = {1: 0, 2: 0, 3: 0}
        self.names = iter(range(1_000_000))

    # ---------------------------------------------------------------- lives

    async def run(self) -> None:
        # Created before the producers got their ids, or after: by auto-creation, as usual.
        created_ms = self.clock.wall_ms() + self.chance.choice([0, 3_600_000])
        await self.rows.add_partitions(1, 2, 3, created_ms=created_ms)
        async with asyncio.TaskGroup() as tasks:
            clients = [tasks.create_task(self._produce_in_order()) for _ in range(2)]
            clients += [tasks.create_task(self._produce(partition)) for partition in (1, PAGE_CACHE)]
            others = [tasks.create_task(self._read()), tasks.create_task(self._delete())]
            for _ in range(self.chance.randrange(1, 5)):
                await self._live_for(self.chance.choice([0.005, 0.02, 0.1]))
            self.weather.failures = 0.0
            last = self._begin()
            await asyncio.wait(clients)
            for other in others:
                other.cancel()
            await self._end(last)
        await self._crash(power=self.chance.random() < 0.5)
        last = self._begin()
        await self.up.wait()
        await self._check()
        await self._end(last)

    async def _end(self, life: asyncio.Task[None]) -> None:
        await self.up.wait()
        assert self.log is not None
        await self.log.service.close()
        await life

    def _begin(self) -> asyncio.Task[None]:
        self.process = Process("log")
        return self.loop.start(self.process, self._live())

    async def _live_for(self, seconds: float) -> None:
        life = self._begin()
        await asyncio.wait([life], timeout=seconds)
        if life.done():
            # It could not start. A bug is no reason for that.
            error = life.exception()
            assert isinstance(error, CatalogUnavailable | StoreUnavailable), error
        elif self.log is not None and self.chance.random() < 0.2:
            await self.log.service.close()
            await life
        await self._crash(power=self.chance.random() < 0.7)

    async def _live(self) -> None:
        self.recovered = await Recovery(
            catalog=self.catalog,
            recovery=self.catalog,
            extents=self.store,
            objects=self.store,
            logger=SilentLogger(),
            unique=lambda: f"recovered-{next(self.names)}",
        ).run()
        brokers = self.device.catalog.port("brokers")
        broker = await brokers.register(node_id=NodeId(1), listeners={}, rack=None, lease_ms=FOREVER)
        incarnation = broker.incarnation
        await self.store.begin(incarnation)
        log = Log(self.rows, self.store, self.clock, self.policy)
        log.service = LogService(
            extents=self.store,
            objects=self.store,
            catalog=self.catalog,
            incarnation=incarnation,
            clock=self.clock,
            offload=InlineOffload(),
            policy=self.policy,
            logger=SilentLogger(),
            release_pinned=lambda: None,
            on_fenced=log.fenced.append,
        )
        self.log = log
        self.up.set()
        try:
            await log.service.run()
        finally:
            self.log = None
            self.up.clear()
        assert not log.fenced

    async def _crash(self, *, power: bool) -> None:
        await self.loop.killed(self.process)
        for waiting in self.waiting:
            if not waiting.done():
                waiting.set_result(LOST)
        self.waiting.clear()
        self.device.crash(power=power)
        if power:
            # Its promise: what was not flushed may be gone.
            self.acknowledged[PAGE_CACHE].clear()
            self.seen[PAGE_CACHE] = {}

    # ---------------------------------------------------------------- clients

    async def _send(
        self, data: bytearray, partition: int, *, connection: Log | None = None, **configs: object
    ) -> object:
        """Send, by the connection to the log's present life if it is given; return what became of it."""
        if self.log is None or connection not in (None, self.log):
            await asyncio.sleep(0.005)
            return LOST
        waiting = self.log.send(data, partition=partition, **configs)
        self.waiting.add(waiting)
        answer = await waiting
        self.waiting.discard(waiting)
        assert answer is LOST or isinstance(
            answer, Appended | StorageFailed | OutcomeUnknown | OutOfOrderSequence | ShuttingDown
        ), answer
        if not isinstance(answer, Appended):
            await asyncio.sleep(0.02)
        return answer

    def _acknowledge(self, partition: int, answer: object, values: list[bytes]) -> bool:
        if not isinstance(answer, Appended):
            return False
        known = self.acknowledged[partition]
        for index, value in enumerate(values):
            offset = answer.base_offset + index
            told = (value, answer.log_append_time_ms)
            assert known.setdefault(offset, told) == told, f"offset {offset} was given twice"
        return True

    async def _produce(self, partition: int) -> None:
        """Send without an order; what fails is not sent again."""
        promise: dict[str, Any] = {} if partition in FLUSHED else {"flush_messages": 5, "flush_ms": 10}
        for turn in range(12):
            values = [b"plain-%d-%d-%d" % (partition, turn, index) for index in range(self.chance.randrange(1, 4))]
            log_append_time = self.chance.random() < 0.3
            answer = await self._send(batch(*values), partition, log_append_time=log_append_time, **promise)
            self._acknowledge(partition, answer, values)
            await asyncio.sleep(self.chance.choice([0, 0.001, 0.01]))

    async def _produce_in_order(self) -> None:
        """Send up to five batches at once; what was not acknowledged comes again, in order, until it is."""
        producer_id = None
        while producer_id is None:
            try:
                producer_id = await self.device.catalog.port("producers").allocate(1)
            except (CatalogUnavailable, StoreUnavailable):
                await asyncio.sleep(0.01)
        partition = self.chance.choice(FLUSHED)
        batches: list[tuple[bytearray, list[bytes]]] = []
        sequence = self.chance.choice([0, 0, 1_000])
        # A producer that begins in the middle: known for long, and forgotten by the partition.
        if sequence:
            await asyncio.sleep(0)
            self.rows.producers._blocks = [
                (first, size, TimestampMs(allocated_ms - (86_400_001 if first == producer_id else 0)))
                for first, size, allocated_ms in self.rows.producers._blocks
            ]
        for _ in range(14):
            values = [b"%d-%d" % (producer_id, sequence + index) for index in range(self.chance.randrange(1, 3))]
            data = batch(*values, producer_id=producer_id, producer_epoch=0, base_sequence=sequence)
            batches.append((data, values))
            sequence += len(values)
        confirmed = self.sent_in_order[producer_id, partition] = []
        first = 0
        while first < len(batches):
            window = batches[first : first + self.chance.randrange(1, 6)]
            sending = []
            await self.up.wait()
            connection = self.log
            for data, _ in window:
                sending.append(asyncio.ensure_future(self._send(data, partition, connection=connection)))
                await asyncio.sleep(self.chance.choice([0, 0, 0.001]))
            answers = [await one for one in sending]
            for answer, (_, values) in zip(answers, window, strict=True):
                if not self._acknowledge(partition, answer, values):
                    break
                confirmed += values
                first += 1

    async def _read(self) -> None:
        while True:
            await asyncio.sleep(self.chance.choice([0.001, 0.005]))
            if self.log is None:
                continue
            partition = self.chance.choice([1, 2, 3])
            known = self.seen[partition]
            offset = self.chance.randrange(max(known, default=0) + 2)
            wait_ms = self.chance.choice([0, 10])
            log = self.log
            result = await log.fetch(offset, partition=partition, max_bytes=1 << 12, wait_ms=wait_ms)
            if self.log is not log:
                continue  # Nobody would have got it.
            if result.error is not None:
                assert isinstance(result.error, OffsetOutOfRange | StorageFailed), result.error
                assert not isinstance(result.error, StorageFailed) or self.weather.failures
                continue
            for found, value in records_of(result.records):
                if self.seen[partition] is known:
                    assert known.setdefault(found, value) == value, f"offset {found} has changed"

    async def _delete(self) -> None:
        while True:
            await asyncio.sleep(self.chance.choice([0.02, 0.2]))
            partition = self.chance.choice([1, 3])
            known = self.acknowledged[partition]
            if self.log is None or not known or self.chance.random() < 0.5:
                continue
            try:
                log_start = await self.log.service.delete_records(
                    PartitionId(partition), offset=self.chance.choice(sorted(known))
                )
            except FleuveError:
                continue
            self.log_starts[partition] = max(self.log_starts[partition], log_start)

    # ---------------------------------------------------------------- the end

    async def _check(self) -> None:
        assert self.log is not None
        for partition in (1, 2, 3):
            (state,) = (await self.log.service.states([PartitionId(partition)])).values()
            assert state.log_start >= self.log_starts[partition]
            found: dict[int, tuple[bytes, int]] = {}
            offset = state.log_start
            while offset < state.next_offset:
                result = await self.log.fetch(offset, partition=partition, max_bytes=700)
                assert result.error is None, result.error
                assert result.records
                for first, last, content in batches_of(result.records):
                    assert first == offset or (offset == state.log_start and first < offset <= last)
                    offset = last + 1
                    found |= content
            expected = {key: told for key, told in self.acknowledged[partition].items() if key >= state.log_start}
            assert expected.items() <= found.items()
            if partition in FLUSHED:
                assert {key for key in self.seen[partition] if key >= state.log_start} <= found.keys()
                assert all(found[key][0] == self.seen[partition][key] for key in found.keys() & self.seen[partition])
                assert len(found) >= state.next_offset - state.log_start
            values = [value for _, (value, _) in sorted(found.items())]
            for (producer_id, where), sent in self.sent_in_order.items():
                if where == partition:
                    mine = [value for value in values if value.startswith(b"%d-" % producer_id)]
                    # Its beginning may have been deleted.
                    assert mine == sent[len(sent) - len(mine) :]
                    assert len(mine) == len(sent) or state.log_start


def batches_of(views: list[memoryview]) -> list[tuple[int, int, dict[int, tuple[bytes, int]]]]:
    """Return (first offset, last offset, {offset: (value, append time or −1)}) of each batch."""
    found = []
    for view in views:
        for position, size, base_offset, last_delta, max_timestamp in walk(view, 0, len(view)):
            content = view[position : position + size]
            append_time = max_timestamp if content[22] & 0x08 else -1
            values = {
                base_offset + record.offset_delta: (record.value or b"", append_time)
                for record in decode(content, size_bytes_max=1 << 20)
            }
            found.append((base_offset, base_offset + last_delta, values))
    return found


def records_of(views: list[memoryview]) -> list[tuple[int, bytes]]:
    return [(offset, value) for _, _, values in batches_of(views) for offset, (value, _) in values.items()]


def simulate(seed: int) -> None:
    """Run one world; whoever gets no answer in a minute would wait for ever."""

    async def run() -> None:
        async with asyncio.timeout(60):
            await World(seed).run()

    virtually(run())


@pytest.mark.parametrize("block", range(10))
def test_what_was_promised_holds_through_failures_and_crashes(block):
    for seed in range(block * 50, block * 50 + 50):
        try:
            simulate(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
