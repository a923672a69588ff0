"""What every ObjectStore does."""

import pytest

from fleuve.adapters.memory.store import MemoryStore
from fleuve.base.ids import FlushId, Incarnation
from fleuve.ports.errors import ObjectMissing
from fleuve.ports.store import ObjectInfo, Range
from support.journals import journal_store

SEGMENT = "segments/17/00000000000000000042-a1.segment"


@pytest.fixture(params=["memory", "journal"])
async def store(request, tmp_path):
    if request.param == "memory":
        memory = MemoryStore()
        await memory.begin(Incarnation(1))
        yield memory
        return
    async with journal_store(tmp_path) as journal:
        yield journal


async def extent(store, number, body=b"x"):
    return await store.write(FlushId(Incarnation(1), number), b"", [body], durable=False)


async def test_a_segment_is_the_chunks_it_was_written_from(store):
    chunks = (bytes([number]) * 300_000 for number in range(10))
    assert await store.write_segment(SEGMENT, chunks) == 3_000_000
    first, last = await store.read([Range(SEGMENT, 0, 300_000), Range(SEGMENT, 2_700_000, 300_000)])
    assert first == bytes(300_000)
    assert last == bytes([9]) * 300_000


async def test_ranges_come_back_in_the_order_they_were_asked_for(store):
    await store.write_segment(SEGMENT, [bytes(range(256)) * 1000])
    await store.write_segment("segments/18/0-b.segment", [b"other"])
    ranges = [
        Range(SEGMENT, 255_000, 500),
        Range(SEGMENT, 0, 3),
        Range("segments/18/0-b.segment", 1, 3),
        Range(SEGMENT, 3, 2),
        Range(SEGMENT, 7, 0),
        Range(SEGMENT, 10, 4),
    ]
    whole = bytes(range(256)) * 1000
    found = await store.read(ranges)
    assert [bytes(view) for view in found] == [
        whole[255_000:255_500],
        b"\x00\x01\x02",
        b"the",
        b"\x03\x04",
        b"",
        b"\x0a\x0b\x0c\x0d",
    ]


async def test_what_is_read_is_the_callers_own_to_change(store):
    await store.write_segment(SEGMENT, [b"abcdef"])
    for view in await store.read([Range(SEGMENT, 0, 4), Range(SEGMENT, 2, 4), Range(SEGMENT, 0, 4)]):
        view[:] = b"----"
    again = await store.read([Range(SEGMENT, 0, 4), Range(SEGMENT, 2, 4)])
    assert [bytes(view) for view in again] == [b"abcd", b"cdef"]


async def test_overlapping_ranges_are_changed_apart(store):
    await store.write_segment(SEGMENT, [b"abcdef"])
    one, two = await store.read([Range(SEGMENT, 0, 4), Range(SEGMENT, 2, 4)])
    one[:] = b"----"
    assert two == b"cdef"


@pytest.mark.parametrize("size", [4, 200_000])
async def test_an_object_that_is_gone_is_missing(store, size):
    with pytest.raises(ObjectMissing, match="0-b"):
        await store.read([Range("segments/18/0-b.segment", 0, size)])
    await store.write_segment(SEGMENT, [bytes(size)])
    await store.read([Range(SEGMENT, 0, size)])
    await store.delete([SEGMENT])
    with pytest.raises(ObjectMissing):
        await store.read([Range(SEGMENT, 0, size)])


@pytest.mark.parametrize("size", [4, 200_000])
async def test_an_object_that_is_too_short_is_missing(store, size):
    await store.write_segment(SEGMENT, [bytes(size)])
    with pytest.raises(ObjectMissing, match=f"{SEGMENT} ends at {size}"):
        await store.read([Range(SEGMENT, 0, size + 1)])


async def test_deleting_what_is_gone_already_is_fine(store):
    await store.write_segment(SEGMENT, [b"x"])
    await store.delete([SEGMENT, "segments/18/0-b.segment"])
    await store.delete([SEGMENT])
    assert await store.list() == []


async def test_reading_nothing_gives_nothing(store):
    assert await store.read([]) == []


async def test_the_list_has_everything_and_says_what_grows(store):
    placed = await extent(store, 1, b"body")
    await store.write_segment(SEGMENT, [b"12345"])
    assert sorted(await store.list()) == [
        ObjectInfo(placed.object_name, placed.position + 4, growing=True),
        ObjectInfo(SEGMENT, 5, growing=False),
    ]


async def test_a_sealed_object_grows_no_more_and_stays_readable(store):
    placed = await extent(store, 1, b"body")
    await store.seal(older_than_ms=0, larger_than_bytes=1 << 30)
    assert await store.list() == [ObjectInfo(placed.object_name, placed.position + 4, growing=False)]
    assert (await extent(store, 2)).object_name != placed.object_name
    (found,) = await store.read([Range(placed.object_name, placed.position, 4)])
    assert found == b"body"


async def test_a_young_and_small_object_is_not_sealed(store):
    placed = await extent(store, 1)
    await store.seal(older_than_ms=3_600_000, larger_than_bytes=1 << 30)
    assert (await extent(store, 2)).object_name == placed.object_name


async def test_a_large_object_is_sealed_however_young(store):
    placed = await extent(store, 1, bytes(1000))
    await store.seal(older_than_ms=3_600_000, larger_than_bytes=999)
    assert (await extent(store, 2)).object_name != placed.object_name


async def test_sealing_where_nothing_is_is_fine(store):
    await store.seal(older_than_ms=0, larger_than_bytes=0)
    assert await store.list() == []


async def test_what_grows_can_be_read_while_it_is_written(store):
    for number in range(1, 40):
        placed = await extent(store, number, b"%d" % number * 100)
        (found,) = await store.read([Range(placed.object_name, placed.position, 3)])
        assert found == (b"%d" % number * 100)[:3]
