"""Which batches enter the log: any flushes of any producers, against the rules said one batch at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleuve.base.ids import PartitionId, ProducerId
from fleuve.engine.log import decide as decide_module
from fleuve.engine.log.batch import Batch
from fleuve.engine.log.decide import ENTRIES_MAX, SEQUENCE_MAX, Circumstances, Duplicate, decide
from fleuve.engine.log.errors import OutOfOrderSequence, ProducerFenced, UnknownPartition
from fleuve.ports.log import CommitStates, LogState

NOW = 1_000_000
CIRCUMSTANCES = Circumstances(NOW, 1_000)

batches = st.builds(
    Batch,
    partition_id=st.sampled_from([PartitionId(1), PartitionId(2), PartitionId(9)]),
    size=st.integers(61, 700),
    last_offset_delta=st.integers(0, 2),
    timestamp_max=st.integers(0, 99),
    producer_id=st.sampled_from([-1, 7, 7, 8]),
    producer_epoch=st.sampled_from([0, 0, 0, 1]),
    sequence=st.one_of(st.integers(0, 6), st.integers(SEQUENCE_MAX - 3, SEQUENCE_MAX)),
    append_time_ms=st.sampled_from([-1, NOW]),
)


class Model:
    """One partition's log, batch by batch."""

    def __init__(self) -> None:
        self.next_offset = 100
        self.producers: dict[int, tuple[int, list[tuple[int, int, int, int]]]] = {}

    def take(self, batch: Batch) -> object:
        offset = self.next_offset
        if batch.producer_id >= 0:
            last = (batch.sequence + batch.last_offset_delta) % (SEQUENCE_MAX + 1)
            epoch, known = self.producers.get(batch.producer_id, (-1, []))
            if batch.producer_epoch < epoch:
                return ProducerFenced
            if batch.producer_epoch > epoch:
                if batch.sequence != 0:
                    return OutOfOrderSequence
                known = []
            else:
                for first, end, base, when in known[-ENTRIES_MAX:]:
                    if (first, end) == (batch.sequence, last):
                        return Duplicate(base, when)
                if batch.sequence != (known[-1][1] + 1) % (SEQUENCE_MAX + 1):
                    return OutOfOrderSequence
            entry = (batch.sequence, last, offset, batch.append_time_ms)
            self.producers[batch.producer_id] = batch.producer_epoch, [*known, entry]
        self.next_offset += batch.last_offset_delta + 1
        return offset


@given(st.lists(st.lists(batches, min_size=1, max_size=12), max_size=6), st.sampled_from([100, 1 << 20]))
def test_flushes_are_decided_as_if_batches_came_one_by_one(flushes, run_bytes_max):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decide_module, "RUN_BYTES_MAX", run_bytes_max)
        _decide_all(flushes)


def _decide_all(flushes):
    models = {PartitionId(1): Model(), PartitionId(2): Model()}
    logs = {partition_id: LogState(0, 100, 3, 0) for partition_id in models}
    producers = {}
    # Their ids are young, and no partition is younger.
    allocated = {ProducerId(7): NOW - 10, ProducerId(8): NOW - 10}
    position = 1_000
    for flush in flushes:
        flush.sort(key=lambda batch: batch.partition_id)
        states = CommitStates(dict(logs), dict(producers), allocated)
        decision = decide(flush, states, body_position=position, circumstances=CIRCUMSTANCES)
        again = decide(flush, states, body_position=position, circumstances=CIRCUMSTANCES)
        assert (again.logs, again.producers, again.runs) == (decision.logs, decision.producers, decision.runs)
        where = {}
        for batch, outcome in zip(flush, decision.outcome, strict=True):
            expected = models[batch.partition_id].take(batch) if batch.partition_id in models else UnknownPartition
            assert isinstance(outcome, expected) if isinstance(expected, type) else outcome == expected
            if type(outcome) is int:
                where[batch.partition_id, outcome] = position, batch
            position += batch.size
        # Runs hold the accepted batches, all of them, at their bytes.
        for run in decision.runs:
            offset, at, youngest = run.offset_first, run.position, -1
            while offset < run.offset_end:
                place, batch = where.pop((run.partition_id, offset))
                assert place == at
                offset, at = offset + batch.last_offset_delta + 1, at + batch.size
                youngest = max(youngest, batch.timestamp_max)
            assert (offset, at, youngest) == (run.offset_end, run.position + run.length, run.timestamp_max)
            assert run.leader_epoch == 3
        assert not where
        logs |= decision.logs
        producers |= decision.producers
        assert all(len(state.entries) <= ENTRIES_MAX for state in producers.values())
        assert {key: log.next_offset for key, log in logs.items()} == {k: m.next_offset for k, m in models.items()}


def _begin(sequence, *, log_created=0, allocated=None, unsettled=()):
    one = Batch(PartitionId(1), 61, 0, 0, 7, 0, sequence, -1)
    states = CommitStates(
        {PartitionId(1): LogState(0, 0, 0, log_created)}, {}, {} if allocated is None else {ProducerId(7): allocated}
    )
    decided = decide([one], states, body_position=0, circumstances=CIRCUMSTANCES._replace(unsettled=unsettled))
    return decided.outcome[0]


def test_an_unknown_producer_begins_in_the_middle_only_if_it_can_have_been_forgotten():
    key = (PartitionId(1), ProducerId(7))
    assert _begin(0, allocated=NOW) == 0
    assert isinstance(_begin(5, allocated=NOW - 999), OutOfOrderSequence)
    assert _begin(5, allocated=NOW - 1_000) == 0
    assert _begin(5, allocated=None) == 0
    assert _begin(5, allocated=NOW - 10, log_created=NOW - 9) == 0
    assert isinstance(_begin(5, allocated=NOW - 10, log_created=NOW - 10), OutOfOrderSequence)
    assert isinstance(_begin(5, allocated=None, unsettled={key}), OutOfOrderSequence)
    assert _begin(0, allocated=None, unsettled={key}) == 0


def _in_one_flush(*sequences, states=None):
    sent = [Batch(PartitionId(1), 61, 0, 0, 7, 0, sequence, -1) for sequence in sequences]
    states = states or CommitStates({PartitionId(1): LogState(0, 0, 0, 0)}, {}, {})
    return decide(sent, states, body_position=0, circumstances=CIRCUMSTANCES)


def test_of_a_producers_batches_in_one_flush_each_follows_the_one_before():
    assert _in_one_flush(0, 1, 2).outcome == [0, 1, 2]
    first, gap, second = _in_one_flush(0, 2, 1).outcome
    assert (first, second) == (0, 1)
    assert isinstance(gap, OutOfOrderSequence)


def test_the_last_batches_of_a_producer_are_known_again_when_they_are_sent_again():
    decided = _in_one_flush(*range(ENTRIES_MAX + 1))
    states = CommitStates(decided.logs, decided.producers, {})
    oldest, *known = _in_one_flush(*range(ENTRIES_MAX + 1), states=states).outcome
    assert isinstance(oldest, OutOfOrderSequence)
    assert known == [Duplicate(offset, -1) for offset in range(1, ENTRIES_MAX + 1)]
