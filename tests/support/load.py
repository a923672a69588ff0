"""Load that costs its sender little: prepared Produce requests, pipelined over some connections.

The requests of a connection are made once, one behind the other in one buffer, and sent in a circle; answers are
counted by their fixed size and checked for order and errors. What the broker does with them is all that is measured.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from collections import deque
from dataclasses import dataclass, field
from time import perf_counter

from fleuve.records.record import Record, build_batch
from fleuve.wire.generated import produce
from support.batches import NOW_MS
from support.wire_client import PRODUCE_VERSION, Address, produce_request, request_frame

PREPARED_BYTES_MAX = 16 << 20
PREPARED_MAX = 1024
_ANSWER = struct.Struct(">ii")
"""Size and correlation id."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is sent, and how."""

    name: str
    value_bytes: int
    records: int = 1
    connections: int = 4
    depth: int = 64
    """Requests in flight on each connection."""


@dataclass
class Measured:
    """What came of it."""

    requests: int = 0
    seconds: float = 0.0
    request_bytes: int = 0
    latencies_s: list[float] = field(default_factory=list)

    def latency_ms(self, share: float) -> float:
        """Return that quantile of the latency, in ms."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def batch_of(shape: Shape) -> bytes:
    """Return the batch that is sent again and again; its bytes do not compress."""
    return build_batch(
        [Record(index, 0, None, os.urandom(shape.value_bytes)) for index in range(shape.records)],
        base_timestamp=NOW_MS,
    )


class _Lane:
    """One connection, its circle of requests, and those without an answer."""

    def __init__(self, address: Address, topic: str, partition: int, shape: Shape, batch: bytes) -> None:
        request = produce_request(topic, partition, batch)
        size = len(request_frame(produce, request, PRODUCE_VERSION, 0, "load"))
        self.count = max(1, min(PREPARED_MAX, PREPARED_BYTES_MAX // size))
        frames = [request_frame(produce, request, PRODUCE_VERSION, n, "load") for n in range(self.count)]
        self.frame_bytes = size
        # Twice, so that a run of requests that passes the end is one slice, too.
        self.circle = memoryview(b"".join(frames + frames[: shape.depth]))
        self.depth = min(shape.depth, self.count)
        self.next = 0
        self.expected = 0
        self.unsent = memoryview(b"")
        self.sent: deque[tuple[float, int]] = deque()
        """When so many requests were sent, oldest first."""
        self.in_flight = 0
        self.received = bytearray()
        self.awaited = select.EPOLLIN
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)

    def fill(self, now: float) -> None:
        """Send what may be in flight."""
        room = self.depth - self.in_flight
        if room <= 0 or self.unsent:
            return
        start = self.next * self.frame_bytes
        self.unsent = self.circle[start : start + room * self.frame_bytes]
        self.next = (self.next + room) % self.count
        self.sent.append((now, room))
        self.in_flight += room
        self.push()

    def push(self) -> None:
        """Give the socket what it takes of what is unsent."""
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except BlockingIOError:
            pass

    def take(self, now: float, measured: Measured) -> None:
        """Take the answers that are there."""
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise ConnectionResetError("the broker closed the connection")
        received = self.received
        received += chunk
        at, answered = 0, 0
        while len(received) - at >= _ANSWER.size:
            size, correlation_id = _ANSWER.unpack_from(received, at)
            if len(received) - at < size + 4:
                break
            self._check(size, correlation_id, at)
            self.expected = (self.expected + 1) % self.count
            answered += 1
            at += size + 4
        del received[:at]
        self.in_flight -= answered
        measured.requests += answered
        measured.request_bytes += answered * self.frame_bytes
        while answered:
            sent, count = self.sent[0]
            if count > answered:
                self.sent[0] = sent, count - answered
                break
            self.sent.popleft()
            answered -= count
            measured.latencies_s.append(now - sent)

    def _check(self, size: int, correlation_id: int, at: int) -> None:
        if correlation_id != self.expected:
            raise AssertionError(f"the answer to {correlation_id} came, {self.expected} was expected")
        # One topic, one partition: the error code stands at a fixed distance from the end, before five numbers, two
        # empty fields and three sections of tags.
        code_at = at + 4 + size - (2 + 8 + 8 + 8 + 1 + 1 + 1 + 1 + 4 + 1)
        if self.received[code_at : code_at + 2] != b"\0\0":
            view = memoryview(bytes(self.received[at + 9 : at + 4 + size]))
            raise AssertionError(f"refused: {produce.decode_response(view, 0, PRODUCE_VERSION)}")


def run_load(address: Address, topic: str, partitions: int, shape: Shape, *, seconds: float) -> Measured:
    """Send for so long, wait for all answers, and return what was measured. The topic must be there."""
    batch = batch_of(shape)
    lanes = {}
    poll = select.epoll()
    for index in range(shape.connections):
        lane = _Lane(address, topic, index % partitions, shape, batch)
        lanes[lane.socket.fileno()] = lane
        poll.register(lane.socket, select.EPOLLIN)
    measured = Measured()
    started = now = perf_counter()
    for lane in lanes.values():
        lane.fill(now)
    while any(lane.in_flight for lane in lanes.values()):
        for fd, events in poll.poll(10):
            lane = lanes[fd]
            now = perf_counter()
            if events & ~select.EPOLLOUT:
                lane.take(now, measured)
            lane.push()
            if now - started < seconds:
                lane.fill(now)
            awaited = select.EPOLLIN | (select.EPOLLOUT if lane.unsent else 0)
            if awaited != lane.awaited:
                lane.awaited = awaited
                poll.modify(fd, awaited)
    measured.seconds = perf_counter() - started
    poll.close()
    for lane in lanes.values():
        lane.socket.close()
    return measured
