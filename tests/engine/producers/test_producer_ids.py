"""Producer ids: never two alike, each with its age, and no record of them for ever."""

from __future__ import annotations

import asyncio

from fleuve.adapters.memory.producers import MemoryProducerStore
from fleuve.base.clock import ManualClock
from fleuve.engine.producers.service import FORGET_EVERY, ProducerService

EXPIRATION_MS = 86_400_000


async def test_no_id_is_handed_out_twice_also_after_a_new_start():
    clock = ManualClock()
    store = MemoryProducerStore(clock)
    ids = []
    for _ in range(2):
        service = ProducerService(store, clock, expiration_ms=EXPIRATION_MS)
        ids += await asyncio.gather(*[service.new_producer_id() for _ in range(20)])
    assert len(set(ids)) == 40


async def test_the_age_of_an_id_is_that_of_its_own():
    clock = ManualClock()
    store = MemoryProducerStore(clock)
    service = ProducerService(store, clock, expiration_ms=EXPIRATION_MS)
    first = await service.new_producer_id()
    clock.advance(60_000)
    second = await service.new_producer_id()
    assert await store.allocated_ms(second) - await store.allocated_ms(first) == 60_000


async def test_ids_that_are_older_than_any_state_leave_no_record():
    clock = ManualClock()
    store = MemoryProducerStore(clock)
    service = ProducerService(store, clock, expiration_ms=EXPIRATION_MS)
    old = [await service.new_producer_id() for _ in range(10)]
    clock.advance(EXPIRATION_MS + 1)
    young = [await service.new_producer_id() for _ in range(FORGET_EVERY)]
    assert [await store.allocated_ms(producer_id) for producer_id in old] == [None] * 10
    assert await store.allocated_ms(young[-1]) == clock.wall_ms()
