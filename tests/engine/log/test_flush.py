"""Group commit when storage fails: nothing is acknowledged that is not in the log, and life goes on."""

from __future__ import annotations

import asyncio
import functools
import random

import pytest

from fleuve.engine.log.append import Appended
from fleuve.engine.log.errors import OutcomeUnknown, OutOfOrderSequence, ShuttingDown, StorageFailed
from fleuve.engine.log.policy import LogPolicy
from fleuve.ports.errors import CatalogUnavailable, CommitOutcomeUnknown, Fenced, StoreUnavailable
from fleuve.simulation.loop import virtually
from support.batches import batch
from support.faulty_ports import FaultyExtentStore, FaultyLogCatalog
from support.logs import running_log, values_of


def virtual(test):
    """Run a test under virtual time: what is tried again is tried at once."""

    @functools.wraps(test)
    def run(*arguments, **named):
        virtually(asyncio.wait_for(test(*arguments, **named), 5_000))

    return run


def faulty(log, chance, probability):
    flusher = log.service._flusher
    flusher._catalog = FaultyLogCatalog(flusher._catalog, chance, probability=probability)
    flusher._store = FaultyExtentStore(flusher._store, chance, probability=probability)
    return flusher


def calm(flusher):
    flusher._catalog.probability = flusher._store.probability = 0.0


async def until_taken(log, value, **options):
    """Send until it is in the log for sure, as a producer does; return the offset and the other answers."""
    answers: list[object] = []
    while True:
        answer = await log.append(value, **options)
        if isinstance(answer, Appended):
            return answer.base_offset, answers
        answers.append(answer)
        await asyncio.sleep(0.1)


@virtual
async def test_a_failed_write_fails_its_batches_and_the_next_flush_succeeds():
    async with running_log() as log:
        flusher = faulty(log, random.Random(1), 1.0)
        assert isinstance(await log.append(batch(b"lost")), StorageFailed)
        calm(flusher)
        offset, _ = await until_taken(log, batch(b"kept"))
        assert offset == 0
        assert await log.values() == [(0, b"kept")]


@pytest.mark.parametrize("seed", range(15))
@virtual
async def test_what_was_acknowledged_is_there_and_what_was_refused_is_not(seed):
    chance = random.Random(seed)
    async with running_log() as log:
        flusher = faulty(log, chance, chance.choice([0.05, 0.2, 0.5]))
        acknowledged: dict[int, dict[int, bytes]] = {1: {}, 2: {}}
        refused: set[bytes] = set()
        for turn in range(15):
            sent = []
            for index in range(chance.randrange(1, 6)):
                value = b"%d-%d" % (turn, index)
                partition = chance.choice([1, 2])
                sent.append((value, partition, log.send(batch(value), partition=partition)))
            for value, partition, waiting in sent:
                answer = await waiting
                if isinstance(answer, Appended):
                    acknowledged[partition][answer.base_offset] = value
                elif isinstance(answer, StorageFailed):
                    refused.add(value)
                else:
                    assert isinstance(answer, OutcomeUnknown), answer
            await asyncio.sleep(0.1)
        calm(flusher)
        for partition in (1, 2):
            await until_taken(log, batch(b"end"), partition=partition)
            found = await log.values(partition=partition)
            assert [offset for offset, _ in found] == list(range(len(found)))
            assert acknowledged[partition].items() <= dict(found).items()
            assert not refused & {value for _, value in found}


@pytest.mark.parametrize("seed", range(15))
@virtual
async def test_an_idempotent_producer_that_retries_is_in_the_log_exactly_once(seed):
    chance = random.Random(seed)
    async with running_log() as log:
        faulty(log, chance, chance.choice([0.1, 0.3, 0.6]))
        for sequence in range(12):
            value = batch(b"%d" % sequence, producer_id=7, producer_epoch=0, base_sequence=sequence)
            offset, answers = await until_taken(log, value)
            assert offset == sequence
            assert not [answer for answer in answers if isinstance(answer, OutOfOrderSequence)]
        calm(log.service._flusher)
        assert [value for _, value in await log.values()] == [b"%d" % sequence for sequence in range(12)]


@virtual
async def test_stopping_while_storage_is_down_does_not_hang():
    async with running_log() as log:
        flusher = faulty(log, random.Random(1), 1.0)
        assert isinstance(await log.append(batch(b"lost")), StorageFailed)
        async with asyncio.timeout(10):
            await log.service.close()
        calm(flusher)


@virtual
async def test_what_a_new_producer_sent_behind_a_failed_batch_does_not_overtake_it():
    async with running_log() as log:
        flusher = faulty(log, random.Random(1), 0.0)
        flusher._store.probability = 1.0
        first = log.send(produced(0))
        await asyncio.sleep(0)
        second = log.send(produced(1))
        assert isinstance(await first, StorageFailed)
        calm(flusher)
        assert isinstance(await second, StorageFailed | OutOfOrderSequence)
        assert isinstance(await log.append(produced(2)), StorageFailed | OutOfOrderSequence)
        for sequence in range(3):
            offset, _ = await until_taken(log, produced(sequence))
            assert offset == sequence


