"""Events from and results to Kafka, with aiokafka: coroutines on one loop.

What a crash can and cannot do is said in `examples.shared.partition`. Here its third rule is kept (`_keep`): results
are acknowledged, then the snapshot is written. The group's offsets are for those who look at the group.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from math import inf
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaConnectionError, KafkaError, UnknownMemberIdError, for_code
from examples.shared.options import Options, Refused, Stop
from examples.shared.partition import Partition
from examples.shared.progress import Status
from examples.shared.screen import Screen
from examples.shared.work import Work
from examples.shared.world import Pace, last_number, told, unsent
from examples.taxis import view
from examples.taxis.demand import Demand
from examples.taxis.events import TaxiEvent, day_of_taxis, read

_DAY_MS = 86_400_000
_ALREADY_EXISTS = 36
_LAST = 5
_PATIENCE_MS = 5_000
_POLL_MS = 100
_SESSION_MS = 30_000
_RETRY_S = 0.5
# Only the last snapshot counts; those before are deleted now and then.
_SNAPSHOTS_KEPT = 50


def run(options: Options, stop: Stop) -> None:
    """Make events, work on them, or both, until `stop`; raise Refused if that is not possible."""
    # What the library writes into its log, it also raises; that is told in one line.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL + 1)
    try:
        asyncio.run(_run(options, stop))
    except* KafkaConnectionError:
        raise Refused(options.no_broker) from None
    except* KafkaError as errors:
        raise Refused(f"Kafka says: {errors.exceptions[0]}") from None
    except* Refused as errors:
        raise Refused(str(errors.exceptions[0])) from None


async def _run(options: Options, stop: Stop) -> None:
    status = Status(partitions=await create_topics(options))
    work: Work[TaxiEvent] = Work(options, status, read, Demand)
    async with _producer(options) as producer:
        with Screen(
            lambda width, height: view.picture(*_known(work), status, width, height),
            lambda: view.line(*_known(work), status),
            plain=options.plain,
            closed=stop.now,
        ) as screen:
            work.say = screen.say
            async with asyncio.TaskGroup() as tasks:
                if options.generates:
                    tasks.create_task(generate(options, stop, status, work, producer))
                if options.processes:
                    tasks.create_task(Processor(options, stop, status, work, producer).run())
                while not stop.is_set():
                    screen.refresh()
                    await asyncio.sleep(0.05)
        screen.say(status.summary())


def _known(work: Work[TaxiEvent]) -> tuple[dict[str, Any], int]:
    """Return what is known of all zones here, and the latest time."""
    models = [each.model for each in work.held.values() if isinstance(each.model, Demand)]
    return {zone: known for each in models for zone, known in each.zones.items()}, max(
        (each.latest for each in models), default=0
    )


@asynccontextmanager
async def _producer(options: Options) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=options.bootstrap,
        enable_idempotence=True,  # Retries neither repeat nor reorder; acks=all comes with it.
        compression_type="gzip",
        max_batch_size=256 * 1024,
        linger_ms=5,
    )
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def _consumer(options: Options, **settings: Any) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=options.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, **settings
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


def _reader(options: Options) -> AbstractAsyncContextManager[AIOKafkaConsumer]:
    """Return a consumer without a group, for a look into topics."""
    return _consumer(options, fetch_max_wait_ms=20)


@asynccontextmanager
async def _admin(options: Options) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=options.bootstrap, request_timeout_ms=10_000)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def create_topics(options: Options) -> int:
    """Create what is missing; return the number of partitions, which is the same for all three topics."""
    topics = options.topics
    kept_ms = {topics.events: 7 * _DAY_MS, topics.results: 7 * _DAY_MS, topics.state: -1}
    async with _admin(options) as admin:
        copies = min(3, len((await admin.describe_cluster())["brokers"]))
        created = await admin.create_topics(
            [
                NewTopic(name, options.partitions, copies, topic_configs={"retention.ms": str(ms)})
                for name, ms in kept_ms.items()
            ]
        )
        for name, code, message in created.topic_errors:
            if code not in {0, _ALREADY_EXISTS}:
                raise Refused(f"topic {name} cannot be created: {message or for_code(code).__name__}")
        counts: dict[str, int] = {}
        # A broker may need a moment until it shows what it has created.
        for _ in range(50):
            counts = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics(list(kept_ms))}
            if all(counts.values()):
                break
            await asyncio.sleep(0.1)
    if len(set(counts.values())) != 1:
        raise Refused(f"these topics must have the same number of partitions: {counts}; take another --prefix")
    return counts[topics.events]


async def bounds(
    reader: AIOKafkaConsumer, topic: str, numbers: Iterable[int]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Return where partitions begin and end."""
    places = [TopicPartition(topic, number) for number in numbers]
    return await reader.beginning_offsets(places), await reader.end_offsets(places)


