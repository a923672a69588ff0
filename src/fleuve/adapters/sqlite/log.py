"""The log's rows in SQLite.

Produce commits are relaxed here (no flush of their own): the journal beside this file is the truth, and is replayed
after a power cut. Everything else is durable when its method returns.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.queries import load
from fleuve.base.clock import Clock
from fleuve.base.ids import FlushId, Incarnation, PartitionId, ProducerId
from fleuve.ports.errors import Fenced
from fleuve.ports.log import (
    CommitStates,
    Decide,
    Decision,
    FlushRows,
    LogState,
    ProducerKey,
    ProducerState,
    Run,
    SequenceEntry,
    StoredRun,
)
from fleuve.ports.recovery import UnfinishedIncarnation

_ENTRY: Final = struct.Struct(">iiqq")


def stored_run(row: tuple[Any, ...]) -> StoredRun:
    """Return the run in a row of the queries that select runs with their objects."""
    return StoredRun(Run(*row[:7]), row[7], bool(row[8]))


class SqliteLogCatalog:
    """`ports.log.LogCatalog` and `ports.recovery.RecoveryCatalog` over one SQLite file."""

    produce_commits_durable = False

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sql = load("log")
        self._producer_sql = load("producers")

    # ------------------------------------------------------------ ports.log

    async def commit(self, rows: FlushRows, decide: Decide) -> Decision:
        """Write what `decide` returns, and move the incarnation to this flush."""
        return await self._database.write(lambda connection: self._commit(connection, rows, decide), durable=False)

    def _commit(self, connection: sqlite3.Connection, rows: FlushRows, decide: Decide) -> Decision:
        sql = self._sql
        self._move(connection, rows.flush)
        decision = decide(self._states(connection, rows))
        if decision.runs:
            object_id = self._object_id(connection, rows.object_name, rows.flush.incarnation, is_segment=False)
            connection.executemany(
                sql["add_run"],
                [
                    (
                        run.partition_id,
                        run.offset_first,
                        run.offset_end,
                        object_id,
                        run.position,
                        run.length,
                        run.timestamp_max,
                        run.leader_epoch,
                    )
                    for run in decision.runs
                ],
            )
        if decision.logs:
            connection.executemany(
                sql["save_state"],
                [(partition_id, *state[:3]) for partition_id, state in decision.logs.items()],
            )
        if decision.producers:
            connection.executemany(
                sql["save_producer"],
                [
                    (
                        *key,
                        state.epoch,
                        b"".join([_ENTRY.pack(*entry) for entry in state.entries]),
                        state.last_append_ms,
                    )
                    for key, state in decision.producers.items()
                ],
            )
        return decision

    def _move(self, connection: sqlite3.Connection, flush: FlushId) -> None:
        moved = connection.execute(
            self._sql["move_incarnation"], {"incarnation": flush.incarnation, "number": flush.number}
        )
        if moved.rowcount != 1:
            raise Fenced(f"incarnation {flush.incarnation} is fenced or does not stand before flush {flush.number}")

    def _states(self, connection: sqlite3.Connection, rows: FlushRows) -> CommitStates:
        producers: dict[ProducerKey, ProducerState] = {}
        for key in rows.producers:
            row = connection.execute(self._sql["producer"], key).fetchone()
            if row is not None:
                entries = tuple([SequenceEntry._make(entry) for entry in _ENTRY.iter_unpack(row[1])])
                producers[key] = ProducerState(row[0], entries, row[2])
        logs = self._log_states(connection, rows.partitions)
        known = {producer_id for _, producer_id in producers}
        allocated: dict[ProducerId, int] = {}
        for producer_id in rows.producers_unproven:
            if producer_id in known and len(rows.partitions) == 1:
                continue
            row = connection.execute(self._producer_sql["allocated_ms"], {"producer_id": producer_id}).fetchone()
            if row is not None:
                allocated[producer_id] = row[0]
        return CommitStates(logs, producers, allocated)

    def _log_states(
        self, connection: sqlite3.Connection, partition_ids: Sequence[PartitionId]
    ) -> dict[PartitionId, LogState]:
        states = {}
        query = self._sql["state"]
        for partition_id in partition_ids:
            row = connection.execute(query, (partition_id,)).fetchone()
            if row is not None:
                states[partition_id] = LogState._make(row)
        return states

    def _object_id(
        self, connection: sqlite3.Connection, name: str, incarnation: Incarnation | None, *, is_segment: bool
    ) -> int:
        # Not remembered from one transaction to the next: a number that was rolled back is given again.
        row = connection.execute(self._sql["object_id"], (name,)).fetchone()
        if row is not None:
            return int(row[0])
        values = (name, is_segment, incarnation, self._clock.wall_ms())
        return int(connection.execute(self._sql["add_object"], values).lastrowid or 0)

    async def void(self, flush: FlushId) -> bool:
        """Move the incarnation to this flush with nothing in it, durably; False if it is there already."""

        def work(connection: sqlite3.Connection) -> bool:
            row = connection.execute(self._sql["incarnation"], {"incarnation": flush.incarnation}).fetchone()
            if row is not None and not row[1] and row[0] >= flush.number:
                return False
            self._move(connection, flush)
            return True

        return await self._database.write(work)

    async def states(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, LogState]:
        """Return where the partitions stand."""
        return await self._database.read(lambda connection: self._log_states(connection, partition_ids))

    async def runs(self, partition_id: PartitionId, *, offset: int, limit: int) -> list[StoredRun]:
        """Return runs in offset order, from the one that holds `offset`."""
        values = {"partition_id": partition_id, "offset": offset, "limit": limit}
        return await self._select_runs("runs", values)

    async def runs_since(self, partition_id: PartitionId, *, timestamp: int, limit: int) -> list[StoredRun]:
        """Return runs, in offset order, that hold a record as young as `timestamp`."""
        values = {"partition_id": partition_id, "timestamp": timestamp, "limit": limit}
        return await self._select_runs("runs_since", values)

    async def run_latest(self, partition_id: PartitionId) -> StoredRun | None:
        """Return the first run that has the partition's largest timestamp."""
        runs = await self._select_runs("run_latest", {"partition_id": partition_id})
        return runs[0] if runs else None

    async def _select_runs(self, query: str, values: Mapping[str, int]) -> list[StoredRun]:
        return await self._database.read(
            lambda connection: [stored_run(row) for row in connection.execute(self._sql[query], values)]
        )

    async def epochs(self, partition_id: PartitionId) -> list[tuple[int, int]]:
        """Return (leader epoch, its first offset), ascending."""
        return await self._database.read(
            lambda connection: connection.execute(self._sql["epochs"], (partition_id,)).fetchall()
        )

    async def advance_log_start(self, partition_id: PartitionId, *, offset: int) -> LogState | None:
        """Raise the log start and drop the runs that are all below it."""

        def work(connection: sqlite3.Connection) -> LogState | None:
            values = {"partition_id": partition_id, "offset": offset}
            if connection.execute(self._sql["advance_log_start"], values).rowcount:
                connection.execute(self._sql["drop_runs_below"], values)
            return self._log_states(connection, [partition_id]).get(partition_id)

        return await self._database.write(work)

    async def sizes(self, partition_ids: Sequence[PartitionId]) -> dict[PartitionId, int]:
        """Return the bytes of the runs of each partition."""
        query = self._sql["size"]
        return await self._database.read(
            lambda connection: {
                partition_id: connection.execute(query, (partition_id,)).fetchone()[0] for partition_id in partition_ids
            }
        )

    # ------------------------------------------------------------ ports.recovery

    async def unfinished(self) -> list[UnfinishedIncarnation]:
        """Return the incarnations that are not fenced, oldest first."""
        return await self._database.read(
            lambda connection: [
                UnfinishedIncarnation(incarnation, last_flush, bool(whole))
                for incarnation, last_flush, whole in connection.execute(self._sql["unfinished_incarnations"])
            ]
        )

    async def skip(self, flush: FlushId) -> None:
        """Move the incarnation to this flush, which is missing, durably."""

        def work(connection: sqlite3.Connection) -> None:
            self._move(connection, flush)
            connection.execute(self._sql["note_missing_flush"], (flush.incarnation,))

        await self._database.write(work)

    async def close_incarnation(self, incarnation: Incarnation) -> None:
        """Fence an incarnation, durably."""
        await self._database.write(
            lambda connection: connection.execute(self._sql["fence_incarnation"], (incarnation,)).rowcount
        )

    async def objects_of(self, incarnation: Incarnation) -> list[str]:
        """Return the names of the objects that the incarnation's flushes went to."""
        return await self._database.read(
            lambda connection: [
                name for (name,) in connection.execute(self._sql["objects_of_incarnation"], (incarnation,))
            ]
        )

    async def runs_beyond(self, object_name: str, *, position: int) -> list[Run]:
        """Return the runs of an object that reach beyond `position`."""
        return await self._database.read(
            lambda connection: [
                Run(*row) for row in connection.execute(self._sql["runs_beyond"], (object_name, position))
            ]
        )

    async def replace_lost(
        self, lost: Sequence[Run], found: Sequence[Run], *, object_name: str, epoch_starts: Mapping[PartitionId, int]
    ) -> None:
        """Replace runs whose bytes are lost, and raise the leader epochs."""

        def work(connection: sqlite3.Connection) -> None:
            sql = self._sql
            for run in lost:
                connection.execute(sql["drop_run"], (run.partition_id, run.offset_first, run.offset_end))
            object_id = self._object_id(connection, object_name, None, is_segment=True)
            for run in found:
                values = (run.partition_id, run.offset_first, run.offset_end, object_id, *run[3:])
                connection.execute(sql["add_run"], values)
            for partition_id, offset_first in epoch_starts.items():
                (epoch,) = connection.execute(sql["raise_epoch"], (partition_id,)).fetchone()
                connection.execute(sql["add_epoch"], (partition_id, epoch, offset_first))

        await self._database.write(work)
