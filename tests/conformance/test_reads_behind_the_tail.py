"""What was recorded is answered the same from journal files and from merged segments as from memory.

Before each read that follows a write, other records push what was written out of memory, and out of the journal file
that grows. Then it is read from journal files, or when they have been merged: into an object for many partitions, or
into segments of its partition's own.
"""

from __future__ import annotations

import threading

import pytest

from conformance.brokers import FLEUVE_SETTINGS
from conformance.comparison import summary
from conformance.differences import declared, judge
from conformance.recording import RECORDINGS, read
from conformance.replay import Replay
from fleuve.wire.generated import produce
from support.batches import batch
from support.broker_thread import BrokerThread
from support.sabotages import Sabotage, each, sabotaged
from support.wire_client import PRODUCE_VERSION, Client, produce_request

pytestmark = pytest.mark.timeout(300)

SLAB_BYTES = 1 << 16
"""Memory for newest records is given up in pieces, of a size that takes less writing here than it has elsewhere."""
SETTINGS = {**FLEUVE_SETTINGS, "fleuve.tail.cache.bytes": "1048576", "fleuve.journal.file.bytes": "1048576"}
NEVER_MERGED = SETTINGS | {"fleuve.merge.backlog.files": "1000000", "fleuve.merge.age.ms": "1000000000"}
MERGED_AT_ONCE = SETTINGS | {
    "fleuve.merge.backlog.files": "1",
    "fleuve.merge.interval.ms": "5",
    "fleuve.garbage.grace.ms": "0",
}
OTHERS = "others"
OTHER_RECORDS = batch(b"\x00" * 65_000)
OTHER_BATCHES = 18
"""Together more than the memory for newest records, and more than a journal file."""
MERGED_TIMEOUT_S = 30.0

SABOTAGES = [
    Sabotage(
        "journal: read offsets as they were sent",
        "fleuve.engine.log.catch_up",
        "patch(data, position, offset, run.leader_epoch)",
        "pass",
    ),
    Sabotage(
        "segments: merge offsets as they were sent",
        "fleuve.engine.maintenance.copying",
        "patch(data, position, base_offset, run.leader_epoch)",
        "pass",
    ),
]


@pytest.fixture(autouse=True)
def little_memory(monkeypatch):
    monkeypatch.setattr("fleuve.engine.log.arena.SLAB_BYTES", SLAB_BYTES)


@pytest.fixture
def segments_of_any_size(monkeypatch):
    monkeypatch.setattr("fleuve.engine.maintenance.planning.OWN_BYTES", 1)


def replayed(topic, directory, *, merged):
    """Return the mismatches that are not meant, and how many answers were compared."""
    pause, journal = threading.Event(), directory / "journal"
    settings = MERGED_AT_ONCE if merged else NEVER_MERGED
    with BrokerThread(directory, settings) as broker, Client(broker.address) as others:
        others.create_topic(OTHERS, 1)

        def push_out():
            for _ in range(1 + merged):
                request = produce_request(OTHERS, 0, OTHER_RECORDS)
                others.send(*[others.frame(produce, request, PRODUCE_VERSION) for _ in range(OTHER_BATCHES)])
                for _ in range(OTHER_BATCHES):
                    others.receive(produce, PRODUCE_VERSION)
            for _ in range(int(MERGED_TIMEOUT_S / 0.01)):
                if not merged or len(list(journal.glob("*.journal"))) == 1:
                    return
                pause.wait(0.01)
            raise AssertionError("the journal is not merged")

        cases = read(RECORDINGS / f"{topic}.txt")
        replays = [Replay(broker.address, case, before_reading=push_out).run() for case in cases]
    found = judge(topic, [mismatch for replay in replays for mismatch in replay.mismatches], declared())[0]
    return found, sum(replay.compared for replay in replays)


@pytest.mark.parametrize("topic", ["delete_records", "deleted_topics", "fetch", "fetch_sessions", "list_offsets"])
def test_journal_files_answer_as_recorded(topic, tmp_path, record_property):
    found, compared = replayed(topic, tmp_path, merged=False)
    record_property("ran", f"{compared} answers behind the tail, from journal files")
    assert not found, summary(found)


@pytest.mark.parametrize("topic", ["fetch", "list_offsets"])
def test_gathered_objects_answer_as_recorded(topic, tmp_path, record_property):
    found, compared = replayed(topic, tmp_path, merged=True)
    record_property("ran", f"{compared} answers behind the tail, from gathered objects")
    assert not found, summary(found)


@pytest.mark.usefixtures("segments_of_any_size")
@pytest.mark.parametrize("topic", ["delete_records", "deleted_topics", "fetch", "list_offsets"])
def test_segments_answer_as_recorded(topic, tmp_path, record_property):
    found, compared = replayed(topic, tmp_path, merged=True)
    record_property("ran", f"{compared} answers behind the tail, from segments")
    assert not found, summary(found)


@pytest.mark.sabotage
@pytest.mark.usefixtures("segments_of_any_size")
@each(SABOTAGES)
def test_the_replay_behind_the_tail_notices(sabotage, tmp_path):
    # Wrong answers, or errors that the broker logs.
    with sabotaged(sabotage), pytest.raises(AssertionError):
        assert replayed("fetch", tmp_path, merged=sabotage.promise.startswith("segments"))[0] == []
