"""A whole broker in this process, on a disk that is watched: its rooms as clients use them, and every answer noted.

`Life` is one run of the broker over a directory. Nothing of it is faked but the device below its files, and time.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from fleuve.adapters.memory.offload import InlineOffload
from fleuve.adapters.sqlite import database
from fleuve.app.broker import Broker
from fleuve.app.engines import EmbeddedEngine
from fleuve.app.options import parse_listener
from fleuve.app.registry import Registry, registry
from fleuve.app.sources import read
from fleuve.app.surroundings import Surroundings
from fleuve.base.clock import ManualClock
from fleuve.base.errors import FleuveError
from fleuve.base.ids import GroupId, MemberId, Offset, PartitionId, PartitionIndex, TopicId
from fleuve.engine.groups.commands import Commit
from fleuve.engine.groups.offsets import OffsetToCommit
from fleuve.engine.log.append import Appended, AppendRequest
from fleuve.engine.log.fetch import FetchWant
from fleuve.engine.topics.config_changes import Change, Operation
from fleuve.engine.topics.requests import TopicSpec
from fleuve.engine.topics.service import Topic
from fleuve.kafka.listener import Listener
from fleuve.ports.configs import ConfigResource, ResourceType
from fleuve.ports.groups import OffsetKey
from fleuve.records.batch import walk
from fleuve.records.record import decode
from support.batches import batch
from support.disk import Device, Disk, Flush, Write
from support.disk_sqlite import watched
from support.edge import RecordingLogger
from support.faulty_files import PowerCutFiles
from support.told import Batch, Log, Partition, Producer, Seen, Setting, Told

SETTINGS = [
    ("log.retention.ms", "-1"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("fleuve.merge.interval.ms", "3600000"),
    ("log.retention.check.interval.ms", "3600000"),
    ("fleuve.merge.backlog.files", "1"),
    ("fleuve.merge.age.ms", "0"),
    ("fleuve.garbage.grace.ms", "1000"),
    ("fleuve.journal.roll.ms", "3600000"),
]
JOURNAL_FILE_BYTES = 12_000
"""Small files: several rolls in a short life."""
RESERVED_BYTES = 4096
CHECKPOINT_PAGES = 60
"""Small, too: several checkpoints."""
FETCH_BYTES = 1 << 20

_registry: list[Registry] = []


class ReservingLittle(PowerCutFiles):
    """Reserves little at once: images are copied often."""

    def allocate(self, fd: int, position: int, length: int) -> bool:
        return super().allocate(fd, position, min(length, RESERVED_BYTES))


class Life:
    """One run of a broker, and what its clients are told."""

    def __init__(
        self,
        disk: Disk,
        told: Told,
        files: PowerCutFiles,
        clock: ManualClock,
        broker: Broker,
        engine: EmbeddedEngine,
        logger: RecordingLogger,
    ) -> None:
        self.disk = disk
        self.told = told
        self.files = files
        self.clock = clock
        self.broker = broker
        self.engine = engine
        self.logger = logger

    @property
    def now(self) -> int:
        """The place in the disk's history."""
        return self.disk.device.count

    def topic(self, name: str) -> Topic:
        found = self.broker.rooms.topics.get(name)
        assert found is not None, f"topic {name} is not there"
        return found

    def _partition_id(self, partition: Partition) -> PartitionId:
        return self.topic(partition[0]).partition_ids[partition[1]]

    # ---------------------------------------------------------------- produce and read

    def send(self, one: Batch) -> asyncio.Future[Any]:
        """Send a batch, new or again; its answer is noted in the moment in which it is given."""
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def complete(request: AppendRequest) -> None:
            result = request.results[0]
            if isinstance(result, Appended):
                one.offset, one.told = result.base_offset, self.now
            answered.set_result(result)

        producer = one.producer or Producer(-1, -1)
        data = batch(
            *one.values, producer_id=producer.producer_id, producer_epoch=producer.epoch, base_sequence=one.sequence
        )
        topic = self.topic(one.partition[0])
        self.broker.rooms.log.append(
            AppendRequest(1, complete), 0, self._partition_id(one.partition), topic.configs, memoryview(data)
        )
        return answered

    def new_batch(self, partition: Partition, values: Sequence[bytes], producer: Producer | None = None) -> Batch:
        before = [one for one in self.told.batches_of(partition) if producer and one.producer == producer]
        sequence = sum(len(one.values) for one in before) if producer else -1
        made = Batch(partition, list(values), producer, sequence, self.now)
        self.told.batches.append(made)
        return made

    async def new_producer(self) -> Producer:
        return Producer(await self.broker.rooms.producers.new_producer_id(), 0)

    async def read(self, partition: Partition) -> Log:
        """Read a partition from its log start to its end, as a consumer does."""
        rooms, partition_id = self.broker.rooms, self._partition_id(partition)
        state = (await rooms.log.states([partition_id]))[partition_id]
        log = Log(state.log_start, state.next_offset, {})
        offset = state.log_start
        while offset < state.next_offset:
            (result,) = await rooms.log.fetch(
                [FetchWant(partition_id, offset, FETCH_BYTES)],
                max_wait_ms=0,
                min_bytes=1,
                max_bytes=FETCH_BYTES,
                read_committed=False,
            )
            if result.error is not None:
                raise result.error
            before = offset
            for view in result.records:
                for position, size, base_offset, last_delta, _ in walk(view, 0, len(view)):
                    assert base_offset <= offset, f"{partition}: offset {base_offset} follows {offset - 1}"
                    offset = base_offset + last_delta + 1
                    for record in decode(view[position : position + size], size_bytes_max=1 << 24):
                        log.records[base_offset + record.offset_delta] = record.value or b""
            assert offset > before, f"{partition}: nothing at offset {offset} of {state.next_offset}"
        log.records = {offset: value for offset, value in log.records.items() if offset >= log.start}
        self.told.seen += [Seen(partition, at, value, self.now) for at, value in log.records.items()]
        return log

    # ---------------------------------------------------------------- everything that is set

    async def answer_all(self) -> None:
        """Do what an idempotent producer does: send again, in order, whatever has no answer, until it has."""
        attempts = 200
        while unanswered := self.told.unanswered():
            attempts -= 1
            assert attempts, f"no answer to {unanswered[0]}"
            results = [await self.send(one) for one in unanswered]
            if any(isinstance(result, FleuveError) for result in results):
                # What failed is being settled.
                await asyncio.sleep(0.02)

    def fail_catalog(self, kind: str, countdown: int) -> None:
        """Let a write or a flush of SQLite's fail, some of them from now."""
        left = [countdown]

        def before(what: str) -> None:
            left[0] -= what == kind
            if left[0] == 0:
                self.disk.before = None
                raise OSError(errno.EIO, "failed on purpose")

        self.disk.before = before

    def recover(self) -> None:
        """Let nothing fail any more."""
        self.disk.before = None
        self.files.recover()

    @contextlib.contextmanager
    def _setting(self, *key: object, value: Any) -> Any:
        made = Setting(key, value, self.now)
        self.told.settings.append(made)
        yield
        made.told = self.now

    async def create(self, name: str, partitions: int, overrides: dict[str, str] | None = None) -> None:
        with self._setting("topic", name, value=partitions):
            _raise_any(
                await self.broker.rooms.topics.create(
                    [TopicSpec(name=name, partition_count=partitions, overrides=overrides or {})]
                )
            )

    async def delete(self, name: str) -> None:
        topic_id = TopicId(self.topic(name).id)
        with self._setting("topic", name, value=0):
            _raise_any(await self.broker.rooms.topics.delete([topic_id]))

    async def configure(self, topic: str, name: str, value: str) -> None:
        resource = ConfigResource(ResourceType.TOPIC, str(self.topic(topic).id))
        with self._setting("config", topic, name, value=value):
            await self.broker.rooms.configs.change(resource, [Change(name, Operation.SET, value)])

    async def commit(self, group: str, partition: Partition, offset: int) -> None:
        wanted = OffsetToCommit(
            topic_id=self.topic(partition[0]).id, partition=PartitionIndex(partition[1]), offset=Offset(offset)
        )
        with self._setting("offset", group, *partition, value=offset):
            _raise_any(
                await self.broker.rooms.groups.commit(
                    GroupId(group), Commit(member_id=MemberId(""), generation=-1), [wanted]
                )
            )

    async def delete_records(self, partition: Partition, offset: int) -> None:
        with self._setting("start", *partition, value=offset):
            await self.broker.rooms.log.delete_records(self._partition_id(partition), offset=offset)

    async def maintain(self) -> None:
        """Do everything that maintenance does, once. Retention may move a log start to anywhere below the end."""
        partitions = [
            (topic.name, index)
            for topic in self.broker.rooms.topics.all()
            if topic.configs.retention_bytes is not None
            for index in range(len(topic.partition_ids))
        ]
        with contextlib.ExitStack() as stack:
            for partition in partitions:
                log = await self.read(partition)
                for offset in range(log.start, log.end + 1):
                    stack.enter_context(self._setting("start", *partition, value=offset))
            await self.broker._maintenance.run_once()
            starts = [(await self.read(partition)).start for partition in partitions]
        for partition, start in zip(partitions, starts, strict=True):
            with self._setting("start", *partition, value=start):
                pass

    async def seal(self) -> None:
        """Close the growing journal file, so that it can be merged."""
        await self.engine._store.seal(older_than_ms=0, larger_than_bytes=0)  # type: ignore[union-attr]

    # ---------------------------------------------------------------- what is there

    async def findings(self, *, finished: bool = False) -> list[str]:
        """Look at everything that was ever told, and say what is wrong."""
        told, rooms = self.told, self.broker.rooms
        findings = []
        for key in told.keys("topic"):
            topic = rooms.topics.get(str(key[1]))
            found = 0 if topic is None else len(topic.partition_ids)
            findings += told.check_setting(key, found, 0)
            for index in range(found):
                partition = (str(key[1]), index)
                log = await self.read(partition)
                findings += told.check_log(partition, log, finished=finished)
                findings += told.check_setting(("start", *partition), log.start, 0)
        for key in told.keys("config"):
            topic = rooms.topics.get(str(key[1]))
            if topic is not None:
                overrides = rooms.configs.topic_overrides(topic.id)
                findings += told.check_setting(key, overrides.get(str(key[2])), None)
        for key in told.keys("offset"):
            _, group, name, number = key
            topic = rooms.topics.get(str(name))
            if topic is not None:
                committed = await rooms.groups.committed(GroupId(str(group)))
                offset = committed.get(OffsetKey(topic.id, PartitionIndex(int(str(number)))))
                findings += told.check_setting(key, offset and offset.offset, None)
        return findings + await self._dangling()

    async def _dangling(self) -> list[str]:
        """Say which objects the catalog refers to that are not there, or too short."""
        data = self.engine._database
        assert data is not None
        rows = await data.read(
            lambda connection: connection.execute(
                "SELECT o.name, MAX(r.position + r.length) FROM run AS r JOIN object AS o ON o.id = r.object_id"
                " GROUP BY o.name"
            ).fetchall()
        )
        sizes = {info.name: info.size_bytes for info in await self.engine._store.list()}  # type: ignore[union-attr]
        return [
            f"{name} is needed up to {end}, and has {sizes.get(name)}" for name, end in rows if sizes.get(name, 0) < end
        ]

    async def finish(self) -> list[str]:
        """Do what clients do when their broker is back: send again what has no answer, and go on."""
        findings = []
        for one in self.told.unanswered():
            if self.broker.rooms.topics.get(one.partition[0]) is None or one.partition[0] in self.told.page_cache:
                continue
            answer = await self.send(one)
            if isinstance(answer, FleuveError):
                findings.append(f"{one.partition} {one.producer} sequence {one.sequence} came again: {answer!r}")
        for key in self.told.keys("topic"):
            topic = self.broker.rooms.topics.get(str(key[1]))
            for index in range(0 if topic is None else len(topic.partition_ids)):
                partition = (str(key[1]), index)
                answer = await self.send(self.new_batch(partition, [b"afterwards-%d" % len(self.told.batches)]))
                if isinstance(answer, FleuveError):
                    findings.append(f"{partition} does not go on: {answer!r}")
        return findings


