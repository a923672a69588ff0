"""The protocol end to end: a whole broker, real sockets, and this project's own codec on the other side.

To see what another broker says to the same tests (Apache Kafka 4.3 passes them), name it:
`FLEUVE_TEST_BOOTSTRAP=127.0.0.1:9192 python -m pytest tests/protocol`. What is Fleuve's own answer is skipped then:
those tests ask for `fleuve`.
"""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator

import pytest

from support.broker_thread import BrokerThread
from support.wire_client import Address, Client, RefusedError

OTHER_BROKER = os.environ.get("FLEUVE_TEST_BOOTSTRAP")

SETTINGS = {
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "3",
}

_numbers = itertools.count()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """Where the broker listens that all tests of a module share."""
    if OTHER_BROKER is not None:
        host, _, port = OTHER_BROKER.rpartition(":")
        yield host, int(port)
        return
    with BrokerThread(tmp_path_factory.mktemp("broker"), SETTINGS) as broker:
        yield broker.address


@pytest.fixture
def fleuve() -> None:
    """Skip the test where another broker is asked."""
    if OTHER_BROKER is not None:
        pytest.skip("this is Fleuve's own answer")


@pytest.fixture
def connect(address: Address) -> Iterator[Callable[[], Client]]:
    """Open one more connection; all are closed at the end."""
    clients = []

    def connected() -> Client:
        clients.append(Client(address))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    """A connection."""
    return connect()


@pytest.fixture
def name() -> str:
    """A name that nothing else has, for a topic or a group."""
    return f"name-{next(_numbers)}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def make_topic(client: Client, name: str) -> Callable[..., str]:
    """Make the topic `name`, and wait until it is usable."""

    def made(partitions: int = 1, **configs: str) -> str:
        client.create_topic(name, partitions, {key.replace("_", "."): text for key, text in configs.items()})
        for partition in range(partitions):
            _until_led(client, name, partition)
        return name

    return made


@pytest.fixture
def topic(make_topic: Callable[..., str]) -> str:
    """A topic with two partitions."""
    return make_topic(2)


def _until_led(client: Client, topic: str, partition: int) -> None:
    # In Kafka a new partition has no leader for a moment.
    while True:
        try:
            client.end_offset(topic, partition)
        except RefusedError as error:
            assert OTHER_BROKER is not None, error
        else:
            return
