"""What `fleuve consume --output json` prints, `fleuve produce --input json` takes back: the copy is the original."""

import itertools
from collections import defaultdict

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.shell import bash

PARTITIONS = 3
NUMBERS = itertools.count()

data = st.one_of(st.none(), st.binary(max_size=40), st.text(max_size=20).map(str.encode), st.just(b"null"))
records = st.fixed_dictionaries(
    {
        "value": data,
        "key": data,
        "partition": st.integers(0, PARTITIONS - 1),
        # The client library has no 0, which it takes for "now".
        "timestamp": st.integers(1, 253_402_300_799_999),
        "headers": st.lists(st.tuples(st.text(max_size=8), data), max_size=4),
    }
)


def topics(cluster, count):
    """Return the names of new topics that take records of any time, and keep them."""
    admin = AdminClient({"bootstrap.servers": cluster})
    config = {"retention.ms": "-1", "message.timestamp.after.max.ms": str(2**63 - 1)}
    made = [f"topic-{next(NUMBERS)}" for _ in range(count)]
    for future in admin.create_topics([NewTopic(name, PARTITIONS, config=config) for name in made]).values():
        future.result()
    return made


def produced(cluster, topic, written):
    errors = []
    producer = Producer({"bootstrap.servers": cluster, "linger.ms": 0})
    for record in written:
        producer.produce(topic, **record, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert errors == [None] * len(written)


def consumed(cluster, topic, count):
    """Return the records of each partition, as a client that is not the command line reads them."""
    consumer = Consumer({"bootstrap.servers": cluster, "group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    found = defaultdict(list)
    for _ in range(count):
        message = consumer.poll(20)
        assert message is not None
        assert message.error() is None
        told = (message.value(), message.key(), message.timestamp(), message.headers() or [])
        found[message.partition()].append(told)
    consumer.close()
    return found


@given(written=st.lists(records, max_size=30))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_copy_by_json_is_the_original(fleuve, cluster, written):
    original, copy = topics(cluster, 2)
    produced(cluster, original, written)
    lines = fleuve.ok("consume", original, "--exit-at-end", "--output", "json").out
    fleuve.ok("produce", copy, "--input", "json", stdin=lines)
    assert consumed(cluster, copy, len(written)) == consumed(cluster, original, len(written))


line = st.binary(max_size=30).filter(lambda data: b"\n" not in data and b"\t" not in data)


@given(written=st.lists(st.tuples(line, line), max_size=30))
@settings(max_examples=6, deadline=None)
def test_text_without_separators_in_it_comes_back_as_it_was(cluster, written):
    (topic,) = topics(cluster, 1)
    text = b"".join(key + b"\t" + value + b"\n" for key, value in written)
    sent = bash(f"fleuve produce {topic} --partition 0 --key-separator '\\t' -q", cluster, stdin=text)
    assert sent.returncode == 0, sent.stderr
    assert bash(f"fleuve consume {topic} --exit-at-end --key-separator '\\t'", cluster).stdout == text


def test_a_pipe_copies_a_topic(cluster):
    original, copy = topics(cluster, 2)
    produced(
        cluster, original, [{"value": str(n), "key": str(n % 7), "partition": n % PARTITIONS} for n in range(5000)]
    )
    command = f"fleuve consume {original} --exit-at-end --output json | fleuve produce {copy} --input json -q"
    assert bash(command, cluster).returncode == 0
    assert consumed(cluster, copy, 5000) == consumed(cluster, original, 5000)
