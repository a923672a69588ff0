"""kafka-consumer-groups and kafka-groups: what they say of groups, and how they delete them and their offsets."""

from __future__ import annotations

import re
from contextlib import contextmanager

import pytest

from clients.groups import Member, Tally, share
from clients.records import numbered

TOOLS = "kafka-consumer-groups, kafka-groups"


@pytest.fixture
def topic(driver, topic):
    """A topic of two partitions with five records each."""
    driver.create_topic(topic, 2)
    driver.produce(topic, numbered(10, 2))
    return topic


@contextmanager
def members(driver, topic, group, *settings):
    """Run a member with each of these settings, until all have their share and all records are read."""
    tally = Tally()
    joined = [
        Member(f"member-{number}", tally, lambda each=each: driver.consumer(topic, group=group, settings=each))
        for number, each in enumerate(settings)
    ]
    try:
        for member in joined:
            member.__enter__()
        tally.wait_until(lambda: share(joined, 2), "all have their share")
        tally.wait_until(lambda: tally.count == 10, "all records are read")
        yield joined
    finally:
        for member in joined:
            member.leave()
    assert tally.failures == []


@pytest.fixture
def left(driver, topic, group):
    """A group that has read everything and has no members any more."""
    with members(driver, topic, group, {}):
        pass
    return group


def pick(rows, *heads):
    return sorted(tuple(row[head] for head in heads) for row in rows)


def groups(tools, *options):
    """Call kafka-consumer-groups."""
    return tools("consumer-groups", *options)


def test_groups_are_listed_with_state_and_type(tools, left):
    assert left in groups(tools, "--list").lines
    assert (left, "Empty") in pick(groups(tools, "--list", "--state").rows, "GROUP", "STATE")
    assert (left, "Empty") in pick(groups(tools, "--list", "--state", "stable,empty").rows, "GROUP", "STATE")
    assert left not in groups(tools, "--list", "--state", "stable").out
    assert (left, "Classic") in pick(groups(tools, "--list", "--type", "classic").rows, "GROUP", "TYPE")
    assert left not in groups(tools, "--list", "--type", "consumer").out
    assert "Invalid state list 'bogus'" in tools.refused("consumer-groups", "--list", "--state", "bogus")


def test_kafka_groups_lists_them_by_type_and_protocol(tools, left):
    row = (left, "Classic", "consumer")
    for options in ([], ["--group-type", "classic"], ["--consumer"], ["--protocol", "consumer"]):
        assert row in pick(tools("groups", "--list", *options).rows, "GROUP", "TYPE", "PROTOCOL")
    for options in (["--share"], ["--streams"], ["--group-type", "consumer"], ["--protocol", "other"]):
        assert left not in tools("groups", "--list", *options).out


def test_a_group_without_members_is_described(tools, topic, left):
    described = groups(tools, "--describe", "--group", left)

    assert f"Consumer group '{left}' has no active members." in described.err
    heads = ("TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", "CONSUMER-ID", "HOST", "CLIENT-ID")
    assert pick(described.rows, *heads) == [(topic, partition, "5", "5", "0", "-", "-", "-") for partition in "01"]
    assert groups(tools, "--describe", "--group", left, "--members").rows == []
    (state,) = groups(tools, "--describe", "--group", left, "--state").rows
    assert (state["ASSIGNMENT-STRATEGY"], state["STATE"], state["#MEMBERS"]) == ("-", "Empty", "0")
    (state,) = groups(tools, "--describe", "--group", left, "--state", "--verbose").rows
    assert (state["GROUP-EPOCH"], state["TARGET-ASSIGNMENT-EPOCH"]) == ("-", "-")
    verbose = groups(tools, "--describe", "--group", left, "--offsets", "--verbose").rows
    assert pick(verbose, "PARTITION", "LEADER-EPOCH") == [("0", "0"), ("1", "0")]


def test_what_a_group_has_not_read_is_its_lag(tools, driver, topic, left):
    driver.produce(topic, numbered(8, 2))

    assert pick(groups(tools, "--describe", "--group", left).rows, "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG") == [
        ("5", "9", "4"),
        ("5", "9", "4"),
    ]


