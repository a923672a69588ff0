"""What every offload must do, and the bound of the one that has one."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from fleuve.adapters.memory.offload import InlineOffload
from fleuve.adapters.threads.offload import ThreadOffload
from fleuve.records.errors import CorruptRecord

LARGE = 1 << 20


@pytest.fixture(params=["inline", "threads"])
async def offload(request):
    if request.param == "inline":
        yield InlineOffload()
        return
    threads = ThreadOffload(threads=2, queued_max=1)
    yield threads
    await threads.close()


async def test_work_returns_what_it_returns(offload):
    assert await offload.run(lambda: 42, size_bytes=LARGE) == 42
    assert await offload.run(lambda: 43, size_bytes=1) == 43


async def test_work_raises_what_it_raises(offload):
    with pytest.raises(ZeroDivisionError):
        await offload.run(lambda: 1 // 0, size_bytes=LARGE)
    assert await offload.run(lambda: 42, size_bytes=LARGE) == 42


async def test_an_error_keeps_nothing_alive_that_the_work_had():
    class Buffer(bytearray):
        pass

    held = []

    def work() -> None:
        buffer = Buffer(10)
        held.append(weakref.ref(buffer))
        try:
            raise ValueError("what the library says")
        except ValueError as error:
            raise CorruptRecord("what it means") from error

    threads = ThreadOffload(threads=1, queued_max=1)
    gc.disable()
    try:
        with pytest.raises(CorruptRecord, match="what it means"):
            await threads.run(work, size_bytes=LARGE)
        assert held[0]() is None
    finally:
        gc.enable()
        await threads.close()


async def test_more_work_than_places_is_all_done(offload):
    results = await asyncio.gather(*(offload.run(lambda n=n: n * n, size_bytes=LARGE) for n in range(50)))
    assert results == [n * n for n in range(50)]


@pytest.fixture
async def single():
    threads = ThreadOffload(threads=1, queued_max=1)
    yield threads
    await threads.close()


async def test_small_work_stays_on_the_loop_and_large_work_leaves_it(single):
    assert await single.run(threading.get_ident, size_bytes=10) == threading.get_ident()
    assert await single.run(threading.get_ident, size_bytes=LARGE) != threading.get_ident()


async def test_a_full_queue_makes_callers_wait_even_when_others_were_cancelled(single):
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold() -> str:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(30)
        return "held"

    async with asyncio.TaskGroup() as group:
        running = group.create_task(single.run(hold, size_bytes=LARGE))
        await begun.wait()
        queued = group.create_task(single.run(lambda: "queued", size_bytes=LARGE))
        waiting = group.create_task(single.run(lambda: "waited", size_bytes=LARGE))
        await asyncio.sleep(0)
        # Its thread works on, so its place is still taken.
        running.cancel()
        await asyncio.sleep(0)
        assert not queued.done()
        assert not waiting.done()
        go_on.set()
    assert running.cancelled()
    assert (queued.result(), waiting.result()) == ("queued", "waited")
