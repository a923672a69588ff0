"""Start, memory, many connections, many partitions, a full disk's restart, and a cold read after a merge.

Run it as `python benchmarks/footprint.py [--runs 5] [--gigabytes 10] [--only NAME]` in an environment where fleuve is
installed. The restart needs that many GB of free disk below the temporary directory (TMPDIR says where); they are
given back. Memory is resident memory (RSS), in MB of 10⁶ bytes; medians of `--runs`, but for what takes long.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fleuve.records.record import Record, build_batch
from support.batches import NOW_MS
from support.broker_process import BrokerProcess
from support.kills import address_of
from support.load import Shape, run_load
from support.machine import describe_machine, read_bytes, resident_bytes
from support.wire_client import Client

MB = 1e6
TOPICS, PARTITIONS_EACH = 1_000, 10
CONNECTIONS = 5_000
KEEP_ALL = {"log.retention.ms": "-1"}
"""The records' timestamps are of long ago."""
COLD_PARTITIONS = 100
COLD_BATCHES = 800
"""Batches in each partition, of 1 KB."""
MERGE_TIMEOUT_S = 120


def row(what: str, found: str, goal: str) -> None:
    """Print one line of the table."""
    print(f"{what:64}{found:>18}   {goal}", flush=True)


@contextlib.contextmanager
def broker_in(directory: Path, **settings: str) -> Iterator[BrokerProcess]:
    """Run a broker; the HTTP port is open, as it is by default."""
    with BrokerProcess(directory, settings=KEEP_ALL | settings, http="127.0.0.1:0") as broker:
        yield broker


def start_and_idle(directory: Path, runs: int) -> None:
    """From nothing to the first record that is flushed and acknowledged; memory at rest."""
    firsts, residents, agains = [], [], []
    batch = build_batch([Record(0, 0, None, b"first")], base_timestamp=NOW_MS)
    for run in range(runs):
        place = directory / str(run)
        started = perf_counter()
        with broker_in(place) as broker:
            with Client(address_of(broker)) as client:
                client.create_topic("first", 1)
                client.produce("first", 0, batch)
            firsts.append(perf_counter() - started)
            residents.append(resident_bytes(broker.pid) / MB)
        started = perf_counter()
        with broker_in(place) as broker:
            with Client(address_of(broker)) as client:
                client.produce("first", 0, batch)
            agains.append(perf_counter() - started)
    row("start to the first acknowledged record, empty directory", f"{statistics.median(firsts):.2f} s", "< 0.6 s")
    row("the same, directory in use before", f"{statistics.median(agains):.2f} s", "< 0.6 s")
    row("memory, idle", f"{statistics.median(residents):.0f} MB", "< 80 MB")


