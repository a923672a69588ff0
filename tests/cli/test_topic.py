"""`fleuve topic`: create, list, describe, alter, trim, delete, and what each says when it cannot."""

import pytest

from support.shell import bash
from support.terminal import Terminal


def assert_failed(ran, *words, code=1):
    assert (ran.code, ran.err.count("\n")) == (code, 1), ran.err
    assert ran.err.startswith("fleuve")
    assert [word for word in words if word not in ran.err] == []


def described(fleuve, topic, *words):
    (document,) = fleuve.ok("topic", "describe", topic, "--output", "json", *words).objects
    return document


def configs(fleuve, topic):
    return {config["name"]: config["value"] for config in described(fleuve, topic, "--all-configs")["configs"]}


# ---------------------------------------------------------------- create


def test_a_topic_has_the_partitions_and_configs_that_were_asked_for(fleuve):
    ran = fleuve.ok("topic", "create", "made", "-p", 3, "--config", "retention.ms=7000", "--config", "segment.ms=9000")
    assert (ran.out, ran.err) == ("", "created topic made: 3 partitions\n")
    document = described(fleuve, "made")
    assert [partition["partition"] for partition in document["partitions"]] == [0, 1, 2]
    own = {config["name"]: config["value"] for config in document["configs"] if config["source"] == "topic"}
    assert own == {"retention.ms": "7000", "segment.ms": "9000"}


def test_of_several_topics_those_are_created_that_can_be(fleuve):
    ran = fleuve("topic", "create", "several-1", "bad name", "several-2")
    assert ran.code == 1
    assert "fleuve: topic bad name: " in ran.err
    assert fleuve.ok("topic", "list", "several-*", "--names").out == "several-1\nseveral-2\n"


def test_a_topic_that_is_there_is_a_failure_unless_that_is_wanted(fleuve):
    fleuve.ok("topic", "create", "twice")
    assert_failed(fleuve("topic", "create", "twice"), "topic twice", "already exists", "topic alter")
    ran = fleuve.ok("topic", "create", "twice", "--if-not-exists", "--output", "json")
    assert ran.objects == [{"topic": "twice", "created": False, "dry_run": False, "partitions": 1}]


def test_a_dry_run_of_create_checks_everything_and_creates_nothing(fleuve):
    ran = fleuve.ok("topic", "create", "not-yet", "--partitions", 3, "--dry-run")
    assert ran.err == "would create topic not-yet: 3 partitions\n"
    assert_failed(fleuve("topic", "create", "not-yet", "--dry-run", "--config", "no.such=1"), "no.such")
    assert_failed(fleuve("topic", "list", "not-yet"), "not-yet", "does not exist")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no name"], ["topic no name", "invalid"]),
        (["x" * 250], ["invalid"]),
        (["wrong-config", "--config", "no.such.config=1"], ["wrong-config", "no.such.config"]),
        (["wrong-value", "--config", "retention.ms=soon"], ["wrong-value", "retention.ms", "soon"]),
    ],
    ids=["characters", "length", "config", "value"],
)
def test_what_the_broker_refuses_is_said_in_its_words(fleuve, words, said):
    assert_failed(fleuve("topic", "create", *words), *said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "t", "--config", "x"], ["--config", "NAME=VALUE"]),
        (["create", "t", "--partitions", "0"], ["--partitions", "whole number"]),
        (["create"], ["TOPIC"]),
        (["alter", "t"], ["nothing to change", "--config"]),
        (["alter", "t", "--config", "a=1", "--unset", "a"], ["a is given twice"]),
        (["trim", "t", "--before", "soon"], ["--before", "soon", "latest"]),
        (["trim", "t", "--before", "+5"], ["--before", "offset"]),
        (["trim", "t:x", "--before", "1"], ["t:x", "orders:0"]),
        (["trim", ":1", "--before", "1"], ["TOPIC"]),
        (["trim", "t:5-2", "--before", "1"], ["t:5-2"]),
        (["delete"], ["TOPIC"]),
    ],
    ids=" ".join,
)
def test_wrong_use_is_one_line_and_exit_code_2(fleuve, words, said):
    assert_failed(fleuve("topic", *words), *said, code=2)


# ---------------------------------------------------------------- list


def test_the_list_tells_partitions_replicas_and_records(fleuve, produce):
    fleuve.ok("topic", "create", "listed.a", "listed.b", "-p", 2)
    produce("listed.a", 0, 3)
    produce("listed.a", 1, 4)
    assert fleuve.ok("topic", "list", "listed.*").rows == [
        ["TOPIC", "PARTITIONS", "REPLICAS", "RECORDS"],
        ["listed.a", "2", "1", "7"],
        ["listed.b", "2", "1", "0"],
    ]
    assert fleuve.ok("topic", "list", "listed.a", "--output", "json").objects == [
        {"topic": "listed.a", "partitions": 2, "replication_factor": 1, "records": 7}
    ]


