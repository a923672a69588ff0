"""Backs a broker up while clients work with it, restores what was backed up, and looks at it."""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from pathlib import Path

from fleuve.adapters.journal.files import Files
from fleuve.app.backup import back_up
from fleuve.base.errors import FleuveError
from support.administrators import TopicChanger
from support.broker_process import BrokerFailed, BrokerProcess
from support.kills import EVENTS, ORDERS, SETTINGS, address_of
from support.ledger import Ledger, Partition
from support.traffic import RawCommitter, RawProducer, Worker, _Sent, stop
from support.wire_client import Client, RefusedError

TOPICS = {EVENTS: 3, ORDERS: 4}
GROUP = "positions"
RECORDS_BETWEEN = 2_000
PAUSE_S = 0.003
LOOK_S = 0.005
AFTER = 200
TIMEOUT_S = 30.0
# Merged all the time: files go while they are copied.
FAST = SETTINGS | {"fleuve.merge.interval.ms": 20, "fleuve.garbage.grace.ms": 100}


class PacedProducer(RawProducer):
    """Leaves the machine some time for others."""

    def _next(self, partition: Partition) -> _Sent:
        self.stopping.wait(PAUSE_S)
        return super()._next(partition)


class LateFiles(Files):
    """Begins to copy when the broker has deleted something that was there when it was asked to."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._late = False

    def open_read(self, path: Path) -> int:
        if not self._late:
            self._late = True
            there = set(self._journal.iterdir())
            deadline = time.monotonic() + TIMEOUT_S
            while there <= set(self._journal.iterdir()):
                assert time.monotonic() < deadline, "the broker deletes nothing"
                time.sleep(LOOK_S)
        return super().open_read(path)


def findings_of_backups(directory: Path, *, backups: int, seed: int) -> list[str]:
    """Back up so many times under load; return what is wrong with the copies."""
    ledger = Ledger()
    broker = BrokerProcess(directory / "broker", settings=FAST)
    partitions: list[Partition] = [(topic, index) for topic, count in TOPICS.items() for index in range(count)]
    before = []
    workers: list[Worker] = []
    with broker:
        address = address_of(broker)
        with Client(address) as client:
            client.create_topics(TOPICS)
        workers = [
            PacedProducer("once-1", ledger, address, seed=seed, partitions=partitions),
            PacedProducer("plain-1", ledger, address, seed=seed, partitions=partitions),
            RawCommitter("committer", ledger, address, seed=seed, group=GROUP, partitions=partitions),
            TopicChanger("changing", ledger, address, seed=seed),
        ]
        for worker in workers:
            worker.start()
        try:
            for number in range(backups):
                ledger.wait_for(ledger.count + RECORDS_BETWEEN, timeout_s=TIMEOUT_S)
                before.append(_acknowledged(ledger))
                files = LateFiles(broker.data_dir / "journal")
                back_up(broker.data_dir, directory / f"restored-{number}" / "data", files=files)
        except FleuveError as error:
            ledger.find(str(error))
        finally:
            ledger.findings += stop(workers, timeout_s=TIMEOUT_S)
    findings = list(ledger.findings)
    for number, told in enumerate(before[: len(before) - bool(findings)]):
        told.sent = defaultdict(int, ledger.sent)
        findings += [f"backup {number}: {one}" for one in _findings_of(directory / f"restored-{number}", told)]
    return findings


def _acknowledged(ledger: Ledger) -> Ledger:
    """Return what was acknowledged by now."""
    told = Ledger()
    told.commits = dict(ledger.commits)
    for partition in list(ledger.acknowledged):
        end = ledger.end_of(partition)
        there = copy.copy(ledger.acknowledged[partition])
        told.acknowledged[partition] = {offset: value for offset, value in there.items() if offset < end}
    return told


def _findings_of(directory: Path, told: Ledger) -> list[str]:
    """Start a broker on a copy, look at everything, and let it work."""
    broker = BrokerProcess(directory, settings=FAST)
    try:
        with broker:
            address = address_of(broker)
            findings = _look(address, told)
            if "replayed" in broker.stderr:
                findings.append("the journal knew more than the catalog")
            after = RawProducer("once-after", told, address, seed=1, partitions=[(ORDERS, 0), (EVENTS, 0)])
            after.start()
            told.wait_for(told.count + AFTER, timeout_s=TIMEOUT_S)
            findings += stop([after], timeout_s=TIMEOUT_S)
            broker.restart()
            findings += _look(address, told)
    except (BrokerFailed, RefusedError, OSError) as error:
        return [str(error)]
    return findings


def _look(address: tuple[str, int], told: Ledger) -> list[str]:
    findings = list(told.findings)
    with Client(address) as client:
        for topic, count in TOPICS.items():
            for index in range(count):
                findings += told.check_log((topic, index), list(client.read(topic, index)))
            committed = client.committed(GROUP, topic, range(count))
            findings += told.check_commits(GROUP, topic, committed)
    return findings