async def last_values(reader: AIOKafkaConsumer, topic: str, numbers: Iterable[int]) -> dict[int, list[bytes]]:
    """Return the values of the last few records of partitions, none where there is none."""
    begins, ends = await bounds(reader, topic, numbers)
    values: dict[int, list[bytes]] = {place.partition: [] for place in ends}
    left = {place: end for place, end in ends.items() if end > begins[place]}
    reader.assign(list(left))
    for place, end in left.items():
        reader.seek(place, max(begins[place], end - _LAST))
    while left:
        batches = await reader.getmany(*left, timeout_ms=_PATIENCE_MS)
        if not batches:
            break  # The log may end with an offset that was given and has no record.
        for place, records in batches.items():
            values[place.partition] += [record.value for record in records]
            if records[-1].offset + 1 >= left[place]:
                del left[place]
    return values


# ---------------------------------------------------------------- make events


async def generate(
    options: Options, stop: Stop, status: Status, work: Work[TaxiEvent], producer: AIOKafkaProducer
) -> None:
    """Write the world's events, from where the topic ends."""
    async with _reader(options) as reader:
        values = await last_values(reader, options.topics.events, range(status.partitions))
    last_numbers = [last_number(values[each], read, options.topics.events) for each in sorted(values)]
    work.say(told(last_numbers))
    pace = Pace(options.rate)
    for partition, event in unsent(partial(day_of_taxis, options.seed), last_numbers):
        pace.take()
        while (seconds := pace.early()) > 0 and not stop.is_set():  # noqa: ASYNC110 - time passes, nobody tells it
            await asyncio.sleep(min(seconds, 0.1))
        if stop.is_set() or status.made == options.events:
            break
        await producer.send(options.topics.events, event.encode(), key=event.key.encode(), partition=partition)
        status.made, status.made_at = status.made + 1, max(status.made_at, event.at)
        if status.made % 100 == 0:
            await asyncio.sleep(0)  # Without a pace to keep, the others must have their turn.
    await producer.flush()
    async with _reader(options) as reader:
        _, ends = await bounds(reader, options.topics.events, range(status.partitions))
    work.finish({place.partition: end for place, end in ends.items()})
    if not options.processes:
        stop.now()


# ---------------------------------------------------------------- work on them


