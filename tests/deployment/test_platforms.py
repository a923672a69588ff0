"""Fleuve where something that Linux has is missing: it serves, keeps its data, and guards its directory.

The systems are imitated (`support/elsewhere.py`); what was run on real ones is in docs/platforms.md.
"""

import os
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from fleuve.adapters.journal.files import Files
from support import elsewhere
from support.broker_process import BrokerProcess
from support.ports import quiet_port

SYSTEMS = ("win32", "darwin")
RECORDS = 3_000
VALUE_BYTES = 1_000
# Small files and no patience: the journal is merged and deleted while it is read, so that what Windows refuses is met.
SETTINGS = {
    "fleuve.journal.file.bytes": 1 << 20,
    "fleuve.merge.interval.ms": 20,
    "fleuve.merge.backlog.files": 1,
    "fleuve.garbage.grace.ms": 0,
}


def produce(bootstrap, first):
    """Send records; return when all are acknowledged."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1, "enable.idempotence": True})
    failures = []
    for number in range(first, first + RECORDS):
        producer.produce(
            "events",
            b"%d:" % number + b"x" * VALUE_BYTES,
            partition=0,
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
        producer.poll(0)
    assert producer.flush(30) == 0
    assert failures == []


def consume(bootstrap, count):
    """Return the numbers of the first `count` records."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "readers", "enable.auto.commit": False})
    consumer.assign([TopicPartition("events", 0, 0)])
    numbers = []
    while len(numbers) < count:
        messages = consumer.consume(count - len(numbers), timeout=20)
        assert messages, f"{len(numbers)} of {count} records"
        assert [message.error() for message in messages if message.error()] == []
        numbers += [int(message.value().partition(b":")[0]) for message in messages]
    consumer.close()
    return numbers


@pytest.fixture(params=SYSTEMS)
def broker(request, tmp_path):
    """A broker as on that system, not started yet."""
    return BrokerProcess(tmp_path, settings=SETTINGS, command=elsewhere.command(request.param))


def test_records_are_there_after_a_restart_and_after_a_kill(broker):
    with broker:
        produce(broker.bootstrap, 0)
        assert consume(broker.bootstrap, RECORDS) == [*range(RECORDS)]
        broker.restart()
        produce(broker.bootstrap, RECORDS)
        broker.kill()
        broker.start()
        assert consume(broker.bootstrap, 2 * RECORDS) == [*range(2 * RECORDS)]
    # One line for each failure: a file that is still read is deleted in a later round, others must not fail.
    assert [line for line in broker.stderr.splitlines() if " error " in line.lower()] == []


def test_a_second_broker_on_the_directory_is_refused_on_windows(tmp_path):
    with BrokerProcess(tmp_path, command=elsewhere.command("win32")) as broker:
        arguments = ["serve", "--listen", "127.0.0.1:0", "--http", "off", "--data-dir", str(broker.data_dir)]
        second = subprocess.run(
            [*elsewhere.command("win32"), *arguments], capture_output=True, text=True, timeout=30, check=False
        )
        assert second.returncode == 1
        used = f"fleuve: the data directory {broker.data_dir} is in use by process {broker.pid}: stop that broker"
        assert second.stderr.startswith(used)
        assert len(second.stderr.splitlines()) == 1


def test_health_and_metrics_answer_on_windows(tmp_path):
    port = quiet_port()
    with BrokerProcess(tmp_path, http=f"127.0.0.1:{port}", command=elsewhere.command("win32")):
        for path in ("readyz", "metrics"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=20) as answer:
                assert answer.status == 200


def test_a_broker_inside_a_test_stops_and_starts_again_on_windows():
    program = f"""
import sys
sys.path.append({str(elsewhere.TESTS)!r})
from support.elsewhere import become
used = become("win32")
from fleuve import testing
with testing.broker() as broker:
    broker.produce("events", "before")
    broker.stop()
    broker.start()
    print([record.value for record in broker.records("events")], *used)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (ran.returncode, ran.stdout) == (0, "[b'before'] locking\n"), ran.stderr


def test_what_is_printed_on_windows_is_utf_8(tmp_path):
    directory = tmp_path / "données ≤ 数据"
    with BrokerProcess(directory, command=elsewhere.command("win32"), environment={"PYTHONIOENCODING": "cp1252"}):
        pass
    assert f"data in {directory / 'data'}" in (directory / "stdout.log").read_text(encoding="utf-8")


def test_threads_that_share_a_descriptor_read_their_own_bytes_where_there_is_no_preadv(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "preadv")
    size = 64 << 10
    path = tmp_path / "file"
    path.write_bytes(b"".join(bytes([number]) * size for number in range(16)))
    files = Files()
    fd = files.open_read(path)

    def read(number):
        buffer = memoryview(bytearray(size))
        assert files.read_into(fd, buffer, number * size) == size
        return bytes(buffer) == bytes([number]) * size

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(read, [*range(16)] * 200))
    finally:
        sys.setswitchinterval(interval)
        files.close(fd)


def test_ctrl_break_stops_a_broker_on_windows(tmp_path):
    with BrokerProcess(tmp_path, command=elsewhere.command("win32")) as broker:
        broker.signal(elsewhere.BREAK)
        assert broker.wait() == 0
