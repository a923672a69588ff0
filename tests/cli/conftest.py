"""A broker for the tests of a file, and the command line of somebody who uses it."""

import pytest

from support.broker_thread import BrokerThread
from support.command_line import CommandLine


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a broker that all tests of a file share: each takes names of its own."""
    settings = {"group.initial.rebalance.delay.ms": "0", "log.flush.interval.messages": "1000000"}
    with BrokerThread(tmp_path_factory.mktemp("broker"), settings) as broker:
        yield f"{broker.address[0]}:{broker.address[1]}"


@pytest.fixture
def fleuve(cluster, monkeypatch, capfd):
    """The command line: `fleuve.ok("topic", "list")`."""
    return CommandLine(cluster, monkeypatch, capfd)


@pytest.fixture
def produce(fleuve):
    """Send so many records to a partition of a topic; with `timestamp_ms`, they are one second apart from there on."""

    def send(topic, partition, count, timestamp_ms=None):
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": fleuve.bootstrap})
        for number in range(count):
            timestamp = 0 if timestamp_ms is None else timestamp_ms + 1000 * number
            producer.produce(topic, value="x", partition=partition, timestamp=timestamp)
        assert producer.flush(20) == 0

    return send