def idle_connections(directory: Path, _: int) -> None:
    """Memory with many connections, each of which has asked something once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, hard)), hard))
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(broker_in(directory))
        before = resident_bytes(broker.pid) / MB
        for _ in range(CONNECTIONS):
            stack.enter_context(Client(address_of(broker))).topics()
        found = resident_bytes(broker.pid) / MB
    row(f"memory, {CONNECTIONS:,} idle connections (before: {before:.0f} MB)", f"{found:.0f} MB", "< 250 MB")


def many_partitions(directory: Path, gigabytes: int) -> None:
    """Create many topics, use them, fill the disk, and start again."""
    with broker_in(directory) as broker:
        address = address_of(broker)
        batch = build_batch([Record(0, 0, None, b"first")], base_timestamp=NOW_MS)
        with Client(address, timeout_s=60) as client:
            started = perf_counter()
            names = [f"topic-{number}" for number in range(TOPICS)]
            for first in range(0, TOPICS, 100):
                client.create_topics(dict.fromkeys(names[first : first + 100], PARTITIONS_EACH))
            created = perf_counter() - started
            for name in names[:: TOPICS // 50]:
                client.produce(name, PARTITIONS_EACH - 1, batch)
            assert sum(client.topics().values()) >= TOPICS * PARTITIONS_EACH
            usable = perf_counter() - started
        count = f"{TOPICS * PARTITIONS_EACH:,} partitions in {TOPICS:,} topics"
        row(f"{count}: created, 100 topics in a request", f"{created:.2f} s", "")
        row(f"{count}: created and usable", f"{usable:.2f} s", "< 5 s")
        row("memory with them", f"{resident_bytes(broker.pid) / MB:.0f} MB", "< 200 MB")
        _fill(broker, directory, gigabytes)
        row(f"memory after {gigabytes} GB", f"{resident_bytes(broker.pid) / MB:.0f} MB", "")
    for how, end in (("after a stop", BrokerProcess.terminate), ("after kill -9", BrokerProcess.kill)):
        _start_again(directory, gigabytes, how, end)


def _fill(broker: BrokerProcess, directory: Path, gigabytes: int) -> None:
    free = shutil.disk_usage(directory).free
    if free < (gigabytes + 5) * 1e9:
        raise SystemExit(f"{directory} has {free / 1e9:.0f} GB free; {gigabytes} GB and some more are needed")
    shape = Shape(name="fill", value_bytes=1_000_000, connections=4, depth=2)
    written = 0
    while written < gigabytes * 1e9:
        written += run_load(address_of(broker), "topic-0", PARTITIONS_EACH, shape, seconds=2).request_bytes


def _start_again(directory: Path, gigabytes: int, how: str, end: Callable[[BrokerProcess], None]) -> None:
    broker = BrokerProcess(directory, settings=KEEP_ALL, http="127.0.0.1:0")
    batch = build_batch([Record(0, 0, None, b"again")], base_timestamp=NOW_MS)
    broker.start()
    run_load(address_of(broker), "topic-1", PARTITIONS_EACH, Shape(name="some", value_bytes=100), seconds=1)
    end(broker)
    started = perf_counter()
    broker.start()
    ready = perf_counter() - started
    with Client(address_of(broker)) as client:
        client.produce("topic-0", 0, batch)
    acknowledged = perf_counter() - started
    what = f"start {how}, {TOPICS * PARTITIONS_EACH:,} partitions, {gigabytes} GB"
    row(f"{what}: ready", f"{ready:.2f} s", "< 2 s")
    row(f"{what}: acknowledged", f"{acknowledged:.2f} s", "< 2 s")
    row("memory then", f"{resident_bytes(broker.pid) / MB:.0f} MB", "")
    broker.terminate()
    broker.check()


def cold_read(directory: Path, _: int) -> None:
    """Write many partitions at once, let a merge sort them, start again, and read one as nobody has before."""
    quick = {"fleuve.journal.file.bytes": str(8 << 20), "fleuve.merge.interval.ms": "100"}
    quick |= {"fleuve.merge.backlog.files": "1", "fleuve.garbage.grace.ms": "0", "fleuve.journal.roll.ms": "1000"}
    batch = build_batch([Record(0, 0, None, bytes(1000))], base_timestamp=NOW_MS)
    with broker_in(directory, **quick) as broker, Client(address_of(broker), timeout_s=60) as client:
        client.create_topic("cold", COLD_PARTITIONS)
        for _ in range(COLD_BATCHES):
            client.produce_all("cold", range(COLD_PARTITIONS), batch)
        _wait_for_merge(directory / "data" / "journal")
    with broker_in(directory) as broker, Client(address_of(broker), timeout_s=60) as client:
        client.end_offset("cold", 1)
        before = read_bytes(broker.pid)
        returned = offset = 0
        # The last ones may still lie in the journal file that grew at the end.
        while offset < COLD_BATCHES * 9 // 10:
            records, _ = client.fetch("cold", 1, offset, max_bytes=1 << 20)
            returned += len(records)
            offset += len(records) // len(batch)
        read = read_bytes(broker.pid) - before
    row(f"cold read of one of {COLD_PARTITIONS} merged partitions: bytes read", f"{read / returned:.3f} ×", "≤ 1.1 ×")


def _wait_for_merge(journal: Path) -> None:
    # The growing file is all that stays.
    deadline = perf_counter() + MERGE_TIMEOUT_S
    while sum(1 for _ in journal.iterdir()) > 1:
        if perf_counter() > deadline:
            raise SystemExit(f"not merged after {MERGE_TIMEOUT_S} s: {sorted(journal.iterdir())}")
        subprocess.run(["sync"], check=False)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--gigabytes", type=int, default=10)
    parser.add_argument("--only", default="", metavar="NAME", help="start, connections, partitions or cold")
    options = parser.parse_args()
    print(describe_machine())
    print(f"\n{'':64}{'found':>18}   goal")
    for name, measure, argument in (
        ("start", start_and_idle, options.runs),
        ("connections", idle_connections, 0),
        ("partitions", many_partitions, options.gigabytes),
        ("cold", cold_read, 0),
    ):
        if options.only in name:
            with tempfile.TemporaryDirectory(prefix="fleuve-benchmark-") as directory:
                measure(Path(directory), argument)


if __name__ == "__main__":
    main()
