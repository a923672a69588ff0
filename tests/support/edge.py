"""The Kafka edge over a fake log: a listener on a free port of the loopback, and a client that speaks to it raw."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from random import Random
from typing import Any

from fleuve.adapters.memory.producers import MemoryProducerStore
from fleuve.base.clock import ManualClock
from fleuve.engine.access.service import AllowAll, Authorizer
from fleuve.engine.producers.service import ProducerService
from fleuve.engine.topics.service import Topic, TopicService
from fleuve.kafka.api import Api, Handle
from fleuve.kafka.connections import Connections
from fleuve.kafka.handlers import (
    delete_records,
    describe_log_dirs,
    fetch,
    init_producer_id,
    list_offsets,
    offset_for_leader_epoch,
    produce,
)
from fleuve.kafka.limits import Limits
from fleuve.kafka.listener import Listener, ListenerAddress
from fleuve.kafka.memory import Budget
from fleuve.kafka.sessions import FetchSessions
from fleuve.kafka.stats import KafkaStats
from fleuve.kafka.table import Table
from fleuve.wire.generated import produce as produce_codec
from fleuve.wire.header import (
    RequestHeader,
    decode_response_header,
    encode_request_header,
    response_is_flexible,
)
from support.fake_log import FakeLog
from support.topics import create_topic, running, topic_service


class RecordingLogger:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def debug(self, event: str, /, **fields: object) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, /, **fields: object) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, /, **fields: object) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, /, **fields: object) -> None:
        self.lines.append(("error", event, fields))

    def of(self, level: str) -> list[tuple[str, dict[str, object]]]:
        return [(event, fields) for at, event, fields in self.lines if at == level]


def frame(codec: Any, request: Any, version: int, correlation_id: int = 1, client_id: str = "tester") -> bytes:
    """Return a request with its size prefix."""
    header = RequestHeader(api_key=codec.KEY, api_version=version, correlation_id=correlation_id, client_id=client_id)
    body: bytes = encode_request_header(header) + codec.encode_request(request, version)
    return len(body).to_bytes(4, "big") + body


def produce_request(
    records: bytes | bytearray | None, topic: Topic, *, partition: int = 0, acks: int = -1, **fields: Any
) -> Any:
    """Return a Produce request for one partition, by name and by id."""
    fields.setdefault("timeout_ms", 30_000)
    data = produce_codec.PartitionProduceData(index=partition, records=records)
    named = produce_codec.TopicProduceData(name=topic.name, topic_id=topic.id, partition_data=[data])
    return produce_codec.ProduceRequest(acks=acks, topic_data=[named], **fields)


class Client:
    """One connection to the edge."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._last_id = 0

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def send(self, codec: Any, request: Any, version: int) -> int:
        """Write a request; return its correlation id."""
        self._last_id += 1
        self.writer.write(frame(codec, request, version, self._last_id))
        return self._last_id

    async def receive(self, codec: Any, version: int) -> tuple[int, Any]:
        """Return the next answer's correlation id and message."""
        view = memoryview(await self.receive_bytes())
        correlation_id, position = decode_response_header(view, response_is_flexible(codec.KEY, version))
        return correlation_id, codec.decode_response(view, position, version)

    async def receive_bytes(self) -> bytes:
        size = int.from_bytes(await self.reader.readexactly(4), "big")
        return await self.reader.readexactly(size)

    async def call(self, codec: Any, request: Any, version: int) -> Any:
        sent = self.send(codec, request, version)
        correlation_id, response = await self.receive(codec, version)
        assert correlation_id == sent
        return response

    async def is_closed(self) -> bool:
        """Read until the broker closes the connection; return True."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass
        return True


class CountingTransport(asyncio.Transport):
    """A transport to nowhere: it takes everything, and counts the writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def write(self, data: Any) -> None:
        self.writes += 1

    def writelines(self, data: Any) -> None:
        self.writes += 1

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def abort(self) -> None: ...

    def close(self) -> None: ...


class Edge:
    """Everything a test wants to look at."""

    log: FakeLog
    topics: TopicService
    stats: KafkaStats
    sessions: FetchSessions
    connections: Connections
    listener: Listener
    logger: RecordingLogger
    table: Table
    memory: Budget
    handlers: dict[int, Handle]

    def __init__(self) -> None:
        self._clients: list[Client] = []

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        client = Client(reader, writer)
        self._clients.append(client)
        return client

    async def topic(self, name: str, partitions: int = 1) -> Topic:
        topic = await create_topic(self.topics, name, partitions)
        self.log.add(*topic.partition_ids)
        return topic

    async def hang_up(self) -> None:
        for client in self._clients:
            await client.close()


async def until(condition: Any) -> None:
    """Let the loop turn until the condition holds."""
    while not condition():  # noqa: ASYNC110  # what is waited for has no event
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def running_edge(
    *,
    limits: Limits | None = None,
    authorizer: Authorizer | None = None,
    extra: Iterable[tuple[Api, Handle]] = (),
    topics: TopicService | None = None,
) -> AsyncIterator[Edge]:
    """Start the edge; on leaving, hang up and drain."""
    edge = Edge()
    edge.logger = RecordingLogger()
    edge.log = log = FakeLog()
    edge.stats = stats = KafkaStats()
    edge.sessions = FetchSessions(Random(1), stats=stats)
    limits = Limits() if limits is None else limits
    edge.memory = Budget(limits.fetch_memory)
    async with running(topic_service() if topics is None else topics) as edge.topics, asyncio.TaskGroup() as tasks:
        any_log: Any = log
        fetches = fetch.Handler(any_log, edge.topics, sessions=edge.sessions, memory=edge.memory, stats=stats)
        dirs = describe_log_dirs.Handler(any_log, edge.topics, directory="/data", volume_size=lambda: (1000, 400))
        handlers: list[tuple[Api, Handle]] = [
            (fetch.API, fetches),
            (list_offsets.API, list_offsets.Handler(any_log, edge.topics)),
            (delete_records.API, delete_records.Handler(any_log, edge.topics)),
            (offset_for_leader_epoch.API, offset_for_leader_epoch.Handler(any_log, edge.topics)),
            (
                init_producer_id.API,
                init_producer_id.Handler(
                    ProducerService(MemoryProducerStore(ManualClock()), ManualClock(), expiration_ms=86_400_000)
                ),
            ),
            (describe_log_dirs.API, dirs),
            *extra,
        ]
        edge.handlers = {api.key: handle for api, handle in handlers}
        produces = produce.Handler(any_log, edge.topics, stats)
        edge.table = Table(handlers, produce_handler=produces, stats=stats)
        edge.connections = Connections(
            edge.table,
            limits=limits,
            authorizer=AllowAll() if authorizer is None else authorizer,
            logger=edge.logger,
            tasks=tasks,
            fetch_memory=edge.memory,
        )
        edge.connections.on_drain.append(log.release_fetches)
        edge.listener = Listener(
            ListenerAddress(name="PLAINTEXT", host="127.0.0.1", port=0, advertised_host="localhost", advertised_port=0)
        )
        edge.listener.bind()
        await edge.listener.start(edge.connections)
        try:
            yield edge
        finally:
            await edge.hang_up()
            edge.listener.close()
            await edge.connections.drain(5.0)
