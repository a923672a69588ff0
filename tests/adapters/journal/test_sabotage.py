"""The checks of the journal's promises, tried on journals that break one: each must be noticed by one of them."""

import pytest

from fleuve.adapters.journal import appender, scan
from fleuve.adapters.journal.appender import Appender, Pending
from fleuve.adapters.journal.extents import Kind
from fleuve.adapters.journal.journal import Journal
from fleuve.adapters.journal.store import JournalStore
from fleuve.ports.errors import CorruptState
from support.faulty_files import FaultyFiles
from support.journals import (
    check_damage_is_told,
    check_failed_write_is_cut_at_once,
    check_promises_under_faults,
    check_sync_now,
    check_torn_end,
    check_what_a_scan_yielded_stays,
)


def flushes_nothing(self, current):
    current.synced_end = current.end


def goes_on_after_a_failure(self, current, good_end):
    """Append behind what failed."""


def goes_back_after_a_failure(self, current, good_end):
    current.end = good_end


def cuts_nothing(self, fd, length):
    """Leave the file as long as it is."""


def rolls_without_flushing(self):
    self._trim(self._current)
    self._note_end(self._current)
    self._current = None


async def forgets_the_void(self, flush):
    """Say that it is void, and write nothing."""


async def voids_without_flushing(self, flush):
    await self._journal.append(Pending(Kind.VOID, flush, b"", ()), durable=False)


def surveys_as_if_all_were_old(files, root, incarnation, known, *, honestly=scan.survey):
    found = honestly(files, root, incarnation, known)
    return [file._replace(stated=file.stated and file.stated._replace(number_last=0)) for file in found]


SABOTAGES = [
    ("skip the flush", Appender, "_flush", flushes_nothing, check_promises_under_faults),
    ("use the file again after a failure", Appender, "_give_up", goes_on_after_a_failure, check_promises_under_faults),
    ("overwrite a failed extent", Appender, "_give_up", goes_back_after_a_failure, check_promises_under_faults),
    ("skip the cut", FaultyFiles, "truncate", cuts_nothing, check_failed_write_is_cut_at_once),
    ("state no ends", appender, "pack_ends", lambda ends: b"", check_promises_under_faults),
    ("read no statements", scan, "unpack_ends", lambda header: [], check_promises_under_faults),
    (
        "trust a second flush",
        Appender,
        "_resolve_doubts",
        lambda self: self._doubtful.clear(),
        check_promises_under_faults,
    ),
    ("roll without a flush", Appender, "_close_current", rolls_without_flushing, check_promises_under_faults),
    (
        "leave the directory unflushed",
        FaultyFiles,
        "sync_directory",
        lambda self, path: None,
        check_promises_under_faults,
    ),
    ("flush nothing for another thread", Journal, "sync_now", lambda self: None, check_sync_now),
    ("ignore the body's checksum", scan, "body_sound", lambda body, fixed: True, check_torn_end),
    ("ignore the header's checksum", scan, "header_sound", lambda view, fixed, place: True, check_torn_end),
    ("look for nothing behind a torn end", scan, "_check_torn", lambda *arguments: None, check_damage_is_told),
    ("build on what is not on the device", scan, "_settle", lambda *arguments: None, check_what_a_scan_yielded_stays),
    ("forget a void", JournalStore, "void", forgets_the_void, check_promises_under_faults),
    ("leave a void unflushed", JournalStore, "void", voids_without_flushing, check_promises_under_faults),
    (
        "skip files without reading what is stated",
        scan,
        "survey",
        surveys_as_if_all_were_old,
        check_promises_under_faults,
    ),
]


@pytest.mark.sabotage
@pytest.mark.parametrize(
    ("owner", "attribute", "broken", "check"),
    [pytest.param(*how, id=name) for name, *how in SABOTAGES],
)
async def test_a_check_notices_a_journal_that_would(owner, attribute, broken, check, tmp_path, monkeypatch):
    monkeypatch.setattr(owner, attribute, broken)
    with pytest.raises((AssertionError, CorruptState)):
        await check(tmp_path)
