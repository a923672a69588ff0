"""Merge, retention and garbage collection in SQLite. Every change is durable, and small: it holds up others briefly."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.log import stored_run
from fleuve.adapters.sqlite.queries import load
from fleuve.base.clock import Clock
from fleuve.base.ids import PartitionId
from fleuve.ports.log import StoredRun
from fleuve.ports.maintenance import ObjectRow, Swap, Usage

PRODUCERS_AT_ONCE: Final = 5_000
"""Producers looked at in one read, and forgotten in one transaction at most."""


class SqliteMaintenanceCatalog:
    """`ports.maintenance.MaintenanceCatalog` over one SQLite file."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._sql = load("maintenance")

    async def objects(self, *, segments: bool) -> list[ObjectRow]:
        """Return the known objects, oldest first."""
        return await self._database.read(
            lambda connection: _rows(connection.execute(self._sql["objects"], {"segments": segments}))
        )

    async def usage(self, object_names: Sequence[str]) -> dict[str, Usage]:
        """Return what is left of each of these objects."""
        query = self._sql["usage"]
        return await self._database.read(
            lambda connection: {name: Usage(*connection.execute(query, (name,)).fetchone()) for name in object_names}
        )

    async def runs_of_objects(
        self, object_names: Sequence[str], *, after: tuple[PartitionId, int] | None, limit: int
    ) -> list[StoredRun]:
        """Return runs that lie in these objects, by partition and offset."""

        def work(connection: sqlite3.Connection) -> list[StoredRun]:
            found = [connection.execute(self._sql["object_id"], (name,)).fetchone() for name in object_names]
            partition_id, offset_first = after or (-1, -1)
            values = {
                "object_ids": json.dumps([row[0] for row in found if row is not None]),
                "partition_id": partition_id,
                "offset_first": offset_first,
                "limit": limit,
            }
            return [stored_run(row) for row in connection.execute(self._sql["runs_of_objects"], values)]

        return await self._database.read(work)

    async def swap(self, swaps: Sequence[Swap]) -> list[bool]:
        """Replace runs by merged ones; for each swap whether it happened."""
        return await self._database.write(lambda connection: [self._swap(connection, swap) for swap in swaps])

    def _swap(self, connection: sqlite3.Connection, swap: Swap) -> bool:
        sql = self._sql
        new = swap.new
        row = connection.execute(sql["log_start"], (new.partition_id,)).fetchone()
        if row is None or row[0] != swap.log_start_seen:
            return False
        between = (new.partition_id, swap.old[0].run.offset_first, swap.old[-1].run.offset_first)
        if [stored_run(found) for found in connection.execute(sql["runs_between"], between)] != list(swap.old):
            return False
        connection.execute(sql["drop_runs_between"], between)
        object_id = self._object_id(connection, swap)
        connection.execute(sql["add_run"], (new.partition_id, new.offset_first, new.offset_end, object_id, *new[3:]))
        return True

    def _object_id(self, connection: sqlite3.Connection, swap: Swap) -> int:
        row = connection.execute(self._sql["object_id"], (swap.object_name,)).fetchone()
        if row is not None:
            return int(row[0])
        values = (swap.object_name, swap.is_segment, self._clock.wall_ms())
        return int(connection.execute(self._sql["add_object"], values).lastrowid or 0)

    async def partitions_with_runs(self, *, after: PartitionId, limit: int) -> list[PartitionId]:
        """Return partitions above `after` that hold any run, ascending."""
        values = {"after": after, "limit": limit}
        return await self._database.read(
            lambda connection: [
                PartitionId(partition_id)
                for (partition_id,) in connection.execute(self._sql["partitions_with_runs"], values)
            ]
        )

    async def sweep_deleted(self, *, limit: int) -> int:
        """Drop some of the log's rows of partitions that do not exist any more; return how many."""
        # Nearly always there is nothing: that is found out beside the writer.
        found = await self._database.read(
            lambda connection: connection.execute(self._sql["deleted_partitions"], (1,)).fetchone()
        )
        if found is None:
            return 0
        return await self._database.write(lambda connection: self._sweep(connection, limit))

    def _sweep(self, connection: sqlite3.Connection, limit: int) -> int:
        sql = self._sql
        swept = 0
        for (partition_id,) in connection.execute(sql["deleted_partitions"], (limit,)).fetchall():
            for query in ("sweep_runs", "sweep_producers"):
                values = {"partition_id": partition_id, "limit": limit - swept}
                swept += connection.execute(sql[query], values).rowcount
                if swept >= limit:
                    return swept
            connection.execute(sql["sweep_epochs"], (partition_id,))
            # Last: it is what tells that there is something to sweep.
            swept += connection.execute(sql["sweep_log"], (partition_id,)).rowcount
            if swept >= limit:
                break
        return swept

    async def unreferenced(self) -> list[ObjectRow]:
        """Return the objects without a run that are not marked as garbage."""
        return await self._database.read(lambda connection: _rows(connection.execute(self._sql["unreferenced"])))

    async def mark_garbage(self, object_names: Sequence[str]) -> None:
        """Mark those of these objects that hold no run as garbage from now on."""
        if not object_names:
            return
        now_ms = self._clock.wall_ms()
        await self._change("mark_garbage", [{"name": name, "now_ms": now_ms} for name in object_names])

    async def garbage(self, *, before_ms: int) -> list[str]:
        """Return the objects that were marked as garbage by then and hold no run."""
        return await self._database.read(
            lambda connection: [name for (name,) in connection.execute(self._sql["garbage"], (before_ms,))]
        )

    async def forget_objects(self, object_names: Sequence[str]) -> None:
        """Drop the rows of objects that are deleted from the store."""
        await self._change("forget_object", [(name,) for name in object_names])

    async def expire_producers(self, *, before_ms: int) -> int:
        """Forget producers whose last batch was appended before then; return how many."""
        last = (-1, -1)
        expired = 0
        while rows := await self._producers_after(last):
            last = rows[-1][:2]
            old = [(*row[:2], before_ms) for row in rows if row[2] < before_ms]
            if old:
                expired += await self._change("expire_producer", old)
        return expired

    async def _producers_after(self, key: tuple[int, int]) -> list[tuple[int, int, int]]:
        values = (*key, PRODUCERS_AT_ONCE)
        return await self._database.read(
            lambda connection: connection.execute(self._sql["producers_after"], values).fetchall()
        )

    async def _change(self, query: str, values: Sequence[tuple[object, ...] | dict[str, object]]) -> int:
        """Run a query for each of `values` in one transaction; return how many rows it changed."""
        return await self._database.write(lambda connection: connection.executemany(self._sql[query], values).rowcount)


def _rows(rows: sqlite3.Cursor) -> list[ObjectRow]:
    return [ObjectRow(name, bool(is_segment), created_ms) for name, is_segment, created_ms in rows]
