"""The cluster's identity and the runs of its brokers, as the catalog keeps them.

A run of a broker is an *incarnation*: a row with its node id, its addresses and a lease. The lease is counted by
the catalog's clock, so that brokers whose clocks differ agree on who is alive. A fenced incarnation never lives
again. The number of its last flush belongs to the log's port, which moves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from fleuve.base.ids import Incarnation, NodeId


class Address(NamedTuple):
    """Where clients connect to."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBroker:
    """An incarnation that lives."""

    incarnation: Incarnation
    node_id: NodeId
    listeners: Mapping[str, Address]
    """Advertised addresses by the listener's name."""
    rack: str | None


class BrokerStore(Protocol):
    """Keeps the cluster id and the incarnations. Every change is durable when its method returns.

    All methods raise CatalogUnavailable where nothing happened, CommitOutcomeUnknown where that is not known.
    """

    async def cluster_id(self, proposed: str) -> str:
        """Return the cluster's id; `proposed` becomes it if there is none yet."""
        ...

    async def register(
        self, *, node_id: NodeId | None, listeners: Mapping[str, Address], rack: str | None, lease_ms: int
    ) -> StoredBroker:
        """Begin an incarnation, and fence the earlier ones of the same node id.

        Without a node id the catalog gives one: that of the last broker that advertised the same addresses, else one
        that nobody ever had.
        """
        ...

    async def renew(self, incarnation: Incarnation, *, lease_ms: int) -> bool:
        """Let the lease end `lease_ms` from now; False, with nothing changed, if the incarnation is fenced."""
        ...

    async def fence(self, incarnation: Incarnation) -> None:
        """End an incarnation for good. Nothing happens if it is fenced, or unknown."""
        ...

    async def live(self) -> list[StoredBroker]:
        """Return the incarnations that are not fenced and whose lease has not ended, by node id."""
        ...
