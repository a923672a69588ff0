from __future__ import annotations

import asyncio

from fleuve.adapters.memory.producers import MemoryProducerStore
from fleuve.base.clock import ManualClock
from fleuve.engine.producers.service import ProducerService


async def test_nobody_gets_an_id_twice_even_when_all_ask_at_once():
    service = ProducerService(MemoryProducerStore(ManualClock()), block_size=3)
    ids = await asyncio.gather(*[service.new_producer_id() for _ in range(20)])
    assert len(set(ids)) == 20


async def test_a_restarted_broker_skips_what_was_left_of_the_block():
    store = MemoryProducerStore(ManualClock())
    first = await ProducerService(store).new_producer_id()
    assert await ProducerService(store).new_producer_id() == first + 1000
