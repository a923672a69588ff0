"""What a pipelined Produce request costs in the Kafka edge: framing, parsing, slots, answers; the log is left out.

    python benchmarks/micro/connection.py [--seconds 1]

A connection gets prepared requests through the calls that an event loop makes (`get_buffer`, `buffer_updated`), and
writes to a transport that counts. Its log takes a batch without looking at it; "with CRC" checks it as the real one
does. The best of several rounds is shown: other programs can only make it slower.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from fleuve.base.log import SilentLogger
from fleuve.engine.access.service import AllowAll
from fleuve.engine.log.append import Appended
from fleuve.kafka.connection import Connection
from fleuve.kafka.connections import Connections
from fleuve.kafka.handlers import produce
from fleuve.kafka.limits import Limits
from fleuve.kafka.table import Table
from fleuve.records.batch import check_produced
from support.batches import batch
from support.edge import CountingTransport, frame, produce_request
from support.topics import create_topic, running, topic_service


class NullLog:
    """Takes every batch, and completes when told to, as a flush does."""

    has_room = True

    def __init__(self, *, checks: bool) -> None:
        self.checks = checks
        self.pending: list[Any] = []
        self._result = Appended(0, -1, 0)

    def append(self, request: Any, slot: int, partition_id: int, configs: Any, records: Any) -> None:
        if self.checks:
            check_produced(records)
        self.pending.append((request, slot))

    def complete(self) -> None:
        pending, self.pending = self.pending, []
        for request, slot in pending:
            request.settle(slot, self._result)


async def measure(
    value_bytes: int, requests: int, *, version: int, partitions: int = 1, checks: bool, seconds: float
) -> float:
    """Return microseconds for each request."""
    async with running(topic_service()) as topics, asyncio.TaskGroup() as tasks:
        topic = await create_topic(topics, "a-topic-of-usual-length", partitions)
        log: Any = NullLog(checks=checks)
        table = Table([], produce_handler=produce.Handler(log, topics, Table([]).stats))
        connections = Connections(
            table, limits=Limits(requests_max=10_000), authorizer=AllowAll(), logger=SilentLogger(), tasks=tasks
        )
        connection = Connection(connections, "PLAINTEXT", ("localhost", 9092))
        transport = CountingTransport()
        connection.connection_made(transport)
        request = produce_request(batch(bytes(value_bytes)), topic)
        for index in range(1, partitions):
            data = request.topic_data[0].partition_data
            data.append(type(data[0])(index=index, records=data[0].records))
        stream = frame(produce.API.codec, request, version) * requests
        best = float("inf")
        end = perf_counter() + seconds
        while perf_counter() < end:
            began = perf_counter()
            position = 0
            while position < len(stream):
                buffer = connection.get_buffer(-1)
                size = min(len(buffer), len(stream) - position)
                buffer[:size] = stream[position : position + size]
                del buffer
                position += size
                connection.buffer_updated(size)
            log.complete()
            await asyncio.sleep(0)
            best = min(best, perf_counter() - began)
        connections.close()
        connection.connection_lost(None)
        assert transport.writes
        return best / requests * 1e6


async def main(seconds: float) -> None:
    """Print the table."""
    print(f"{'case':44} {'us/request':>10} {'requests/s':>11}")
    cases: list[tuple[str, dict[str, Any]]] = [
        ("100 B, 64 in flight", {"value_bytes": 100, "requests": 64}),
        ("100 B, 1 in flight", {"value_bytes": 100, "requests": 1}),
        ("16 KiB, 16 in flight", {"value_bytes": 16_384, "requests": 16}),
        ("1 MB, 4 in flight", {"value_bytes": 1_000_000, "requests": 4}),
        ("100 B, 100 partitions, 4 in flight", {"value_bytes": 100, "requests": 4, "partitions": 100}),
    ]
    for name, case in cases:
        for version in (9, 13):
            for checks in (False, True):
                cost = await measure(**case, version=version, checks=checks, seconds=seconds)
                shown = f"{name}, v{version}{', with CRC' if checks else ''}"
                print(f"{shown:44} {cost:10.2f} {1e6 / cost:11,.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0)
    asyncio.run(main(parser.parse_args().seconds))
