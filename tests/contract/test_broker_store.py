"""What every BrokerStore does."""

from __future__ import annotations

import asyncio

import pytest

from fleuve.adapters.memory.brokers import MemoryBrokerStore
from fleuve.adapters.sqlite.brokers import SqliteBrokerStore
from fleuve.adapters.sqlite.database import Database
from fleuve.base.clock import ManualClock
from fleuve.base.ids import Incarnation, NodeId
from fleuve.ports.brokers import Address

HERE = {"PLAINTEXT": Address("localhost", 9092), "OTHER": Address("broker-1.example", 29092)}
THERE = {"PLAINTEXT": Address("broker-2.example", 9092)}
LEASE_MS = 1_000


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path, clock):
    if request.param == "memory":
        yield MemoryBrokerStore(clock)
        return
    database = Database(tmp_path / "catalog.sqlite")
    database.open(asyncio.get_running_loop())
    yield SqliteBrokerStore(database, clock)
    await database.close()


async def register(store, node_id=None, listeners=HERE, rack=None):
    return await store.register(node_id=node_id, listeners=listeners, rack=rack, lease_ms=LEASE_MS)


async def test_the_first_proposal_is_the_cluster_id_for_ever(store):
    assert await store.cluster_id("first") == "first"
    assert await store.cluster_id("second") == "first"


async def test_a_registered_broker_lives_as_it_was_registered(store):
    broker = await register(store, NodeId(7), rack="a")
    assert broker.incarnation >= 1
    assert (broker.node_id, broker.listeners, broker.rack) == (7, HERE, "a")
    assert await store.live() == [broker]


async def test_incarnations_are_numbered_upwards(store):
    numbers = [(await register(store, NodeId(node))).incarnation for node in (1, 2, 1)]
    assert numbers == sorted(set(numbers))


async def test_a_lease_that_is_not_renewed_ends(store, clock):
    broker = await register(store, NodeId(1))
    clock.advance(LEASE_MS - 1)
    assert await store.live() == [broker]
    clock.advance(1)
    assert await store.live() == []


async def test_a_renewed_lease_counts_from_now_even_after_it_ended(store, clock):
    broker = await register(store, NodeId(1))
    clock.advance(5 * LEASE_MS)
    assert await store.renew(broker.incarnation, lease_ms=LEASE_MS)
    clock.advance(LEASE_MS - 1)
    assert await store.live() == [broker]


async def test_a_fenced_incarnation_never_lives_again(store):
    broker = await register(store, NodeId(1))
    await store.fence(broker.incarnation)
    await store.fence(broker.incarnation)
    assert await store.live() == []
    assert not await store.renew(broker.incarnation, lease_ms=LEASE_MS)
    assert await store.live() == []


async def test_unknown_incarnations_cannot_be_renewed(store):
    assert not await store.renew(Incarnation(99), lease_ms=LEASE_MS)
    await store.fence(Incarnation(99))
    await register(store, NodeId(1))
    assert len(await store.live()) == 1


async def test_a_node_id_that_registers_again_fences_its_earlier_incarnation(store):
    before = await register(store, NodeId(1))
    other = await register(store, NodeId(2), THERE)
    after = await register(store, NodeId(1), THERE)
    assert await store.live() == [after, other]
    assert not await store.renew(before.incarnation, lease_ms=LEASE_MS)


async def test_a_broker_without_a_node_id_gets_one_that_nobody_had(store):
    assert (await register(store)).node_id == 1
    await register(store, NodeId(5), {"PLAINTEXT": Address("third", 1)})
    assert (await register(store, listeners=THERE)).node_id == 6


async def test_the_same_addresses_get_the_same_node_id_again(store, clock):
    first = await register(store)
    second = await register(store, listeners=THERE)
    clock.advance(10 * LEASE_MS)
    assert (await register(store)).node_id == first.node_id
    await store.fence(second.incarnation)
    assert (await register(store, listeners=THERE)).node_id == second.node_id
