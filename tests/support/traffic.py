"""Clients that go on whatever happens to their broker, and write everything they are told into a ledger.

Each is a thread. Where its connection ends it comes back, and does what a careful client does: an idempotent producer
sends again what has no answer, with the same sequence numbers; a plain one does not, for it cannot know.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from fleuve.records.record import Record, build_batch
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import produce
from support.batches import NOW_MS
from support.ledger import Ledger, Partition, value_of
from support.wire_client import PRODUCE_VERSION, Address, Client, RefusedError, produce_request

RETRIABLE = {
    ErrorCode.KAFKA_STORAGE_ERROR,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.REQUEST_TIMED_OUT,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
}
PAUSE_S = 0.02
"""Between attempts to connect."""
REST_S_MAX = 0.6
BURST_MAX = 6
"""Flushed commits of the catalog come in bursts: between them its relaxed ones pile up, for a power cut to take."""
IN_FLIGHT_MAX = 5
"""Batches of an idempotent producer without answer, in one partition, as Kafka's brokers remember five."""
RECORDS_MAX = 20
UNDELIVERED_MAX = 2000
"""Messages of a client of its own that have no answer."""
SIZES = (0, 0, 100, 100, 1000, 20_000)


class Worker(threading.Thread):
    """A client that comes back until it is told to stop."""

    def __init__(self, name: str, ledger: Ledger, address: Address, *, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.ledger = ledger
        self.address = address
        self.chance = random.Random(f"{seed}-{name}")
        self.stopping = threading.Event()
        self.giving_up = threading.Event()
        """Do not even wait for what is under way."""

    def run(self) -> None:
        """Have sessions until `stopping`, and finish what is under way."""
        try:
            while not self.finished():
                try:
                    self.session()
                except OSError:
                    self.stopping.wait(PAUSE_S) and self.giving_up.wait(PAUSE_S)
                except RefusedError as error:
                    if error.code not in RETRIABLE:
                        self.ledger.find(f"{self.name} was refused: {error}")
                        return
                    self.stopping.wait(PAUSE_S) and self.giving_up.wait(PAUSE_S)
        except BaseException as error:
            self.ledger.find(f"{self.name} broke: {error!r}")
            raise

    def finished(self) -> bool:
        """Say whether nothing is left to do."""
        return self.stopping.is_set()

    def rest(self) -> None:
        """Do nothing for a while, now and then."""
        if self.chance.random() * BURST_MAX < 1:
            self.stopping.wait(self.chance.random() * REST_S_MAX)

    def session(self) -> None:
        """Do something over a new connection, until it ends."""
        raise NotImplementedError


class _Sent:
    """A batch that has no answer yet."""

    __slots__ = ("partition", "sequence", "values")

    def __init__(self, partition: Partition, sequence: int, values: list[bytes]) -> None:
        self.partition = partition
        self.sequence = sequence
        self.values = values


class RawProducer(Worker):
    """Produces to several partitions at once, with some batches in flight in each."""

    def __init__(
        self, name: str, ledger: Ledger, address: Address, *, seed: int, partitions: Sequence[Partition]
    ) -> None:
        super().__init__(name, ledger, address, seed=seed)
        self.partitions = partitions
        self.idempotent = name.startswith("once-")
        self.unanswered: deque[_Sent] = deque()
        self.producer: tuple[int, int] = (-1, -1)

    def finished(self) -> bool:
        return self.stopping.is_set() and (not self.unanswered or self.giving_up.is_set())

    def session(self) -> None:
        with Client(self.address, client_id=self.name) as client:
            if self.idempotent and self.producer[0] < 0:
                self.producer = client.init_producer_id()
            under_way = deque[_Sent]()
            if self.idempotent:
                for sent in self.unanswered:
                    self._send(client, under_way, sent)
            self.unanswered = under_way
            while not self.finished():
                while not self.stopping.is_set() and (partition := self._with_room()) is not None:
                    self._send(client, self.unanswered, self._next(partition))
                if self.unanswered:
                    self._receive(client)

    def _with_room(self) -> Partition | None:
        partition = self.chance.choice(self.partitions)
        there = sum(sent.partition == partition for sent in self.unanswered)
        return partition if there < IN_FLIGHT_MAX else None

    def _next(self, partition: Partition) -> _Sent:
        first = self.ledger.sent[self.name, partition]
        count = self.chance.randint(1, RECORDS_MAX)
        size = self.chance.choice(SIZES)
        self.ledger.sent[self.name, partition] = first + count
        return _Sent(partition, first, [value_of(self.name, first + n, size) for n in range(count)])

    def _send(self, client: Client, under_way: deque[_Sent], sent: _Sent) -> None:
        producer_id, epoch = self.producer
        batch = build_batch(
            [Record(index, 0, None, value) for index, value in enumerate(sent.values)],
            base_timestamp=NOW_MS,
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sent.sequence if self.idempotent else -1,
        )
        under_way.append(sent)
        client.send(client.frame(produce, produce_request(*sent.partition, batch), PRODUCE_VERSION))

    def _receive(self, client: Client) -> None:
        _, response = client.receive(produce, PRODUCE_VERSION)
        answer = response.responses[0].partition_responses[0]
        if answer.error_code:
            # What follows in this partition is refused, too. Another connection sends all of it again, in order.
            raise RefusedError(answer.error_code, f"{self.unanswered[0].partition}: {answer.error_message}")
        sent = self.unanswered.popleft()
        self.ledger.acknowledge(sent.partition, answer.base_offset, sent.values)


class RawCommitter(Worker):
    """Commits offsets that only grow."""

    def __init__(
        self, name: str, ledger: Ledger, address: Address, *, seed: int, group: str, partitions: Sequence[Partition]
    ) -> None:
        super().__init__(name, ledger, address, seed=seed)
        self.group = group
        self.partitions = partitions
        self.position = 0

    def session(self) -> None:
        with Client(self.address, client_id=self.name) as client:
            while not self.finished():
                self.position += self.chance.randint(1, 100)
                topic, index = self.chance.choice(self.partitions)
                client.commit(self.group, topic, {index: self.position})
                self.ledger.commits[self.group, (topic, index)] = self.position
                self.rest()


class LibrdkafkaProducer(Worker):
    """Confluent's client, idempotent, which comes back by itself."""

    def __init__(
        self, name: str, ledger: Ledger, address: Address, *, seed: int, partitions: Sequence[Partition]
    ) -> None:
        super().__init__(name, ledger, address, seed=seed)
        self.partitions = partitions

    def session(self) -> None:
        from confluent_kafka import Producer

        # No message may time out, however often its broker goes before it has answered; and batches are small, so that
        # it can answer them on a slow machine, too.
        patient = {"enable.idempotence": True, "linger.ms": 1, "message.timeout.ms": 0, "batch.size": 65_536}
        producer = Producer(_librdkafka(self.address) | patient)
        while not self.stopping.is_set():
            # Where the broker is away for long, what waits for it must not grow for ever.
            room = UNDELIVERED_MAX - len(producer)
            partition = self.chance.choice(self.partitions)
            for _ in range(min(room, self.chance.randint(1, 50))):
                number = self.ledger.sent[self.name, partition]
                value = value_of(self.name, number, self.chance.choice(SIZES))
                try:
                    producer.produce(partition[0], value, partition=partition[1], on_delivery=self._delivered)
                except BufferError:
                    break
                self.ledger.sent[self.name, partition] = number + 1
            producer.poll(0.001 if room > 0 else 0.05)
        while producer.flush(0.5) and not self.giving_up.is_set():
            pass

    def _delivered(self, error: Any, message: Any) -> None:
        if error is not None:
            self.ledger.find(f"{self.name}: {error}")
            return
        self.ledger.acknowledge((message.topic(), message.partition()), message.offset(), [message.value()])


class LibrdkafkaConsumer(Worker):
    """Confluent's client in a group of one, which commits what it has read."""

    def __init__(self, name: str, ledger: Ledger, address: Address, *, seed: int, group: str, topic: str) -> None:
        super().__init__(name, ledger, address, seed=seed)
        self.group = group
        self.topic = topic

    def session(self) -> None:
        from confluent_kafka import Consumer, KafkaException

        consumer = Consumer(
            _librdkafka(self.address)
            | {
                "group.id": self.group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "session.timeout.ms": 6000,
                "fetch.wait.max.ms": 50,
            }
        )
        consumer.subscribe([self.topic])
        try:
            while not self.finished():
                messages = consumer.consume(100, 0.05)
                for message in messages:
                    self._read(message)
                if messages:
                    self.rest()
                    try:
                        self._committed(consumer.commit(asynchronous=False))
                    except KafkaException:
                        continue  # Nobody knows whether it was; the next one will say.
        finally:
            consumer.close()

    def _read(self, message: Any) -> None:
        if message.error() is None:
            self.ledger.saw((message.topic(), message.partition()), message.offset(), message.value())

    def _committed(self, partitions: Any) -> None:
        for partition in partitions or []:
            if partition.error is None and partition.offset >= 0:
                self.ledger.commits[self.group, (partition.topic, partition.partition)] = partition.offset


def _librdkafka(address: Address) -> dict[str, Any]:
    return {
        "bootstrap.servers": f"{address[0]}:{address[1]}",
        "reconnect.backoff.ms": 10,
        "reconnect.backoff.max.ms": 100,
        "retry.backoff.ms": 10,
        "retry.backoff.max.ms": 100,
        "topic.metadata.refresh.interval.ms": 5000,
        "log_level": 0,
        "error_cb": _ignore,
    }


def _ignore(*_: object) -> None:
    """Connections that end are what this is about."""


def stop(workers: Sequence[Worker], *, timeout_s: float, finish: bool = True) -> list[str]:
    """Stop all; with `finish`, let them wait for the answers they lack. Return those that did not end."""
    for worker in workers:
        worker.stopping.set()
        if not finish:
            worker.giving_up.set()
    for worker in workers:
        worker.join(timeout_s)
    late = [worker for worker in workers if worker.is_alive()]
    for worker in late:
        worker.giving_up.set()
        worker.join(5)
    return [f"{worker.name} could not finish" for worker in late]