def test_what_is_wanted_and_not_there_is_said_and_the_rest_is_listed(fleuve):
    fleuve.ok("topic", "create", "here.1")
    ran = fleuve("topic", "list", "here.*", "gone", "gone.*", "--names")
    assert (ran.code, ran.out) == (1, "here.1\n")
    assert "topic gone: does not exist" in ran.err
    assert "no topic matches 'gone.*'" in ran.err


def test_internal_topics_are_shown_when_they_are_asked_for(fleuve):
    fleuve.ok("topic", "create", "__of_ours", "of_theirs")
    assert "__of_ours" not in fleuve.ok("topic", "list", "--names").out.split()
    assert "__of_ours" in fleuve.ok("topic", "list", "--names", "--internal").out.split()
    assert fleuve.ok("topic", "list", "--names", "__of_o*").out == "__of_ours\n"


# ---------------------------------------------------------------- describe


def test_a_partition_is_described_with_its_leader_and_offsets(fleuve, produce):
    fleuve.ok("topic", "create", "described", "-p", 2)
    produce("described", 1, 5)
    partitions = described(fleuve, "described")["partitions"]
    assert [(p["earliest"], p["latest"], p["records"]) for p in partitions] == [(0, 0, 0), (0, 5, 5)]
    assert all(p["isr"] == p["replicas"] == [p["leader"]] for p in partitions)
    ran = fleuve.ok("topic", "describe", "described")
    assert ran.out.splitlines()[0] == "topic described: 2 partitions, 5 records"
    assert ["PARTITION", "LEADER", "REPLICAS", "IN", "SYNC", "EARLIEST", "LATEST", "RECORDS"] in ran.rows


def test_configs_are_shown_where_they_differ_from_the_default_with_their_source(fleuve):
    fleuve.ok("topic", "create", "differs", "--config", "retention.ms=5000")
    ran = fleuve.ok("topic", "describe", "differs")
    assert ["retention.ms", "5000", "topic"] in ran.rows
    assert "cleanup.policy" not in ran.out
    assert ["cleanup.policy", "delete", "default"] in fleuve.ok("topic", "describe", "differs", "--all-configs").rows


def test_describing_a_missing_topic_fails_and_the_others_are_shown(fleuve):
    fleuve.ok("topic", "create", "shown")
    ran = fleuve("topic", "describe", "missing", "shown", "--output", "json")
    assert [document["topic"] for document in ran.objects] == ["shown"]
    assert_failed(ran, "topic missing: does not exist", "fleuve topic list")


# ---------------------------------------------------------------- alter


def test_configs_are_set_and_unset(fleuve):
    fleuve.ok("topic", "create", "changing", "--config", "retention.ms=1", "--config", "segment.ms=2")
    ran = fleuve.ok("topic", "alter", "changing", "--config", "max.message.bytes=3333", "--unset", "retention.ms")
    assert ran.err == "altered topic changing: max.message.bytes=3333, retention.ms unset\n"
    now = configs(fleuve, "changing")
    assert (now["max.message.bytes"], now["segment.ms"], now["retention.ms"]) == ("3333", "2", "604800000")


def test_partitions_are_added_and_never_taken_away(fleuve):
    fleuve.ok("topic", "create", "growing")
    assert "1 → 4 partitions" in fleuve.ok("topic", "alter", "growing", "--partitions", 4).err
    assert_failed(fleuve("topic", "alter", "growing", "--partitions", 2), "growing", "4")
    assert len(described(fleuve, "growing")["partitions"]) == 4


def test_a_change_that_is_refused_in_part_changes_nothing(fleuve):
    fleuve.ok("topic", "create", "whole")
    ran = fleuve("topic", "alter", "whole", "--partitions", 4, "--config", "retention.ms=soon")
    assert_failed(ran, "topic whole", "retention.ms")
    assert len(described(fleuve, "whole")["partitions"]) == 1


def test_a_dry_run_of_alter_changes_nothing(fleuve):
    fleuve.ok("topic", "create", "dry")
    ran = fleuve.ok("topic", "alter", "dry", "--partitions", 2, "--config", "retention.ms=1", "--dry-run")
    assert ran.err == "would alter topic dry: retention.ms=1, 1 → 2 partitions\n"
    assert len(described(fleuve, "dry")["partitions"]) == 1
    assert configs(fleuve, "dry")["retention.ms"] != "1"


