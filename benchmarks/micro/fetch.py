"""What a Fetch request costs in the Kafka edge: lane, session, answer; the log is left out.

    python benchmarks/micro/fetch.py [--seconds 1]

A connection gets prepared requests as an event loop would bring them. Its log answers at once: nothing for idle
partitions, 64 KiB for a hot one. The best of several rounds is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))


from fleuve.base.log import SilentLogger
from fleuve.engine.access.service import AllowAll
from fleuve.engine.log.fetch import FetchResult
from fleuve.kafka.connection import Connection
from fleuve.kafka.connections import Connections
from fleuve.kafka.handlers import fetch
from fleuve.kafka.limits import Limits
from fleuve.kafka.memory import Budget
from fleuve.kafka.sessions import FetchSessions
from fleuve.kafka.stats import KafkaStats
from fleuve.kafka.table import Table
from fleuve.wire.generated import fetch as codec
from support.edge import CountingTransport, frame
from support.topics import create_topic, running, topic_service

HOT_BYTES = 64 * 1024


class NullLog:
    """Has 64 KiB for the first partition, and nothing for the others."""

    def __init__(self, *, hot: bool) -> None:
        self.hot = FetchResult(high_watermark=5, log_start_offset=0)
        if hot:
            self.hot.records = [memoryview(bytes(HOT_BYTES))]
        self.idle = FetchResult(high_watermark=5, log_start_offset=0)

    async def fetch(self, wants: Any, **limits: Any) -> list[FetchResult]:
        return [self.hot] + [self.idle] * (len(wants) - 1)


async def measure(partitions: int, *, session: bool, hot: bool, seconds: float) -> float:
    """Return microseconds for each request."""
    async with running(topic_service()) as topics, asyncio.TaskGroup() as tasks:
        topic = await create_topic(topics, "a-topic-of-usual-length", partitions)
        log: Any = NullLog(hot=hot)
        stats, memory = KafkaStats(), Budget(1 << 30)
        sessions = FetchSessions(Random(1))
        handler = fetch.Handler(log, topics, sessions=sessions, memory=memory, stats=stats)
        connections = Connections(
            Table([(fetch.API, handler)], stats=stats),
            limits=Limits(),
            authorizer=AllowAll(),
            logger=SilentLogger(),
            tasks=tasks,
        )
        connection = Connection(connections, "PLAINTEXT", ("localhost", 9092))
        connection.connection_made(CountingTransport())
        wanted = [codec.FetchPartition(partition=index, partition_max_bytes=1 << 20) for index in range(partitions)]
        full = codec.FetchRequest(
            session_epoch=0 if session else -1,
            topics=[codec.FetchTopic(topic_id=topic.id, partitions=wanted)],
        )

        async def serve(request: Any) -> None:
            data = frame(fetch.API.codec, request, 13)
            position = 0
            while position < len(data):
                buffer = connection.get_buffer(-1)
                size = min(len(buffer), len(data) - position)
                buffer[:size] = data[position : position + size]
                del buffer
                position += size
                connection.buffer_updated(size)
            while connection._lane is not None:  # noqa: ASYNC110  # it has no event
                await asyncio.sleep(0)

        await serve(full)
        session_id = next(iter(sessions._sessions), 0)
        best, epoch = float("inf"), 0
        end = perf_counter() + seconds
        while perf_counter() < end:
            request = full
            if session:
                epoch += 1
                request = codec.FetchRequest(session_id=session_id, session_epoch=epoch)
            began = perf_counter()
            await serve(request)
            best = min(best, perf_counter() - began)
        connections.close()
        connection.connection_lost(None)
        return best * 1e6


async def main(seconds: float) -> None:
    """Print the table."""
    print(f"{'case':44} {'us/request':>10}")
    for partitions in (1, 10, 100, 1000):
        for session in (False, True):
            for hot in (False, True):
                cost = await measure(partitions, session=session, hot=hot, seconds=seconds)
                shown = (
                    f"{partitions} partitions, {'session' if session else 'full'}{', one hot' if hot else ', all idle'}"
                )
                print(f"{shown:44} {cost:10.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0)
    asyncio.run(main(parser.parse_args().seconds))