def produced(sequence, *, producer_id=7, epoch=0):
    return batch(b"%d" % sequence, producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence)


@virtual
async def test_a_forgotten_producer_may_send_its_failed_batch_again_as_it_was():
    """Nothing is known of it any more, so it may begin in the middle; that its first attempt failed changes nothing."""
    async with running_log() as log:
        flusher = faulty(log, random.Random(1), 0.0)
        flusher._store.probability = 1.0
        first = log.send(produced(41))
        await asyncio.sleep(0)
        second = log.send(produced(42))
        assert isinstance(await first, StorageFailed)
        assert isinstance(await second, StorageFailed)
        calm(flusher)
        assert isinstance(await log.append(produced(42)), OutOfOrderSequence)
        again = log.send(produced(41)), log.send(produced(42))
        assert [(await one).base_offset for one in again] == [0, 1]


@virtual
async def test_a_producer_that_gave_up_a_failed_batch_begins_anew_with_its_next_epoch():
    async with running_log() as log:
        flusher = faulty(log, random.Random(1), 0.0)
        flusher._store.probability = 1.0
        assert isinstance(await log.append(produced(0)), StorageFailed)
        calm(flusher)
        assert isinstance(await log.append(produced(1)), OutOfOrderSequence)
        assert (await log.append(produced(0, epoch=1))).base_offset == 0
        assert (await log.append(produced(1, epoch=1))).base_offset == 1


class Gated:
    """A port whose operations wait, or fail, as the test says."""

    def __init__(self, inner):
        self.inner = inner
        self.gates = {}
        self.errors = {}

    def __getattr__(self, name):
        found = getattr(self.inner, name)
        if name not in ("write", "void", "commit", "sync"):
            return found

        async def operation(*arguments, **named):
            if (gate := self.gates.get(name)) is not None:
                await gate.wait()
            if errors := self.errors.get(name):
                raise errors.pop(0)
            return await found(*arguments, **named)

        return operation


def gated(log):
    flusher = log.service._flusher
    flusher._catalog, flusher._store = Gated(flusher._catalog), Gated(flusher._store)
    return flusher


@virtual
async def test_a_flush_that_is_written_first_is_not_committed_before_those_in_front_of_it():
    async with running_log() as log:
        flusher = gated(log)
        flusher._catalog.gates["commit"] = commit = asyncio.Event()
        flusher._store.write = holding(flusher._store.write, 2, write := asyncio.Event())
        sent = []
        for index in range(3):
            # One waits for the catalog, the next for the device, and the last for nothing but these two.
            sent.append(log.send(batch(b"%d" % index)))
            await asyncio.sleep(1)
        commit.set()
        await asyncio.sleep(1)
        assert [one.done() for one in sent] == [True, False, False]
        write.set()
        assert [(await one).base_offset for one in sent] == [0, 1, 2]
        assert await log.values() == [(index, b"%d" % index) for index in range(3)]


def holding(write, number, gate):
    """Return the write, but for one flush that waits once it is written."""

    async def held(flush, *arguments, **named):
        placed = await write(flush, *arguments, **named)
        if flush.number == number:
            await gate.wait()
        return placed

    return held


@virtual
async def test_a_commit_that_was_taken_for_lost_and_happened_is_no_second_batch():
    """The void finds the flush committed: its readers see it, and its producer's retry is a duplicate."""
    async with running_log() as log:
        flusher = gated(log)
        catalog = flusher._catalog.inner
        reading = asyncio.ensure_future(log.fetch(0, wait_ms=60_000))

        async def commit(rows, decide):
            await catalog.commit(rows, decide)
            del flusher._catalog.commit
            raise CommitOutcomeUnknown("the answer was lost")

        flusher._catalog.commit = commit
        assert isinstance(await log.append(produced(0)), OutcomeUnknown)
        assert values_of(await reading) == [(0, b"0")]
        offset, _ = await until_taken(log, produced(0))
        assert offset == 0
        assert (await log.append(produced(1))).base_offset == 1
        assert await log.values() == [(0, b"0"), (1, b"1")]


@virtual
async def test_nothing_is_taken_while_it_is_not_known_what_became_of_a_flush():
    async with running_log() as log:
        flusher = gated(log)
        flusher._catalog.gates["void"] = resolving = asyncio.Event()
        flusher._catalog.errors["commit"] = [CatalogUnavailable("disk full")]
        assert isinstance(await log.append(batch(b"lost")), StorageFailed)
        assert isinstance(await log.append(batch(b"too early")), StorageFailed)
        assert log.service.unavailable is not None
        resolving.set()
        assert (await until_taken(log, batch(b"kept")))[0] == 0
        assert log.service.unavailable is None


