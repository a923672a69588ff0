"""A backup is a data directory that has all that was acknowledged before it began, whatever went on meanwhile."""

import shutil
import sqlite3
import subprocess
import sys

import pytest

from fleuve.adapters.journal import copying, scan
from fleuve.adapters.journal.directory import DataDirectory
from fleuve.adapters.journal.files import Files
from fleuve.adapters.sqlite.backup import take_snapshot
from fleuve.app import backup
from fleuve.app.backup import back_up
from fleuve.ports.errors import CorruptState, StoreUnavailable
from fleuve.records.record import Record, build_batch
from support.backups import findings_of_backups
from support.batches import NOW_MS
from support.broker_process import BrokerProcess
from support.kills import address_of
from support.sabotages import Sabotage, each, line, sabotaged
from support.wire_client import Client

RECORDS = 30


def produce(client, first):
    for number in range(first, first + RECORDS):
        client.produce("events", 0, build_batch([Record(0, 0, None, b"%d" % number)], base_timestamp=NOW_MS))


def stored(broker):
    with Client(address_of(broker)) as client:
        return [int(value) for _, value in client.read("events", 0)]


@pytest.fixture
def killed(tmp_path):
    """A broker with records that was killed."""
    with BrokerProcess(tmp_path / "broker", settings={"log.retention.ms": -1}) as broker:
        with Client(address_of(broker)) as client:
            client.create_topic("events", 1)
            produce(client, 0)
        broker.kill()
    return broker


@pytest.fixture
def restored(tmp_path):
    """A broker for a copy, which is to be made in its data directory."""
    return BrokerProcess(tmp_path / "restored", settings={"log.retention.ms": -1})


def test_backups_of_a_broker_at_work_have_all_that_was_acknowledged_and_nothing_twice(tmp_path):
    assert findings_of_backups(tmp_path, backups=1, seed=1) == []


def test_the_command_says_what_it_copied(tmp_path, killed):
    command = [sys.executable, "-m", "fleuve", "backup", "--data-dir", str(killed.data_dir), str(tmp_path / "copy")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr.startswith(f"{tmp_path / 'copy'}: 1 files, ")
    assert ran.stderr.endswith("of a stopped broker\n")


def test_a_killed_broker_whose_catalog_is_behind_its_journal_is_backed_up_whole(tmp_path, killed, restored):
    catalog = killed.data_dir / "catalog.sqlite"
    take_snapshot(catalog, tmp_path / "older.sqlite")
    with killed, Client(address_of(killed)) as client:
        produce(client, RECORDS)
        killed.kill()
    # A power cut may take what the journal still knows: everything of the last run is decided again.
    with sqlite3.connect(catalog) as connection:
        connection.execute("UPDATE incarnation SET last_flush = 0 WHERE fenced = 0")
        connection.execute(f"DELETE FROM run WHERE offset_first >= {RECORDS}")
        connection.execute(f"UPDATE partition_log SET next_offset = {RECORDS}")
    connection.close()
    assert not back_up(killed.data_dir, restored.data_dir).at_work
    with restored:
        assert stored(restored) == [*range(2 * RECORDS)]


def test_a_backup_and_what_was_copied_go_their_own_ways(killed, restored):
    back_up(killed.data_dir, restored.data_dir)
    with killed, Client(address_of(killed)) as client:
        produce(client, RECORDS)
        assert stored(killed) == [*range(2 * RECORDS)]
    with restored:
        assert stored(restored) == [*range(RECORDS)]


def test_nothing_starts_on_a_backup_that_was_not_finished(killed, restored, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Files, "sync_directory", fail)
    with pytest.raises(StoreUnavailable, match="No space left"):
        back_up(killed.data_dir, restored.data_dir)
    monkeypatch.undo()
    with pytest.raises(CorruptState, match="no format file"):
        DataDirectory.open(restored.data_dir)


def test_a_journal_that_lacks_what_the_catalog_refers_to_is_no_backup(tmp_path, killed):
    with killed:
        with Client(address_of(killed)) as client:
            produce(client, RECORDS)
        journal = max((killed.data_dir / "journal").iterdir())
        content = journal.read_bytes()
        with journal.open("r+b") as file:
            file.seek(content.rindex(b"FLVJ") + 80)
            file.write(b"damage")
        with pytest.raises(CorruptState, match="cannot be read whole"):
            back_up(killed.data_dir, tmp_path / "copy")


# ---------------------------------------------------------------- what cannot be


def test_a_directory_that_is_no_data_directory_is_told(tmp_path):
    with pytest.raises(StoreUnavailable, match="no data directory of Fleuve"):
        back_up(tmp_path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_target_that_has_something_is_left_alone(tmp_path, killed):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy/precious").write_text("")
    with pytest.raises(StoreUnavailable, match="is not empty"):
        back_up(killed.data_dir, tmp_path / "copy")
    with pytest.raises(StoreUnavailable, match="is a file"):
        back_up(killed.data_dir, tmp_path / "copy/precious")
    with pytest.raises(StoreUnavailable, match="outside of it"):
        back_up(killed.data_dir, killed.data_dir / "copy")
    # Below `segments` a broker removes what it does not know.
    (tmp_path / "link").symlink_to(killed.data_dir / "segments")
    for inside in (tmp_path / "link/copy", tmp_path / "copy/.." / killed.data_dir.relative_to(tmp_path) / "copy"):
        with pytest.raises(StoreUnavailable, match="outside of it"):
            back_up(killed.data_dir, inside)


def test_a_broker_that_does_not_serve_yet_is_waited_for_and_then_told(tmp_path, killed):
    starting = DataDirectory.open(killed.data_dir)
    with pytest.raises(StoreUnavailable, match="does not serve yet"):
        back_up(killed.data_dir, tmp_path / "copy", life_timeout_s=0.2)
    starting.close()
    shutil.rmtree(tmp_path / "copy")
    back_up(killed.data_dir, tmp_path / "copy")


# ---------------------------------------------------------------- lines that must not be missing

_STALE = """\
        new = take_snapshot(source / CATALOG, target / (CATALOG + ".new"))
        snapshot = new if not whole else snapshot
        (target / (CATALOG + ".new")).rename(target / CATALOG) if snapshot is new else None
"""

SABOTAGES: list[Sabotage] = [
    line(scan, "record.kind == Kind.DATA and record.number > number", "False"),
    line(backup, "        except FileNotFoundError:\n            continue\n", "        finally:\n            pass\n"),
    line(backup, "journal is None or journal.incarnation not in snapshot.flushes", "True"),
    line(backup, "        snapshot = take_snapshot(source / CATALOG, target / CATALOG)\n", _STALE),
    line(copying, "position = files.write_all(fd, [buffer[:count]], position)", "position += len(buffer)"),
]


@pytest.mark.sabotage
@pytest.mark.faults
@pytest.mark.timeout(400)
@each(SABOTAGES)
def test_backups_of_a_broker_at_work_notice(sabotage, tmp_path):
    with sabotaged(sabotage):
        assert any(findings_of_backups(tmp_path / str(seed), backups=1, seed=seed) for seed in range(1, 41))
