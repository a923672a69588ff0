"""Attacks on what the broker has only so much of: memory, connections, its one loop, its threads, its disk.

Each opens what it needs on a stack and goes on until the stack is closed. What they try for is several times what the
broker may use; they are shared by the tests and by `benchmarks/under_attack.py`.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

from fleuve.records.compression import Compression
from fleuve.records.record import Record, build_batch
from fleuve.wire.generated import create_topics, fetch, join_group, metadata, produce
from hostile.messages import framed
from support.batches import NOW_MS, batch
from support.wire_client import FETCH_VERSION, PRODUCE_VERSION, Address, Client, produce_request, request_frame

MIB = 1 << 20
REQUEST_MEMORY = 8 * MIB
REQUEST_BYTES_MAX = 7 * MIB
SETTINGS: dict[str, str | int] = {
    "socket.request.max.bytes": REQUEST_BYTES_MAX,
    "fleuve.tail.cache.bytes": 8 * MIB,
    "fleuve.produce.buffer.bytes": 4 * MIB,
    "fleuve.request.memory.bytes": REQUEST_MEMORY,
    "fleuve.fetch.memory.bytes": 8 * MIB,
    "group.initial.rebalance.delay.ms": 0,
    "log.retention.ms": -1,
}
"""Small bounds for a broker that is attacked."""
TIMEOUT_S = 20.0
FOREVER_MS = 2**31 - 1
PRODUCE_HEAD = struct.pack(">hh", produce.KEY, PRODUCE_VERSION)
TICK_S = 0.05
DESCRIPTORS = 12_000
"""What a process that holds ten thousand connections needs; both ends here have them."""

Attack = Callable[[Address, contextlib.ExitStack], None]


def allow_descriptors(count: int = DESCRIPTORS) -> None:
    """Raise this process's bound of open files, as far as it may; processes that it starts have the same."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def opened(address: Address, stack: contextlib.ExitStack, data: bytes = b"", *, source: str = "") -> socket.socket:
    """Open a connection and send `data`, as much of it as the broker takes at once."""
    source_address = (source, 0) if source else None
    connection = stack.enter_context(
        socket.create_connection(address, timeout=TIMEOUT_S, source_address=source_address)
    )
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    with contextlib.suppress(OSError):
        connection.send(data)
    return connection


def begun(size: int, sent: int) -> bytes:
    """Return the begin of a Produce request of `size` bytes."""
    return struct.pack(">i", size) + PRODUCE_HEAD + bytes(sent)


class Swarm:
    """Connections that one thread attends to, each with a step that is taken again and again.

    A connection that the broker closes is opened anew, as an attacker would.
    """

    def __init__(self, address: Address, stack: contextlib.ExitStack, *, tick_s: float = TICK_S) -> None:
        self._address = address
        self._stack = contextlib.ExitStack()
        self._tick_s = tick_s
        self._members: list[tuple[Iterator[bytes], Callable[[], Iterator[bytes]]]] = []
        self._sockets: list[socket.socket | None] = []
        self._unsent: list[bytes] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="swarm")
        self._reads = 0
        self.opened = 0
        stack.callback(self._end)

    def add(self, sends: Callable[[], Iterator[bytes]], *, reads: int = 0) -> None:
        """Add a connection that sends what the iterator yields, a piece a tick, and reads so many bytes a tick."""
        self._reads = reads
        self._members.append((sends(), sends))
        self._sockets.append(None)
        self._unsent.append(b"")

    def start(self) -> None:
        """Open all connections, and go on with them in a thread."""
        for index in range(len(self._members)):
            self._step(index)
        self._thread.start()

    def _end(self) -> None:
        self._ending.set()
        self._thread.join()
        for connection in self._sockets:
            if connection is not None:
                connection.close()

    def _run(self) -> None:
        while not self._ending.wait(self._tick_s):
            for index in range(len(self._members)):
                self._step(index)
                if self._ending.is_set():
                    return

    def _step(self, index: int) -> None:
        connection = self._sockets[index]
        try:
            if connection is None:
                self._members[index] = (self._members[index][1](), self._members[index][1])
                self._unsent[index] = b""
                connection = self._sockets[index] = opened(self._address, self._stack)
                self.opened += 1
            if not self._unsent[index]:
                self._unsent[index] = next(self._members[index][0], b"")
            if self._unsent[index]:
                sent = connection.send(self._unsent[index])
                self._unsent[index] = self._unsent[index][sent:]
            if self._reads and not connection.recv(self._reads):
                raise ConnectionResetError
        except BlockingIOError:
            pass
        except OSError:
            if connection is not None:
                connection.close()
            self._sockets[index] = None


