"""kafka-get-offsets, kafka-delete-records and kafka-log-dirs."""

from __future__ import annotations

import json

import pytest

from clients.records import TIMESTAMP_FIRST_MS, Written

TOOLS = "kafka-get-offsets, kafka-delete-records, kafka-log-dirs"

VALUE = b"x" * 1_000


@pytest.fixture
def topic(driver, topic):
    """Partition 0 has records of the minutes 0, 3, 1, 2 and 3, in this order; partition 1 has one of minute 2."""
    driver.create_topic(topic, 2)
    minutes = [(0, 0), (0, 3), (0, 1), (0, 2), (0, 3), (1, 2)]
    driver.produce(
        topic,
        [Written(partition, None, VALUE, (), TIMESTAMP_FIRST_MS + minute * 60_000) for partition, minute in minutes],
    )
    return topic


@pytest.fixture
def delete(tools, tmp_path):
    """Delete records of topics, up to offsets of partitions."""

    def delete(*partitions):
        file = tmp_path / "delete.json"
        rows = [{"topic": name, "partition": partition, "offset": offset} for name, partition, offset in partitions]
        file.write_text(json.dumps({"version": 1, "partitions": rows}))
        return tools.call("delete-records", "--offset-json-file", file)

    return delete


def offsets(tools, topic, *options):
    """Return what kafka-get-offsets says, by partition."""
    lines = tools("get-offsets", "--topic", topic, *options).lines
    return {int(line.split(":")[1]): int(line.split(":")[2]) for line in lines}


@pytest.mark.parametrize(
    ("time", "found"),
    [
        ("-1", {0: 5, 1: 1}),
        ("latest", {0: 5, 1: 1}),
        ("-2", {0: 0, 1: 0}),
        ("earliest", {0: 0, 1: 0}),
        # The first of the youngest.
        ("-3", {0: 1, 1: 0}),
        ("max-timestamp", {0: 1, 1: 0}),
        ("-4", {0: 0, 1: 0}),
        ("earliest-local", {0: 0, 1: 0}),
        ("-5", {}),
        ("latest-tiered", {}),
        ("-6", {}),
        ("earliest-pending-upload", {}),
    ],
)
def test_the_special_times_have_their_offsets(tools, topic, time, found):
    assert offsets(tools, topic, "--time", time) == found


@pytest.mark.parametrize(("minute", "found"), [(-9, {0: 0, 1: 0}), (1, {0: 1, 1: 0}), (3, {0: 1}), (4, {})])
def test_the_offset_of_a_time_is_that_of_the_first_record_as_young(tools, topic, minute, found):
    assert offsets(tools, topic, "--time", TIMESTAMP_FIRST_MS + minute * 60_000) == found


def test_offsets_are_asked_for_by_partition_and_pattern(tools, topic):
    assert offsets(tools, topic) == {0: 5, 1: 1}
    assert offsets(tools, topic, "--partitions", "1") == {1: 1}
    assert tools("get-offsets", "--topic-partitions", f"{topic}:1").lines == [f"{topic}:1:1"]
    assert tools("get-offsets", "--topic-partitions", f"{topic[:-1]}.:0-1").lines == [f"{topic}:0:5"]
    assert "__consumer_offsets" not in tools("get-offsets", "--exclude-internal-topics").out


@pytest.mark.parametrize("options", [["--topic", "nowhere"], ["--topic-partitions", "nowhere:0"]])
def test_offsets_of_nothing_are_an_error(tools, options):
    said = tools.refused("get-offsets", *options)

    assert "Could not match any topic-partitions with the specified filters" in said


def test_records_are_deleted_up_to_an_offset_or_altogether(tools, topic, delete):
    done = delete((topic, 0, 2), (topic, 1, -1))

    assert done.status == 0
    assert sorted(done.lines[2:]) == [
        f"partition: {topic}-0\tlow_watermark: 2",
        f"partition: {topic}-1\tlow_watermark: 1",
    ]
    assert offsets(tools, topic, "--time", "earliest") == {0: 2, 1: 1}
    assert offsets(tools, topic, "--time", "latest") == {0: 5, 1: 1}
    read = tools("console-consumer", "--topic", topic, "--partition", 0, "--offset", "earliest", "--timeout-ms", 1_500)
    assert read.out.splitlines() == [VALUE.decode()] * 3


def test_records_that_are_not_there_cannot_be_deleted(tools, topic, delete):
    assert "OffsetOutOfRangeException" in delete((topic, 0, 200)).out
    assert f"duplicate topic partitions: {topic}-0" in delete((topic, 0, 3), (topic, 0, 1)).err
    assert offsets(tools, topic, "--time", "earliest") == {0: 0, 1: 0}


def log_dirs(tools, *options):
    """Return the partitions that kafka-log-dirs describes, by name."""
    (found,) = tools("log-dirs", "--describe", *options).objects
    ((broker, (log_dir,)),) = ((each["broker"], each["logDirs"]) for each in found["brokers"])
    assert (broker, log_dir["error"]) == (1, None)
    return {each["partition"]: each for each in log_dir["partitions"]}


def test_log_directories_have_the_sizes_of_partitions(tools, topic):
    found = log_dirs(tools, "--topic-list", topic)

    assert found.keys() == {f"{topic}-0", f"{topic}-1"}
    assert 5_000 < found[f"{topic}-0"]["size"] < 6_000
    assert 1_000 < found[f"{topic}-1"]["size"] < 1_200
    assert {(each["offsetLag"], each["isFuture"]) for each in found.values()} == {(0, False)}
    assert log_dirs(tools, "--broker-list", 1).items() >= found.items()


def test_log_directories_of_what_is_not_there_are_empty_or_an_error(tools, topic):
    assert log_dirs(tools, "--topic-list", f"{topic}-no") == {}
    assert "The given brokers do not exist from --broker-list: 7. Current existent brokers: 1" in tools.refused(
        "log-dirs", "--describe", "--broker-list", "1,7"
    )
