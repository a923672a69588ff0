"""Listeners: where they bind, and what clients are told."""

from __future__ import annotations

import asyncio
import socket

import pytest

from fleuve.engine.access.service import AllowAll
from fleuve.kafka.connections import Connections
from fleuve.kafka.limits import Limits
from fleuve.kafka.listener import CannotListen, Listener, ListenerAddress
from fleuve.kafka.table import Table
from fleuve.wire.generated import api_versions
from support.edge import Client, RecordingLogger


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def listener(host: str, port: int = 0, **fields) -> Listener:
    return Listener(
        ListenerAddress(
            name="PLAINTEXT", host=host, port=port, advertised_host="broker.example", advertised_port=0, **fields
        )
    )


async def ask(host: str, port: int) -> int:
    client = Client(*await asyncio.open_connection(host, port))
    request = api_versions.ApiVersionsRequest(client_software_name="a", client_software_version="1")
    response = await client.call(api_versions, request, 4)
    await client.close()
    return int(response.error_code)


async def test_localhost_is_both_loopbacks_with_one_port():
    async with asyncio.TaskGroup() as tasks:
        connections = Connections(
            Table([]), limits=Limits(), authorizer=AllowAll(), logger=RecordingLogger(), tasks=tasks
        )
        bound = listener("localhost")
        bound.bind()
        await bound.start(connections)
        assert bound.port > 0
        assert bound.advertised == ("broker.example", bound.port)
        assert await ask("127.0.0.1", bound.port) == 0
        if has_ipv6():
            assert await ask("::1", bound.port) == 0
        bound.close()
        await connections.drain(5)


async def test_clients_that_come_before_the_start_are_served_then():
    async with asyncio.TaskGroup() as tasks:
        connections = Connections(
            Table([]), limits=Limits(), authorizer=AllowAll(), logger=RecordingLogger(), tasks=tasks
        )
        bound = listener("127.0.0.1")
        bound.bind()
        asking = tasks.create_task(ask("127.0.0.1", bound.port))
        await asyncio.sleep(0)
        await bound.start(connections)
        assert await asking == 0
        bound.close()
        await connections.drain(5)


def test_a_port_that_is_taken_is_one_clear_error():
    first = listener("127.0.0.1")
    first.bind()
    try:
        with pytest.raises(CannotListen, match=f"port {first.port} is taken"):
            listener("127.0.0.1", first.port).bind()
        with pytest.raises(CannotListen, match="is taken"):
            listener("localhost", first.port).bind()
    finally:
        first.close()


def test_an_address_of_another_machine_is_one_clear_error():
    with pytest.raises(CannotListen, match=r"cannot listen on 203\.0\.113\.1:0"):
        listener("203.0.113.1").bind()


def test_a_name_that_does_not_resolve_is_one_clear_error():
    with pytest.raises(CannotListen, match="cannot listen on"):
        listener("nowhere.invalid").bind()


def test_port_0_finds_a_port_that_is_free_on_both_loopbacks():
    if not has_ipv6():
        pytest.skip("no IPv6 on this machine")
    for _ in range(20):
        bound = listener("localhost")
        bound.bind()
        ports = {one.getsockname()[1] for one in bound._sockets}
        assert ports == {bound.port}
        assert len(bound._sockets) == 2
        bound.close()


def test_buffers_are_set_before_listening():
    bound = listener("127.0.0.1", receive_buffer_bytes=50_000, send_buffer_bytes=50_000)
    bound.bind()
    (opened,) = bound._sockets
    assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 50_000
    bound.close()
