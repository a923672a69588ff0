"""The page about stored formats has the versions that the code writes, and the words that it refuses others with."""

import sqlite3

import pytest

from fleuve.adapters.journal import directory, extents
from fleuve.adapters.sqlite.migrations import available, migrate
from fleuve.engine.groups import codec
from fleuve.engine.log import extent, segment
from fleuve.ports.errors import CorruptState
from support.pages import DOCS

PAGE = (DOCS / "formats" / "index.md").read_text()


@pytest.mark.parametrize(
    ("what", "version"),
    [
        ("data directory", str(directory.FORMAT_VERSION)),
        ("journal file", str(extents.FORMAT_VERSION)),
        ("extent: the records of one flush", str(extent.FORMAT_VERSION)),
        ("segment: one partition's history", str(segment.FORMAT_VERSION)),
        ("state of a consumer group", str(codec.FORMAT_VERSION)),
        ("catalog (SQLite)", f"schema change {max(number for number, _, _ in available())}"),
    ],
)
def test_versions_are_those_of_the_code(what, version):
    assert f"| {what} | {version} |" in PAGE


def test_the_refusal_of_a_newer_directory_is_quoted(tmp_path):
    (tmp_path / "format").write_text(f"{directory.FORMAT_VERSION + 1}\n")
    with pytest.raises(CorruptState) as refused:
        directory.DataDirectory.open(tmp_path)
    assert str(refused.value).replace(str(tmp_path), "DIR") in PAGE


def test_the_refusal_of_a_newer_catalog_is_quoted():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    newer = max(number for number, _, _ in available()) + 1
    connection.execute("INSERT INTO schema_version VALUES (?, 'future', '')", (newer,))
    with pytest.raises(CorruptState) as refused:
        migrate(connection)
    assert str(refused.value) in PAGE
    connection.close()
