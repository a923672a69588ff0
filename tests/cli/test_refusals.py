"""What the commands say when a broker refuses, is gone, or does not answer: one line with what to do, and code 1."""

import re

import pytest

from fleuve import testing
from support.command_line import CommandLine


@pytest.fixture(scope="module")
def broker():
    with testing.broker() as running:
        running.create_topic("orders")
        yield running


@pytest.fixture
def fleuve(broker, monkeypatch, capfd):
    line = CommandLine(broker.bootstrap_servers, monkeypatch, capfd)
    line.ok("group", "reset", "billing", "--topic", "orders", "--to", "earliest")
    yield line
    broker.clear_faults()


def failures(ran):
    assert ran.code == 1
    lines = ran.err.splitlines()
    assert lines
    assert all(line.startswith("fleuve: ") for line in lines), lines
    return lines


@pytest.mark.parametrize(
    ("words", "api", "error", "said"),
    [
        ("topic create new", "CreateTopics", "TOPIC_AUTHORIZATION_FAILED", "topic new: .*no right to this topic"),
        ("topic create new", "CreateTopics", "CLUSTER_AUTHORIZATION_FAILED", "topic new: .*no right to this"),
        ("topic create new", "CreateTopics", "POLICY_VIOLATION", "topic new: .*rules"),
        ("topic alter orders -p 9", "CreatePartitions", "TOPIC_AUTHORIZATION_FAILED", "topic orders: .*no right"),
        (
            "topic alter orders --unset retention.ms",
            "IncrementalAlterConfigs",
            "TOPIC_AUTHORIZATION_FAILED",
            "topic orders: .*no right",
        ),
        ("topic delete orders", "DeleteTopics", "TOPIC_AUTHORIZATION_FAILED", "topic orders: .*no right"),
        ("topic delete orders", "DeleteTopics", "TOPIC_DELETION_DISABLED", "topic orders: "),
        ("topic trim orders --before latest", "DeleteRecords", "TOPIC_AUTHORIZATION_FAILED", "topic orders.*no right"),
        ("topic trim orders --before latest", "DeleteRecords", "POLICY_VIOLATION", "topic orders.*cleanup.policy"),
        ("topic describe orders", "DescribeConfigs", "TOPIC_AUTHORIZATION_FAILED", "topic orders: .*no right"),
        (
            "group describe billing",
            "DescribeGroups",
            "GROUP_AUTHORIZATION_FAILED",
            "group billing: Group auth.*no right",
        ),
        ("group describe billing", "OffsetFetch", "GROUP_AUTHORIZATION_FAILED", "group billing: .*no right"),
        ("group reset billing --to earliest", "OffsetCommit", "GROUP_AUTHORIZATION_FAILED", "billing.*no right"),
        ("group reset billing --to earliest", "OffsetCommit", "UNKNOWN_MEMBER_ID", "billing.*stop them first"),
        ("group reset billing --to earliest", "ListOffsets", "TOPIC_AUTHORIZATION_FAILED", "topic orders, partition 0"),
        ("group delete billing", "DeleteGroups", "NON_EMPTY_GROUP", "group billing: .*stop its members first"),
        ("group delete billing", "DeleteGroups", "GROUP_AUTHORIZATION_FAILED", "group billing: .*no right"),
        ("group list", "ListGroups", "CLUSTER_AUTHORIZATION_FAILED", "no right"),
        ("info", "ListGroups", "CLUSTER_AUTHORIZATION_FAILED", "no right"),
    ],
)
def test_what_a_broker_refuses_is_one_line_with_what_to_do(fleuve, broker, words, api, error, said):
    with broker.fail(api, error, times=None):
        (line,) = failures(fleuve(*words.split()))
    assert re.search(said, line), line


@pytest.mark.parametrize("error", ["NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS", "COORDINATOR_NOT_AVAILABLE"])
def test_a_group_that_changes_its_coordinator_is_waited_for(fleuve, broker, error):
    for words in (("group", "describe", "billing"), ("group", "reset", "billing", "--to", "latest")):
        with broker.fail("DescribeGroups", error, times=2):
            fleuve.ok(*words)


def test_a_partition_that_does_not_answer_leaves_its_numbers_open(fleuve, broker):
    with broker.fail("ListOffsets", "LEADER_NOT_AVAILABLE", times=None):
        assert ["orders", "1", "1", "-"] in fleuve.ok("topic", "list").rows
        assert "unknown number of records" in fleuve.ok("topic", "describe", "orders").out
        assert ["billing", "empty", "classic", "0", "1", "-"] in fleuve.ok("group", "list").rows


def test_a_topic_of_which_only_the_name_is_told_has_no_numbers(fleuve, broker):
    with broker.fail("Metadata", "LEADER_NOT_AVAILABLE", times=None):
        assert ["orders", "-", "-", "-"] in fleuve.ok("topic", "list").rows


def test_a_broker_that_is_gone_is_said(monkeypatch, capfd):
    with testing.broker() as broker:
        line = CommandLine(broker.bootstrap_servers, monkeypatch, capfd)
        line.ok("info")
        broker.stop()
        for words in (("topic", "delete", "t"), ("top", "--once")):
            (said,) = failures(line(*words))
            assert "no broker answers at" in said
