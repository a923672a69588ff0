"""Group commit when storage fails: nothing is acknowledged that is not in the log, and life goes on."""

from __future__ import annotations

import asyncio
import random

import pytest

from fleuve.adapters.memory.store import MemoryStore
from fleuve.engine.log import flush as flush_module
from fleuve.engine.log.append import Appended
from fleuve.engine.log.errors import OutcomeUnknown, OutOfOrderSequence, StorageFailed
from support.batches import batch
from support.faulty_ports import FaultyExtentStore, FaultyLogCatalog
from support.logs import running_log


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch):
    monkeypatch.setattr(flush_module, "RESOLVE_DELAY_S", 0.0005)
    monkeypatch.setattr(flush_module, "RESOLVE_DELAY_S_MAX", 0.001)


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
        await asyncio.sleep(0.0005)


async def test_a_failed_write_fails_its_batches_and_the_next_flush_succeeds(tmp_path):
    async with running_log(tmp_path) as log:
        flusher = faulty(log, random.Random(1), 1.0)
        assert isinstance(await log.append(batch(b"lost")), StorageFailed)
        calm(flusher)
        offset, _ = await until_taken(log, batch(b"kept"))
        assert offset == 0
        assert await log.values() == [(0, b"kept")]


@pytest.mark.parametrize("seed", range(15))
async def test_what_was_acknowledged_is_there_and_what_was_refused_is_not(tmp_path, seed):
    chance = random.Random(seed)
    async with running_log(tmp_path, store=MemoryStore()) as log:
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
            await asyncio.sleep(0.001)
        calm(flusher)
        for partition in (1, 2):
            await until_taken(log, batch(b"end"), partition=partition)
            found = await log.values(partition=partition)
            assert [offset for offset, _ in found] == list(range(len(found)))
            assert acknowledged[partition].items() <= dict(found).items()
            assert not refused & {value for _, value in found}


@pytest.mark.parametrize("seed", range(15))
async def test_an_idempotent_producer_that_retries_is_in_the_log_exactly_once(tmp_path, seed):
    chance = random.Random(seed)
    async with running_log(tmp_path) as log:
        faulty(log, chance, chance.choice([0.1, 0.3, 0.6]))
        for sequence in range(12):
            value = batch(b"%d" % sequence, producer_id=7, producer_epoch=0, base_sequence=sequence)
            offset, answers = await until_taken(log, value)
            assert offset == sequence
            assert not [answer for answer in answers if isinstance(answer, OutOfOrderSequence)]
        calm(log.service._flusher)
        assert [value for _, value in await log.values()] == [b"%d" % sequence for sequence in range(12)]


async def test_stopping_while_storage_is_down_does_not_hang(tmp_path):
    async with running_log(tmp_path) as log:
        flusher = faulty(log, random.Random(1), 1.0)
        assert isinstance(await log.append(batch(b"lost")), StorageFailed)
        async with asyncio.timeout(10):
            await log.service.close()
        calm(flusher)


async def test_what_a_new_producer_sent_behind_a_failed_batch_does_not_overtake_it(tmp_path):
    def produced(sequence):
        return batch(b"%d" % sequence, producer_id=7, producer_epoch=0, base_sequence=sequence)

    async with running_log(tmp_path) as log:
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
