"""Lets something under a working broker fail and work again, and looks at what clients were told meanwhile."""

from __future__ import annotations

import contextlib
import resource
import threading
from collections.abc import Iterator
from pathlib import Path

from fleuve.records.record import Record, build_batch
from support import launch
from support.batches import NOW_MS
from support.broker_process import BrokerProcess
from support.kills import address_of
from support.ledger import Ledger
from support.traffic import RawProducer, Worker, stop
from support.wire_client import Client, RefusedError

TOPIC = "events"
PROBES = "probes"
"""Not looked at in the end."""
PARTITIONS = [(TOPIC, 0), (TOPIC, 1)]
ACKNOWLEDGED_TIMEOUT_S = 20.0
RECORDS = 300
ATTEMPTS_MAX = 2000
PAUSE_S = 0.01
SETTINGS = {"log.retention.ms": -1, "fleuve.journal.file.bytes": 1 << 20}


class Trouble:
    """A broker on a disk that fails on demand, idempotent and plain producers at work, and what they were told."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ledger = Ledger()
        self.broker = BrokerProcess(
            directory, settings=SETTINGS, command=launch.command("failing-disk"), environment=launch.environment()
        )
        self.workers: list[Worker] = []

    def start(self) -> None:
        self.broker.start()
        address = address_of(self.broker)
        with Client(address) as client:
            client.create_topics({TOPIC: len(PARTITIONS), PROBES: 1})
        self.workers = [
            RawProducer(name, self.ledger, address, seed=1, partitions=PARTITIONS) for name in ("once-1", "plain-1")
        ]
        for worker in self.workers:
            worker.start()
        self.until_acknowledged(RECORDS)

    def until_acknowledged(self, more: int = 1) -> None:
        """Wait until the producers got so many more records in."""
        self.ledger.wait_for(self.ledger.count + more, timeout_s=ACKNOWLEDGED_TIMEOUT_S)

    def until_refused(self) -> RefusedError:
        """Produce until it is refused; return how. Raises TimeoutError if there is no answer at all."""
        batch = build_batch([Record(0, 0, None, b"probe")], base_timestamp=NOW_MS)
        for _ in range(ATTEMPTS_MAX):
            with contextlib.suppress(ConnectionError), Client(address_of(self.broker)) as client:
                try:
                    client.produce(PROBES, 0, batch)
                except RefusedError as error:
                    return error
            threading.Event().wait(PAUSE_S)
        raise AssertionError("nothing was refused")

    def end(self) -> list[str]:
        """Let the producers finish, kill the broker, start it again, and compare everything; return the findings."""
        findings = stop(self.workers, timeout_s=ACKNOWLEDGED_TIMEOUT_S)
        self.broker.kill()
        self.broker.start()
        with Client(address_of(self.broker)) as client:
            for topic, index in PARTITIONS:
                findings += self.ledger.check_log((topic, index), list(client.read(topic, index)))
        self.broker.terminate()
        return self.ledger.findings + findings


@contextlib.contextmanager
def trouble_in(directory: Path) -> Iterator[Trouble]:
    """Start a broker and its producers; leave nothing running."""
    trouble = Trouble(directory)
    try:
        trouble.start()
        yield trouble
    finally:
        stop(trouble.workers, timeout_s=0.1, finish=False)
        trouble.broker.kill()


@contextlib.contextmanager
def no_room(pid: int, size_bytes_max: int) -> Iterator[None]:
    """Let the system refuse every write of a process behind that size of a file: a full disk, without a small one."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes_max, hard))
    try:
        yield
    finally:
        # A process that is gone needs no room.
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def failing(trouble: Trouble, kind: str, code: int) -> Iterator[None]:
    """Let every call of that kind on the journal's disk fail."""
    launch.fail(trouble.directory, kind, code)
    try:
        yield
    finally:
        launch.recover(trouble.directory)
