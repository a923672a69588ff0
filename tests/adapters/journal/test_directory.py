"""The data directory: created, checked, locked; and what people are told where it cannot be used."""

import errno
import os
import subprocess
import sys

import pytest

from fleuve.adapters.journal.directory import DataDirectory
from fleuve.adapters.journal.files import Files
from fleuve.ports.errors import CorruptState, StoreUnavailable
from support.disk import Disk
from support.faulty_files import PowerCutFiles


def test_a_directory_is_created_with_its_format(tmp_path):
    path = tmp_path / "some" / "where"
    directory = DataDirectory.open(path)
    assert (path / "format").read_text() == "1\n"
    assert {entry.name for entry in path.iterdir()} == {"format", "lock", "journal", "segments"}
    assert directory.catalog_path == path / "catalog.sqlite"
    directory.close()


def test_a_directory_can_be_opened_again_once_it_is_closed(tmp_path):
    DataDirectory.open(tmp_path).close()
    DataDirectory.open(tmp_path).close()


def test_a_second_process_is_told_who_has_the_directory(tmp_path):
    holder = DataDirectory.open(tmp_path)
    code = (
        "import sys, pathlib\n"
        "from fleuve.adapters.journal.directory import DataDirectory\n"
        "try: DataDirectory.open(pathlib.Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == (
        f"StoreUnavailable the data directory {tmp_path} is in use by process {os.getpid()}: "
        "stop that broker, or give another directory\n"
    )
    holder.close()
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


def test_a_newer_format_is_refused_with_what_to_do(tmp_path):
    DataDirectory.open(tmp_path).close()
    (tmp_path / "format").write_text("2\n")
    with pytest.raises(CorruptState, match="has format 2, and this version of Fleuve reads 1: use the version that"):
        DataDirectory.open(tmp_path)
    (tmp_path / "format").write_text("1\n")
    DataDirectory.open(tmp_path).close()


def test_a_format_that_is_no_number_is_refused(tmp_path):
    DataDirectory.open(tmp_path).close()
    (tmp_path / "format").write_text("cluster.id=5\n")
    with pytest.raises(CorruptState, match="no data directory of Fleuve"):
        DataDirectory.open(tmp_path)


def test_data_without_a_format_is_not_taken_for_an_empty_directory(tmp_path):
    DataDirectory.open(tmp_path).close()
    (tmp_path / "format").unlink()
    with pytest.raises(CorruptState, match="has journal but no format file"):
        DataDirectory.open(tmp_path)


def test_a_directory_of_apache_kafka_is_left_to_it(tmp_path):
    (tmp_path / "meta.properties").write_text("version=1\n")
    with pytest.raises(StoreUnavailable, match="data directory of Apache Kafka.*give another directory"):
        DataDirectory.open(tmp_path)
    assert not (tmp_path / "format").exists()


def test_a_crash_while_the_directory_was_created_is_made_good(tmp_path):
    (tmp_path / "format.partial").write_text("")
    (tmp_path / "lock").touch()
    DataDirectory.open(tmp_path).close()
    assert (tmp_path / "format").read_text() == "1\n"


def test_a_directory_that_a_start_made_and_did_not_flush_is_flushed_by_the_next(tmp_path):
    files = PowerCutFiles(Disk(tmp_path))
    path = tmp_path / "some" / "where"
    files.fail("sync_directory", nth=2 + len(path.parents) - 3)
    with pytest.raises(StoreUnavailable):
        DataDirectory.open(path, files=files)
    assert path.parent.exists()
    DataDirectory.open(path, files=files).close()
    files.cut()
    assert (path / "format").read_text() == "1\n"


@pytest.mark.parametrize("below", ["file", "file/below"])
def test_a_file_is_no_directory(tmp_path, below):
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="is a file, or lies below one: give a directory"):
        DataDirectory.open(tmp_path / below)


def test_a_directory_that_is_not_writable_is_refused(tmp_path):
    class Foreign(Files):
        def make_directory(self, path):
            raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(
        StoreUnavailable, match=r"is not writable for this user \(Permission denied\): change its owner"
    ):
        DataDirectory.open(tmp_path / "data", files=Foreign())


def test_a_refused_directory_is_not_left_locked(tmp_path):
    DataDirectory.open(tmp_path).close()
    (tmp_path / "format").write_text("2\n")
    with pytest.raises(CorruptState):
        DataDirectory.open(tmp_path)
    (tmp_path / "format").write_text("1\n")
    DataDirectory.open(tmp_path).close()
