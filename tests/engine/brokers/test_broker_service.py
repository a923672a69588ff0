import base64
from random import Random
from uuid import UUID

import pytest

from fleuve.adapters.memory.brokers import MemoryBrokerStore
from fleuve.base.clock import ManualClock
from fleuve.base.ids import NodeId
from fleuve.engine.brokers.service import LEASE_MS, BrokerFenced, BrokerService
from fleuve.ports.brokers import Address
from fleuve.ports.errors import CatalogUnavailable

HERE = {"PLAINTEXT": Address("localhost", 9092)}


class BrokenStore(MemoryBrokerStore):
    broken = False

    async def renew(self, incarnation, *, lease_ms):
        if self.broken:
            raise CatalogUnavailable("disk full")
        return await super().renew(incarnation, lease_ms=lease_ms)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store(clock):
    return BrokenStore(clock)


async def started(store, node_id=1, seed=0):
    service = BrokerService(store, random=Random(seed))
    await service.start(node_id=None if node_id is None else NodeId(node_id), listeners=HERE)
    return service


async def test_a_cluster_of_one(store):
    service = await started(store, node_id=7)
    assert service.nodes() == (7,)
    assert service.live() == (service.own,)
    assert service.node_id == service.controller_id == 7
    assert service.incarnation == 1
    assert service.replicas(5, replication_factor=3) == [7, 7, 7]
    assert service.leader(5) == 7
    assert service.coordinator(0, "group") is service.own


async def test_without_a_node_id_the_first_broker_is_number_one(store):
    assert (await started(store, node_id=None)).node_id == 1


@pytest.mark.parametrize("seed", range(50))
async def test_a_cluster_id_looks_like_kafkas_and_stays(seed, clock):
    store = MemoryBrokerStore(clock)
    cluster_id = (await started(store, seed=seed)).cluster_id
    assert len(cluster_id) == 22
    assert not cluster_id.startswith("-")
    assert (await started(store, seed=seed + 1)).cluster_id == cluster_id


async def test_brokers_see_each_other_come_and_go(store, clock):
    first = await started(store, 1)
    version = first.version
    second = await started(store, 2)
    await first.renew()
    assert first.nodes() == second.nodes() == (1, 2)
    assert first.version > version
    assert first.coordinator(0, "group") == second.coordinator(0, "group")
    await second.stop()
    await first.renew()
    assert first.nodes() == (1,)


async def test_a_broker_that_does_not_renew_is_not_shown_any_more(store, clock):
    first = await started(store, 1)
    await started(store, 2)
    clock.advance(LEASE_MS - 1)
    await first.renew()
    assert first.nodes() == (1, 2)
    clock.advance(LEASE_MS)
    await first.renew()
    assert first.nodes() == (1,)


async def test_the_set_stands_while_the_catalog_cannot_be_reached(store, clock):
    first = await started(store, 1)
    await started(store, 2)
    await first.renew()
    store.broken = True
    clock.advance(10 * LEASE_MS)
    await first.renew()
    assert first.nodes() == (1, 2)
    assert (first.stats.live, first.stats.renewals, first.stats.renewals_failed) == (2, 1, 1)


async def test_a_broker_whose_node_id_is_taken_over_stops(store):
    before = await started(store, 1)
    await started(store, 1)
    with pytest.raises(BrokerFenced, match=r"node\.id"):
        await before.renew()


async def test_a_cluster_id_is_a_uuid(store):
    # 22 characters of base64 are 16 bytes: a UUID that tools can read.
    cluster_id = (await started(store)).cluster_id
    assert UUID(bytes=base64.urlsafe_b64decode(cluster_id + "==")).version == 4
