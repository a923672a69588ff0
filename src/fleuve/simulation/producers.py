"""Producers: plain ones, which send what fails no more, and idempotent ones, which send it until it is acknowledged."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from fleuve.records.record import Record, build_batch
from fleuve.simulation.client import Client, Lost
from fleuve.simulation.history import Violation
from fleuve.simulation.model import Partition, Topic, sequenced
from fleuve.simulation.play import Play
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import init_producer_id, produce

VERSIONS = (3, 7, 9, 11, 12)
"""Those with topic names."""
VERSION_IDS = 13
UNKNOWN_OUTCOMES = {ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.REQUEST_TIMED_OUT, ErrorCode.NOT_LEADER_OR_FOLLOWER}
"""The record may be in the log, now or later."""
TOPIC_GONE = {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID}
RETRIES_IN_CALM_MAX = 60


class Sent(NamedTuple):
    """One batch on its way."""

    topic: Topic
    number: int
    """Of the partition."""
    values: list[tuple[bytes, int]]
    records: bytes

    @property
    def partition(self) -> Partition:
        """What is known of the partition."""
        return self.topic.partitions[self.number]


def batch_of(play: Play, values: list[bytes], **options: Any) -> tuple[bytes, list[tuple[bytes, int]]]:
    """Return a batch, and its values with their timestamps."""
    now = int(play.clock.wall_ms())
    records = [Record(index, index % 2, None, value) for index, value in enumerate(values)]
    batch = build_batch(records, base_timestamp=now, **options)
    return batch, [(value, now + index % 2) for index, value in enumerate(values)]


def request_of(batches: list[Sent], version: int, *, acks: int) -> produce.ProduceRequest:
    """Return a Produce request with one batch for each of some partitions."""
    topics: dict[Topic, produce.TopicProduceData] = {}
    for sent in batches:
        data = topics.setdefault(sent.topic, produce.TopicProduceData(name=sent.topic.name, topic_id=sent.topic.id))
        data.partition_data.append(produce.PartitionProduceData(index=sent.number, records=sent.records))
    return produce.ProduceRequest(acks=acks, timeout_ms=10_000, topic_data=list(topics.values()))


def answers_of(response: Any, batches: list[Sent], version: int) -> list[Any]:
    """Return each batch's answer."""
    found = {
        (answered.topic_id if version >= VERSION_IDS else answered.name, one.index): one
        for answered in response.responses
        for one in answered.partition_responses
    }
    return [found[sent.topic.id if version >= VERSION_IDS else sent.topic.name, sent.number] for sent in batches]


def version_for(play: Play, client: Client, topics: list[Topic]) -> int:
    """Return a version that can name the topics without doubt."""
    if any(topic.recreatable for topic in topics) or client.chance.random() < 0.3:
        return VERSION_IDS
    return client.chance.choice(VERSIONS)


def acknowledged(play: Play, sent: Sent, answer: Any) -> bool:
    """Tell the model of an answer; return whether the batch is in the log."""
    if answer.error_code == ErrorCode.NONE:
        values = sent.values
        if answer.log_append_time_ms >= 0:
            values = [(value, answer.log_append_time_ms) for value, _ in values]
        if answer.base_offset < 0:
            raise Violation(1, f"{sent.partition.name}: acknowledged at {answer.base_offset}")
        sent.partition.acknowledge(answer.base_offset, values, play.now())
        play.acknowledged += len(values)
        return True
    if answer.error_code in TOPIC_GONE:
        if not sent.topic.deletion_asked:
            raise Violation(1, f"{sent.partition.name} is said not to exist, and nobody has deleted it")
    elif answer.error_code not in UNKNOWN_OUTCOMES | {ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER}:
        raise Violation(9, f"{sent.partition.name}: {ErrorCode(answer.error_code).name} to a good batch")
    return False


async def produce_plainly(play: Play, client: Client) -> None:
    """Send batches to all kinds of topics; what fails is not sent again."""
    chance = client.chance
    number = 0
    while play.going:
        await asyncio.sleep(chance.random() * chance.choice([0.02, 0.2, 1.0]) * play.pace)
        batches: list[Sent] = []
        for _ in range(chance.choice([1, 1, 1, 2, 4])):
            picked = play.some_partition(chance)
            if picked is None or any(sent.topic is picked[0] and sent.number == picked[1] for sent in batches):
                continue
            topic, index = picked
            values = []
            for _ in range(chance.randrange(1, 4)):
                number += 1
                values.append(b"p/%s/%d/" % (client.name.encode(), number) + b"." * chance.choice(play.sizes))
            records, told = batch_of(play, values, compression=chance.choice([0, 0, 0, 1, 3]))
            batches.append(Sent(topic, index, told, records))
        if not batches:
            continue
        acks = chance.choice([-1, -1, -1, 1, 0])
        version = version_for(play, client, [sent.topic for sent in batches])
        shown = ", ".join(f"{sent.partition.name} {len(sent.records)} bytes" for sent in batches)
        what = f"Produce v{version} acks={acks} {shown}"
        try:
            request = request_of(batches, version, acks=acks)
            if acks == 0:
                await client.send_unanswered(produce, request, version, what)
                continue
            response = await client.call(produce, request, version, what)
        except Lost:
            continue
        for sent, answer in zip(batches, answers_of(response, batches, version), strict=True):
            client.note(f"{sent.partition.name}: {ErrorCode(answer.error_code).name} at {answer.base_offset}")
            if acknowledged(play, sent, answer):
                continue
            await asyncio.sleep(0.05)