# ---------------------------------------------------------------- trim


def test_records_before_an_offset_are_deleted_and_the_others_keep_theirs(fleuve, produce):
    fleuve.ok("topic", "create", "trimmed", "-p", 2)
    produce("trimmed", 0, 5)
    produce("trimmed", 1, 2)
    before = fleuve.ok("topic", "trim", "trimmed", "--before", 3, "--dry-run", "--output", "json").objects
    assert [(p["new_earliest"], p["deleted"], p["note"]) for p in before] == [
        (3, 3, None),
        (2, 2, "3 is beyond the log"),
    ]
    assert fleuve.ok("topic", "trim", "trimmed:0", "--before", 3).err == "deleted 3 records of topic trimmed\n"
    partitions = described(fleuve, "trimmed")["partitions"]
    assert [(p["earliest"], p["latest"]) for p in partitions] == [(3, 5), (0, 2)]


def test_trimming_needs_a_partition_that_is_there(fleuve):
    fleuve.ok("topic", "create", "small")
    assert_failed(fleuve("topic", "trim", "small:1", "--before", "latest"), "topic small", "no partition 1")
    assert_failed(fleuve("topic", "trim", "smaller", "--before", "latest"), "topic smaller", "does not exist")


# ---------------------------------------------------------------- delete


def test_topics_are_deleted_by_name_and_pattern(fleuve, produce):
    fleuve.ok("topic", "create", "old-1", "old-2", "other-old", "kept")
    produce("old-1", 0, 2)
    ran = fleuve.ok("topic", "delete", "old-*", "other-old", "--output", "json")
    assert [(one["topic"], one["deleted"], one["records"]) for one in ran.objects] == [
        ("old-1", True, 2),
        ("old-2", True, 0),
        ("other-old", True, 0),
    ]
    assert {"old-1", "old-2", "other-old", "kept"} & set(fleuve.ok("topic", "list", "--names").out.split()) == {"kept"}


def test_deleting_what_is_not_there_is_a_failure_unless_that_is_wanted(fleuve):
    assert_failed(fleuve("topic", "delete", "never-made"), "topic never-made: does not exist", "fleuve topic list")
    assert fleuve.ok("topic", "delete", "never-made", "--if-exists").err == ""


def test_a_dry_run_of_delete_deletes_nothing(fleuve):
    fleuve.ok("topic", "create", "spared")
    assert fleuve.ok("topic", "delete", "spared", "--dry-run").err == "would delete topic spared (0 records)\n"
    fleuve.ok("topic", "describe", "spared")


@pytest.mark.parametrize(("answer", "code", "is_left"), [("y\r", 0, False), ("n\r", 1, True), ("\r", 1, True)])
def test_at_a_terminal_delete_asks_first(fleuve, answer, code, is_left):
    fleuve.ok("topic", "create", "asked", "--if-not-exists")
    with Terminal("topic", "delete", "asked", environment={"KAFKA_BOOTSTRAP_SERVERS": fleuve.bootstrap}) as terminal:
        terminal.until("Delete asked (0 records) for ever? [y/N]")
        terminal.type(answer)
        assert terminal.ended() == code
    assert ("asked" in fleuve.ok("topic", "list", "--names").out.split()) == is_left


def test_at_a_terminal_yes_is_not_asked_again_and_control_c_deletes_nothing(fleuve):
    fleuve.ok("topic", "create", "sure", "unsure")
    environment = {"KAFKA_BOOTSTRAP_SERVERS": fleuve.bootstrap}
    with Terminal("topic", "delete", "sure", "--yes", environment=environment) as terminal:
        assert terminal.ended() == 0
    with Terminal("topic", "delete", "unsure", environment=environment) as terminal:
        terminal.until("[y/N]")
        terminal.type("\x03")
        assert terminal.ended() == 130
    assert {"sure", "unsure"} & set(fleuve.ok("topic", "list", "--names").out.split()) == {"unsure"}


@pytest.mark.parametrize("config", ["retention.mss=1", "retention.ms=long"])
def test_a_config_that_cannot_be_is_told_where_all_are_shown(fleuve, config):
    ran = fleuve("topic", "create", "configured", "--config", config)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "`fleuve topic describe TOPIC --all-configs` shows names and values" in ran.err


@pytest.mark.parametrize("command", ["topic list", "topic list --output json", "info", "group list", "top --once"])
def test_what_a_full_disk_does_not_take_is_one_line(cluster, command):
    ran = bash(f"fleuve {command} > /dev/full", cluster)
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"fleuve: standard output: cannot be written (No space left on device); ")
    assert ran.stderr.count(b"\n") == 1
