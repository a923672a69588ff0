"""The programs for those who come from elsewhere: what they have to write now runs as it is printed."""

import subprocess
import sys

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from support.broker_process import BrokerProcess
from support.pages import program

TIMEOUT_S = 40
QUICK = {"group.initial.rebalance.delay.ms": 0}


@pytest.fixture
def broker(tmp_path):
    with BrokerProcess(tmp_path / "broker", settings=QUICK) as running:
        yield running


def printed_by(text):
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def read(bootstrap, topic, count):
    settings = {"bootstrap.servers": bootstrap, "group.id": "looking", "auto.offset.reset": "earliest"}
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    found = [consumer.poll(20) for _ in range(count)]
    consumer.close()
    return found


def test_a_work_queue_puts_aside_what_fails(broker):
    block, _ = program("coming-from/rabbitmq.md", "python", "With Fleuve")
    assert sorted(printed_by(block.at(broker.bootstrap))) == ["result: 2", "result: 20", "result: 5"]
    dead = {message.value(): dict(message.headers())["error"] for message in read(broker.bootstrap, "tasks.dead", 2)}
    assert dead[b"0"] == b"ZeroDivisionError('integer division or modulo by zero')"
    assert dead[b"many"].startswith(b"ValueError(")


def test_the_program_that_waits_is_python():
    block, _ = program("coming-from/rabbitmq.md", "python", "Trying again later")
    assert printed_by(block.text) == []


def test_a_stream_with_a_group_and_by_time(broker):
    block, _ = program("coming-from/redis-streams.md", "python", "With Fleuve")
    *readings, pending = printed_by(block.at(broker.bootstrap))
    assert pending == "pending 0"
    assert sorted(readings) == ["s0 0", "s0 2", "s0 4", "s1 1", "s1 3", "s1 5"]
    assert [line for line in readings if line.startswith("s0")] == ["s0 0", "s0 2", "s0 4"]
    by_time, printed = program("coming-from/redis-streams.md", "python", "Reading by time")
    assert printed_by(by_time.at(broker.bootstrap)) == printed.splitlines()


def test_topics_of_another_cluster_are_looked_at_and_copied(broker, tmp_path):
    old = {"bootstrap.servers": broker.bootstrap}
    admin = AdminClient(old)
    compacted = {"cleanup.policy": "compact", "min.insync.replicas": "2"}
    for future in admin.create_topics([NewTopic("plain", 1), NewTopic("small", 3, config=compacted)]).values():
        future.result()
    producer = Producer(old)
    for number in range(5):
        producer.produce("small", f"value {number}", f"key {number}", 2, timestamp=1700000000000, headers={"h": b"x"})
    producer.flush()

    look, _ = program("coming-from/kafka.md", "python", "Is everything there that you use?")
    assert printed_by(look.at(broker.bootstrap)) == [
        "small: compacted; here it keeps every record",
        "small: min.insync.replicas is 2; here there is one copy",
    ]
    copy, _ = program("coming-from/kafka.md", "python", "Records")
    with BrokerProcess(tmp_path / "new", settings=QUICK) as new:
        text = copy.at(new.bootstrap).replace("kafka:9092", broker.bootstrap)
        assert printed_by(text) == ["plain: 1 partitions, 0 records", "small: 3 partitions, 5 records"]
        copied = read(new.bootstrap, "small", 5)
        assert [message.value() for message in copied] == [b"value %d" % number for number in range(5)]
        assert {(m.partition(), m.timestamp()[1], tuple(m.headers())) for m in copied} == {
            (2, 1700000000000, (("h", b"x"),))
        }
        assert printed_by(look.at(new.bootstrap))[0] == "small: compacted; here it keeps every record"