# ---------------------------------------------------------------- frames that never end


def never_ending(size: int, sent: int, count: int) -> Attack:
    """Return the attack of so many connections that send the begin of a request and no more, again when cut off."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        swarm = Swarm(address, stack)
        start = begun(size, sent)
        for _ in range(count):
            swarm.add(lambda: iter((start,)))
        swarm.start()

    return attack


def slow_writers(size: int, count: int) -> Attack:
    """Return the attack of connections that send a byte at a time of a request of that size."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        swarm = Swarm(address, stack)

        def bytewise() -> Iterator[bytes]:
            yield begun(size, size // 2)
            while True:
                yield b"\0"

        for _ in range(count):
            swarm.add(bytewise)
        swarm.start()

    return attack


def at_the_limit(count: int, size: int = REQUEST_BYTES_MAX) -> Attack:
    """Return the attack of whole requests of the largest size on every connection at once, one after another."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        swarm = Swarm(address, stack, tick_s=0.001)
        padded = struct.pack(">i", size) + _small_request()[4:].ljust(size, b"\0")

        def again() -> Iterator[bytes]:
            while True:
                yield padded

        for _ in range(count):
            swarm.add(again, reads=1 << 16)
        swarm.start()

    return attack


def fast_producers(count: int, size: int = 500_000) -> Attack:
    """Return the attack, if it is one, of producers that send batches of that size as fast as they are taken."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        fill(address, "fast", partitions=4, size=10)
        swarm = Swarm(address, stack, tick_s=0.001)
        made = produce_request("fast", 0, batch(os.urandom(size)))
        frame = request_frame(produce, made, PRODUCE_VERSION, 1, "producer")

        def again() -> Iterator[bytes]:
            while True:
                yield frame

        for _ in range(count):
            swarm.add(again, reads=1 << 16)
        swarm.start()

    return attack


def _small_request() -> bytes:
    return request_frame(metadata, metadata.MetadataRequest(topics=[]), 1, 1, "attacker")


# ---------------------------------------------------------------- connections


def half_open(count: int) -> Attack:
    """Return the attack of so many connections that send nothing, or not even a whole size."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        allow_descriptors()
        for number in range(count):
            # An address has ports for some tens of thousands of connections, the loopback has many addresses.
            opened(address, stack, bytes(number % 4), source=f"127.0.0.{2 + number // 5000}")

    return attack


def coming_and_going(count: int) -> Attack:
    """Return the attack of connections that are opened and closed as fast as can be."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        swarm = Swarm(address, stack, tick_s=0.001)
        for _ in range(count):
            swarm.add(lambda: iter((b"\xff\xff\xff\xff",)), reads=1)
        swarm.start()

    return attack


# ---------------------------------------------------------------- answers that nobody takes


def never_reading(count: int) -> Attack:
    """Return the attack of clients that send requests and read no answer."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        swarm = Swarm(address, stack)

        def requests() -> Iterator[bytes]:
            while True:
                yield framed(struct.pack(">hhih", 18, 0, 1, -1)) * 1000

        for _ in range(count):
            swarm.add(requests)
        swarm.start()

    return attack


def slow_readers(count: int) -> Attack:
    """Return the attack of clients that fetch much and read a byte at a time."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        fill(address, "old", partitions=24, size=900_000)
        swarm = Swarm(address, stack)
        frame = request_frame(fetch, fetch_all("old", 24), FETCH_VERSION, 1, "attacker")

        def requests() -> Iterator[bytes]:
            while True:
                yield frame

        for _ in range(count):
            swarm.add(requests, reads=1)
        swarm.start()

    return attack


def long_polls(count: int) -> Attack:
    """Return the attack of so many fetches that wait for ever, a request of 3 MiB behind each tenth."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        fill(address, "polled", partitions=1, size=10)
        swarm = Swarm(address, stack)
        request = fetch_all("polled", 1, max_wait_ms=FOREVER_MS, min_bytes=FOREVER_MS)
        frame = request_frame(fetch, request, FETCH_VERSION, 1, "attacker")
        for number in range(count):
            behind = begun(3 * MIB, 3 * MIB) if number % 10 == 0 else b""
            swarm.add(lambda behind=behind: iter((frame, behind)))  # type: ignore[misc]
        swarm.start()

    return attack


def fill(address: Address, topic: str, *, partitions: int, size: int) -> None:
    """Create a topic, and put one record of that size into each partition."""
    with Client(address, timeout_s=TIMEOUT_S) as client:
        client.create_topic(topic, partitions, {"retention.ms": "-1"})
        for index in range(partitions):
            client.produce(topic, index, batch(os.urandom(size)))


def fetch_all(topic: str, partitions: int, **wait: Any) -> fetch.FetchRequest:
    """Return a request for all of a topic."""
    wanted = [
        fetch.FetchPartition(partition=index, fetch_offset=0, partition_max_bytes=64 * MIB)
        for index in range(partitions)
    ]
    return fetch.FetchRequest(max_bytes=64 * MIB, topics=[fetch.FetchTopic(topic=topic, partitions=wanted)], **wait)


# ---------------------------------------------------------------- work


def many_groups(count: int) -> Attack:
    """Return the attack of so many groups, each with a member that will not come again."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        client = stack.enter_context(Client(address, timeout_s=TIMEOUT_S))
        protocol = join_group.JoinGroupRequestProtocol(name="range", metadata=bytes(100))
        for number in range(0, count, 100):
            # An id that the broker gives is asked back for, and this client does not come back.
            frames = [
                client.frame(
                    join_group,
                    join_group.JoinGroupRequest(
                        group_id=f"group-{number + offset}",
                        session_timeout_ms=300_000,
                        rebalance_timeout_ms=1000,
                        protocol_type="consumer",
                        protocols=[protocol],
                    ),
                    3,
                )
                for offset in range(100)
            ]
            client.send(*frames)
            for _ in frames:
                client.receive(join_group, 3)

    return attack


def huge_topics(count: int) -> Attack:
    """Return the attack of requests for topics with very many partitions, with very many topics, or both."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        client = stack.enter_context(Client(address, timeout_s=60.0))
        for number in range(count):
            topics = [
                create_topics.CreatableTopic(name=f"huge-{number}-{index}", num_partitions=5000, replication_factor=1)
                for index in range(3)
            ] + [
                create_topics.CreatableTopic(name=f"many-{number}-{index}", num_partitions=1, replication_factor=1)
                for index in range(5000)
            ]
            for some in (topics[:1], topics[:3], topics[3:], topics):
                request = create_topics.CreateTopicsRequest(topics=some, timeout_ms=30_000)
                client.call(create_topics, request, 5)

    return attack


def bombs(count: int) -> Attack:
    """Return the attack of small batches for a compacted topic that become large, or very many records."""

    def attack(address: Address, stack: contextlib.ExitStack) -> None:
        with Client(address, timeout_s=TIMEOUT_S) as client:
            client.create_topic("compacted", 1, {"cleanup.policy": "compact"})
        large = build_batch(
            [Record(0, 0, b"key", bytes(16 * MIB))], base_timestamp=NOW_MS, compression=Compression.ZSTD
        )
        many = build_batch(
            [Record(index, 0, None, None) for index in range(200_000)],
            base_timestamp=NOW_MS,
            compression=Compression.ZSTD,
        )
        for number in range(count):
            client = stack.enter_context(Client(address, timeout_s=TIMEOUT_S))
            made = produce_request("compacted", 0, many if number % 2 else large)
            client.send(*[client.frame(produce, made, PRODUCE_VERSION)] * 8)

    return attack


ATTACKS: dict[str, Attack] = {
    "6 requests of 7 MiB that never come": never_ending(REQUEST_BYTES_MAX, 0, 6),
    "800 of 60 KB, 59 KB come": never_ending(60_000, 59_000, 800),
    "100 of 300 KB, 290 KB come": never_ending(300_000, 290_000, 100),
    "400 of 300 KB, 10 KB come": never_ending(300_000, 10_000, 400),
    "200 of 300 KB, byte by byte": slow_writers(300_000, 200),
    "20 connections with requests of 7 MiB": at_the_limit(20),
    "100 connections with requests of 900 KB": at_the_limit(100, 900_000),
    "10,000 half-open connections": half_open(10_000),
    "50 connections that come and go": coming_and_going(50),
    "100 clients that never read": never_reading(100),
    "30 clients that fetch and read byte by byte": slow_readers(30),
    "2,000 long polls": long_polls(2000),
    "5,000 groups": many_groups(5000),
    "topics by the thousand": huge_topics(2),
    "100 bombs": bombs(12),
}
"""By what they are."""
