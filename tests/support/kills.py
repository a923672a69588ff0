"""Kills a broker at random instants while clients work with it, or cuts its power, and looks at what it kept.

A crash comes some acknowledged records after the broker was ready, or while it starts. What random means is the
seed's; when the process is really gone is the machine's. A power cut is `launch.py`'s: it loses what was not flushed.
"""

from __future__ import annotations

import contextlib
import random
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from fleuve.base.errors import FleuveError
from support import launch
from support.administrators import CHANGED, ConfigChanger, RecordDeleter, TopicChanger
from support.broker_process import BrokerFailed, BrokerProcess
from support.ledger import Ledger, Partition
from support.sabotages import Sabotage
from support.traffic import (
    LibrdkafkaConsumer,
    LibrdkafkaProducer,
    RawCommitter,
    RawProducer,
    Worker,
    stop,
)
from support.wire_client import Address, Client, RefusedError

EVENTS = "events"
"""Read by a group while it is written."""
ORDERS = "orders"
AGING = "aging"
"""Whose records are deleted."""
TOPICS = {EVENTS: 3, ORDERS: 4, AGING: 2}
RECORDS_BETWEEN_KILLS_MAX = 3000
START_S_MAX = 0.6
"""A kill during a start comes within that time."""
ACKNOWLEDGED_TIMEOUT_S = 30.0
FINISH_TIMEOUT_S = 30.0
MERGED_TIMEOUT_S = 20.0
LOOK_S = 0.02
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


class CrashingBroker(BrokerProcess):
    """A broker process that can be killed before it is ready, too."""

    number = signal.SIGKILL
    """How it is ended."""
    codes = {-signal.SIGKILL}

    def crash(self) -> None:
        """End it as the campaign does."""
        self._end_if_running()
        if self.running:
            code = self.wait()
            assert code in self.codes, f"the crash ended with {code}:\n{self.stderr}"

    def start_and_crash(self, after_s: float) -> None:
        """Start, and crash it that long after."""
        timer = threading.Timer(after_s, self._end_if_running)
        timer.start()
        with contextlib.suppress(BrokerFailed):
            self.start()
        timer.join()
        self.crash()

    def _end_if_running(self) -> None:
        if self.running:
            self.signal(self.number)


class UnpluggedBroker(CrashingBroker):
    """A broker with "power-cut" of `launch.py`, whose crashes are power cuts."""

    number = signal.SIGUSR1
    # What has only begun to start has nothing to lose yet, and dies of the signal.
    codes = {launch.EXIT_CUT, -signal.SIGUSR1}


def address_of(broker: BrokerProcess) -> Address:
    host, port = broker.bootstrap.rsplit(":", 1)
    return host, int(port)


def kill_again_and_again(
    directory: Path,
    *,
    kills: int,
    seed: int,
    power: bool = False,
    sabotage: Sabotage | None = None,
    real_clients: bool = True,
) -> Report:
    """Do so many kills, then let every client finish, crash the broker, start it again, and read everything.

    With `power` each is a power cut; with `sabotage` the broker breaks a promise.
    """
    chance = random.Random(seed)
    ledger = Ledger()
    make = UnpluggedBroker if power else CrashingBroker
    broker = make(
        directory,
        settings=SETTINGS,
        command=launch.command("power-cut" if power else None, sabotage=sabotage),
        environment=launch.environment(),
    )
    workers: list[Worker] = []
    killed = 0
    try:
        broker.start()
        with Client(address_of(broker)) as client:
            client.create_topics(TOPICS)
        workers = _workers(ledger, address_of(broker), seed, real_clients=real_clients)
        for worker in workers:
            worker.start()
        while killed < kills and not ledger.findings:
            ledger.wait_for(
                ledger.count + chance.randrange(1, RECORDS_BETWEEN_KILLS_MAX), timeout_s=ACKNOWLEDGED_TIMEOUT_S
            )
            broker.crash()
            killed += 1
            while killed < kills and chance.random() < 0.25:
                broker.start_and_crash(chance.random() * START_S_MAX)
                killed += 1
            broker.start()
        ledger.findings += stop(workers, timeout_s=FINISH_TIMEOUT_S, finish=not ledger.findings)
        broker.crash()
        broker.start()
        _look_at_everything(broker, ledger)
        _wait_until_merged(broker, ledger)
        _look_at_everything(broker, ledger)
        broker.terminate()
        broker.check()
    except (AssertionError, OSError, RefusedError, FleuveError) as error:
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
        ConfigChanger("configuring", ledger, address, seed=seed, topic=ORDERS),
        RecordDeleter("deleting", ledger, address, seed=seed, partitions=[(AGING, 0), (AGING, 1)]),
    ]
    if real_clients:
        workers += [
            LibrdkafkaProducer("once-librdkafka", ledger, address, seed=seed, partitions=all_partitions),
            LibrdkafkaConsumer("reader", ledger, address, seed=seed, group="readers", topic=EVENTS),
        ]
    return workers


def _wait_until_merged(broker: BrokerProcess, ledger: Ledger) -> None:
    """Return when what the campaign wrote lies in segments; a journal file that grows may be left."""
    journal = broker.data_dir / "journal"
    looks = int(MERGED_TIMEOUT_S / LOOK_S)
    while (left := len(list(journal.iterdir()))) > 1 and looks:
        looks -= 1
        threading.Event().wait(LOOK_S)
    if left > 1:
        ledger.find(f"{left} journal files were not merged within {MERGED_TIMEOUT_S} s")


def _look_at_everything(broker: BrokerProcess, ledger: Ledger) -> None:
    with Client(address_of(broker)) as client:
        found = client.topics()
        ledger.findings += ledger.check_topics(found)
        changed = {name: 2 for name, there in ledger.topics.items() if there and name in found}
        for topic, count in {**TOPICS, **changed}.items():
            for index in range(count):
                start = client.start_offset(topic, index)
                stored = list(client.read(topic, index, start))
                ledger.findings += ledger.check_log((topic, index), stored, start=start)
        ledger.findings += ledger.check_config(ORDERS, CHANGED, int(client.config(ORDERS, CHANGED) or 0))
        for group, topic in (("positions", ORDERS), ("readers", EVENTS)):
            committed = client.committed(group, topic, range(TOPICS[topic]))
            ledger.findings += ledger.check_commits(group, topic, committed)
