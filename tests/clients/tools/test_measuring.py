"""kafka-verifiable-producer and -consumer, kafka-producer-perf-test and -consumer-perf-test."""

from __future__ import annotations

import re

import pytest

from clients.records import numbered

TOOLS = "kafka-verifiable-producer, kafka-verifiable-consumer, kafka-producer-perf-test, kafka-consumer-perf-test"


@pytest.fixture
def topic(tools, topic):
    """A topic of two partitions."""
    tools("topics", "--create", "--topic", topic, "--partitions", 2)
    return topic


def by_name(events):
    found = {}
    for event in events:
        found.setdefault(event["name"], []).append(event)
    return found


@pytest.mark.parametrize("acks", ["-1", "1"])
def test_every_record_of_the_verifiable_producer_is_acknowledged_and_consumed(tools, topic, group, acks):
    options = ["--topic", topic, "--max-messages", 200]
    produced = by_name(tools.alone("verifiable-producer", *options, "--acks", acks, "--repeating-keys", 7).objects)
    options += ["--group-id", group, "--reset-policy", "earliest", "--verbose"]
    consumed = by_name(tools("verifiable-consumer", *options).objects)

    sent = {(each["partition"], each["offset"]): each["value"] for each in produced["producer_send_success"]}
    assert "producer_send_error" not in produced
    assert (produced["tool_data"][0]["sent"], produced["tool_data"][0]["acked"]) == (200, 200)
    assert sorted(map(int, sent.values())) == list(range(200))
    read = {(each["partition"], each["offset"]): each["value"] for each in consumed["record_data"]}
    assert read == sent
    assert sum(each["count"] for each in consumed["records_consumed"]) == 200
    assert {each["success"] for each in consumed["offsets_committed"]} == {True}
    assert consumed.keys() >= {"startup_complete", "partitions_assigned", "partitions_revoked", "shutdown_complete"}


@pytest.mark.parametrize(
    "options",
    [
        ["--assignment-strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"],
        ["--group-instance-id", "steady", "--enable-autocommit"],
    ],
    ids=["cooperative", "static"],
)
def test_the_verifiable_consumer_comes_back_where_it_was(tools, driver, topic, group, options):
    consume = ["verifiable-consumer", "--topic", topic, "--group-id", group, "--reset-policy", "earliest", *options]
    driver.produce(topic, numbered(30, 2))
    first = by_name(tools(*consume, "--max-messages", 30).objects)
    driver.produce(topic, numbered(10, 2))
    second = by_name(tools(*consume, "--max-messages", 10).objects)

    assert sum(each["count"] for each in first["records_consumed"]) == 30
    assert sum(each["count"] for each in second["records_consumed"]) == 10


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_the_performance_tests_send_and_read_everything(tools, topic, group, codec):
    sent = tools(
        "producer-perf-test", "--topic", topic, "--num-records", 20_000, "--record-size", 100, "--throughput", -1,
        "--command-property", f"compression.type={codec}", "--print-metrics",
    )  # fmt: skip
    read = tools("consumer-perf-test", "--topic", topic, "--group", group, "--num-records", 20_000, "--timeout", 30_000)

    totals = [line for line in sent.lines if line.startswith("20000 records sent, ")]
    assert len(totals) == 1
    assert re.search(r"[\d.]+ records/sec \([\d.]+ MB/sec\), [\d.]+ ms avg latency, .* ms 99.9th\.$", totals[0])
    errors = re.search(r"producer-metrics:record-error-total:\{client-id=perf-producer-client\} +: ([\d.]+)", sent.out)
    assert errors is not None
    assert float(errors[1]) == 0
    heads, values = (line.split(", ") for line in read.lines[-2:])
    assert int(dict(zip(heads, values, strict=True))["data.consumed.in.nMsg"]) >= 20_000


def test_the_consumer_test_says_that_there_was_not_enough(tools, topic):
    tools("producer-perf-test", "--topic", topic, "--num-records", 100, "--record-size", 100, "--throughput", 10_000)

    options = ["--num-records", 101, "--timeout", 1_000, "--show-detailed-stats"]
    read = tools("consumer-perf-test", "--topic", topic, *options)

    assert "Exiting before consuming the expected number of records: timeout (1000 ms) exceeded" in read.out
