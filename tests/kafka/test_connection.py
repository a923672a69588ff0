"""A client's connection, over real sockets: order, pipelining, bounds, faults, the end."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any, cast

import pytest

from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.connections import RECEIVE_BUFFER_BYTES
from fleuve.kafka.limits import Limits
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import api_versions, fetch, heartbeat, list_offsets, metadata, produce
from support.batches import batch
from support.edge import frame, produce_request, running_edge, until
from support.loops import on_both_loops

VERSION = 9


def fetch_request(topic: Any, offset: int = 0, *, wait_ms: int = 0, max_bytes: int = 1 << 20) -> Any:
    wanted = fetch.FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=max_bytes)
    return fetch.FetchRequest(
        max_wait_ms=wait_ms,
        min_bytes=1,
        max_bytes=max_bytes,
        topics=[fetch.FetchTopic(topic=topic.name, topic_id=topic.id, partitions=[wanted])],
    )


def latest(topic: Any) -> Any:
    wanted = list_offsets.ListOffsetsPartition(partition_index=0, timestamp=-1)
    return list_offsets.ListOffsetsRequest(topics=[list_offsets.ListOffsetsTopic(name=topic.name, partitions=[wanted])])


def base_offset(response: Any) -> int:
    (topic,) = response.responses
    (partition,) = topic.partition_responses
    assert partition.error_code == 0
    return int(partition.base_offset)


class Slow:
    """A handler of Heartbeat that answers when it is told to."""

    API = Api(key=12, name="Heartbeat", version_min=0, version_max=4, codec=heartbeat)

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.go = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, request: Any, context: RequestContext) -> Any:
        self.begun += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return heartbeat.HeartbeatResponse()


# ---------------------------------------------------------------- order


@on_both_loops
async def test_pipelined_produce_requests_overlap_and_are_answered_in_order():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        edge.log.hold = True
        sent = [client.send(produce, produce_request(batch(b"x"), topic), VERSION) for _ in range(20)]
        await until(lambda: edge.log.held == 20)
        edge.log.complete()
        answers = [await client.receive(produce, VERSION) for _ in sent]
        assert [correlation_id for correlation_id, _ in answers] == sent
        assert [base_offset(response) for _, response in answers] == list(range(20))


@on_both_loops
async def test_an_answer_waits_for_those_before_it():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        edge.log.hold = True
        for _ in range(3):
            client.send(produce, produce_request(batch(b"x"), topic), VERSION)
        await until(lambda: edge.log.held == 3)
        held = edge.log._held
        edge.log._held = [held[2], held[1], held[0]]
        edge.log.complete(2)
        (connection,) = edge.connections.all
        assert not connection._out
        edge.log.complete(1)
        assert [(await client.receive(produce, VERSION))[0] for _ in range(3)] == [1, 2, 3]


@on_both_loops
async def test_a_flush_that_answers_many_requests_makes_one_write():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        edge.log.hold = True
        for _ in range(50):
            client.send(produce, produce_request(batch(b"x"), topic), VERSION)
        await until(lambda: edge.log.held == 50)
        (connection,) = edge.connections.all
        writes: list[int] = []
        connection._transport = cast("asyncio.Transport", Spy(connection._transport, writes))
        edge.log.complete()
        for _ in range(50):
            await client.receive(produce, VERSION)
        assert len(writes) == 1


class Spy:
    """A transport that notes what is written."""

    def __init__(self, inner: Any, writes: list[int]) -> None:
        self._inner = inner
        self._writes = writes

    def write(self, data: Any) -> None:
        self._writes.append(len(data))
        self._inner.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@on_both_loops
async def test_another_request_waits_for_produce_and_produce_waits_for_it():
    slow = Slow()
    async with running_edge(extra=[(Slow.API, slow)]) as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        edge.log.hold = True
        client.send(produce, produce_request(batch(b"a"), topic), VERSION)
        client.send(heartbeat, heartbeat.HeartbeatRequest(), 4)
        client.send(produce, produce_request(batch(b"b"), topic), VERSION)
        await until(lambda: edge.log.held == 1)
        for _ in range(10):
            await asyncio.sleep(0)
        assert slow.begun == 0
        edge.log.complete()
        await until(lambda: slow.begun == 1)
        for _ in range(10):
            await asyncio.sleep(0)
        assert edge.log.held == 0
        edge.log.hold = False
        slow.go.set()
        assert (await client.receive(produce, VERSION))[0] == 1
        assert (await client.receive(heartbeat, 4))[0] == 2
        assert (await client.receive(produce, VERSION))[0] == 3


@on_both_loops
async def test_a_fetch_behind_a_produce_reads_what_was_produced():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        client.send(produce, produce_request(batch(b"a"), topic), VERSION)
        client.send(fetch, fetch_request(topic), 12)
        await client.receive(produce, VERSION)
        _, response = await client.receive(fetch, 12)
        assert len(response.responses[0].partitions[0].records) == len(batch(b"a"))


@on_both_loops
async def test_a_large_request_of_a_megabyte_arrives_whole():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        large = batch(bytes(900_000))
        for expected in range(3):
            response = await client.call(produce, produce_request(large, topic), VERSION)
            assert base_offset(response) == expected
        assert edge.connections.admission.requests.used == 0
        response = await client.call(fetch, fetch_request(topic, max_bytes=1), 12)
        assert len(response.responses[0].partitions[0].records) == len(large)


@pytest.mark.parametrize("step", [1, 3, 7, 1000, 5000, 70_000])
@on_both_loops
async def test_frames_may_arrive_in_any_pieces(step):
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        sizes = [10, 5_000, 100, 70_000, 10] if step >= 1000 else [10, 50, 10]
        stream = b"".join(
            frame(produce, produce_request(batch(bytes(size)), topic), VERSION, number)
            for number, size in enumerate(sizes)
        )
        for start in range(0, len(stream), step):
            client.writer.write(stream[start : start + step])
            await client.writer.drain()
            await asyncio.sleep(0)
        answers = [await client.receive(produce, VERSION) for _ in sizes]
        assert [number for number, _ in answers] == list(range(len(sizes)))
        assert [base_offset(response) for _, response in answers] == list(range(len(sizes)))
        assert edge.connections.admission.requests.used == 0
        assert edge.connections.admission.small_frames.used == 0


# ---------------------------------------------------------------- acks=0


@on_both_loops
async def test_acks_0_has_no_answer():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        client.send(produce, produce_request(batch(b"a"), topic, acks=0), VERSION)
        sent = client.send(produce, produce_request(batch(b"b"), topic), VERSION)
        correlation_id, response = await client.receive(produce, VERSION)
        assert (correlation_id, base_offset(response)) == (sent, 1)


@on_both_loops
async def test_an_error_with_acks_0_closes_the_connection():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        client.send(produce, produce_request(b"rubbish", topic, acks=0), VERSION)
        assert await client.is_closed()


# ---------------------------------------------------------------- the slow path of Produce


@on_both_loops
async def test_a_full_buffer_delays_produce_until_there_is_room():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        edge.log.room = False
        for _ in range(3):
            client.send(produce, produce_request(batch(b"a"), topic), VERSION)
        (connection,) = edge.connections.all
        await until(lambda: len(connection._queue) == 3)
        assert edge.log.appended == 0
        edge.log.make_room()
        answers = [await client.receive(produce, VERSION) for _ in range(3)]
        assert [base_offset(response) for _, response in answers] == [0, 1, 2]
        assert edge.connections.admission.requests.used == 0


@on_both_loops
async def test_a_buffer_that_stays_full_times_the_request_out():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        edge.log.room = False
        response = await client.call(produce, produce_request(batch(b"a"), topic, timeout_ms=1), VERSION)
        assert response.responses[0].partition_responses[0].error_code == ErrorCode.REQUEST_TIMED_OUT
        assert edge.log.appended == 0


@on_both_loops
async def test_a_flush_that_takes_too_long_times_the_request_out_and_its_late_result_is_dropped():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        edge.log.hold = True
        client.send(produce, produce_request(batch(b"a"), topic, timeout_ms=10), VERSION)
        await until(lambda: edge.log.held)
        (connection,) = edge.connections.all
        connection.look_after(edge.connections.loop.time() + 1)
        _, response = await client.receive(produce, VERSION)
        assert response.responses[0].partition_responses[0].error_code == ErrorCode.REQUEST_TIMED_OUT
        edge.log.complete()
        edge.log.hold = False
        response = await client.call(produce, produce_request(batch(b"a"), topic), VERSION)
        assert base_offset(response) == 1


# ---------------------------------------------------------------- bounds


@on_both_loops
async def test_a_connection_with_many_unanswered_requests_is_not_read():
    async with running_edge(limits=Limits(requests_max=10)) as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        edge.log.hold = True
        one = frame(produce, produce_request(batch(bytes(60_000)), topic), VERSION)
        for _ in range(200):
            client.writer.write(one)
        await until(lambda: edge.log.held >= 10)
        (connection,) = edge.connections.all
        for _ in range(50):
            await asyncio.sleep(0)
        # What was received in one go may come on top.
        assert edge.log.held <= 10 + RECEIVE_BUFFER_BYTES // len(one) + 1
        answered = 0
        while answered < 200:
            edge.log.complete()
            await client.receive_bytes()
            answered += 1
        assert connection._in_flight_bytes == 0


@on_both_loops
async def test_a_client_that_takes_no_answers_is_not_read():
    async with running_edge(limits=Limits(write_high=64 * 1024)) as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        await client.call(produce, produce_request(batch(bytes(900_000)), topic), VERSION)
        cast("asyncio.Transport", client.writer.transport).pause_reading()
        for _ in range(30):
            client.send(fetch, fetch_request(topic), 12)
        (connection,) = edge.connections.all
        await until(lambda: connection._paused)
        for _ in range(50):
            await asyncio.sleep(0)
        served = edge.stats.api("Fetch").requests
        assert served < 30
        connection.account()
        assert 0 < edge.memory.used < 2_000_000
        cast("asyncio.Transport", client.writer.transport).resume_reading()
        for _ in range(30):
            await client.receive_bytes()
        connection.account()
        assert edge.memory.used == 0


@on_both_loops
async def test_a_stalled_reader_is_shed_when_the_log_needs_its_memory():
    async with running_edge(limits=Limits(shed_s=0.0)) as edge:
        topic, client, other = await edge.topic("t"), await edge.connect(), await edge.connect()
        await other.call(produce, produce_request(batch(bytes(1_000_000)), topic), VERSION)
        cast("asyncio.Transport", client.writer.transport).pause_reading()
        for _ in range(20):
            client.send(fetch, fetch_request(topic), 12)
        await until(lambda: any(connection._paused for connection in edge.connections.all))
        # The first look may find that the socket has just taken some.
        await until(lambda: edge.connections.shed())
        cast("asyncio.Transport", client.writer.transport).resume_reading()
        assert await client.is_closed()
        assert edge.stats.connections_shed == 1
        assert edge.memory.used == 0
        assert base_offset(await other.call(produce, produce_request(batch(b"x"), topic), VERSION)) == 1


@on_both_loops
async def test_a_client_that_takes_its_answers_slowly_is_shed_when_others_wait_for_the_memory():
    async with running_edge(limits=Limits(fetch_memory=1_000_000, shed_s=0.2)) as edge:
        topic, client, other = await edge.topic("t"), await edge.connect(), await edge.connect()
        await other.call(produce, produce_request(batch(bytes(1_000_000)), topic), VERSION)
        cast("asyncio.Transport", client.writer.transport).pause_reading()
        for _ in range(20):
            client.send(fetch, fetch_request(topic), 12)
        await until(lambda: any(connection.unsent_bytes > 500_000 for connection in edge.connections.all))
        held = max(0, 1_000_000 - edge.memory.used)
        edge.memory.force(held)
        # It would wait for ever.
        assert (await other.call(fetch, fetch_request(topic), 12)).responses[0].partitions[0].records
        edge.memory.give_back(held)
        cast("asyncio.Transport", client.writer.transport).resume_reading()
        assert await client.is_closed()
        assert edge.stats.connections_shed == 1


@on_both_loops
async def test_a_fetch_waits_when_fetch_memory_is_spent():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        await client.call(produce, produce_request(batch(b"x"), topic), VERSION)
        edge.memory.force(edge.memory.capacity)
        client.send(fetch, fetch_request(topic), 12)
        await until(lambda: edge.memory.waiters)
        edge.memory.give_back(edge.memory.capacity)
        await client.receive(fetch, 12)
        assert edge.memory.used == 0


@on_both_loops
async def test_requests_that_are_answered_without_a_wait_leave_the_loop_to_others_now_and_then():
    async with running_edge() as edge:
        client = await edge.connect()
        one = frame(api_versions, api_versions.ApiVersionsRequest(), 0)
        client.writer.write(one * 200)
        answered = edge.stats.api("ApiVersions")
        await until(lambda: answered.requests)
        assert answered.requests < 100
        for _ in range(200):
            await client.receive_bytes()


@on_both_loops
async def test_large_requests_share_the_memory_and_wait_their_turn():
    async with running_edge(limits=Limits(request_memory=300_000)) as edge:
        topic = await edge.topic("t")
        first, second, small = await edge.connect(), await edge.connect(), await edge.connect()
        large = frame(produce, produce_request(batch(bytes(200_000)), topic), VERSION)
        first.writer.write(large[:100_000])
        await until(lambda: edge.connections.admission.requests.used)
        second.writer.write(large)
        await until(lambda: edge.connections.admission.requests.waiters)
        assert base_offset(await small.call(produce, produce_request(batch(b"s"), topic), VERSION)) == 0
        first.writer.write(large[100_000:])
        assert base_offset((await first.receive(produce, VERSION))[1]) == 1
        assert base_offset((await second.receive(produce, VERSION))[1]) == 2
        assert edge.connections.admission.requests.used == 0


@on_both_loops
async def test_a_large_request_that_stalls_loses_its_connection_if_others_wait():
    async with running_edge(limits=Limits(request_memory=300_000, large_pace_window_s=0.2)) as edge:
        topic = await edge.topic("t")
        stalled, waiting = await edge.connect(), await edge.connect()
        large = frame(produce, produce_request(batch(bytes(200_000)), topic), VERSION)
        stalled.writer.write(large[:100_000])
        await until(lambda: edge.connections.admission.requests.used)
        waiting.writer.write(large)
        assert await stalled.is_closed()
        assert base_offset((await waiting.receive(produce, VERSION))[1]) == 0
        assert edge.stats.connections_shed == 1


@on_both_loops
async def test_a_request_that_the_broker_does_not_read_is_not_slow():
    async with running_edge(limits=Limits(request_memory=1_600_000, requests_max=1, pace_window_s=0.0)) as edge:
        topic = await edge.topic("t")
        edge.log.hold = True
        clients = [await edge.connect() for _ in range(9)]
        one = frame(produce, produce_request(batch(b"x"), topic), VERSION)
        large = frame(produce, produce_request(batch(bytes(190_000)), topic), VERSION)
        for client in clients:
            # The first one has no answer yet: of the second no more is read than came with it.
            client.writer.write(one + large[:100_000])
        admission = edge.connections.admission
        await until(lambda: admission.requests.waiters == 1)
        for _ in range(50):
            assert admission.too_slow(edge.connections.loop.time()) == []
            await asyncio.sleep(0)
        edge.log.hold = False
        edge.log.complete()
        for client in clients:
            await client.receive(produce, VERSION)
            client.writer.write(large[100_000:])
        for client in clients:
            await client.receive(produce, VERSION)
        assert edge.stats.connections_shed == 0


@on_both_loops
async def test_a_connection_that_leaves_in_the_middle_of_a_large_request_gives_its_memory_back():
    async with running_edge(limits=Limits(request_memory=300_000)) as edge:
        topic = await edge.topic("t")
        large = frame(produce, produce_request(batch(bytes(200_000)), topic), VERSION)
        clients = [await edge.connect() for _ in range(3)]
        for client in clients:
            client.writer.write(large[:150_000])
        await until(lambda: edge.connections.admission.requests.waiters == 2)
        for client in clients:
            await client.close()
        await until(lambda: not edge.connections.all)
        assert edge.connections.admission.requests.used == 0
        assert edge.connections.admission.requests.waiters == 0


@on_both_loops
async def test_too_many_connections_are_refused():
    async with running_edge(limits=Limits(connections_max=2)) as edge:
        await edge.connect()
        await edge.connect()
        await until(lambda: len(edge.connections.all) == 2)
        third = await edge.connect()
        assert await third.is_closed()
        assert edge.stats.connections_refused == 1


@on_both_loops
async def test_too_many_connections_of_one_address_are_refused_unless_it_has_its_own_bound():
    limits = Limits(connections_per_ip_max=1)
    async with running_edge(limits=limits) as edge:
        await edge.connect()
        await until(lambda: len(edge.connections.all) == 1)
        assert await (await edge.connect()).is_closed()
    async with running_edge(limits=replace(limits, connections_per_ip_overrides=(("127.0.0.1", 2),))) as edge:
        await edge.connect()
        await edge.connect()
        await until(lambda: len(edge.connections.all) == 2)


@on_both_loops
async def test_an_idle_connection_is_closed_and_one_that_waits_for_an_answer_is_not():
    slow = Slow()
    async with running_edge(extra=[(Slow.API, slow)]) as edge:
        idle, waiting = await edge.connect(), await edge.connect()
        waiting.send(heartbeat, heartbeat.HeartbeatRequest(), 4)
        await until(lambda: slow.begun == 1 and len(edge.connections.all) == 2)
        later = edge.connections.loop.time() + 601
        for connection in list(edge.connections.all):
            connection.look_after(later)
        assert await idle.is_closed()
        slow.go.set()
        await waiting.receive(heartbeat, 4)
        assert edge.stats.connections_expired == 1


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x03abc",
        b"\x00\x00\x00\x04\x00\x00\x00\x09",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    ids=["negative", "huge", "empty", "short", "produce only", "http", "tls"],
)
@on_both_loops
async def test_garbage_costs_its_own_connection_and_one_line(garbage):
    async with running_edge() as edge:
        topic, bad, good = await edge.topic("t"), await edge.connect(), await edge.connect()
        bad.writer.write(garbage)
        assert await bad.is_closed()
        assert base_offset(await good.call(produce, produce_request(batch(b"x"), topic), VERSION)) == 0
        ((event, fields),) = edge.logger.of("warning")
        assert "not a request" in event
        assert fields["address"] == "127.0.0.1"
        assert edge.stats.malformed == 1


@on_both_loops
async def test_many_broken_clients_leave_few_lines():
    async with running_edge() as edge:
        for _ in range(40):
            client = await edge.connect()
            client.writer.write(b"\xff\xff\xff\xff")
            assert await client.is_closed()
        assert len(edge.logger.of("warning")) == 10


@on_both_loops
async def test_a_large_malformed_request_gives_its_memory_back():
    async with running_edge() as edge:
        client = await edge.connect()
        client.writer.write((200_000).to_bytes(4, "big") + b"\x00\x00\x00\x09" + b"\xff" * 199_996)
        assert await client.is_closed()
        assert edge.connections.admission.requests.used == 0
        client = await edge.connect()
        client.writer.write((20_000).to_bytes(4, "big") + b"\x00\x00\x00\x09" + b"\xff" * 19_996)
        assert await client.is_closed()
        assert edge.connections.admission.small_frames.used == 0


@on_both_loops
async def test_a_bug_in_produce_costs_its_own_connection_and_is_logged():
    async with running_edge() as edge:
        topic, client, other = await edge.topic("t"), await edge.connect(), await edge.connect()
        del edge.log.partitions
        client.send(produce, produce_request(batch(b"x"), topic), VERSION)
        assert await client.is_closed()
        ((_, fields),) = edge.logger.of("error")
        assert "AttributeError" in str(fields["error"])
        edge.log.partitions = {}
        await other.call(produce, produce_request(batch(b"x"), topic), VERSION)


@pytest.mark.parametrize(
    "codec_version", [(produce, 3), (produce, 9), (produce, 13), (fetch, 4), (fetch, 12), (fetch, 17)]
)
@on_both_loops
async def test_every_truncation_of_a_request_closes_its_connection_alone(codec_version):
    codec, version = codec_version
    async with running_edge() as edge:
        topic = await edge.topic("topic")
        request = produce_request(batch(b"x"), topic) if codec is produce else fetch_request(topic)
        whole = frame(codec, request, version)[4:]
        for size in range(len(whole)):
            client = await edge.connect()
            client.writer.write(size.to_bytes(4, "big") + whole[:size])
            assert await client.is_closed()
            await client.close()
        assert edge.stats.malformed == len(whole)
        assert edge.log.appended == 0
        assert not edge.logger.of("error")


@on_both_loops
async def test_every_api_key_and_version_that_is_not_served_closes_the_connection():
    async with running_edge() as edge:
        for key in range(-1, 95):
            route = edge.table.routes.get(key)
            for version in (*range(-1, 20), 0x7FFF, -0x8000):
                if key == 18 or (route is not None and route.api.serves(version)):
                    continue
                client = await edge.connect()
                header = key.to_bytes(2, "big", signed=True) + version.to_bytes(2, "big", signed=True)
                client.writer.write(b"\x00\x00\x00\x0b" + header + b"\x00\x00\x00\x01\xff\xff\x00")
                assert await client.is_closed()
                await client.close()
        assert not edge.logger.of("error")


@pytest.mark.parametrize("version", [5, 99, 0x7FFF])
@on_both_loops
async def test_an_unknown_version_of_api_versions_is_answered_in_v0_with_its_range(version):
    async with running_edge() as edge:
        client = await edge.connect()
        body = b"\x00\x12" + version.to_bytes(2, "big") + b"\x00\x00\x00\x2a\x00\x01a" + b"\x00" + b"\x02x\x02y\x00"
        client.writer.write(len(body).to_bytes(4, "big") + body)
        answer = memoryview(await client.receive_bytes())
        assert bytes(answer[:4]) == b"\x00\x00\x00\x2a"
        response = api_versions.decode_response(answer, 4, 0)
        assert response.error_code == ErrorCode.UNSUPPORTED_VERSION
        assert [(key.api_key, key.min_version, key.max_version) for key in response.api_keys] == [(18, 0, 4)]
        request = api_versions.ApiVersionsRequest(client_software_name="a", client_software_version="1")
        assert (await client.call(api_versions, request, 4)).error_code == 0


@pytest.mark.parametrize("name,version", [("", "1"), ("a b", "1"), ("a", ""), ("-a", "1"), ("a", "1-"), ("ä", "1")])
@on_both_loops
async def test_odd_client_software_is_an_invalid_request(name, version):
    async with running_edge() as edge:
        client = await edge.connect()
        request = api_versions.ApiVersionsRequest(client_software_name=name, client_software_version=version)
        response = await client.call(api_versions, request, 3)
        assert response.error_code == ErrorCode.INVALID_REQUEST
        request = api_versions.ApiVersionsRequest(client_software_name="a-1.b", client_software_version="2.0.0")
        assert (await client.call(api_versions, request, 3)).error_code == 0


@on_both_loops
async def test_a_bug_in_a_handler_is_told_as_unknown_server_error_and_logged_with_its_traceback():
    slow = Slow()
    slow.go.set()
    slow.error = ZeroDivisionError("a secret of the inside")
    async with running_edge(extra=[(Slow.API, slow)]) as edge:
        client = await edge.connect()
        response = await client.call(heartbeat, heartbeat.HeartbeatRequest(), 4)
        assert response.error_code == ErrorCode.UNKNOWN_SERVER_ERROR
        ((_, fields),) = edge.logger.of("error")
        assert "ZeroDivisionError: a secret" in str(fields["error"])
        assert "test_connection" in str(fields["error"])
        assert (await client.call(heartbeat, heartbeat.HeartbeatRequest(), 0)).error_code == -1


@on_both_loops
async def test_a_bug_whose_answer_has_no_place_for_it_closes_the_connection():
    async def broken(request: Any, context: RequestContext) -> Any:
        raise RuntimeError("bug")

    api = Api(key=3, name="Metadata", version_min=0, version_max=12, codec=metadata)
    broken_answer = Api(key=12, name="Heartbeat", version_min=0, version_max=4, codec=heartbeat)

    async def nonsense(request: Any, context: RequestContext) -> Any:
        return heartbeat.HeartbeatResponse(error_code=1 << 40)

    async with running_edge(extra=[(broken_answer, nonsense), (replace(api, codec=NoErrorCode), broken)]) as edge:
        client = await edge.connect()
        client.send(heartbeat, heartbeat.HeartbeatRequest(), 4)
        assert await client.is_closed()
        client = await edge.connect()
        client.send(metadata, metadata.MetadataRequest(), 1)
        assert await client.is_closed()
        assert len(edge.logger.of("error")) == 2


class NoErrorCode:
    """Metadata's codec, with a response that has no top-level error code."""

    KEY, FLEXIBLE = metadata.KEY, metadata.FLEXIBLE
    decode_request = staticmethod(metadata.decode_request)
    encode_response = staticmethod(metadata.encode_response)

    class MetadataResponse:
        __slots__ = ()