def test_a_working_group_is_described_with_its_members(tools, driver, topic, group):
    with members(driver, topic, group, {"assignor": "range"}, {"assignor": "range", "instance": "steady"}):
        offsets = groups(tools, "--describe", "--group", group)
        plain = groups(tools, "--describe", "--group", group, "--members").rows
        verbose = groups(tools, "--describe", "--group", group, "--members", "--verbose").rows
        (state,) = groups(tools, "--describe", "--group", group, "--state").rows
        listed = groups(tools, "--list", "--state", "stable").rows

    assert offsets.err.strip() == ""
    assert pick(offsets.rows, "PARTITION", "CURRENT-OFFSET", "LAG", "HOST") == [
        ("0", "5", "0", "/127.0.0.1"),
        ("1", "5", "0", "/127.0.0.1"),
    ]
    assert pick(plain, "GROUP-INSTANCE-ID", "#PARTITIONS") == [("", "1"), ("steady", "1")]
    for row in plain:
        # The coordinator makes a member's id of what it is called, and of a UUID.
        assert re.fullmatch(re.escape(row["GROUP-INSTANCE-ID"] or row["CLIENT-ID"]) + r"-[\w-]{36}", row["CONSUMER-ID"])
    assert {row["CONSUMER-ID"] for row in offsets.rows} == {row["CONSUMER-ID"] for row in plain}
    assert pick(verbose, "CURRENT-ASSIGNMENT") == [(f"{topic}:0",), (f"{topic}:1",)]
    assert (state["ASSIGNMENT-STRATEGY"], state["STATE"], state["#MEMBERS"]) == ("range", "Stable", "2")
    assert (group, "Stable") in pick(listed, "GROUP", "STATE")


def test_all_groups_are_described_at_once(tools, left):
    rows = groups(tools, "--describe", "--all-groups", "--state").rows

    assert (left, "Empty") in pick(rows, "GROUP", "STATE")


@pytest.mark.parametrize("what", ["--offsets", "--members", "--state"])
def test_a_group_that_is_missing_is_told(tools, group, what):
    assert (
        f"GroupIdNotFoundException: Group {group} not found." in groups(tools, "--describe", "--group", group, what).out
    )


def test_offsets_are_deleted_by_partition_and_by_topic(tools, topic, left):
    heads = ("TOPIC", "PARTITION", "STATUS")
    one = groups(tools, "--group", left, "--delete-offsets", "--topic", f"{topic}:0")
    after = groups(tools, "--group", left, "--describe").rows
    both = groups(tools, "--group", left, "--delete-offsets", "--topic", topic)

    assert f"Request succeeded for deleting offsets from group {left}." in one.lines
    assert pick(one.rows, *heads) == [(topic, "0", "Successful")]
    assert pick(after, "PARTITION") == [("1",)]
    assert pick(both.rows, *heads) == [(topic, "0", "Successful"), (topic, "1", "Successful")]


def test_what_cannot_be_deleted_of_offsets_says_why(tools, topic, left, group):
    unknown = "Error: org.apache.kafka.common.errors.UnknownTopicOrPartitionException"

    for name, partition in ((f"{topic}:9", "9"), (f"{topic}-no", "-")):
        (row,) = groups(tools, "--group", left, "--delete-offsets", "--topic", name).rows
        assert row["PARTITION"] == partition
        assert row["STATUS"].startswith(unknown)
    missing = groups(tools, "--group", f"{group}-no", "--delete-offsets", "--topic", topic)
    assert "Error: The group id does not exist." in missing.out


def test_groups_are_deleted_if_they_are_there(tools, left):
    missing = groups(tools, "--delete", "--group", f"{left}-no")
    both = groups(tools, "--delete", "--group", left, "--group", f"{left}-no")

    assert "GroupIdNotFoundException: The group id does not exist." in missing.out
    assert f"These consumer groups were deleted successfully: '{left}'" in both.lines
    assert left not in groups(tools, "--list").lines


def test_a_group_at_work_keeps_itself_and_its_offsets(tools, driver, topic, group):
    with members(driver, topic, group, {}):
        deleted = groups(tools, "--delete", "--group", group)
        offsets = groups(tools, "--group", group, "--delete-offsets", "--topic", topic)
        reset = groups(tools, "--group", group, "--reset-offsets", "--topic", topic, "--to-earliest", "--execute")

    assert "GroupNotEmptyException: The group is not empty." in deleted.out
    for row in offsets.rows:
        assert "GroupSubscribedToTopicException" in row["STATUS"]
    assert f"Assignments can only be reset if the group '{group}' is inactive, but the current state is Stable." in (
        reset.out + reset.err
    )
