"""What a Produce request costs in Python before storage and after it: µs per request, best of several runs.

Run it as `python benchmarks/micro/append.py` in an environment where fleuve is installed. The whole path is there,
from `Connection.buffer_updated` over the handler to `LogService.append`, and back to the bytes of the answer; only the
socket, the device and SQLite are not: what is received lies in memory, extents and rows are dropped.
Goal: about 15 µs before storage for a request of one 16 KiB batch, of which CRC and copy are 3.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from fleuve.adapters.memory.offload import InlineOffload
from fleuve.base.clock import ManualClock
from fleuve.base.ids import FlushId, Incarnation, PartitionId
from fleuve.base.log import SilentLogger
from fleuve.engine.access.service import AllowAll
from fleuve.engine.log.policy import LogPolicy
from fleuve.engine.log.service import LogService
from fleuve.kafka.connection import Connection
from fleuve.kafka.connections import Connections
from fleuve.kafka.handlers import produce as produce_handler
from fleuve.kafka.limits import Limits
from fleuve.kafka.stats import KafkaStats
from fleuve.kafka.table import Table
from fleuve.ports.log import CommitStates, Decide, Decision, FlushRows, LogState
from fleuve.ports.store import Buffer, Placed
from fleuve.records.record import Record, build_batch
from fleuve.wire.generated import produce
from support.batches import NOW_MS
from support.machine import describe_machine
from support.topics import create_topic, running, topic_service
from support.wire_client import PRODUCE_VERSION, produce_request, request_frame

RUNS = 15
IN_FLIGHT_MAX = 450
"""Requests of one run: below `Limits.requests_max`, beyond which the connection is not read."""
RUN_BYTES_MAX = 8 << 20
"""Bytes of one run: memory is recycled after a few, as in a broker that has been up a while."""
CASES = (
    ("1 record of 100 B", 100, 1, -1),
    ("1 record of 100 B, idempotent", 100, 1, 7),
    ("16 KiB: 16 records of 1000 B", 1000, 16, -1),
    ("16 KiB: 130 records of 115 B", 115, 130, -1),
    ("64 KiB: 64 records of 1000 B", 1000, 64, -1),
    ("1 MiB: 1030 records of 1000 B", 1000, 1030, -1),
)


class NullStore:
    """Takes extents and drops them."""

    writes_in_flight_max = 2

    async def write(self, flush: FlushId, header: bytes, body: Sequence[Buffer], *, durable: bool) -> Placed:
        return Placed("journal/none", 0)


class NullCatalog:
    """One row for each partition, in memory."""

    produce_commits_durable = True

    def __init__(self) -> None:
        self.logs: dict[PartitionId, LogState] = {}
        self.producers: dict[Any, Any] = {}

    async def commit(self, rows: FlushRows, decide: Decide) -> Decision:
        logs = {partition_id: self.logs.get(partition_id, LogState(0, 0, 0, 0)) for partition_id in rows.partitions}
        producers = {key: self.producers[key] for key in rows.producers if key in self.producers}
        decision = decide(CommitStates(logs, producers, {}))
        self.logs |= decision.logs
        self.producers |= decision.producers
        return decision


class NullTransport(asyncio.Transport):
    """Counts what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def write(self, data: Any) -> None:
        self.written += len(data)

    def writelines(self, list_of_data: Any) -> None:
        self.written += sum(map(len, list_of_data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is nothing to limit."""

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        raise AssertionError("a run has more requests than a connection may have in flight")

    def abort(self) -> None:
        """Nothing is open."""


async def measure(value_bytes: int, records: int, producer_id: int) -> tuple[int, float, float]:
    """Return the bytes of a request, µs before storage and µs after it."""
    async with running(topic_service()) as topics, asyncio.TaskGroup() as tasks:
        await create_topic(topics, "load", 4)
        log = LogService(
            extents=cast("Any", NullStore()),
            objects=cast("Any", None),
            catalog=cast("Any", NullCatalog()),
            incarnation=Incarnation(1),
            clock=ManualClock(NOW_MS),
            offload=InlineOffload(),
            policy=LogPolicy(),
            logger=SilentLogger(),
            release_pinned=lambda: None,
            on_fenced=lambda _: None,
        )
        running_log = tasks.create_task(log.run())
        stats = KafkaStats()
        table = Table([], produce_handler=produce_handler.Handler(log, topics, stats), stats=stats)
        shared = Connections(
            table,
            limits=Limits(),
            authorizer=AllowAll(),
            logger=SilentLogger(),
            tasks=tasks,
            fetch_memory=None,
        )
        connection = Connection(shared, "PLAINTEXT", ("localhost", 0))
        transport = NullTransport()
        connection.connection_made(transport)
        sequence = 0
        size = 0
        best = []
        for _ in range(RUNS):
            stream, count, sequence = _stream(value_bytes, records, producer_id, sequence)
            size = len(stream) // count
            before, after = await _run(connection, log, transport, stream)
            best.append((before / count * 1e6, after / count * 1e6))
        shared.close()
        connection.connection_lost(None)
        await log.close()
        await running_log
    return size, min(before for before, _ in best), min(after for _, after in best)


def _stream(value_bytes: int, records: int, producer_id: int, sequence: int) -> tuple[memoryview, int, int]:
    """Return the bytes of one run, how many requests they are, and the next sequence number."""
    frames: list[bytes] = []
    size = 0
    contents = [Record(index, 0, None, bytes(value_bytes)) for index in range(records)]
    plain = build_batch(contents, base_timestamp=NOW_MS)
    while len(frames) < IN_FLIGHT_MAX and size < RUN_BYTES_MAX:
        batch = plain
        if producer_id >= 0:
            batch = build_batch(
                contents, base_timestamp=NOW_MS, producer_id=producer_id, producer_epoch=0, base_sequence=sequence
            )
            sequence += records
        partition = 0 if producer_id >= 0 else len(frames) % 4
        request = produce_request("load", partition, batch)
        frames.append(request_frame(produce, request, PRODUCE_VERSION, len(frames), "rdkafka"))
        size += len(frames[-1])
    return memoryview(b"".join(frames)), len(frames), sequence


async def _run(
    connection: Connection, log: LogService, transport: NullTransport, stream: memoryview
) -> tuple[float, float]:
    """Let the connection receive all, then wait for all answers; return the seconds of both."""
    gc.collect()
    gc.disable()
    answered = transport.written
    before = 0.0
    at = 0
    while at < len(stream):
        buffer = connection.get_buffer(-1)
        count = min(len(buffer), len(stream) - at)
        # The kernel's copy, which is not Python's time.
        buffer[:count] = stream[at : at + count]
        at += count
        started = perf_counter()
        connection.buffer_updated(count)
        before += perf_counter() - started
    assert transport.written == answered
    started = perf_counter()
    while log.stats.buffer_bytes:  # noqa: ASYNC110  # what is measured has no event
        await asyncio.sleep(0)
    # Answers are written at the end of the loop's turn.
    await asyncio.sleep(0)
    after = perf_counter() - started
    assert transport.written > answered
    gc.enable()
    return before, after


def main() -> None:
    """Print the table."""
    print(describe_machine())
    print(f"\n{'µs per request':34}{'bytes':>10}{'before':>10}{'after':>10}")
    for name, value_bytes, records, producer_id in CASES:
        size, before, after = asyncio.run(measure(value_bytes, records, producer_id))
        print(f"{name:34}{size:>10}{before:>10.2f}{after:>10.2f}")


if __name__ == "__main__":
    main()