@pytest.mark.parametrize("operation", ["commit", "void"])
@virtual
async def test_a_fenced_broker_takes_nothing_more_and_says_so_once_for_each_batch(operation):
    async with running_log() as log:
        flusher = gated(log)
        if operation == "void":
            flusher._store.errors["write"] = [StoreUnavailable("disk full")]
        await log.catalog.log.close_incarnation(flusher._incarnation)
        assert isinstance(await log.append(batch(b"x")), ShuttingDown | StorageFailed)
        await asyncio.sleep(1)
        assert isinstance(log.fenced[0], Fenced)
        assert isinstance(await log.append(batch(b"x")), ShuttingDown)


@virtual
async def test_stopping_with_a_flush_that_nobody_can_settle_commits_nothing_behind_it():
    async with running_log() as log:
        flusher = gated(log)
        flusher._catalog.errors["commit"] = [CatalogUnavailable("disk full")]
        flusher._catalog.errors["void"] = [CatalogUnavailable("disk full")] * 5
        flusher._store.gates["write"] = writing = asyncio.Event()
        sent = [log.send(batch(b"a"))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        sent.append(log.send(batch(b"b")))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(log.service.close())
        await asyncio.sleep(0)
        writing.set()
        await closing
        assert [type(await one) for one in sent] == [StorageFailed, StorageFailed]
        assert not log.fenced
        assert isinstance(await log.append(batch(b"x")), ShuttingDown)


@virtual
async def test_a_background_flush_that_failed_is_tried_again():
    async with running_log() as log:
        synced = asyncio.Event()
        errors = [StoreUnavailable("disk full"), StoreUnavailable("disk full")]

        class Store:
            async def sync(self):
                if errors:
                    raise errors.pop(0)
                synced.set()

        log.service._sync._store = Store()
        await log.append(batch(b"x"), flush_messages=1_000, flush_ms=1)
        await synced.wait()
        assert not errors


@virtual
async def test_a_flush_of_everything_clears_what_was_due():
    async with running_log() as log:
        sync = log.service._sync
        await log.append(batch(b"x"), flush_messages=1_000, flush_ms=60_000)
        assert sync._timer is not None
        await log.append(batch(b"y"), partition=2)
        assert sync._timer is None
        assert not sync._records


@virtual
async def test_the_records_of_a_partition_are_counted_until_its_flush_is_due():
    async with running_log() as log:
        synced = []
        log.service._sync._store = Gated(log.store)
        log.service._sync._store.sync = lambda: _note(synced)
        for _ in range(3):
            await log.append(batch(b"a", b"b"), flush_messages=7)
            await log.append(batch(b"a", b"b"), partition=2, flush_messages=7)
        await asyncio.sleep(0)
        assert not synced
        await log.append(batch(b"a"), flush_messages=7)
        await asyncio.sleep(0)
        assert synced == [True]


async def _note(synced):
    synced.append(True)


@virtual
async def test_what_was_refused_meanwhile_is_not_overtaken_either():
    """A new producer's first batch comes while a flush is being settled, its second one after that."""
    async with running_log() as log:
        flusher = gated(log)
        flusher._catalog.gates["void"] = resolving = asyncio.Event()
        flusher._catalog.errors["commit"] = [CatalogUnavailable("disk full")]
        assert isinstance(await log.append(batch(b"lost")), StorageFailed)
        assert isinstance(await log.append(produced(0)), StorageFailed)
        resolving.set()
        await asyncio.sleep(1)
        assert isinstance(await log.append(produced(1)), OutOfOrderSequence)
        assert [(await log.append(produced(sequence))).base_offset for sequence in (0, 1)] == [0, 1]


@virtual
async def test_what_fails_with_a_flush_is_voided_before_it():
    """After a crash between the two voids, a replay must not take what the first one doomed for sound."""
    async with running_log() as log:
        flusher = gated(log)
        done = []

        async def void_stored(flush):
            done.append(("store", flush.number))

        async def void_committed(flush):
            done.append(("catalog", flush.number))
            return await flusher._catalog.inner.void(flush)

        flusher._store.void, flusher._catalog.void = void_stored, void_committed
        flusher._store.errors["write"] = [StoreUnavailable("disk full")]
        flusher._store.gates["write"] = writing = asyncio.Event()
        first = log.send(produced(0))
        await asyncio.sleep(0.1)
        second = log.send(produced(1))
        await asyncio.sleep(0.1)
        writing.set()
        assert isinstance(await first, StorageFailed)
        assert isinstance(await second, StorageFailed)
        await asyncio.sleep(1)
        assert done == [("store", 2), ("catalog", 1), ("catalog", 2)]


@virtual
async def test_tiny_batches_fill_the_buffer_by_their_number():
    """A slab is full after so many of them: memory is bounded by what they take, not by what they say."""
    async with running_log(policy=LogPolicy(produce_buffer_bytes=1 << 20)) as log:
        sent = []
        while log.service.has_room:
            sent.append(log.send(batch(b"")))
        assert len(sent) < 2_000
        await asyncio.gather(*sent)
        assert log.service.stats.buffer_bytes == 0
