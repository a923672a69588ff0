"""The log's part of the catalog: where each partition stands, which bytes hold which offsets, what producers sent.

Operations are at storage altitude: rows and compare-and-set. Whether a batch is accepted is decided by the function
that `commit` is handed; no adapter holds a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from fleuve.base.ids import FlushId, PartitionId, ProducerId


class LogState(NamedTuple):
    """Where a partition stands."""

    log_start: int
    next_offset: int
    """One past the last record; everything below it is committed."""
    leader_epoch: int
    created_ms: int
    """When the partition was created."""


class SequenceEntry(NamedTuple):
    """One remembered batch of an idempotent producer."""

    sequence_first: int
    sequence_last: int
    base_offset: int
    append_time_ms: int


class ProducerState(NamedTuple):
    """What a partition remembers of a producer: its epoch and its last batches, oldest first."""

    epoch: int
    entries: tuple[SequenceEntry, ...]
    last_append_ms: int


ProducerKey = tuple[PartitionId, ProducerId]


class Run(NamedTuple):
    """Batches that follow each other, in one piece of one object.

    In a journal they carry no offsets yet: the first has `offset_first`, each next one follows the one before it.
    """

    partition_id: PartitionId
    offset_first: int
    offset_end: int
    position: int
    length: int
    timestamp_max: int
    leader_epoch: int


class StoredRun(NamedTuple):
    """A run as the index gives it."""

    run: Run
    object_name: str
    is_segment: bool
    """A segment's batches carry their real offsets, and its footer an index."""


@dataclass(slots=True)
class CommitStates:
    """What `decide` sees: the rows as they are, locked."""

    logs: Mapping[PartitionId, LogState]
    """Without the partitions that do not exist."""
    producers: Mapping[ProducerKey, ProducerState]
    """Without the producers that are not known there."""
    producer_allocated_ms: Mapping[ProducerId, int]
    """When the ids in `FlushRows.producers_unproven` were handed out, as far as that is known."""


@dataclass(slots=True)
class Decision:
    """What `decide` returns: the rows as they shall be, and what the caller wants back."""

    logs: dict[PartitionId, LogState] = field(default_factory=dict)
    producers: dict[ProducerKey, ProducerState] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    outcome: object = None
    """Not looked at: returned by `commit` as it is."""


Decide = Callable[[CommitStates], Decision]


@dataclass(frozen=True, slots=True)
class FlushRows:
    """Which rows a flush touches: read and locked in this order, each by id."""

    flush: FlushId
    object_name: str
    producers: Sequence[ProducerKey]
    partitions: Sequence[PartitionId]
    producers_unproven: Sequence[ProducerId] = ()
    """Producers that begin in the middle: `decide` needs to know when their ids were handed out."""


class LogCatalog(Protocol):
    """Rows of the log."""

    produce_commits_durable: bool
    """Whether `commit` survives a power cut by itself; if not, the journal is replayed after one."""

    async def commit(self, rows: FlushRows, decide: Decide) -> Decision:
        """Move the incarnation from flush n−1 to n and write what `decide` returns, in one transaction.

        `decide` is pure; it may be run again. Raises Fenced if the incarnation is fenced or does not stand at n−1,
        CatalogUnavailable if nothing happened, CommitOutcomeUnknown; and what `decide` raises, with nothing written.
        """
        ...

    async def void(self, flush: FlushId) -> bool:
        """Move the incarnation from flush n−1 to n with nothing in it; True if this call did so, False if it is there.

        False means that flush n was committed, or voided, before. Raises as `commit` does.
        """
        ...

    async def states(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, LogState]:
        """Return where the partitions stand; those that do not exist are left out."""
        ...

    async def runs(self, partition_id: PartitionId, *, offset: int, limit: int) -> list[StoredRun]:
        """Return up to `limit` runs in offset order, from the one that holds `offset` or the next after it."""
        ...

    async def runs_since(self, partition_id: PartitionId, *, timestamp: int, limit: int) -> list[StoredRun]:
        """Return up to `limit` runs, in offset order, whose largest timestamp is at least `timestamp`."""
        ...

    async def run_latest(self, partition_id: PartitionId) -> StoredRun | None:
        """Return the first run that has the partition's largest timestamp."""
        ...

    async def epochs(self, partition_id: PartitionId) -> list[tuple[int, int]]:
        """Return (leader epoch, its first offset), ascending; an epoch that never changed is not listed."""
        ...

    async def advance_log_start(self, partition_id: PartitionId, *, offset: int) -> LogState | None:
        """Raise the log start to `offset` if it is below it, durably; return the state after, or None.

        Runs that end at or below the new start go with it.
        """
        ...

    async def sizes(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, int]:
        """Return the bytes of the runs of each partition."""
        ...
