"""Every length, key, version and truncation: the broker answers or closes that connection, and serves all others."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from fleuve.wire.generated import metadata
from fleuve.wire.header import decode_response_header, response_is_flexible
from hostile.control import Control
from hostile.messages import CASES, SERVED, framed, request, versions
from hostile.strangers import LAST_ID, Outcome, send_each
from hostile.world import World
from support.broker_process import BrokerProcess
from support.kills import address_of
from support.wire_client import Address, request_frame

SIZE_MAX = 400_000
SETTINGS: dict[str, str | int] = {
    "socket.request.max.bytes": SIZE_MAX,
    "group.initial.rebalance.delay.ms": 0,
    "log.retention.ms": -1,
    "auto.create.topics.enable": "false",
}
HEADER_BYTES = 10
PROBE = request_frame(metadata, metadata.MetadataRequest(topics=[]), 1, LAST_ID, "stranger")
"""Sent behind a request that may have no answer of its own."""
SEED = 1
Recorder = Callable[[str, object], None]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    directory: Path = tmp_path_factory.mktemp("frames")
    with BrokerProcess(directory, settings=SETTINGS) as process:
        yield process


@pytest.fixture(scope="module")
def world(broker: BrokerProcess) -> World:
    return World(address_of(broker))


@pytest.fixture
def address(broker: BrokerProcess) -> Iterator[Address]:
    """The broker's; meanwhile another client is served, and the log has no traceback."""
    with Control(address_of(broker)):
        yield address_of(broker)
    broker.check()


def outcomes(address: Address, inputs: list[bytes]) -> set[Outcome]:
    return {stranger.outcome for stranger in send_each(address, inputs) if stranger.outcome is not None}


def padded(size: int) -> bytes:
    """Return a frame whose content has that size: a request, and bytes behind it that nobody reads."""
    return struct.pack(">i", size) + PROBE[4:].ljust(size, b"\0")


@pytest.mark.parametrize("size", [-1, -2, -(1 << 31), (1 << 31) - 1, SIZE_MAX + 1, SIZE_MAX + 2, 1 << 24, 0x47455420])
def test_a_frame_of_a_size_that_cannot_be_is_closed_before_its_content_comes(address: Address, size: int) -> None:
    assert outcomes(address, [struct.pack(">i", size)]) == {Outcome.CLOSED}


def test_a_frame_without_room_for_a_header_is_closed(address: Address) -> None:
    inputs = [framed(bytes(size)) for size in range(HEADER_BYTES)]
    inputs += [framed(b"\0\3\0\1\0\0\0\7\0\0"[:size]) for size in range(HEADER_BYTES)]
    assert outcomes(address, inputs) == {Outcome.CLOSED}


@pytest.mark.parametrize("size", [SIZE_MAX, SIZE_MAX - 1, 1 << 16, (1 << 16) + 1, 4096, 4092, 4097, 100])
def test_a_frame_up_to_the_largest_allowed_is_answered(address: Address, size: int) -> None:
    assert outcomes(address, [padded(size)]) == {Outcome.ANSWERED}


@pytest.mark.timeout(300)
def test_every_api_key_and_version_is_answered_or_closed(address: Address, record_property: Recorder) -> None:
    chance = Random(SEED)
    served = {api.key: versions(module) for module, api in SERVED.items()}
    keys = [*range(-2, 131), *(chance.randrange(-(1 << 15), 1 << 15) for _ in range(300)), -(1 << 15), (1 << 15) - 1]
    inputs = []
    for key in keys:
        around = served.get(key, range(2))
        for version in (*range(around.start - 2, around.stop + 2), -(1 << 15), (1 << 15) - 1):
            head = struct.pack(">hhih", key, version, 1, -1)
            inputs += [framed(content) + PROBE for content in (head, head + bytes(40), head + b"\xff" * 40)]
    for data, stranger in zip(inputs, send_each(address, inputs), strict=True):
        key, version = struct.unpack_from(">hh", data, 4)
        assert stranger.outcome is not Outcome.NEITHER, (key, version)
        if key == SERVED["api_versions"].key and version not in served[key]:
            # Where even the header is cut off there is nothing to answer.
            if not data.endswith(bytes(40) + PROBE):
                continue
            assert stranger.outcome is Outcome.ANSWERED, version
        elif version not in served.get(key, ()):
            assert stranger.outcome is Outcome.CLOSED, (key, version)
    record_property("ran", f"{len(inputs):,} requests of {len(set(keys))} api keys")


@pytest.mark.timeout(300)
def test_a_request_that_is_cut_off_at_any_byte_is_closed(
    address: Address, world: World, record_property: Recorder
) -> None:
    count = 0
    for module, version in CASES:
        whole = request(module, version, Random(f"{module}{version}"), world)
        strangers = send_each(address, (framed(whole[:size]) for size in range(len(whole))))
        odd = [(module, version, whole[:size].hex()) for size, s in enumerate(strangers) if s.outcome != Outcome.CLOSED]
        assert odd == []
        count += len(whole)
    record_property("ran", f"{count:,} truncations of {len(CASES)} requests")


@pytest.mark.parametrize("module", SERVED)
def test_a_sound_request_is_answered_in_every_version(address: Address, world: World, module: str) -> None:
    codec = SERVED[module].codec
    for version in versions(module):
        sound = [request(module, version, Random(f"{module}{version}-{n}"), world, correlation_id=1) for n in range(10)]
        for content, stranger in zip(sound, send_each(address, [framed(c) + PROBE for c in sound]), strict=True):
            if module == "produce" and stranger.outcome is Outcome.CLOSED:
                continue  # With acks=0, if something was refused.
            assert stranger.outcome is Outcome.ANSWERED, (version, content.hex())
            if len(stranger.answers) > 1:
                answer = memoryview(stranger.answers[0])
                _, position = decode_response_header(answer, response_is_flexible(codec.KEY, version))
                codec.decode_response(answer, position, version)


@pytest.mark.timeout(300)
def test_a_client_that_leaves_in_the_middle_of_a_frame_at_any_byte_is_forgotten(address: Address, world: World) -> None:
    for module, version in CASES:
        if version in (versions(module)[0], versions(module)[-1]):
            frame = framed(request(module, version, Random(SEED), world))
            for size in range(len(frame)):
                send_and_leave(address, frame[:size])


def send_and_leave(address: Address, data: bytes) -> None:
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(data)
