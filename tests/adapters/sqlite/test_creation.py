"""How a catalog comes to be; that a power cut at any moment of it does no harm is in tests/faults/test_power.py."""

from __future__ import annotations

import sqlite3

import pytest

from fleuve.adapters.sqlite.creation import make_if_missing
from fleuve.ports.errors import CorruptState


def test_a_new_catalog_is_one_file_with_a_wal_mode_and_the_whole_schema(tmp_path):
    make_if_missing(tmp_path / "catalog.sqlite")

    assert [path.name for path in tmp_path.iterdir()] == ["catalog.sqlite"]
    connection = sqlite3.connect(tmp_path / "catalog.sqlite")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("SELECT count(*) FROM schema_version").fetchone()[0] > 0
    connection.close()


def test_what_a_killed_start_left_unfinished_is_made_anew(tmp_path):
    for suffix in ("", "-journal", "-wal", "-shm"):
        (tmp_path / f"catalog.sqlite.partial{suffix}").write_bytes(b"no database")

    make_if_missing(tmp_path / "catalog.sqlite")

    assert [path.name for path in tmp_path.iterdir()] == ["catalog.sqlite"]


def test_a_catalog_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "catalog.sqlite").write_bytes(b"somebody's")

    make_if_missing(tmp_path / "catalog.sqlite")

    assert (tmp_path / "catalog.sqlite").read_bytes() == b"somebody's"


def test_a_wal_without_its_catalog_is_a_loss_that_is_told(tmp_path):
    (tmp_path / "catalog.sqlite-wal").write_bytes(b"commits")

    with pytest.raises(CorruptState, match="a part of the catalog is lost"):
        make_if_missing(tmp_path / "catalog.sqlite")

    assert (tmp_path / "catalog.sqlite-wal").read_bytes() == b"commits"
