"""The cluster's identity and incarnations in the SQLite catalog."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.queries import load
from fleuve.base.clock import Clock
from fleuve.base.ids import Incarnation, NodeId
from fleuve.ports.brokers import Address, StoredBroker


class SqliteBrokerStore:
    """A BrokerStore in the tables `cluster` and `incarnation`.

    The catalog's clock is the machine's: whoever shares the file is on the same machine.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def cluster_id(self, proposed: str) -> str:
        """Return the cluster's id; `proposed` becomes it if there is none yet."""

        def settle(connection: sqlite3.Connection) -> str:
            connection.execute(load("brokers")["propose_cluster_id"], {"id": proposed})
            (cluster_id,) = connection.execute(load("brokers")["cluster_id"]).fetchone()
            return str(cluster_id)

        return await self._database.write(settle)

    async def register(
        self, *, node_id: NodeId | None, listeners: Mapping[str, Address], rack: str | None, lease_ms: int
    ) -> StoredBroker:
        """Begin an incarnation, and fence the earlier ones of the same node id."""
        text = json.dumps(dict(listeners), sort_keys=True)
        now = self._clock.wall_ms()

        def begin(connection: sqlite3.Connection) -> StoredBroker:
            own = _assigned(connection, text) if node_id is None else node_id
            connection.execute(load("brokers")["fence_node"], {"node_id": own})
            row = {
                "node_id": own,
                "listeners": text,
                "rack": rack,
                "now": now,
                "lease_until_ms": now + lease_ms,
            }
            number = connection.execute(load("brokers")["insert"], row).lastrowid
            assert number is not None
            return StoredBroker(incarnation=Incarnation(number), node_id=own, listeners=dict(listeners), rack=rack)

        return await self._database.write(begin)

    async def renew(self, incarnation: Incarnation, *, lease_ms: int) -> bool:
        """Let the lease end `lease_ms` from now; False if the incarnation is fenced."""
        row = {"id": incarnation, "lease_until_ms": self._clock.wall_ms() + lease_ms}
        # A lease is worth nothing after a power cut: its commit need not be flushed.
        return await self._database.write(
            lambda connection: connection.execute(load("brokers")["renew"], row).rowcount == 1, durable=False
        )

    async def fence(self, incarnation: Incarnation) -> None:
        """End an incarnation for good."""

        def fence(connection: sqlite3.Connection) -> None:
            connection.execute(load("brokers")["fence"], {"id": incarnation})

        await self._database.write(fence)

    async def live(self) -> list[StoredBroker]:
        """Return the incarnations that are not fenced and whose lease has not ended, by node id."""
        now = self._clock.wall_ms()
        return await self._database.read(
            lambda connection: [
                StoredBroker(
                    incarnation=Incarnation(number),
                    node_id=NodeId(node_id),
                    listeners={name: Address(*address) for name, address in json.loads(text).items()},
                    rack=rack,
                )
                for number, node_id, text, rack in connection.execute(load("brokers")["live"], {"now": now})
            ]
        )


def _assigned(connection: sqlite3.Connection, listeners: str) -> NodeId:
    row = connection.execute(load("brokers")["node_of_listeners"], {"listeners": listeners}).fetchone()
    if row is None:
        row = connection.execute(load("brokers")["node_id_next"]).fetchone()
    return NodeId(row[0])
