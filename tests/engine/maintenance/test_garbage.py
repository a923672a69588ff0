"""What is garbage, and when it goes: never while it grows, while a flush into it is under way, or in its grace."""

from __future__ import annotations

import pytest

from fleuve.base.ids import FlushId
from fleuve.engine.maintenance.policy import MaintenancePolicy
from fleuve.ports.log import FlushRows
from support.journals import journal_store
from support.maintained import appending, filler, world

POLICY = MaintenancePolicy(merge_backlog_files=100)
FOREVER = 1 << 62


@pytest.fixture(params=["memory", "sqlite and journal"])
async def log(request, tmp_path):
    if request.param == "memory":
        async with world(tmp_path, policy=POLICY) as made:
            yield made
        return
    async with (
        journal_store(tmp_path, incarnation=None) as store,
        world(tmp_path, kind="sqlite", store=store, policy=POLICY) as made,
    ):
        yield made


async def names_known(log):
    return {row.name for row in await log.catalogs.maintenance.objects(segments=True)}


async def deleted_and_sealed(log):
    """Store a record, delete it, and close its object; return the partition and the object's name."""
    (partition,) = await log.add_topic(1)
    await log.flush({partition: [filler(300)]})
    await log.delete_records(partition, offset=1)
    await log.seal()
    (name,) = await log.names_stored()
    return partition, name


async def written(log, partition):
    """Write a flush; return what commits it, and what was written."""
    log.number += 1
    flush, data = FlushId(log.incarnation, log.number), filler(400)
    placed = await log.store.write(flush, b"", [data], durable=True)
    committed = []

    async def commit():
        if not committed:
            committed.append(flush)
            rows = FlushRows(flush, placed.object_name, [], [partition])
            await log.catalogs.log.commit(rows, appending({partition: (placed.position, [data])}))

    return commit, data


async def test_an_object_waits_for_its_grace_and_goes_from_the_store_and_from_the_catalog(log):
    _, name = await deleted_and_sealed(log)
    await log.maintenance.run_once()
    assert await log.names_stored() == await names_known(log) == {name}
    log.clock.advance(POLICY.garbage_grace_ms - 1)
    # A reader may still be directed to it.
    await log.maintenance.run_once()
    assert await log.names_stored() == await names_known(log) == {name}
    log.clock.advance(1)
    await log.maintenance.run_once()
    assert await log.names_stored() == await names_known(log) == set()
    assert log.maintenance.stats.errors == 0


async def test_what_grows_is_no_garbage_though_nobody_refers_to_it(log):
    (partition,) = await log.add_topic(1)
    await log.flush({partition: [filler(300)]})
    await log.delete_records(partition, offset=1)
    await log.settle()
    assert await log.catalogs.maintenance.garbage(before_ms=FOREVER) == []
    assert len(await log.names_stored()) == 1
    assert log.maintenance.stats.errors == 0


async def test_what_grows_is_no_orphan_though_the_catalog_does_not_know_it(log):
    (partition,) = await log.add_topic(1)
    await written(log, partition)
    await log.settle()
    assert len(await log.names_stored()) == 1
    assert log.maintenance.stats.errors == 0


async def test_an_object_that_a_flush_under_way_will_refer_to_is_no_orphan(log):
    (partition,) = await log.add_topic(1)
    commit, data = await written(log, partition)
    await log.seal()
    log.flushes_settled = commit
    await log.maintenance._garbage.delete_orphans(grace_ms=0, writing=())
    await commit()
    assert len(await log.read(partition)) == len(data)


async def test_an_object_that_a_flush_under_way_will_refer_to_is_not_marked_and_has_all_of_its_grace_later(log):
    (partition,) = await log.add_topic(1)
    await log.flush({partition: [filler(300)]})
    await log.delete_records(partition, offset=1)
    commit, _ = await written(log, partition)
    await log.seal()
    log.flushes_settled = commit
    await log.maintenance._garbage.mark()
    await commit()
    await log.delete_records(partition, offset=2)
    assert await log.catalogs.maintenance.garbage(before_ms=FOREVER) == []