def _raise_any(outcomes: Sequence[Any]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


@contextlib.asynccontextmanager
async def living(root: Path, told: Told, *, clock: ManualClock, device: Device | None = None) -> AsyncIterator[Life]:
    """A broker over `root`/data, on a watched disk; stopped in the end, whatever happened.

    `device` is the state of the disk, where not everything that is there has reached it.
    """
    disk = Disk(root, device=device, remembers=True)
    logger = RecordingLogger()
    if not _registry:
        _registry.append(registry())
    with watched(disk), _watching_the_catalog(disk):
        files = ReservingLittle(disk)
        engine = EmbeddedEngine(
            root / "data",
            journal_file_bytes=JOURNAL_FILE_BYTES,
            clock=clock,
            logger=logger,
            files=files,
        )
        around = Surroundings(
            engine=engine, clock=clock, chance=random.SystemRandom(), offload=InlineOffload(), listening=Listener
        )
        broker = Broker(
            _registry[0],
            read(_registry[0], assignments=SETTINGS, environment={}),
            around=around,
            listeners=(parse_listener("127.0.0.1:0"),),
            http=None,
            logger=logger,
        )
        await broker.start()
        try:
            yield Life(disk, told, files, clock, broker, engine, logger)
        finally:
            await broker.stop()


@contextlib.contextmanager
def _watching_the_catalog(disk: Disk) -> Any:
    """Let the catalog copy its WAL back often, and tell the disk when it writes it again by itself."""
    before = database.CHECKPOINT_PAGES, database.write_again

    def write_again(path: Path) -> None:
        with disk.lock:
            disk.raise_if_dead()
            before[1](path)
            if path.exists():
                number = disk.opened(path)
                disk.do(Write(number, 0, path.read_bytes()))
                disk.do(Flush(number, everything=True))

    database.CHECKPOINT_PAGES, database.write_again = CHECKPOINT_PAGES, write_again
    try:
        yield
    finally:
        database.CHECKPOINT_PAGES, database.write_again = before
