"""A data directory that cannot be used: one line on standard error that says what to do, and exit code 1."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from fleuve.records.record import Record, build_batch
from fleuve.wire.errors import ErrorCode
from support.batches import NOW_MS
from support.broker_process import BrokerFailed, BrokerProcess
from support.kills import address_of
from support.wire_client import Client, RefusedError

pytestmark = pytest.mark.faults

RECORDS = 50
SETTINGS = {"log.retention.ms": -1}
EXIT_FAILED = 1


def refusal(data_dir: Path) -> str:
    """Start a broker that must refuse to; return the line that says why."""
    command = [sys.executable, "-m", "fleuve", "serve", "--listen", "127.0.0.1:0", "--http", "off"]
    ended = subprocess.run(
        [*command, "--data-dir", str(data_dir)], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == EXIT_FAILED, ended
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("fleuve: ")
    return lines[0]


@pytest.fixture
def used(tmp_path):
    """A data directory with some records, left by a broker that was killed."""
    with BrokerProcess(tmp_path, settings=SETTINGS) as broker:
        with Client(address_of(broker)) as client:
            client.create_topic("events", 3)
            for number in range(RECORDS):
                batch = build_batch([Record(0, 0, None, b"%d" % number)], base_timestamp=NOW_MS)
                client.produce("events", number % 3, batch)
        broker.kill()
    return broker


def count(broker: BrokerProcess) -> int:
    """Start it, count the records, stop it."""
    with broker, Client(address_of(broker)) as client:
        return sum(1 for index in range(3) for _ in client.read("events", index))


def test_it_is_in_use(used):
    used.start()
    assert f"in use by process {used.pid}" in refusal(used.data_dir)
    used.kill()
    assert count(used) == RECORDS


def test_it_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    assert "give a directory" in refusal(tmp_path / "file")
    assert "give a directory" in refusal(tmp_path / "file" / "below")


def test_it_cannot_be_made(tmp_path):
    if os.geteuid() == 0:
        # Root may write anywhere but where the system has no files to give.
        parent = Path("/sys/kernel")
    else:
        parent = tmp_path / "closed"
        parent.mkdir(mode=0o555)
    assert "is not writable" in refusal(parent / "data")


def test_it_has_a_newer_format(used):
    (used.data_dir / "format").write_text("99\n")
    assert "has format 99" in refusal(used.data_dir)
    (used.data_dir / "format").write_text("1\n")
    assert count(used) == RECORDS


def test_its_format_is_no_number(used):
    (used.data_dir / "format").write_text("a picture")
    assert "no data directory of Fleuve" in refusal(used.data_dir)


def test_its_format_is_lost(used):
    (used.data_dir / "format").unlink()
    assert "no format file" in refusal(used.data_dir)


def test_its_catalog_is_newer(used):
    connection = sqlite3.connect(used.data_dir / "catalog.sqlite")
    connection.execute("INSERT INTO schema_version VALUES (9999, 'from_the_future', 'x')")
    connection.commit()
    connection.close()
    assert "newer version of Fleuve" in refusal(used.data_dir)


def test_its_catalog_is_garbage(used):
    catalog = used.data_dir / "catalog.sqlite"
    for left in used.data_dir.glob("catalog.sqlite-*"):
        left.unlink()
    catalog.write_bytes(random.Random(1).randbytes(100_000))
    assert "is damaged" in refusal(used.data_dir)


def test_its_catalog_is_lost(used):
    for left in used.data_dir.glob("catalog.sqlite*"):
        left.unlink()
    assert "catalog" in refusal(used.data_dir)
    assert len(list((used.data_dir / "journal").iterdir())) == 1


def test_its_catalog_is_empty(used):
    for left in used.data_dir.glob("catalog.sqlite-*"):
        left.unlink()
    (used.data_dir / "catalog.sqlite").write_bytes(b"")
    assert "catalog" in refusal(used.data_dir)


def test_a_damaged_catalog_that_is_restored_has_all(used, tmp_path):
    count(used)
    catalog = used.data_dir / "catalog.sqlite"
    shutil.copy(catalog, tmp_path / "backup")
    catalog.write_bytes(b"garbage" * 1000)
    assert "restore it from a backup" in refusal(used.data_dir)
    shutil.copy(tmp_path / "backup", catalog)
    assert count(used) == RECORDS


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_page_of_the_catalog_is_told_at_the_start_or_when_it_is_read(used, seed):
    count(used)
    chance = random.Random(seed)
    catalog = used.data_dir / "catalog.sqlite"
    content = bytearray(catalog.read_bytes())
    page = chance.randrange(len(content) // 4096)
    content[page * 4096 : page * 4096 + 100] = chance.randbytes(100)
    catalog.write_bytes(content)
    try:
        used.start()
        with Client(address_of(used)) as client:
            assert sum(_right(client, index) for index in range(3)) == RECORDS
    except BrokerFailed as error:
        assert "is damaged" in str(error)
    except RefusedError as error:
        assert error.code is ErrorCode.KAFKA_STORAGE_ERROR
        used.terminate()
        assert "is damaged" in used.stderr
    finally:
        used.kill()
        used.check()


def _right(client: Client, index: int) -> int:
    """Return how many records the partition has; each must be the one that was sent."""
    stored = list(client.read("events", index))
    assert stored == [(offset, b"%d" % (offset * 3 + index)) for offset in range(len(stored))]
    return len(stored)


def test_its_journal_is_damaged_where_it_was_acknowledged(used):
    """The catalog is behind, so that the journal is needed; a byte in its middle is wrong."""
    (journal,) = (used.data_dir / "journal").iterdir()
    content = bytearray(journal.read_bytes())
    content[2000] ^= 0x55
    journal.write_bytes(content)
    with sqlite3.connect(used.data_dir / "catalog.sqlite") as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("UPDATE incarnation SET last_flush = 0")
    connection.close()
    assert str(journal) in refusal(used.data_dir)
