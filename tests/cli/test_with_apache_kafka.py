"""The commands with Apache Kafka itself, and what only it has: transactions, compaction.

What is tested of `fleuve topic` and `fleuve group` with Fleuve is tested here once more.
"""

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from cli import test_group, test_topic
from support import apache_kafka
from support.command_line import CommandLine
from support.shell import bash

pytestmark = pytest.mark.compat


@pytest.fixture(scope="module")
def kafka():
    """The address of a node of Apache Kafka that all tests share."""
    with apache_kafka.started({"group.initial.rebalance.delay.ms": "0"}) as node:
        yield node.bootstrap


@pytest.fixture(scope="module")
def cluster(kafka):
    """What the tests of other files call it."""
    return kafka


@pytest.fixture
def fleuve(kafka, monkeypatch, capfd):
    return CommandLine(kafka, monkeypatch, capfd)


def make(kafka, topic, partitions=1, **config):
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, partitions, config=config)])[topic].result()


def shown(fleuve, *words):
    return fleuve.ok("consume", *words).out.split("\n")[:-1]


def test_a_topic_that_it_creates_on_demand_is_written_to_and_read(fleuve):
    ran = fleuve.ok("produce", "on-demand", "--key-separator", ":", "-H", "a=1", stdin="k:v\nl:w\n")
    assert "created with 1 partition" in ran.err
    assert shown(fleuve, "on-demand", "--exit-at-end", "--print", "key,headers,value") == ["k\ta=1\tv", "l\ta=1\tw"]


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_records_arrive(fleuve, compression):
    fleuve.ok("produce", compression, "--compression", compression, stdin="same\n" * 100)
    assert shown(fleuve, compression, "-n", 100) == ["same"] * 100


def test_a_topic_that_does_not_exist_is_refused_and_not_created(fleuve, kafka):
    assert fleuve("consume", "absent").code == 1
    assert fleuve("consume", "absent", "--group", "g").code == 1
    admin = AdminClient({"bootstrap.servers": kafka})
    assert "absent" not in admin.list_topics(timeout=10).topics


def test_offsets_times_and_the_last_are_found(fleuve, kafka):
    make(kafka, "timed", partitions=2, **{"retention.ms": "-1"})
    for number in range(6):
        fleuve.ok(
            "produce", "timed", "--partition", number % 2, "--timestamp", f"@{1000 + number}", stdin=f"{number}\n"
        )
    assert sorted(shown(fleuve, "timed", "--since", "@1004", "--exit-at-end")) == ["4", "5"]
    assert sorted(shown(fleuve, "timed", "--until", "@1002")) == ["0", "1"]
    assert sorted(shown(fleuve, "timed", "--offset", 2, "--exit-at-end")) == ["4", "5"]
    assert shown(fleuve, "timed", "--last", 3) == ["3", "4", "5"]
    assert fleuve("consume", "timed", "--offset", 4).code == 1


def test_a_group_goes_on_where_it_has_come_to(fleuve):
    fleuve.ok("produce", "grouped", stdin="1\n2\n3\n")
    assert shown(fleuve, "grouped", "--group", "g", "-n", 2) == ["1", "2"]
    assert shown(fleuve, "grouped", "--group", "g", "--exit-at-end") == ["3"]
    assert shown(fleuve, "grouped", "--group", "g", "--exit-at-end") == []


def test_aborted_records_are_not_shown_and_the_end_behind_markers_is_found(fleuve, kafka):
    make(kafka, "transactional")
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": "t"})
    producer.init_transactions(20)
    for value, end in (("kept", producer.commit_transaction), ("dropped", producer.abort_transaction)):
        producer.begin_transaction()
        producer.produce("transactional", value)
        producer.flush(20)
        end()
    # The last offsets are a marker's: no record reaches the end.
    assert shown(fleuve, "transactional", "--exit-at-end") == ["kept"]
    assert shown(fleuve, "transactional", "--last", 2) == ["kept"]
    assert shown(fleuve, "transactional", "--exit-at-end", "--group", "markers") == ["kept"]
    uncommitted = ("--isolation-level", "read_uncommitted")
    assert shown(fleuve, "transactional", "--exit-at-end", *uncommitted) == ["kept", "dropped"]