@on_both_loops
async def test_a_client_that_leaves_cancels_its_wait():
    slow = Slow()
    async with running_edge(extra=[(Slow.API, slow)]) as edge:
        topic, client, other = await edge.topic("t"), await edge.connect(), await edge.connect()
        client.send(heartbeat, heartbeat.HeartbeatRequest(), 4)
        other.send(fetch, fetch_request(topic, wait_ms=600_000), 12)
        await until(lambda: slow.begun == 1 and edge.log.waits == 1)
        await client.close()
        await other.close()
        await until(lambda: slow.cancelled == 1 and edge.log.waits == 0)
        assert not edge.logger.of("error")


@on_both_loops
async def test_what_the_log_completes_for_a_connection_that_is_gone_is_dropped():
    async with running_edge() as edge:
        topic, client = await edge.topic("t"), await edge.connect()
        edge.log.hold = True
        client.send(produce, produce_request(batch(b"x"), topic), VERSION)
        await until(lambda: edge.log.held)
        await client.close()
        await until(lambda: not edge.connections.all)
        edge.log.complete()
        assert not edge.logger.of("error")


# ---------------------------------------------------------------- the end


@on_both_loops
async def test_draining_answers_what_is_in_flight_and_lets_long_polls_return():
    slow = Slow()
    async with running_edge(extra=[(Slow.API, slow)]) as edge:
        topic = await edge.topic("t")
        producing, polling, beating, idle = [await edge.connect() for _ in range(4)]
        edge.log.hold = True
        producing.send(produce, produce_request(batch(b"x"), topic), VERSION)
        polling.send(fetch, fetch_request(topic, offset=1, wait_ms=600_000), 12)
        beating.send(heartbeat, heartbeat.HeartbeatRequest(), 4)
        await until(lambda: edge.log.held and edge.log.waits and slow.begun and len(edge.connections.all) == 4)
        edge.listener.close()
        async with asyncio.TaskGroup() as tasks:
            draining = tasks.create_task(edge.connections.drain(30))
            await polling.receive(fetch, 12)
            assert await idle.is_closed()
            slow.go.set()
            edge.log.complete()
            assert base_offset((await producing.receive(produce, VERSION))[1]) == 0
            await beating.receive(heartbeat, 4)
            await draining
        for client in (producing, polling, beating):
            assert await client.is_closed()
        with pytest.raises(OSError):
            await edge.connect()