class Processor(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads the partitions that the group gives it, and writes results and snapshots."""

    def __init__(
        self, options: Options, stop: Stop, status: Status, work: Work[TaxiEvent], producer: AIOKafkaProducer
    ) -> None:
        self._options, self._stop, self._status = options, stop, status
        self._work, self._producer = work, producer
        self._consumer: AIOKafkaConsumer
        self._unacknowledged: list[asyncio.Future[Any]] = []
        self._failure: Exception | None = None
        self._committed_at = -inf
        # The library calls the two methods at the end in a task of its own; one is at work at a time.
        self._turn = asyncio.Lock()
        self._assignments = 0

    async def run(self) -> None:
        """Work until it is time to stop."""
        async with _consumer(
            self._options,
            group_id=self._options.group,
            # A static member: started again after a crash, it has its partitions back at once.
            group_instance_id=self._options.instance,
            session_timeout_ms=_SESSION_MS,
        ) as self._consumer:
            self._consumer.subscribe([self._options.topics.events], listener=self)
            while not self._stop.is_set() and not self._work.over:
                assignment = self._assignments
                batches = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=self._options.batch_max)
                async with self._turn:
                    if self._failure is not None:
                        raise self._failure
                    if assignment != self._assignments:
                        continue  # These records were fetched before the partitions' places were set anew.
                    for place, records in batches.items():
                        for record in records:
                            await self._take(place, record.offset, record.value)
                    await self._keep(self._work.due())
            async with self._turn:
                await self._keep(self._work.changed(self._work.held))
        self._stop.now()

    async def _take(self, place: TopicPartition, offset: int, value: bytes | None) -> None:
        if place.partition not in self._work.held or self._work.over:
            return
        results = self._work.take(place.partition, offset, value, self._consumer.highwater(place))
        for key, result in results:
            sent = await self._producer.send(
                self._options.topics.results, result, key=key.encode(), partition=place.partition
            )
            self._unacknowledged.append(sent)

    async def _keep(self, changed: list[Partition[TaxiEvent]]) -> None:
        """Write snapshots of partitions, after all results before them are acknowledged."""
        if not changed:
            return
        await asyncio.gather(*self._unacknowledged)
        self._unacknowledged.clear()
        snapshots = self._work.snapshots(changed)
        written = [
            await self._producer.send_and_wait(self._options.topics.state, each.encode(), partition=number)
            for number, each in snapshots.items()
        ]
        try:
            events = self._options.topics.events
            await self._consumer.commit(
                {TopicPartition(events, number): each.next_offset for number, each in snapshots.items()}
            )
            self._committed_at = time.monotonic()
        except KafkaError as error:
            # A member that is forgotten though it was heard of within the session: another one has its name.
            recent = time.monotonic() - self._committed_at < _SESSION_MS / 1000
            if isinstance(error.__cause__, UnknownMemberIdError) and recent:
                raise Refused(self._options.fenced) from None
            # Else the partitions moved on; where they go on, the snapshots say.
        old = {TopicPartition(each.topic, each.partition): each.offset for each in written if each.offset}
        if any(offset % _SNAPSHOTS_KEPT == 0 for offset in old.values()):
            await self._delete(old)

    async def _delete(self, before: dict[TopicPartition, int]) -> None:
        try:
            async with _admin(self._options) as admin:
                await admin.delete_records({place: RecordsToDelete(offset) for place, offset in before.items()})
        except KafkaError:
            pass  # Next time.

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Write down where the partitions are before somebody else gets them."""
        async with self._turn:
            try:
                numbers = [place.partition for place in revoked]
                await self._keep(self._work.changed(numbers))
                self._work.end(numbers)
            except Exception as error:
                self._failure = error  # The library would write it into its log and go on.

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Go on where the snapshots say."""
        async with self._turn:
            try:
                await self._begin([place.partition for place in assigned])
            except Exception as error:
                self._failure = error
            self._assignments += 1

    async def _begin(self, numbers: list[int]) -> None:
        topics = self._options.topics
        while not self._stop.is_set():
            try:
                # Another consumer asks: on this one's connection, the answers would stand behind a fetch that waits.
                async with _reader(self._options) as reader:
                    states = await last_values(reader, topics.state, numbers)
                    begins, ends = await bounds(reader, topics.events, numbers)
            except KafkaConnectionError:
                await asyncio.sleep(_RETRY_S)  # The broker is away.
                continue
            starts = self._work.begin(
                states,
                {place.partition: offset for place, offset in begins.items()},
                {place.partition: offset for place, offset in ends.items()},
            )
            for number, offset in starts.items():
                self._consumer.seek(TopicPartition(topics.events, number), offset)
            break
