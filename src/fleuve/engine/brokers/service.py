"""The brokers of the cluster, as one of them sees them.

`start` begins this broker's incarnation. It must come after recovery: registering fences the earlier incarnations
of the same node id, and what they left in the journal is then never committed any more. `run` renews the lease and
looks who else is alive. After an outage of the catalog the set seen last stands: the leases of all ran out alike.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from random import Random
from uuid import UUID

from fleuve.base.errors import FleuveError, Verdict
from fleuve.base.ids import Incarnation, NodeId, PartitionId
from fleuve.base.log import Logger, SilentLogger
from fleuve.engine.brokers import affinity
from fleuve.engine.brokers.stats import BrokerStats
from fleuve.ports.brokers import Address, BrokerStore, StoredBroker
from fleuve.ports.errors import CatalogUnavailable

Broker = StoredBroker

LEASE_MS = 10_000
"""How long a broker that died is still shown; Kafka's `broker.session.timeout.ms` is 9 s."""

RENEWALS_PER_LEASE = 4
"""One may be late and one may fail, and the lease still holds."""


class BrokerFenced(FleuveError, verdict=Verdict.FATAL):
    """Another broker with this node id has registered: this one must stop."""


class BrokerService:
    """This broker's incarnation, and the brokers that live."""

    def __init__(
        self, store: BrokerStore, *, random: Random, logger: Logger | None = None, lease_ms: int = LEASE_MS
    ) -> None:
        self._store = store
        self._random = random
        self._logger = SilentLogger() if logger is None else logger
        self._lease_ms = lease_ms
        self.stats = BrokerStats()
        self._own: Broker | None = None
        self._cluster_id = ""
        self._live: tuple[Broker, ...] = ()
        self._nodes: tuple[NodeId, ...] = ()
        self._version = 0

    # ------------------------------------------------------------ living

    async def load_cluster_id(self) -> str:
        """Read the cluster's id, made up if the cluster is new."""
        self._cluster_id = await self._store.cluster_id(self._new_cluster_id())
        return self._cluster_id

    async def start(
        self, *, node_id: NodeId | None, listeners: Mapping[str, Address], rack: str | None = None
    ) -> Incarnation:
        """Register this broker and return its incarnation. Without a node id the catalog gives one."""
        if not self._cluster_id:
            await self.load_cluster_id()
        self._own = await self._store.register(node_id=node_id, listeners=listeners, rack=rack, lease_ms=self._lease_ms)
        self.stats.identity = {(self._cluster_id, str(self._own.node_id)): 1}
        self._see(await self._store.live())
        return self._own.incarnation

    async def run(self) -> None:
        """Renew the lease until cancelled. Raises BrokerFenced when it was taken away."""
        while True:
            await asyncio.sleep(self._lease_ms / RENEWALS_PER_LEASE / 1000)
            await self.renew()

    async def renew(self) -> None:
        """Renew the lease once and look who is alive. Raises BrokerFenced; an unreachable catalog changes nothing."""
        own = self.own
        try:
            if not await self._store.renew(own.incarnation, lease_ms=self._lease_ms):
                raise BrokerFenced(
                    f"broker {own.node_id} was fenced: another broker has registered with this node.id; give each "
                    "broker its own"
                )
            self._see(await self._store.live())
            self.stats.renewals += 1
        except CatalogUnavailable as error:
            self.stats.renewals_failed += 1
            self._logger.warning("broker lease not renewed", reason=str(error))

    async def stop(self) -> None:
        """End the incarnation, so that the others see it at once."""
        if self._own is not None:
            await self._store.fence(self._own.incarnation)

    def _see(self, live: list[Broker]) -> None:
        own = self.own
        # What this broker shows holds itself, always: it answers, so it lives.
        seen = {broker.node_id: broker for broker in live}
        seen[own.node_id] = own
        ordered = tuple(seen[node_id] for node_id in sorted(seen))
        self.stats.live = len(ordered)
        if ordered != self._live:
            self._live = ordered
            self._nodes = tuple(broker.node_id for broker in ordered)
            self._version += 1

    def _new_cluster_id(self) -> str:
        # A UUID as Kafka writes it: 22 characters of URL-safe base64, never with a '-' in front.
        while True:
            text = base64.urlsafe_b64encode(UUID(int=self._random.getrandbits(128), version=4).bytes).decode()
            if not text.startswith("-"):
                return text.rstrip("=")

    # ------------------------------------------------------------ looking

    @property
    def own(self) -> Broker:
        """This broker."""
        assert self._own is not None, "BrokerService.start comes first"
        return self._own

    @property
    def node_id(self) -> NodeId:
        """This broker's node id."""
        return self.own.node_id

    @property
    def incarnation(self) -> Incarnation:
        """This broker's incarnation."""
        return self.own.incarnation

    @property
    def cluster_id(self) -> str:
        """The cluster's id: 22 characters, as Kafka's."""
        return self._cluster_id

    @property
    def version(self) -> int:
        """Changes whenever the set of live brokers does."""
        return self._version

    @property
    def controller_id(self) -> NodeId:
        """The broker that clients shall send administrative requests to: any can take them, so this one."""
        return self.own.node_id

    def live(self) -> tuple[Broker, ...]:
        """Return the brokers that live, by node id; at least this one."""
        return self._live

    def nodes(self) -> tuple[NodeId, ...]:
        """Return the node ids of the brokers that live, ascending."""
        return self._nodes

    def leader(self, partition_id: PartitionId) -> NodeId:
        """Return the broker that is shown as the partition's leader."""
        return affinity.leader(partition_id, self._nodes)

    def replicas(self, partition_id: PartitionId, *, replication_factor: int) -> list[int]:
        """Return the brokers that are shown as the partition's replicas, its leader first."""
        return affinity.replicas(partition_id, self._nodes, replication_factor=replication_factor)

    def coordinator(self, kind: int, key: str) -> Broker:
        """Return the broker that coordinates a group (kind 0), transactional id (1) or share group (2)."""
        chosen = affinity.coordinator(kind, key, self._nodes)
        return next(broker for broker in self._live if broker.node_id == chosen)