@on_both_loops
async def test_draining_ends_at_its_deadline():
    slow = Slow()
    async with running_edge(extra=[(Slow.API, slow)]) as edge:
        client = await edge.connect()
        client.send(heartbeat, heartbeat.HeartbeatRequest(), 4)
        await until(lambda: slow.begun == 1)
        edge.listener.close()
        await edge.connections.drain(0.01)
        assert await client.is_closed()
        with contextlib.suppress(OSError):
            await client.close()


@on_both_loops
async def test_the_handlers_see_who_asks_through_which_listener():
    seen: list[RequestContext] = []

    async def note(request: Any, context: RequestContext) -> Any:
        seen.append(context)
        return heartbeat.HeartbeatResponse()

    async with running_edge(extra=[(Slow.API, note)]) as edge:
        client = await edge.connect()
        request = api_versions.ApiVersionsRequest(client_software_name="lib", client_software_version="1.2")
        await client.call(api_versions, request, 4)
        await client.call(heartbeat, heartbeat.HeartbeatRequest(), 4)
        (context,) = seen
        assert context.listener == "PLAINTEXT"
        assert context.advertised == ("localhost", edge.listener.port)
        assert (context.client_id, context.host, str(context.principal)) == ("tester", "127.0.0.1", "User:ANONYMOUS")
        assert (context.client_software_name, context.client_software_version) == ("lib", "1.2")
        assert context.connection_id > 0
