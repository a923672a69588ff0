"""The HTTP port: what it answers, when it loads, how it stops."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
import threading

import pytest

from fleuve.base.log import SilentLogger
from fleuve.base.metric import Kind, Metric, MetricSource
from fleuve.web.health import Health
from fleuve.web.service import HttpAddressUnavailable, HttpServer


class Stats:
    looked_up = 0
    counted = 5

    async def look_up(self):
        self.looked_up += 1

    async def fail(self):
        raise RuntimeError("the catalog is away")


METRICS = (
    Metric("fleuve_test_counted_total", Kind.COUNTER, "Counted.", "counted"),
    Metric("fleuve_test_looked_up", Kind.GAUGE, "Looked up.", "looked_up"),
)


@contextlib.asynccontextmanager
async def serving(health=None, sources=()):
    server = HttpServer("127.0.0.1", 0, metrics=lambda: sources, health=health or Health(), log=SilentLogger())
    port = server.open()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(server.run())
        try:
            yield port
        finally:
            server.stop()


async def get(port, path, method="GET", headers=()):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    writer.write("\r\n".join([*head, "", ""]).encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    first, _, body = answer.partition(b"\r\n\r\n")
    return int(first.split()[1]), first.decode().lower(), body


async def test_a_broker_that_is_well_is_live_and_ready():
    async with serving(Health(live={"loop": lambda: None}, ready={"journal": lambda: None})) as port:
        for path, part in (("/livez", "loop"), ("/readyz", "journal")):
            status, _, body = await get(port, path)
            assert (status, json.loads(body)) == (200, {"status": "ok", "parts": {part: "ok"}})


async def test_a_broker_that_is_not_ready_says_which_part_and_why():
    parts = {"journal": lambda: "disk full", "catalog": lambda: None}
    async with serving(Health(ready=parts)) as port:
        status, _, body = await get(port, "/readyz")
        assert status == 503
        assert json.loads(body) == {"status": "failing", "parts": {"journal": "disk full", "catalog": "ok"}}
        assert (await get(port, "/livez"))[0] == 200


async def test_metrics_are_looked_up_and_shown():
    stats = Stats()
    async with serving(sources=[MetricSource(METRICS, stats, stats.look_up)]) as port:
        status, head, body = await get(port, "/metrics")
        assert status == 200
        assert "content-type: text/plain" in head
        assert b"fleuve_test_counted_total 5.0" in body
        assert b"fleuve_test_looked_up 1.0" in body


async def test_a_room_that_cannot_look_up_does_not_hide_the_others():
    stats = Stats()
    async with serving(sources=[MetricSource(METRICS, stats, stats.fail)]) as port:
        assert b"fleuve_test_counted_total 5.0" in (await get(port, "/metrics"))[2]


async def test_scrapes_that_come_together_are_all_answered():
    async with serving(sources=[MetricSource(METRICS, Stats())]) as port:
        answers = await asyncio.gather(*(get(port, "/metrics") for _ in range(10)))
        assert {status for status, _, _ in answers} == {200}


async def test_what_is_not_there_is_answered_in_json():
    async with serving() as port:
        status, head, body = await get(port, "/nothing")
        assert status == 404
        assert "application/json" in head
        assert json.loads(body) == {"error": "Not Found", "path": "/nothing"}
        assert (await get(port, "/livez", method="DELETE"))[0] == 405


async def test_signals_stay_with_the_broker():
    def mine(*_):
        pass

    before = signal.signal(signal.SIGTERM, mine)
    try:
        async with serving() as port:
            await get(port, "/livez")
            assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_it_stops_though_nobody_ever_came():
    async with serving():
        pass


async def test_it_stops_though_a_connection_stays_open():
    async with serving() as port:
        await get(port, "/livez")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def test_garbage_costs_its_own_connection_only():
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(bytes(range(256)) * 10)
        await reader.read()
        writer.close()
        assert (await get(port, "/livez"))[0] == 200


def test_a_port_that_is_taken_is_an_error_that_says_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = HttpServer("127.0.0.1", port, metrics=list, health=Health(), log=SilentLogger())
        with pytest.raises(HttpAddressUnavailable, match=f"127.0.0.1:{port} is in use.*--http off"):
            server.open()


def test_an_address_of_another_machine_is_an_error_that_names_the_flag():
    server = HttpServer("192.0.2.1", 0, metrics=list, health=Health(), log=SilentLogger())
    with pytest.raises(HttpAddressUnavailable, match="--http: cannot listen on 192.0.2.1:0"):
        server.open()


def test_opening_the_port_loads_no_http_stack():
    code = """
import sys
from fleuve.base.log import SilentLogger
from fleuve.web.health import Health
from fleuve.web.service import HttpServer
HttpServer("127.0.0.1", 0, metrics=list, health=Health(), log=SilentLogger()).open()
print([name for name in ("uvicorn", "starlette", "prometheus_client") if name in sys.modules])
"""
    import subprocess

    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


async def test_what_is_no_http_is_complained_of_once_in_a_while(caplog):
    async with serving() as port:
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x00\x00\x00\x20\x00\x12\x00\x04 what a Kafka client sends first")
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
            writer.close()
            await writer.wait_closed()
    assert [record.getMessage() for record in caplog.records] == ["Invalid HTTP request received."]


async def test_no_thread_is_left_behind():
    before = {thread.name for thread in threading.enumerate() if "asyncio" not in thread.name}
    async with serving() as port:
        await get(port, "/metrics")
    assert {thread.name for thread in threading.enumerate() if "asyncio" not in thread.name} == before
