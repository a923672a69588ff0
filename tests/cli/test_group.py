"""`fleuve group`: list, describe, reset, delete, and what each says when it cannot."""

import pytest

from support.terminal import Terminal


def assert_failed(ran, *words, code=1):
    assert (ran.code, ran.err.count("\n")) == (code, 1), ran.err
    assert ran.err.startswith("fleuve")
    assert [word for word in words if word not in ran.err] == []


@pytest.fixture
def member(fleuve):
    """Let a member join a group, read a topic and commit where it is; it stays until the test is over."""
    from confluent_kafka import Consumer

    members = []

    def join(group, topic, client_id, count):
        settings = {"auto.offset.reset": "earliest", "enable.auto.commit": False, "client.id": client_id}
        consumer = Consumer({**settings, "bootstrap.servers": fleuve.bootstrap, "group.id": group})
        members.append(consumer)
        consumer.subscribe([topic])
        assert len(consumer.consume(count, 20)) == count
        consumer.commit(asynchronous=False)
        return consumer

    yield join
    for consumer in members:
        consumer.close()


def described(fleuve, group):
    (document,) = fleuve.ok("group", "describe", group, "--output", "json").objects
    return document


def committed(fleuve, group):
    return {(p["topic"], p["partition"]): p["committed"] for p in described(fleuve, group)["partitions"]}


# ---------------------------------------------------------------- list and describe


def test_a_group_with_a_member_is_listed_and_described(fleuve, produce, member):
    fleuve.ok("topic", "create", "read", "-p", 2)
    produce("read", 0, 5)
    member("readers", "read", "reader-of-ours", 5)
    produce("read", 0, 3)
    produce("read", 1, 4)

    assert fleuve.ok("group", "list", "readers").rows[1:] == [["readers", "stable", "classic", "1", "2", "3"]]
    document = described(fleuve, "readers")
    (one,) = document["members"]
    assert (document["state"], document["assignor"], document["lag"]) == ("stable", "range", 3)
    assert (one["client_id"], one["host"], one["instance_id"]) == ("reader-of-ours", "127.0.0.1", None)
    assert one["partitions"] == [{"topic": "read", "partition": 0}, {"topic": "read", "partition": 1}]
    first, second = document["partitions"]
    assert (first["committed"], first["latest"], first["lag"], first["note"]) == (5, 8, 3, None)
    assert (second["committed"], second["latest"], second["lag"]) == (None, 4, None)
    assert first["member_id"] == second["member_id"] == one["member_id"]

    shown = fleuve.ok("group", "describe", "readers")
    assert shown.out.startswith("group readers: stable, assignor range, 1 member, lag 3, coordinator ")
    assert ["1", "reader-of-ours", "127.0.0.1", "read:0-1", one["member_id"]] in shown.rows
    assert ["read", "0", "5", "8", "3", "1"] in shown.rows
    assert ["read", "1", "-", "4", "-", "1", "nothing", "committed"] in shown.rows


def test_a_group_that_is_left_has_its_lag_still(fleuve, produce, member):
    fleuve.ok("topic", "create", "left")
    produce("left", 0, 4)
    member("leavers", "left", "leaver", 4).close()
    produce("left", 0, 2)
    document = described(fleuve, "leavers")
    assert (document["state"], document["members"], document["lag"]) == ("empty", [], 2)
    assert fleuve.ok("group", "describe", "leavers").rows[2] == ["TOPIC", "PARTITION", "COMMITTED", "END", "LAG"]


def test_names_of_groups_may_be_any_text(fleuve):
    fleuve.ok("topic", "create", "any")
    fleuve.ok("group", "reset", "ünï · 组", "--topic", "any", "--to", "earliest")
    assert fleuve.ok("group", "list", "ünï*", "--names").out == "ünï · 组\n"
    assert described(fleuve, "ünï · 组")["group"] == "ünï · 组"


