"""Numbered schema changes, applied in order, once each, checked by their text's hash."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from importlib.resources import files

from fleuve.ports.errors import CorruptState

_FILE = re.compile(r"^(\d{4})_(\w+)\.sql$")


def available() -> list[tuple[int, str, str]]:
    """Return (number, name, SQL text) of every migration, by number."""
    entries = ((_FILE.match(entry.name), entry) for entry in files(__package__).iterdir())
    return sorted((int(match[1]), match[2], entry.read_text(encoding="utf-8")) for match, entry in entries if match)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the schema up to date, in one transaction.

    Raises CorruptState where the file was written by a newer version, or a migration's text has changed.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        _apply(connection)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _apply(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS schema_version"
        " (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT"
    )
    applied = {
        number: (name, checksum) for number, name, checksum in connection.execute("SELECT * FROM schema_version")
    }
    known = available()
    if unknown := applied.keys() - {number for number, _, _ in known}:
        raise CorruptState(
            f"the catalog was written by a newer version of Fleuve (schema change {max(unknown)} is not known here);"
            " run that version, or give another data directory"
        )
    for number, name, text in known:
        checksum = hashlib.sha256(text.encode()).hexdigest()
        if number not in applied:
            for statement in _statements(text):
                connection.execute(statement)
            connection.execute("INSERT INTO schema_version VALUES (?, ?, ?)", (number, name, checksum))
        elif applied[number][1] != checksum:
            raise CorruptState(f"schema change {number} ({name}) differs from the one the catalog was made with")


def _statements(text: str) -> list[str]:
    # executescript() would commit: split here instead. A statement ends where SQLite itself says that it is complete.
    statements, pending = [], ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending.strip())
            pending = ""
    if pending.strip() and not all(line.startswith("--") or not line.strip() for line in pending.splitlines()):
        raise ValueError(f"unfinished SQL statement: {pending.strip()[:80]}")
    return statements
