"""A disk that is full, fails or refuses under a working broker: nothing is acknowledged that is not stored.

Real processes, real files. Full is tried in three ways: the system refuses every write (of the catalog, too), it
refuses those behind a size, and the journal's calls say that there is no space.
"""

from __future__ import annotations

import errno

import pytest

from fleuve.wire.errors import ErrorCode
from support.trouble import failing, no_room, trouble_in

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

FAULTS = [
    pytest.param("write", errno.ENOSPC, id="no space for a write"),
    pytest.param("write", errno.EIO, id="a write fails"),
    pytest.param("datasync", errno.EIO, id="a flush fails"),
    pytest.param("datasync", errno.ENOSPC, id="no space at the flush"),
]


@pytest.mark.parametrize(("kind", "code"), FAULTS)
def test_a_failing_journal_is_told_and_it_goes_on_when_the_cause_is_gone(kind, code, tmp_path):
    with trouble_in(tmp_path) as trouble:
        with failing(trouble, kind, code):
            refused = trouble.until_refused()
            assert refused.code is ErrorCode.KAFKA_STORAGE_ERROR
            # Answers from before the failure may still be on their way to the producers' books; then nothing comes.
            acknowledged = -1
            while acknowledged != trouble.ledger.count:
                acknowledged = trouble.ledger.count
                trouble.until_refused()
        trouble.until_acknowledged(300)
        assert "journal" in trouble.broker.stderr
        assert trouble.end() == []


@pytest.mark.parametrize("kind", ["open_new", "truncate", "allocate", "sync_directory", "unlink"])
def test_a_journal_that_cannot_be_changed_loses_nothing(kind, tmp_path):
    with trouble_in(tmp_path) as trouble:
        # A write must fail, too: only then a file is given up, cut, and a new one begun.
        with failing(trouble, kind, errno.EACCES), failing(trouble, "write", errno.EIO):
            assert trouble.until_refused().code is ErrorCode.KAFKA_STORAGE_ERROR
        trouble.until_acknowledged(300)
        assert trouble.end() == []


@pytest.mark.parametrize("size_bytes_max", [0, 200_000])
def test_a_full_disk_is_told_and_it_goes_on_when_there_is_room(size_bytes_max, tmp_path):
    with trouble_in(tmp_path) as trouble:
        with no_room(trouble.broker.pid, size_bytes_max):
            refused = trouble.until_refused()
            assert refused.code in {ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.REQUEST_TIMED_OUT}
        trouble.until_acknowledged(300)
        assert trouble.end() == []


def test_a_broker_that_is_killed_on_a_full_disk_starts_again_with_all_it_acknowledged(tmp_path):
    with trouble_in(tmp_path) as trouble:
        with no_room(trouble.broker.pid, 0):
            trouble.until_refused()
            trouble.broker.kill()
        trouble.broker.start()
        trouble.until_acknowledged(300)
        assert trouble.end() == []


def test_a_broker_stops_within_its_time_on_a_full_disk(tmp_path):
    with trouble_in(tmp_path) as trouble:
        with no_room(trouble.broker.pid, 0):
            trouble.until_refused()
            trouble.broker.terminate()
        trouble.broker.start()
        assert trouble.end() == []