class Idempotent:
    """A producer with an id: up to five batches in flight; what was not acknowledged comes again, in order."""

    def __init__(self, play: Play, client: Client) -> None:
        self._play = play
        self._client = client
        self._producer_id = -1
        self._epoch = 0
        self._sequences: dict[tuple[Topic, int], int] = {}
        self._open: list[Sent] = []
        """Not acknowledged yet, all for one partition, in order."""
        self._in_vain = 0

    async def run(self) -> None:
        """Produce until the end; then until all is acknowledged."""
        play, chance = self._play, self._client.chance
        while play.going or self._open:
            await asyncio.sleep(chance.random() * chance.choice([0.01, 0.1, 0.5]) * play.pace)
            try:
                if self._producer_id < 0:
                    await self._begin()
                elif not self._open and not self._add():
                    continue
                else:
                    await self._send()
            except Lost:
                await self._consider()

    async def _begin(self) -> None:
        request = init_producer_id.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
        response = await self._client.call(init_producer_id, request, 4, "InitProducerId")
        if response.error_code == ErrorCode.NONE:
            self._play.new_producer(response.producer_id)
            self._producer_id, self._epoch = response.producer_id, response.producer_epoch
            self._sequences.clear()
            self._client.note(f"is producer {self._producer_id}")

    def _add(self) -> bool:
        """Make new batches for one partition."""
        chance = self._client.chance
        picked = self._play.some_partition(chance, flushed=True)
        if picked is None:
            return False
        for _ in range(chance.randrange(1, 6)):
            sequence = self._sequences.get(picked, 0)
            count = chance.randrange(1, 3)
            values = [sequenced(self._producer_id, self._epoch, sequence + index) for index in range(count)]
            records, told = batch_of(
                self._play,
                values,
                producer_id=self._producer_id,
                producer_epoch=self._epoch,
                base_sequence=sequence,
            )
            self._open.append(Sent(*picked, told, records))
            self._sequences[picked] = sequence + count
        return True

    async def _send(self) -> None:
        """Send all that is open, and take the answers."""
        play, client = self._play, self._client
        if self._open[0].topic.deletion_asked:
            self._open.clear()
            return
        version = version_for(play, client, [self._open[0].topic])
        socket = await client.connect()
        under_way = []
        for sent in self._open:
            what = f"Produce v{version} {sent.partition.name} {sent.values[0][0].decode()} +{len(sent.values)}"
            request = request_of([sent], version, acks=-1)
            under_way.append(client.send_on(socket, produce, request, version, what))
            await asyncio.sleep(client.chance.choice([0, 0, 0.001]))
        if client.chance.random() < 0.05:
            # As a producer that is taken for dead, and whose last requests arrive after all.
            client.abandon()
            self._begin_epoch()
            return
        left: list[Sent] = []
        error: Lost | None = None
        for sent, future in zip(self._open, under_way, strict=True):
            try:
                (answer,) = answers_of(await client.answer(future), [sent], version)
            except Lost as lost:
                error = lost
                left.append(sent)
                continue
            shown = sent.values[0][0].decode()
            client.note(f"{sent.partition.name} {shown}: {ErrorCode(answer.error_code).name} at {answer.base_offset}")
            if not acknowledged(play, sent, answer):
                left.append(sent)
        progress = len(left) < len(self._open)
        self._open = left
        self._in_vain = 0 if progress or play.rough else self._in_vain + 1
        if self._in_vain > RETRIES_IN_CALM_MAX:
            raise Violation(4, f"{client.name} does not get on with {left[0].values[0][0]!r}")
        if error is not None:
            raise error

    async def _consider(self) -> None:
        """After the end of a connection: go on, or give up what is open and begin a new epoch, or with a new id."""
        chance = self._client.chance
        if not self._open or chance.random() < 0.8:
            return
        self._client.abandon()
        self._begin_epoch()
        if chance.random() < 0.2:
            self._producer_id = -1

    def _begin_epoch(self) -> None:
        """Give up what is open: nobody knows what becomes of it."""
        self._open.clear()
        self._sequences.clear()
        self._epoch += 1
        self._client.note(f"begins epoch {self._epoch}")
