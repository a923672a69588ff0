"""Clients that change topics, configs and log starts, whatever happens to their broker; see `traffic.py`."""

from __future__ import annotations

from collections.abc import Sequence

from fleuve.records.record import Record, build_batch
from support.batches import NOW_MS
from support.ledger import Ledger, Partition, value_of
from support.traffic import Worker
from support.wire_client import Address, Client

CHANGED = "max.message.bytes"
"""The config that is changed; every value that it gets is enough for what is sent."""


class TopicChanger(Worker):
    """Creates topics, produces into them, and deletes some."""

    def __init__(self, name: str, ledger: Ledger, address: Address, *, seed: int) -> None:
        super().__init__(name, ledger, address, seed=seed)
        self.number = 0

    def session(self) -> None:
        with Client(self.address, client_id=self.name) as client:
            while not self.finished():
                self.number += 1
                topic = f"{self.name}-{self.number}"
                client.create_topic(topic, 2)
                self.ledger.topics[topic] = True
                value = value_of(self.name, 0)
                self.ledger.sent[self.name, (topic, 1)] = 1
                batch = build_batch([Record(0, 0, None, value)], base_timestamp=NOW_MS)
                self.ledger.acknowledge((topic, 1), client.produce(topic, 1, batch), [value])
                if self.chance.random() < 0.6:
                    del self.ledger.topics[topic]
                    self.ledger.acknowledged.pop((topic, 1))
                    client.delete_topic(topic)
                    self.ledger.topics[topic] = False
                self.rest()


class ConfigChanger(Worker):
    """Sets a config of a topic to higher and higher values."""

    def __init__(self, name: str, ledger: Ledger, address: Address, *, seed: int, topic: str) -> None:
        super().__init__(name, ledger, address, seed=seed)
        self.topic = topic
        self.value = 1_100_000

    def session(self) -> None:
        with Client(self.address, client_id=self.name) as client:
            while not self.finished():
                self.value += 1
                self.ledger.configs.setdefault((self.topic, CHANGED), [1_048_588]).append(self.value)
                client.configure(self.topic, CHANGED, str(self.value))
                self.ledger.configs[self.topic, CHANGED] = [self.value]
                self.rest()


class RecordDeleter(Worker):
    """Deletes the oldest records of partitions."""

    def __init__(
        self, name: str, ledger: Ledger, address: Address, *, seed: int, partitions: Sequence[Partition]
    ) -> None:
        super().__init__(name, ledger, address, seed=seed)
        self.partitions = partitions

    def session(self) -> None:
        with Client(self.address, client_id=self.name) as client:
            while not self.finished():
                partition = self.chance.choice(self.partitions)
                start, end = self.ledger.deleting.get(partition, 0), self.ledger.end_of(partition)
                if end > start:
                    offset = self.chance.randrange(start, end) + 1
                    self.ledger.deleting[partition] = offset
                    self.ledger.deleted[partition] = client.delete_records(*partition, offset)
                self.rest()