def test_a_name_cannot_steer_the_terminal(fleuve):
    fleuve.ok("topic", "create", "steered")
    ran = fleuve.ok("group", "reset", "red \x1b[31m\n", "--topic", "steered", "--to", "earliest")
    assert "\x1b" not in ran.err
    assert ["red", r"\x1b[31m\n", "empty"] in [row[:3] for row in fleuve.ok("group", "list", "red*").rows]
    assert described(fleuve, "red \x1b[31m\n")["group"] == "red \x1b[31m\n"
    assert "\x1b" not in fleuve.ok("group", "describe", "red \x1b[31m\n").out


def test_a_committed_offset_outside_the_log_is_pointed_out(fleuve, produce):
    fleuve.ok("topic", "create", "moved", "-p", 2)
    produce("moved", 0, 5)
    fleuve.ok("group", "reset", "movers", "--topic", "moved", "--to", "latest")
    fleuve.ok("group", "reset", "movers", "--topic", "moved:0", "--to", 1)
    fleuve.ok("topic", "trim", "moved:0", "--before", 3)
    first, _ = described(fleuve, "movers")["partitions"]
    assert (first["lag"], first["note"]) == (2, "before the log, which begins at 3")
    fleuve.ok("topic", "delete", "moved")
    assert described(fleuve, "movers")["lag"] is None


def test_a_group_that_does_not_exist_is_said(fleuve):
    assert_failed(fleuve("group", "describe", "nobody"), "group nobody: does not exist", "fleuve group list")
    assert_failed(fleuve("group", "list", "nobody*"), "nobody*")
    assert_failed(fleuve("group", "delete", "nobody"), "group nobody: does not exist")
    assert fleuve.ok("group", "delete", "nobody", "--if-exists").err == ""


# ---------------------------------------------------------------- reset


@pytest.fixture
def group(fleuve, produce):
    """A group that has read 4 of 10 records, one of each second from 1,700,000,000 on, of a topic of its own."""
    name = "resetters"
    # The records are years old: retention would take them during the test.
    if fleuve("topic", "create", name, "--config", "retention.ms=-1").code == 0:
        produce(name, 0, 10, timestamp_ms=1_700_000_000_000)
        fleuve.ok("topic", "trim", name, "--before", 2)
    fleuve.ok("group", "reset", name, "--topic", name, "--to", 4)
    return name


@pytest.mark.parametrize(
    ("position", "offset", "note"),
    [
        ("earliest", 2, None),
        ("latest", 10, None),
        ("7", 7, None),
        ("+3", 7, None),
        ("-1", 3, None),
        ("0", 2, "0 is before the log"),
        ("99", 10, "99 is beyond the log"),
        ("-9", 2, "-5 is before the log"),
        ("+9", 10, "13 is beyond the log"),
        ("@1700000005000", 5, None),
        ("1700000005000", 5, None),
        ("2023-11-14T22:13:25Z", 5, None),
        ("2023-11-14T23:13:24.500+01:00", 5, None),
        ("2001-01-01", 2, None),
        ("1h", 10, "no record is that young"),
    ],
)
def test_a_group_is_set_to_a_position(fleuve, group, position, offset, note):
    ran = fleuve.ok("group", "reset", group, "--to", position, "--output", "json")
    partition = {"group": group, "topic": group, "partition": 0, "old": 4, "new": offset, "note": note}
    assert ran.objects == [{**partition, "dry_run": False}]
    assert committed(fleuve, group) == {(group, 0): offset}


def test_the_old_and_the_new_offsets_are_shown(fleuve, group):
    ran = fleuve.ok("group", "reset", group, "--to", "-9")
    assert ran.rows == [
        ["TOPIC", "PARTITION", "OLD", "NEW", "CHANGE", "NOTE"],
        [group, "0", "4", "2", "-2", "-5", "is", "before", "the", "log"],
    ]
    assert ran.err == f"set the offsets of group {group} in 1 partition\n"


def test_a_dry_run_of_reset_changes_nothing(fleuve, group):
    ran = fleuve.ok("group", "reset", group, "--to", "latest", "--dry-run")
    assert ran.rows[1] == [group, "0", "4", "10", "+6"]
    assert ran.err == f"would set the offsets of group {group} in 1 partition\n"
    assert committed(fleuve, group) == {(group, 0): 4}


