"""Producer ids in the SQLite catalog."""

from __future__ import annotations

import sqlite3

from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.queries import load
from fleuve.base.clock import Clock
from fleuve.base.ids import ProducerId, TimestampMs


class SqliteProducerStore:
    """A ProducerStore in the table `producer_id_block`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def allocate(self, size: int) -> ProducerId:
        """Take the next `size` ids; return the first."""
        assert size > 0
        now_ms = self._clock.wall_ms()

        def take(connection: sqlite3.Connection) -> int:
            row = connection.execute(load("producers")["allocate"], {"size": size, "now_ms": now_ms}).fetchone()
            return int(row[0])

        return ProducerId(await self._database.write(take))

    async def allocated_ms(self, producer_id: ProducerId) -> TimestampMs | None:
        """Return when the block with `producer_id` was handed out."""

        def look(connection: sqlite3.Connection) -> int | None:
            row = connection.execute(load("producers")["allocated_ms"], {"producer_id": producer_id}).fetchone()
            return None if row is None else int(row[0])

        found = await self._database.read(look)
        return None if found is None else TimestampMs(found)

    async def forget(self, *, before_ms: int) -> int:
        """Drop old blocks, but the newest."""
        values = {"before_ms": before_ms}
        return await self._database.write(
            lambda connection: connection.execute(load("producers")["forget"], values).rowcount
        )
