"""What every ExtentStore does."""

import asyncio

import pytest

from fleuve.adapters.memory.store import MemoryStore
from fleuve.base.ids import FlushId, Incarnation
from fleuve.ports.store import Range
from support.journals import journal_store

FIRST = Incarnation(1)
SECOND = Incarnation(2)


@pytest.fixture(params=["memory", "journal"])
async def store(request, tmp_path):
    if request.param == "memory":
        memory = MemoryStore()
        await memory.begin(FIRST)
        yield memory
        return
    async with journal_store(tmp_path, incarnation=FIRST) as journal:
        yield journal


def write(store, number, *body, incarnation=FIRST, header=b"", durable=True):
    return store.write(FlushId(incarnation, number), header, body, durable=durable)


async def scanned(store, incarnation=FIRST, *, after=0):
    return [
        (extent.flush.number, extent.header, bytes(extent.body), extent.placed)
        async for extent in store.scan(incarnation, after=after)
    ]


async def numbers(store, incarnation=FIRST, *, after=0):
    return [number for number, _, _, _ in await scanned(store, incarnation, after=after)]


async def test_a_scan_yields_what_was_written_in_order_and_where_it_lies(store):
    one = await write(store, 1, b"first", header=b"h1")
    two = await write(store, 2, b"sec", bytearray(b"ond"), memoryview(b"!"), header=b"h2", durable=False)
    assert await scanned(store) == [(1, b"h1", b"first", one), (2, b"h2", b"second!", two)]


async def test_the_body_can_be_read_where_it_was_placed(store):
    await write(store, 1, b"before")
    placed = await write(store, 2, b"here", header=b"header")
    await write(store, 3, b"behind")
    (found,) = await store.read([Range(placed.object_name, placed.position, 4)])
    assert found == b"here"


async def test_a_scan_begins_after_the_flush_it_is_told(store):
    for number in (1, 2, 5):
        await write(store, number, b"x")
    assert await numbers(store, after=2) == [5]
    assert await numbers(store, after=5) == []


async def test_an_extent_may_be_empty_tiny_many_pieced_or_large(store):
    bodies = [b"", b"x", b"piece" * 5000, bytes(range(256)) * 20_000]
    await write(store, 1)
    await write(store, 2, bodies[1])
    await write(store, 3, *[b"piece"] * 5000)
    await write(store, 4, *[bytes(range(256)) * 20] * 1000)
    assert [body for _, _, body, _ in await scanned(store)] == bodies


async def test_writes_that_are_under_way_together_keep_their_order(store):
    async with asyncio.TaskGroup() as group:
        for number in range(1, 20):
            group.create_task(write(store, number, b"%d" % number, durable=number % 3 == 0))
    assert await numbers(store) == list(range(1, 20))


async def test_a_voided_extent_is_not_there(store):
    for number in (1, 2, 3):
        await write(store, number, b"x")
    await store.void(FlushId(FIRST, 2))
    await write(store, 4, b"x")
    assert await numbers(store) == [1, 3, 4]


async def test_a_void_reaches_back_into_a_sealed_object(store):
    placed = await write(store, 1, b"x")
    await store.seal(older_than_ms=0, larger_than_bytes=0)
    await store.void(FlushId(FIRST, 1))
    assert (await write(store, 2, b"x")).object_name != placed.object_name
    assert await numbers(store) == [2]


async def test_a_flush_that_left_nothing_can_be_voided(store):
    await write(store, 1, b"x")
    await store.void(FlushId(FIRST, 2))
    await write(store, 3, b"x")
    assert await numbers(store) == [1, 3]


async def test_a_sync_keeps_what_is_there(store):
    await store.sync()
    await write(store, 1, b"x", durable=False)
    await store.sync()
    await store.sync()
    assert await numbers(store) == [1]


async def test_each_incarnation_has_its_own_extents_and_objects(store):
    old = await write(store, 1, b"old")
    await store.begin(SECOND)
    new = await write(store, 1, b"new", incarnation=SECOND)
    assert old.object_name != new.object_name
    assert await scanned(store, FIRST) == [(1, b"", b"old", old)]
    assert await scanned(store, SECOND) == [(1, b"", b"new", new)]


async def test_an_incarnation_that_wrote_nothing_has_no_extents(store):
    assert await numbers(store, FIRST) == []
    assert await numbers(store, Incarnation(9)) == []


async def test_an_object_that_does_not_grow_ends_behind_its_last_extent(store):
    await write(store, 1, b"one")
    placed = await write(store, 2, b"twotwo")
    await store.begin(SECOND)
    assert await store.valid_end(placed.object_name) == placed.position + 6


async def test_an_object_that_is_gone_ends_at_0(store):
    placed = await write(store, 1, b"one")
    await store.begin(SECOND)
    await store.delete([placed.object_name])
    assert await store.valid_end(placed.object_name) == 0


async def test_at_least_one_write_may_be_in_flight(store):
    assert store.writes_in_flight_max >= 1
