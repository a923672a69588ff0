"""Decides which batches of a flush enter the log, and at which offsets. Pure: the same input, the same answer.

The function runs inside the catalog's transaction (`ports.log.LogCatalog.commit`), in whatever thread that has, and
runs again with the same result when a journal is replayed. All that it looks at is in its arguments: rows of the
catalog, and what the extent's header and batches say.

Rules for idempotent producers (KIP-98), for each partition and producer id:

* An older epoch than the one known is refused; a newer one must begin at sequence 0.
* A batch must follow the last one: its first sequence is the last sequence + 1, 2^31−1 is followed by 0.
* One of the last five batches again is a duplicate: it gets its first offset, and no error.
* A producer that is not known here may begin at a sequence other than 0 only if what was known of it can have
  expired, or the partition is younger than the producer's id (a topic that was deleted and made again). Otherwise
  its first batches are still under way, by another connection or broker; it is told to try again. The same goes for
  a producer whose earlier batches have failed here: they come again, and must come first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from fleuve.base.errors import FleuveError
from fleuve.base.ids import PartitionId, ProducerId
from fleuve.engine.log.batch import Batch
from fleuve.engine.log.errors import OutOfOrderSequence, ProducerFenced, UnknownPartition
from fleuve.ports.log import CommitStates, Decision, LogState, ProducerKey, ProducerState, Run, SequenceEntry

SEQUENCE_MAX: Final = 2**31 - 1
ENTRIES_MAX: Final = 5
"""Batches remembered of a producer: as many as Kafka's clients keep in flight."""

RUN_BYTES_MAX: Final = 1 << 20
"""A run is read from its beginning, so it must not be long; each run is a row."""


class Circumstances(NamedTuple):
    """What a decision depends on beside rows and batches; an extent's header keeps it for a replay."""

    now_ms: int
    producer_expiration_ms: int
    unsettled: Collection[ProducerKey] = ()
    """Producers whose earlier batches failed."""


class Duplicate(NamedTuple):
    """The batch is in the log already."""

    base_offset: int
    append_time_ms: int


Outcome = int | Duplicate | FleuveError
"""What became of a batch: its base offset, or why it was not appended."""


def decide(
    batches: Sequence[Batch], states: CommitStates, *, body_position: int, circumstances: Circumstances
) -> Decision:
    """Decide the batches of a flush, sorted by partition, whose bytes follow each other from `body_position`.

    `Decision.outcome` is a list with an `Outcome` for each batch.
    """
    decision = Decision()
    outcomes: list[Outcome] = []
    decision.outcome = outcomes
    position = body_position
    index, count = 0, len(batches)
    while index < count:
        partition_id = batches[index].partition_id
        stop = index + 1
        while stop < count and batches[stop].partition_id == partition_id:
            stop += 1
        group = batches[index:stop]
        log = states.logs.get(partition_id)
        if log is None:
            outcomes.extend([UnknownPartition(f"partition {partition_id} was deleted")] * len(group))
            position += sum(batch.size for batch in group)
        else:
            position = _decide_partition(group, log, states, decision, outcomes, position, circumstances)
        index = stop
    return decision


def _decide_partition(
    batches: Sequence[Batch],
    log: LogState,
    states: CommitStates,
    decision: Decision,
    outcomes: list[Outcome],
    position: int,
    circumstances: Circumstances,
) -> int:
    """Decide one partition's batches; return the position behind them."""
    partition_id = batches[0].partition_id
    offset = log.next_offset
    run_offset, run_position, run_timestamp = offset, position, -1
    for batch in batches:
        outcome: Outcome = offset
        if batch.producer_id >= 0:
            outcome = _sequenced(batch, log, states, decision, offset, circumstances)
        if outcome is offset:
            if position - run_position >= RUN_BYTES_MAX:
                _end_run(decision, log, partition_id, run_offset, offset, run_position, position, run_timestamp)
                run_offset, run_position, run_timestamp = offset, position, -1
            offset += batch.last_offset_delta + 1
            run_timestamp = max(run_timestamp, batch.timestamp_max)
        else:
            _end_run(decision, log, partition_id, run_offset, offset, run_position, position, run_timestamp)
            run_offset, run_position, run_timestamp = offset, position + batch.size, -1
        position += batch.size
        outcomes.append(outcome)
    _end_run(decision, log, partition_id, run_offset, offset, run_position, position, run_timestamp)
    if offset != log.next_offset:
        decision.logs[partition_id] = log._replace(next_offset=offset)
    return position


def _end_run(
    decision: Decision,
    log: LogState,
    partition_id: PartitionId,
    offset_first: int,
    offset_end: int,
    position: int,
    position_end: int,
    timestamp_max: int,
) -> None:
    if offset_end > offset_first:
        decision.runs.append(
            Run(
                partition_id,
                offset_first,
                offset_end,
                position,
                position_end - position,
                timestamp_max,
                log.leader_epoch,
            )
        )


def _sequenced(
    batch: Batch,
    log: LogState,
    states: CommitStates,
    decision: Decision,
    offset: int,
    circumstances: Circumstances,
) -> Outcome:
    """Apply the rules for idempotent producers; return `offset` itself where the batch is accepted."""
    producer_id = ProducerId(batch.producer_id)
    key = (batch.partition_id, producer_id)
    state = decision.producers.get(key) or states.producers.get(key)
    first = batch.sequence
    last = (first + batch.last_offset_delta) & SEQUENCE_MAX
    if state is None:
        allocated_ms = states.producer_allocated_ms.get(producer_id)
        if first != 0 and (key in circumstances.unsettled or not _may_be_forgotten(log, allocated_ms, circumstances)):
            return OutOfOrderSequence(
                f"producer {producer_id} is not known in partition {batch.partition_id} and begins at sequence {first}"
            )
        entries: tuple[SequenceEntry, ...] = ()
    elif batch.producer_epoch < state.epoch:
        return ProducerFenced(f"producer {producer_id} has epoch {batch.producer_epoch}, {state.epoch} is known")
    elif batch.producer_epoch > state.epoch:
        if first != 0:
            return OutOfOrderSequence(
                f"producer {producer_id}: the new epoch {batch.producer_epoch} begins at sequence {first}, not 0"
            )
        entries = ()
    else:
        for entry in state.entries:
            if entry.sequence_first == first and entry.sequence_last == last:
                return Duplicate(entry.base_offset, entry.append_time_ms)
        expected = (state.entries[-1].sequence_last + 1) & SEQUENCE_MAX
        if first != expected:
            return OutOfOrderSequence(
                f"producer {producer_id}: sequence {first} came where {expected} was expected"
                f" (partition {batch.partition_id}, epoch {state.epoch})"
            )
        entries = state.entries
    entry = SequenceEntry(first, last, offset, batch.append_time_ms)
    decision.producers[key] = ProducerState(
        batch.producer_epoch, (*entries, entry)[-ENTRIES_MAX:], circumstances.now_ms
    )
    return offset


def _may_be_forgotten(log: LogState, allocated_ms: int | None, circumstances: Circumstances) -> bool:
    # An id that is not on record was handed out before records were kept, or by another cluster: long ago.
    return (
        allocated_ms is None
        or circumstances.now_ms - allocated_ms >= circumstances.producer_expiration_ms
        or log.created_ms > allocated_ms
    )
