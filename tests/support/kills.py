"""Kills a broker at random instants while clients work with it, and looks at what it kept.

A kill comes some acknowledged records after the broker was ready, or while it starts. What random means is the
seed's; when the process is really gone is the machine's.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.broker_process import BrokerFailed, BrokerProcess
from support.ledger import Ledger, Partition
from support.traffic import (
    LibrdkafkaConsumer,
    LibrdkafkaProducer,
    RawCommitter,
    RawProducer,
    TopicChanger,
    Worker,
    stop,
)
from support.wire_client import Address, Client, RefusedError

EVENTS = "events"
"""Read by a group while it is written."""
ORDERS = "orders"
TOPICS = {EVENTS: 3, ORDERS: 4}
RECORDS_BETWEEN_KILLS_MAX = 3000
START_S_MAX = 0.6
"""A kill during a start comes within that time."""
ACKNOWLEDGED_TIMEOUT_S = 30.0
FINISH_TIMEOUT_S = 30.0
SETTINGS = {
    # The group's consumer shall read soon after a restart.
    "group.initial.rebalance.delay.ms": 0,
    # The records' timestamps are of long ago, and each must stay.
    "log.retention.ms": -1,
    # Small files: rolls, several files to replay, and merges all the time.
    "fleuve.journal.file.bytes": 1 << 20,
    "fleuve.merge.interval.ms": 100,
    "fleuve.merge.backlog.files": 1,
    "fleuve.garbage.grace.ms": 0,
}


@dataclass
class Report:
    """What a campaign did, and what it found."""

    kills: int
    records: int
    findings: list[str]


class KillableBroker(BrokerProcess):
    """A broker process that can be killed before it is ready, too."""

    def start_and_kill(self, after_s: float) -> None:
        """Start, and kill it that long after."""
        timer = threading.Timer(after_s, lambda: self.signal(signal.SIGKILL))
        timer.start()
        with contextlib.suppress(BrokerFailed):
            self.start()
        timer.join()
        self.kill()


def address_of(broker: BrokerProcess) -> Address:
    host, port = broker.bootstrap.rsplit(":", 1)
    return host, int(port)


def kill_again_and_again(
    directory: Path,
    *,
    kills: int,
    seed: int,
    command: Sequence[str] = (sys.executable, "-m", "fleuve"),
    environment: dict[str, str] | None = None,
    real_clients: bool = True,
) -> Report:
    """Do so many kills, then let every client finish, stop the broker, start it again, and read everything."""
    chance = random.Random(seed)
    ledger = Ledger()
    broker = KillableBroker(directory, settings=SETTINGS, command=command, environment=environment)
    broker.start()
    workers: list[Worker] = []
    killed = 0
    try:
        with Client(address_of(broker)) as client:
            client.create_topics(TOPICS)
        workers = _workers(ledger, address_of(broker), seed, real_clients=real_clients)
        for worker in workers:
            worker.start()
        while killed < kills and not ledger.findings:
            ledger.wait_for(
                ledger.count + chance.randrange(1, RECORDS_BETWEEN_KILLS_MAX), timeout_s=ACKNOWLEDGED_TIMEOUT_S
            )
            broker.kill()
            killed += 1
            while killed < kills and chance.random() < 0.25:
                broker.start_and_kill(chance.random() * START_S_MAX)
                killed += 1
            broker.start()
        ledger.findings += stop(workers, timeout_s=FINISH_TIMEOUT_S, finish=not ledger.findings)
        broker.kill()
        broker.start()
        _look_at_everything(broker, ledger)
        broker.terminate()
        broker.check()
    except (BrokerFailed, TimeoutError, OSError, RefusedError) as error:
        ledger.find(f"after {killed} kills: {error}")
        stop(workers, timeout_s=0.1, finish=False)
    finally:
        broker.kill()
    return Report(killed, ledger.count, ledger.findings)


def _workers(ledger: Ledger, address: Address, seed: int, *, real_clients: bool) -> list[Worker]:
    all_partitions: list[Partition] = [(topic, index) for topic, count in TOPICS.items() for index in range(count)]
    orders = [partition for partition in all_partitions if partition[0] == ORDERS]
    workers: list[Worker] = [
        RawProducer("once-raw-1", ledger, address, seed=seed, partitions=all_partitions),
        RawProducer("once-raw-2", ledger, address, seed=seed, partitions=orders),
        RawProducer("plain-1", ledger, address, seed=seed, partitions=all_partitions),
        RawProducer("plain-2", ledger, address, seed=seed, partitions=orders),
        RawCommitter("committer", ledger, address, seed=seed, group="positions", partitions=orders),
        TopicChanger("changing", ledger, address, seed=seed),
    ]
    if real_clients:
        workers += [
            LibrdkafkaProducer("once-librdkafka", ledger, address, seed=seed, partitions=all_partitions),
            LibrdkafkaConsumer("reader", ledger, address, seed=seed, group="readers", topic=EVENTS),
        ]
    return workers


def _look_at_everything(broker: BrokerProcess, ledger: Ledger) -> None:
    with Client(address_of(broker)) as client:
        found = client.topics()
        ledger.findings += ledger.check_topics(found)
        changed = {name: 2 for name, there in ledger.topics.items() if there and name in found}
        for topic, count in {**TOPICS, **changed}.items():
            for index in range(count):
                ledger.findings += ledger.check_log((topic, index), list(client.read(topic, index)))
        for group, topic in (("positions", ORDERS), ("readers", EVENTS)):
            committed = client.committed(group, topic, range(TOPICS[topic]))
            ledger.findings += ledger.check_commits(group, topic, committed)
