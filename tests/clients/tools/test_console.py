"""kafka-console-producer and kafka-console-consumer."""

from __future__ import annotations

import pytest

TOOLS = "kafka-console-producer, kafka-console-consumer"

# The consumer ends when nothing more comes for so long.
QUIET_MS = 1_500
EVERYTHING = [
    word
    for name in ("partition", "offset", "key", "headers", "value")
    for word in ("--formatter-property", f"print.{name}=true")
]
READER = [
    word
    for text in (
        "parse.key=true", "key.separator=:", "parse.headers=true", "headers.delimiter=|", "headers.separator=,",
        "headers.key.separator=:", "null.marker=NIL",
    )
    for word in ("--reader-property", text)
]  # fmt: skip


@pytest.fixture
def topic(tools, topic):
    """A topic of one partition."""
    tools("topics", "--create", "--topic", topic, "--partitions", 1)
    return topic


def consume(tools, topic, *options, count=None):
    """Return the lines of a consumer that reads `count` records, or until nothing comes."""
    enough = ["--timeout-ms", QUIET_MS] if count is None else ["--timeout-ms", 30_000, "--max-messages", count]
    printed = tools("console-consumer", "--topic", topic, *enough, *options)
    assert f"Processed a total of {len(printed.lines)} messages" in printed.err
    return printed.lines


def test_keys_headers_and_nulls_are_written_and_read(tools, topic):
    text = "h1:v1,h2:v2|k1:one\nh:v|k2:NIL\nNIL|NIL:three\n"
    tools("console-producer", "--topic", topic, *READER, stdin=text)

    assert consume(tools, topic, "--from-beginning", *EVERYTHING, count=3) == [
        "Partition:0\tOffset:0\th1:v1,h2:v2\tk1\tone",
        "Partition:0\tOffset:1\th:v\tk2\tnull",
        "Partition:0\tOffset:2\tNO_HEADERS\tnull\tthree",
    ]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_compression_is_read_back(tools, topic, codec):
    text = "".join(f"line {number} of {codec}\n" for number in range(100))
    tools("console-producer", "--topic", topic, "--compression-codec", codec, stdin=text)

    assert consume(tools, topic, "--from-beginning", count=100) == text.splitlines()


@pytest.mark.parametrize(
    "options",
    [["--sync"], ["--request-required-acks", "0"], ["--command-property", "acks=1"], ["--batch-size", "10"]],
    ids=lambda options: " ".join(options),
)
def test_a_record_arrives_however_it_is_acknowledged(tools, topic, options):
    tools("console-producer", "--topic", topic, *options, stdin="one\ntwo\n")

    assert consume(tools, topic, "--from-beginning", count=2) == ["one", "two"]


def test_a_topic_comes_with_its_first_line(tools, topic):
    tools("console-producer", "--topic", f"{topic}-new", stdin="first\n")

    assert consume(tools, f"{topic}-new", "--from-beginning", count=1) == ["first"]


def test_a_name_that_no_topic_can_have_is_complained_of(tools):
    printed = tools("console-producer", "--topic", "bad/name", stdin="lost\n")

    assert "org.apache.kafka.common.errors.InvalidTopicException: Invalid topics: [bad/name]" in printed.err


def test_a_partition_is_read_from_an_offset_its_start_or_its_end(tools, topic):
    tools("console-producer", "--topic", topic, stdin="zero\none\ntwo\n")
    partition = ["--partition", 0]

    assert consume(tools, topic, *partition, "--offset", 1) == ["one", "two"]
    assert consume(tools, topic, *partition, "--offset", 1, count=1) == ["one"]
    assert consume(tools, topic, *partition, "--offset", "earliest") == ["zero", "one", "two"]
    assert consume(tools, topic, *partition, "--offset", "latest") == []


def test_a_group_goes_on_where_it_stopped(tools, topic, group):
    tools("console-producer", "--topic", topic, stdin="".join(f"{number}\n" for number in range(10)))

    first = consume(tools, topic, "--group", group, "--from-beginning", count=4)
    rest = consume(tools, topic, "--group", group)

    assert first == ["0", "1", "2", "3"]
    assert rest == ["4", "5", "6", "7", "8", "9"]


def test_topics_are_read_by_pattern(tools, topic):
    for name in (f"{topic}-a", f"{topic}-b"):
        tools("console-producer", "--topic", name, stdin=f"{name}\n")

    printed = tools(
        "console-consumer",
        "--include",
        f"{topic}-[ab]",
        "--from-beginning",
        "--max-messages",
        2,
        "--timeout-ms",
        30_000,
    )

    assert sorted(printed.lines) == [f"{topic}-a", f"{topic}-b"]


def test_only_committed_records_are_read_if_one_wants(tools, topic):
    tools("console-producer", "--topic", topic, stdin="plain\n")

    assert consume(tools, topic, "--from-beginning", "--isolation-level", "read_committed", count=1) == ["plain"]


def test_the_new_group_protocol_is_refused_in_words_that_say_what_to_do(tools, topic, fleuve_only):
    printed = tools.call(
        "console-consumer", "--topic", topic, "--timeout-ms", 30_000, "--command-property", "group.protocol=consumer"
    )

    assert "The cluster does not support the new CONSUMER group protocol. Set group.protocol=classic" in printed.err
