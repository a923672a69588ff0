"""Clients that do not take what they asked for: they get their own bytes in the end, or lose their connection.

The tail cache is small here and turns over many times while answers wait in sockets. Bytes of a slab that was used
again too early would reach a client as somebody else's batch, maybe with a checksum that fits: so values say whose they
are.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from fleuve.records.batch import check_batch, walk
from fleuve.records.record import decode
from fleuve.wire.generated import fetch
from support.batches import batch
from support.broker_process import BrokerProcess
from support.kills import address_of
from support.machine import resident_bytes
from support.wire_client import FETCH_VERSION, Client

BATCH_BYTES = 256 << 10
READERS = 12
ROUNDS = 400
"""Batches that are produced while the readers stall: 100 MiB, through a cache of 8."""

SETTINGS = {
    "fleuve.tail.cache.bytes": 8 << 20,
    "fleuve.produce.buffer.bytes": 4 << 20,
    "fleuve.fetch.memory.bytes": 32 << 20,
}
MEMORY_BYTES_MAX = 160 << 20
"""Far below what twelve readers asked for, plus what was produced meanwhile."""


@pytest.fixture
def broker(tmp_path: Path):
    with BrokerProcess(tmp_path / "broker", settings=SETTINGS) as process:
        yield process


def wanted(topic: str, offset: int) -> fetch.FetchRequest:
    partition = fetch.FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=8 << 20)
    return fetch.FetchRequest(
        max_wait_ms=0, min_bytes=1, max_bytes=8 << 20, topics=[fetch.FetchTopic(topic=topic, partitions=[partition])]
    )


def value_of(topic: str, number: int) -> bytes:
    return b"%s-%08d-" % (topic.encode(), number) * (BATCH_BYTES // (len(topic) + 10))


def checked(topic: str, records: memoryview) -> int:
    """Check that these are whole batches of `topic`, each with its own value; return how many."""
    count = 0
    for position, size, base_offset, _, _ in walk(records, 0, len(records)):
        check_batch(records, position, position + size, control_allowed=True)
        (record,) = decode(records[position : position + size], size_bytes_max=1 << 26)
        assert record.value == value_of(topic, base_offset)
        count += 1
    return count


def test_a_reader_that_stalls_while_the_cache_turns_over_gets_its_own_bytes_or_is_cut_off(broker):
    address = address_of(broker)
    with Client(address, timeout_s=60) as producer, contextlib.ExitStack() as stack:
        producer.create_topic("slow", 1)
        producer.create_topic("other", 1)
        number = 0
        for number in range(24):
            producer.produce("slow", 0, batch(value_of("slow", number)))
        readers = [stack.enter_context(Client(address, timeout_s=60)) for _ in range(READERS)]
        for index, reader in enumerate(readers):
            # Each asks twice for 4 MiB and more, from the tail and from behind it, and takes nothing yet.
            reader.send(
                reader.frame(fetch, wanted("slow", index), FETCH_VERSION),
                reader.frame(fetch, wanted("slow", 8), FETCH_VERSION),
            )
        for number in range(ROUNDS):
            producer.produce("other", 0, batch(value_of("other", number)))
        served = 0
        for reader in readers:
            with contextlib.suppress(ConnectionError):
                for _ in range(2):
                    _, response = reader.receive(fetch, FETCH_VERSION)
                    records = response.responses[0].partitions[0].records
                    served += checked("slow", memoryview(records))
        # The broker goes on for everybody else.
        producer.produce("other", 0, batch(value_of("other", ROUNDS)))
        assert producer.end_offset("other", 0) == ROUNDS + 1
        # Those that were not cut off got what they had asked for.
        assert served > 0
        assert resident_bytes(broker.pid) < MEMORY_BYTES_MAX