def test_only_the_partitions_that_are_named_are_set(fleuve):
    fleuve.ok("topic", "create", "parts", "-p", 6)
    fleuve.ok("topic", "create", "others")
    fleuve.ok("group", "reset", "parted", "-t", "parts:0,2-3", "-t", "others", "--to", "earliest")
    assert committed(fleuve, "parted") == {("others", 0): 0, ("parts", 0): 0, ("parts", 2): 0, ("parts", 3): 0}


def test_a_shift_needs_something_to_count_from(fleuve, group):
    fleuve.ok("topic", "create", "fresh", "-p", 2)
    fleuve.ok("group", "reset", "half", "--topic", "fresh:0", "--to", "earliest")
    ran = fleuve("group", "reset", "half", "--topic", "fresh", "--to", "+1")
    assert_failed(fleuve("group", "reset", "half", "--topic", "fresh:1", "--to", "+1", "--dry-run"), "partition 1")
    assert ran.code == 1
    assert committed(fleuve, "half") == {("fresh", 0): 0}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--to", "earliest"], 1, ["nothing", "--topic"]),
        (["--to", "earliest", "--topic", "no-such-topic"], 1, ["no-such-topic", "does not exist"]),
        (["--to", "earliest", "--topic", "few:3"], 1, ["few", "no partition 3"]),
        (["--to", "soon"], 2, ["--to", "'soon'", "earliest", "latest"]),
        (["--to", "2026-13-01"], 2, ["2026-13-01"]),
        (["--to", "earliest", "--topic", "few:a"], 2, ["few:a", "orders:0"]),
        ([], 2, ["--to"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_reset_is_one_line(fleuve, words, code, said):
    fleuve("topic", "create", "few", "--if-not-exists")
    assert_failed(fleuve("group", "reset", "unheard-of", *words), *said, code=code)


def test_groups_with_members_are_neither_reset_nor_deleted(fleuve, produce, member):
    fleuve.ok("topic", "create", "busy")
    produce("busy", 0, 1)
    member("workers", "busy", "worker-7", 1)
    told = ["group workers: has members (worker-7 at 127.0.0.1); stop them first"]
    assert_failed(fleuve("group", "reset", "workers", "--to", "earliest"), *told)
    assert_failed(fleuve("group", "delete", "workers"), *told)
    assert committed(fleuve, "workers") == {("busy", 0): 1}


def test_at_a_terminal_reset_shows_what_it_would_do_and_asks(fleuve, group):
    words = ["group", "reset", group, "--to", "latest"]
    environment = {"KAFKA_BOOTSTRAP_SERVERS": fleuve.bootstrap}
    with Terminal(*words, environment=environment) as terminal:
        printed = terminal.until(f"Set the offsets of group {group} in 1 partition? [y/N]")
        assert "+6" in printed
        terminal.type("n\r")
        assert terminal.ended() == 1
    assert committed(fleuve, group) == {(group, 0): 4}
    with Terminal(*words, environment=environment) as terminal:
        terminal.until("[y/N]")
        terminal.type("yes\r")
        assert terminal.ended() == 0
    assert committed(fleuve, group) == {(group, 0): 10}


# ---------------------------------------------------------------- delete


def test_a_group_is_deleted_with_what_it_has_committed(fleuve, group):
    assert fleuve.ok("group", "delete", group, "--dry-run").err == f"would delete group {group}\n"
    assert committed(fleuve, group) == {(group, 0): 4}
    assert fleuve.ok("group", "delete", group, "--output", "json").objects == [
        {"group": group, "deleted": True, "dry_run": False}
    ]
    assert_failed(fleuve("group", "describe", group), "does not exist")


def test_at_a_terminal_delete_of_a_group_asks_first(fleuve, group):
    with Terminal("group", "delete", group, environment={"KAFKA_BOOTSTRAP_SERVERS": fleuve.bootstrap}) as terminal:
        terminal.until(f"Delete {group} and what is committed for ever? [y/N]")
        terminal.type("n\r")
        assert terminal.ended() == 1
    assert committed(fleuve, group) == {(group, 0): 4}
