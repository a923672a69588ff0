"""The cluster's identity and incarnations in memory: for tests, and for a broker that keeps nothing."""

from __future__ import annotations

from collections.abc import Mapping

from fleuve.base.clock import Clock
from fleuve.base.ids import Incarnation, NodeId
from fleuve.ports.brokers import Address, StoredBroker


class MemoryBrokerStore:
    """A BrokerStore whose content goes with it. Its clock is the catalog's.

    `fenced` are the incarnations that ended, for the other memory stores.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cluster_id: str | None = None
        self._brokers: dict[Incarnation, StoredBroker] = {}
        self._lease_until: dict[Incarnation, int] = {}
        self.fenced: set[Incarnation] = set()

    async def cluster_id(self, proposed: str) -> str:
        """Return the cluster's id; `proposed` becomes it if there is none yet."""
        if self._cluster_id is None:
            self._cluster_id = proposed
        return self._cluster_id

    async def register(
        self, *, node_id: NodeId | None, listeners: Mapping[str, Address], rack: str | None, lease_ms: int
    ) -> StoredBroker:
        """Begin an incarnation, and fence the earlier ones of the same node id."""
        broker = StoredBroker(
            incarnation=Incarnation(len(self._brokers) + 1),
            node_id=self._assigned(listeners) if node_id is None else node_id,
            listeners=dict(listeners),
            rack=rack,
        )
        self.fenced.update(other.incarnation for other in self._brokers.values() if other.node_id == broker.node_id)
        self._brokers[broker.incarnation] = broker
        self._lease_until[broker.incarnation] = self._clock.wall_ms() + lease_ms
        return broker

    async def renew(self, incarnation: Incarnation, *, lease_ms: int) -> bool:
        """Let the lease end `lease_ms` from now; False if the incarnation is fenced."""
        if incarnation in self.fenced or incarnation not in self._brokers:
            return False
        self._lease_until[incarnation] = self._clock.wall_ms() + lease_ms
        return True

    async def fence(self, incarnation: Incarnation) -> None:
        """End an incarnation for good."""
        if incarnation in self._brokers:
            self.fenced.add(incarnation)

    async def live(self) -> list[StoredBroker]:
        """Return the incarnations that are not fenced and whose lease has not ended, by node id."""
        now = self._clock.wall_ms()
        found = (
            broker
            for broker in self._brokers.values()
            if broker.incarnation not in self.fenced and self._lease_until[broker.incarnation] > now
        )
        return sorted(found, key=lambda broker: broker.node_id)

    def _assigned(self, listeners: Mapping[str, Address]) -> NodeId:
        for broker in reversed(self._brokers.values()):
            if broker.listeners == listeners:
                return broker.node_id
        return NodeId(max((broker.node_id for broker in self._brokers.values()), default=0) + 1)
