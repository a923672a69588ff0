"""What every ProducerStore does."""

from __future__ import annotations

import asyncio

import pytest

from fleuve.adapters.memory.producers import MemoryProducerStore
from fleuve.adapters.sqlite.database import Database
from fleuve.adapters.sqlite.producers import SqliteProducerStore
from fleuve.base.clock import ManualClock


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request, tmp_path, clock):
    if request.param == "memory":
        yield MemoryProducerStore(clock)
        return
    database = Database(tmp_path / "catalog.sqlite")
    database.open(asyncio.get_running_loop())
    yield SqliteProducerStore(database, clock)
    await database.close()


async def test_blocks_never_overlap(store):
    firsts = await asyncio.gather(*[store.allocate(size) for size in (10, 1, 1000, 10)])
    ids = [
        number for first, size in zip(firsts, (10, 1, 1000, 10), strict=True) for number in range(first, first + size)
    ]
    assert len(set(ids)) == len(ids)
    assert min(ids) >= 0


async def test_a_blocks_age_is_known_for_each_of_its_ids(store, clock):
    old = await store.allocate(10)
    born = clock.wall_ms()
    clock.advance(5_000)
    young = await store.allocate(10)
    assert await store.allocated_ms(old) == await store.allocated_ms(old + 9) == born
    assert await store.allocated_ms(young) == born + 5_000


async def test_an_id_that_was_never_handed_out_has_no_age(store):
    first = await store.allocate(3)
    assert await store.allocated_ms(first + 3) is None
    assert await store.allocated_ms(-1) is None


async def test_ids_go_on_after_the_catalog_was_opened_again(tmp_path, clock):
    firsts = []
    for _ in range(2):
        database = Database(tmp_path / "catalog.sqlite")
        database.open(asyncio.get_running_loop())
        firsts.append(await SqliteProducerStore(database, clock).allocate(1000))
        await database.close()
    assert firsts[1] == firsts[0] + 1000


async def test_old_blocks_are_forgotten_and_their_ids_never_given_again(store, clock):
    old = await store.allocate(10)
    clock.advance(5_000)
    young = await store.allocate(10)
    assert await store.forget(before_ms=clock.wall_ms()) == 1
    assert await store.allocated_ms(old) is None
    assert await store.allocated_ms(young) == clock.wall_ms()
    assert await store.allocate(1) == young + 10


async def test_the_newest_block_is_never_forgotten(store, clock):
    first = await store.allocate(10)
    clock.advance(5_000)
    assert await store.forget(before_ms=clock.wall_ms()) == 0
    assert await store.allocate(1) == first + 10
