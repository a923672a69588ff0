"""kafka-topics: creates, lists, describes, extends and deletes."""

from __future__ import annotations

import re

import pytest

TOOLS = "kafka-topics"


def described(printed):
    """Return the lines of --describe, each as what stands before and after its colons."""
    return [
        dict(part.split(":", 1) for part in re.split(r"\t", line.strip().replace(": ", ":"))) for line in printed.lines
    ]


def configs(head):
    return dict(pair.split("=", 1) for pair in head["Configs"].split(",") if pair)


def test_a_topic_is_created_as_asked_and_described_so(tools, topic):
    created = tools(
        "topics", "--create", "--topic", topic, "--partitions", 3, "--replication-factor", 1,
        "--config", "retention.ms=1000000", "--config", "cleanup.policy=delete",
    )  # fmt: skip
    head, *partitions = described(tools("topics", "--describe", "--topic", topic))

    assert created.lines == [f"Created topic {topic}."]
    assert (head["Topic"], head["PartitionCount"], head["ReplicationFactor"]) == (topic, "3", "1")
    assert re.fullmatch(r"[\w-]{22}", head["TopicId"])
    assert configs(head).items() >= {"retention.ms": "1000000", "cleanup.policy": "delete"}.items()
    assert [each["Partition"] for each in partitions] == ["0", "1", "2"]
    for each in partitions:
        assert (each["Leader"], each["Replicas"], each["Isr"]) == ("1", "1", "1")
        assert (each["Elr"], each["LastKnownElr"]) == ("", "")


def test_a_topic_is_found_by_its_id(tools, topic):
    tools("topics", "--create", "--topic", topic, "--partitions", 1)
    (head, _) = described(tools("topics", "--describe", "--topic", topic))

    assert described(tools("topics", "--describe", "--topic-id", head["TopicId"]))[0]["Topic"] == topic


def test_many_partitions_are_described_page_by_page(tools, topic):
    tools("topics", "--create", "--topic", topic, "--partitions", 7)

    _, *partitions = described(
        tools("topics", "--describe", "--topic", topic, "--partition-size-limit-per-response", 2)
    )

    assert [each["Partition"] for each in partitions] == [str(number) for number in range(7)]


def test_a_topic_exists_once_unless_that_is_fine(tools, topic):
    tools("topics", "--create", "--topic", topic)

    assert f"Topic '{topic}' already exists." in tools.refused("topics", "--create", "--topic", topic)
    assert tools("topics", "--create", "--topic", topic, "--if-not-exists").lines == []


def test_assignments_give_the_partitions(tools, topic):
    tools("topics", "--create", "--topic", topic, "--replica-assignment", "1,1,1,1")

    assert described(tools("topics", "--describe", "--topic", topic))[0]["PartitionCount"] == "4"
    assert "includes broker 7, but no such broker is registered" in tools.refused(
        "topics", "--create", "--topic", f"{topic}-2", "--replica-assignment", "7"
    )


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("bad/name", [], "contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"),
        ("." * 2, [], "Topic name is invalid: '..' is not allowed"),
        ("x" * 250, [], "Topic name is invalid: the length of"),
        ("fine", ["--config", "nonsense=1"], "Unknown topic config name: nonsense"),
        ("fine", ["--config", "min.insync.replicas=0"], "Invalid value 0 for configuration min.insync.replicas"),
    ],
)
def test_what_no_topic_can_be_is_refused_with_the_reason(tools, name, options, words):
    assert words in tools.refused("topics", "--create", "--topic", name, *options)


def test_topics_are_listed_by_name_and_by_pattern(tools, topic):
    for name in (f"{topic}-b", f"{topic}-a", f"{topic}-c"):
        tools("topics", "--create", "--topic", name)

    assert set(tools("topics", "--list").lines) >= {f"{topic}-a", f"{topic}-b", f"{topic}-c"}
    assert tools("topics", "--list", "--topic", f"{topic}-[ac]").lines == [f"{topic}-a", f"{topic}-c"]
    assert "__consumer_offsets" not in tools("topics", "--list", "--exclude-internal").lines


def test_partitions_are_added_and_never_taken(tools, topic):
    tools("topics", "--create", "--topic", topic, "--partitions", 3)

    tools("topics", "--alter", "--topic", topic, "--partitions", 5)

    assert described(tools("topics", "--describe", "--topic", topic))[0]["PartitionCount"] == "5"
    assert f"The topic {topic} currently has 5 partition(s); 2 would not be an increase." in tools.refused(
        "topics", "--alter", "--topic", topic, "--partitions", 2
    )
    assert "Topic already has 5 partition(s)." in tools.refused(
        "topics", "--alter", "--topic", topic, "--partitions", 5
    )


@pytest.mark.parametrize("action", [["--describe"], ["--alter", "--partitions", "9"], ["--delete"]])
def test_a_topic_that_is_missing_is_an_error_unless_that_is_fine(tools, topic, action):
    assert f"Topic '{topic}' does not exist as expected" in tools.refused("topics", *action, "--topic", topic)
    assert tools("topics", *action, "--topic", topic, "--if-exists").lines == []


def test_no_partition_lacks_replicas_and_none_is_out_of_reach(tools, topic):
    tools("topics", "--create", "--topic", topic, "--partitions", 2)

    for option in ("--under-replicated-partitions", "--unavailable-partitions", "--under-min-isr-partitions"):
        assert tools("topics", "--describe", "--topic", topic, option).lines == []
    alone = described(tools("topics", "--describe", "--topic", topic, "--at-min-isr-partitions"))
    assert [each["Partition"] for each in alone] == ["0", "1"]


def test_topics_with_settings_of_their_own_are_found(tools, topic):
    tools("topics", "--create", "--topic", topic, "--config", "retention.ms=7000")

    (head,) = described(tools("topics", "--describe", "--topic", topic, "--topics-with-overrides"))

    assert configs(head)["retention.ms"] == "7000"


def test_topics_are_deleted_by_pattern(tools, topic):
    for name in (f"{topic}-1", f"{topic}-2", f"{topic}-3"):
        tools("topics", "--create", "--topic", name)

    tools("topics", "--delete", "--topic", f"{topic}-[12]")

    assert tools("topics", "--list", "--topic", f"{topic}.*").lines == [f"{topic}-3"]