def test_an_open_transaction_does_not_hold_the_end_up(fleuve, kafka):
    make(kafka, "open")
    fleuve.ok("produce", "open", stdin="before\n")
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": "o"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce("open", "undecided")
    producer.flush(20)
    assert shown(fleuve, "open", "--exit-at-end") == ["before"]
    assert shown(fleuve, "open", "--exit-at-end", "--isolation-level", "read_uncommitted") == ["before", "undecided"]
    producer.abort_transaction()


def test_a_copy_by_json_is_the_original(fleuve, kafka):
    make(kafka, "original", partitions=3, **{"retention.ms": "-1"})
    make(kafka, "copy", partitions=3, **{"retention.ms": "-1"})
    lines = [
        '{"value":"v","key":"k","partition":2,"timestamp":5,"headers":[{"name":"a","value":"1"},{"name":"a","value":null}]}',
        '{"value":null,"key":{"base64":"/w=="},"partition":0,"timestamp":6}',
        '{"value":"","key":null,"partition":1,"timestamp":7}',
    ]
    fleuve.ok("produce", "original", "--input", "json", stdin="\n".join(lines))
    copied = bash("fleuve consume original --exit-at-end --output json | fleuve produce copy --input json -q", kafka)
    assert copied.returncode == 0

    def content(topic):
        records = fleuve.ok("consume", topic, "--exit-at-end", "--output", "json").objects
        return sorted(str({**record, "topic": ""}) for record in records)

    assert content("copy") == content("original")
    assert len(content("copy")) == 3


def test_a_topic_with_a_small_limit_takes_small_records_and_the_first_large_one_is_named(fleuve, kafka):
    make(kafka, "narrow", **{"max.message.bytes": "2000"})
    ran = fleuve("produce", "narrow", "-q", stdin="small\n" * 1000 + "x" * 1800 + "\n" + "x" * 5000 + "\n")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "1,001 records written" in ran.err
    assert "line 1,002" in ran.err
    assert len(shown(fleuve, "narrow", "--exit-at-end")) == 1001


def test_the_cluster_and_its_brokers_are_shown(fleuve, kafka):
    make(kafka, "counted", partitions=4)
    (found,) = fleuve.ok("info", "--output", "json").objects
    (broker,) = found["brokers"]
    assert f"{broker['host']}:{broker['port']}" == kafka
    assert broker["controller"]
    assert broker["leads"] == found["partitions"] >= 4
    assert (found["partitions_without_leader"], found["partitions_out_of_sync"]) == ([], [])


def test_what_goes_on_is_shown_without_what_its_protocol_does_not_tell(fleuve, kafka):
    make(kafka, "watched", partitions=2)
    fleuve.ok("group", "reset", "watchers", "--topic", "watched", "--to", "earliest")
    words = ("--topic", "watched", "--group", "watchers", "--interval", "0.1", "--once", "--output", "json")
    (seen,) = fleuve.ok("top", *words).objects
    assert seen["topics"] == [{"topic": "watched", "partitions": 2, "records_per_s": 0.0}]
    assert [(group["group"], group["course"]) for group in seen["groups"]] == [("watchers", "caught up")]
    assert [broker["connections"] for broker in seen["brokers"]] == [None]


def test_a_group_of_the_new_protocol_is_described_and_not_reset_under_its_members(fleuve, kafka):
    make(kafka, "modern", partitions=2)
    fleuve.ok("produce", "modern", "--partition", 0, "-q", stdin="1\n2\n3\n")
    settings = {"group.protocol": "consumer", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({**settings, "bootstrap.servers": kafka, "group.id": "moderns", "client.id": "new-one"})
    try:
        consumer.subscribe(["modern"])
        (first,) = consumer.consume(1, 30)
        consumer.commit(first, asynchronous=False)
        (group,) = fleuve.ok("group", "describe", "moderns", "--output", "json").objects
        (member,) = group["members"]
        assert (group["type"], group["state"], group["lag"]) == ("consumer", "stable", 2)
        assert (member["client_id"], len(member["partitions"])) == ("new-one", 2)
        ran = fleuve("group", "reset", "moderns", "--to", "earliest")
        assert (ran.code, ran.err.count("\n")) == (1, 1)
        assert "has members (new-one at 127.0.0.1); stop them first" in ran.err
    finally:
        consumer.close()


for module in (test_topic, test_group):
    again = {
        name: it for name, it in vars(module).items() if name.startswith("test_") or hasattr(it, "_fixture_function")
    }
    assert not [name for name in again if name in globals()]
    globals().update(again)
