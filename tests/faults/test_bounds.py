"""Clients that try to make the broker hold more memory than its settings say, or to keep others from it.

The bounds are small here. Each attack would take several times what the broker may use; meanwhile another client must
get its records in and out. What it may use is the sum of the bounds and, for the process, for its threads' buffers and
for what the allocator keeps, as much again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fleuve.app.surroundings import OFFLOAD_THREADS
from fleuve.engine.log.service import DECODED_BYTES_MAX
from fleuve.records.compression import Compression
from fleuve.records.record import Record, build_batch
from fleuve.wire.generated import fetch, produce
from support.batches import NOW_MS, batch
from support.broker_process import BrokerProcess
from support.kills import address_of
from support.machine import resident_bytes
from support.wire_client import FETCH_VERSION, PRODUCE_VERSION, Address, Client, produce_request

MIB = 1 << 20
SETTINGS = {
    "fleuve.tail.cache.bytes": 8 * MIB,
    "fleuve.produce.buffer.bytes": 4 * MIB,
    "fleuve.request.memory.bytes": 8 * MIB,
    "fleuve.fetch.memory.bytes": 8 * MIB,
    "log.retention.ms": -1,
}
GROWTH_BYTES_MAX = 80 * MIB
"""Twice what the settings allow (tails with a half for slow readers, buffer, requests, parts of requests, answers)."""
LARGE_BYTES = 200_000
"""More than a frame may have that takes no request memory."""
TIMEOUT_S = 20.0
FOREVER_MS = 2**31 - 1
PRODUCE_HEAD = struct.pack(">hh", produce.KEY, PRODUCE_VERSION)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path / "broker", settings=SETTINGS) as process:
        yield process


@contextlib.contextmanager
def attacked(broker: BrokerProcess, *, more_bytes: int = 0) -> Iterator[contextlib.ExitStack]:
    """Let the body attack with connections that it puts on the stack; then see how the broker and others fare."""
    address = address_of(broker)
    with Client(address, timeout_s=TIMEOUT_S) as client:
        client.create_topic("events", 1)
        client.produce("events", 0, batch(os.urandom(LARGE_BYTES)))
    before = resident_bytes(broker.pid)
    with contextlib.ExitStack() as stack:
        yield stack
        with Client(address, timeout_s=TIMEOUT_S) as client:
            value = os.urandom(LARGE_BYTES)
            offset = client.produce("events", 0, batch(value))
            records, _ = client.fetch("events", 0, offset)
            assert value in bytes(records)
        assert resident_bytes(broker.pid) - before < GROWTH_BYTES_MAX + more_bytes


def opened(address: Address, stack: contextlib.ExitStack, data: bytes) -> None:
    """Open a connection and send `data`, as much of it as the broker takes at once."""
    connection = stack.enter_context(socket.create_connection(address, timeout=TIMEOUT_S))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        connection.send(data)


def begun(size: int, sent: int) -> bytes:
    """Return the begin of a Produce request of `size` bytes."""
    return struct.pack(">i", size) + PRODUCE_HEAD + bytes(sent)


def fetch_all(topic: str, partitions: int, **wait: Any) -> fetch.FetchRequest:
    wanted = [
        fetch.FetchPartition(partition=index, fetch_offset=0, partition_max_bytes=64 * MIB)
        for index in range(partitions)
    ]
    return fetch.FetchRequest(max_bytes=64 * MIB, topics=[fetch.FetchTopic(topic=topic, partitions=wanted)], **wait)


@pytest.mark.parametrize(("size", "sent", "count"), [(7 * MIB, 0, 6), (60_000, 59_000, 800), (300_000, 290_000, 100)])
def test_requests_that_never_end(broker, size, sent, count):
    with attacked(broker) as stack:
        for _ in range(count):
            opened(address_of(broker), stack, begun(size, sent))


def test_requests_that_wait_behind_a_long_poll_for_ever(broker):
    with attacked(broker) as stack:
        for _ in range(4):
            client = stack.enter_context(Client(address_of(broker), timeout_s=TIMEOUT_S))
            request = fetch_all("events", 1, max_wait_ms=FOREVER_MS, min_bytes=FOREVER_MS)
            client.send(client.frame(fetch, request, FETCH_VERSION))
            client._socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client._socket.send(begun(3 * MIB, 3 * MIB - len(PRODUCE_HEAD)))


def test_thousands_of_small_requests_whose_answers_nobody_reads(broker):
    with attacked(broker) as stack:
        requests = struct.pack(">ihhih", 10, 18, 0, 1, -1) * 20_000
        for _ in range(100):
            opened(address_of(broker), stack, requests)


@pytest.mark.parametrize(
    "wait", [{"max_wait_ms": 0, "min_bytes": 1}, {"max_wait_ms": 600_000, "min_bytes": FOREVER_MS}]
)
def test_large_fetches_behind_the_tail_whose_answers_nobody_reads(broker, wait):
    partitions = 24
    with Client(address_of(broker), timeout_s=TIMEOUT_S) as client:
        client.create_topic("old", partitions)
        for index in range(partitions):
            client.produce("old", index, batch(os.urandom(900_000)))
    with attacked(broker) as stack:
        for _ in range(30):
            client = stack.enter_context(Client(address_of(broker), timeout_s=TIMEOUT_S))
            client.send(client.frame(fetch, fetch_all("old", partitions, **wait), FETCH_VERSION))


def test_fetch_sessions_of_very_many_partitions(tmp_path: Path):
    with (
        BrokerProcess(
            tmp_path / "broker", settings={**SETTINGS, "max.incremental.fetch.session.cache.slots": 100}
        ) as broker,
        attacked(broker),
        Client(address_of(broker), timeout_s=TIMEOUT_S) as client,
    ):
        request = fetch_all("unknown", 3000, max_wait_ms=0, min_bytes=0)
        request.session_id, request.session_epoch = 0, 0
        sessions = [client.call(fetch, request, FETCH_VERSION).session_id for _ in range(40)]
        # The first ones were remembered; those for which there was no room are served all the same.
        assert sessions[0] > 0
        assert sessions[-1] == 0


def test_small_batches_that_become_large_do_not_stop_the_loop(broker):
    record = Record(0, 0, b"key", bytes(16 * MIB))
    bomb = build_batch([record], base_timestamp=NOW_MS, compression=Compression.ZSTD)
    # Each thread that looks into batches may hold one that is decompressed.
    with attacked(broker, more_bytes=OFFLOAD_THREADS * DECODED_BYTES_MAX) as stack:
        with Client(address_of(broker), timeout_s=TIMEOUT_S) as client:
            client.create_topic("compacted", 1, {"cleanup.policy": "compact"})
        frames = []
        for _ in range(8):
            client = stack.enter_context(Client(address_of(broker), timeout_s=TIMEOUT_S))
            frames.append(client.frame(produce, produce_request("compacted", 0, bomb), PRODUCE_VERSION))
            client.send(*[frames[-1]] * 4)
