"""Names of the local store's objects and where they lie in the data directory.

`journal/<incarnation>-<sequence>.journal` and `segments/…`: an object's name is its path below the data directory.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from fleuve.base.ids import Incarnation

JOURNAL = "journal"
SEGMENTS = "segments"
PARTIAL_SUFFIX = ".partial"
"""Of a segment that is being written; what a crash leaves of it is removed at the next start."""

_JOURNAL_NAME = re.compile(r"(\d{10})-(\d{8,})\.journal")


class JournalName(NamedTuple):
    """A journal file's name, taken apart; sorts by incarnation, then by sequence."""

    incarnation: Incarnation
    sequence: int

    @property
    def object_name(self) -> str:
        """The name of the object."""
        return f"{JOURNAL}/{self.incarnation:010d}-{self.sequence:08d}.journal"


def journal_name(object_name: str) -> JournalName | None:
    """Return what a journal file's name says; None if it is not the name of one."""
    folder, _, file_name = object_name.partition("/")
    match = _JOURNAL_NAME.fullmatch(file_name)
    if folder != JOURNAL or match is None:
        return None
    return JournalName(Incarnation(int(match[1])), int(match[2]))


def path_of(root: Path, object_name: str) -> Path:
    """Return where an object lies."""
    parts = PurePosixPath(object_name).parts
    assert parts[0] in (JOURNAL, SEGMENTS)
    assert len(parts) > 1
    assert ".." not in parts
    return root.joinpath(*parts)


def journal_names(root: Path) -> list[JournalName]:
    """Return the journal files that are there, in the order in which they were written. Raises OSError."""
    found = (journal_name(f"{JOURNAL}/{entry.name}") for entry in (root / JOURNAL).iterdir())
    return sorted(name for name in found if name is not None)
