"""`fleuve consume`: where it begins, where it ends, what it shows, and how."""

import os
import select
import signal
import subprocess

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from support.broker_process import BrokerProcess
from support.shell import Running, bash, environment


def assert_refused(ran, code, *words):
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran.err
    assert [word for word in words if word not in ran.err] == []


def make(cluster, topic, records, partitions=1, config=None, settings=None):
    """Make a topic with records: (partition, timestamp, value), or these and more by name. Old ones stay in it."""
    admin = AdminClient({"bootstrap.servers": cluster})
    admin.create_topics([NewTopic(topic, num_partitions=partitions, config={"retention.ms": "-1", **(config or {})})])[
        topic
    ].result()
    producer = Producer({"bootstrap.servers": cluster, "linger.ms": 0, **(settings or {})})
    for partition, timestamp, value, *more in records:
        producer.produce(topic, value, partition=partition, timestamp=timestamp, **(more[0] if more else {}))
    assert producer.flush(20) == 0


@pytest.fixture(scope="module")
def ten(cluster):
    """A topic with ten records, 0 to 9, in one partition, a second apart."""
    make(cluster, "ten", [(0, 1_000_000 + 1000 * number, str(number)) for number in range(10)])
    return "ten"


@pytest.fixture(scope="module")
def three(cluster):
    """A topic with three partitions, one empty, whose records were written in turn: a0 b1 a2 b3 …"""
    make(cluster, "three", [(n % 2, 2_000_000 + n, f"{'ab'[n % 2]}{n}") for n in range(9)], partitions=3)
    return "three"


def shown(fleuve, *words):
    return fleuve.ok("consume", *words).out.split("\n")[:-1]


# ------------------------------------------------------------ where to begin and to end


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        (["--exit-at-end"], range(10)),
        (["--from", "beginning", "-n", 3], range(3)),
        (["--from", "end", "--exit-at-end"], []),
        (["--offset", 7, "--exit-at-end"], [7, 8, 9]),
        (["--offset", 10, "--exit-at-end"], []),
        (["--since", "@1008000", "--exit-at-end"], [8, 9]),
        (["--since", "1970-01-01T00:16:45.500Z", "-n", 2], [6, 7]),
        (["--since", "5m", "--exit-at-end"], []),
        (["--until", "@1002000"], [0, 1]),
        (["--since", "@1002000", "--until", "@1004000"], [2, 3]),
        (["--until", "now"], range(10)),
        (["--last", 3], [7, 8, 9]),
        (["--last", 100], range(10)),
        (["--last", 5, "-n", 2], [5, 6]),
        (["--last", 2, "--follow", "-n", 2], [8, 9]),
        (["-n", 10], range(10)),
    ],
    ids=lambda words: " ".join(map(str, words)),
)
def test_it_begins_and_ends_where_it_is_told(fleuve, ten, words, numbers):
    assert shown(fleuve, ten, *words) == [str(number) for number in numbers]


def test_all_partitions_are_read_or_the_chosen_ones(fleuve, three):
    assert sorted(shown(fleuve, three, "--exit-at-end")) == ["a0", "a2", "a4", "a6", "a8", "b1", "b3", "b5", "b7"]
    assert shown(fleuve, three, "--exit-at-end", "--partition", 1) == ["b1", "b3", "b5", "b7"]
    assert shown(fleuve, three, "--exit-at-end", "--partition", 2) == []


@pytest.mark.parametrize("count", [1, 4, 9, 50])
def test_the_last_are_those_of_all_partitions_by_time(fleuve, three, count):
    everything = ["a0", "b1", "a2", "b3", "a4", "b5", "a6", "b7", "a8"]
    assert shown(fleuve, three, "--last", count) == everything[-count:]


def test_the_last_of_one_partition_keep_their_order_whatever_their_times(fleuve, cluster):
    make(cluster, "unordered", [(0, 3000, "first"), (0, 1000, "second"), (0, 2000, "third")])
    assert shown(fleuve, "unordered", "--last", 2) == ["second", "third"]


def test_an_empty_topic_ends_at_once(fleuve, cluster):
    make(cluster, "empty", [], partitions=2)
    assert shown(fleuve, "empty", "--exit-at-end") == []
    assert shown(fleuve, "empty", "--last", 3) == []


def test_records_that_were_deleted_are_neither_shown_nor_waited_for(fleuve, cluster):
    make(cluster, "deleted", [(0, 1000, str(number)) for number in range(6)])
    admin = AdminClient({"bootstrap.servers": cluster})
    where = TopicPartition("deleted", 0, 4)
    admin.delete_records([where])[where].result()
    assert shown(fleuve, "deleted", "--exit-at-end") == ["4", "5"]
    assert shown(fleuve, "deleted", "--last", 5) == ["4", "5"]
    ran = fleuve("consume", "deleted", "--offset", 3)
    assert_refused(ran, 1, "deleted [0]: offset 3 is out of range: it has 4 to 5")
    where.offset = 6
    admin.delete_records([where])[where].result()
    assert shown(fleuve, "deleted", "--exit-at-end") == []


def test_several_topics_and_a_pattern(fleuve, cluster):
    make(cluster, "many-a", [(0, 1000, "a")])
    make(cluster, "many-b", [(0, 1000, "b")])
    assert sorted(shown(fleuve, "many-a", "many-b", "--exit-at-end")) == ["a", "b"]
    assert sorted(shown(fleuve, "many-*", "--exit-at-end")) == ["a", "b"]
    assert sorted(shown(fleuve, "many-*", "^many-b", "--exit-at-end", "--group", "many")) == ["a", "b"]
    assert sorted(shown(fleuve, "^many-", "--exit-at-end", "--print", "topic,value")) == ["many-a\ta", "many-b\tb"]


# ------------------------------------------------------------ which records


@pytest.fixture(scope="module")
def mixed(cluster):
    """A topic with keys, headers and values of several kinds."""
    make(
        cluster,
        "mixed",
        [
            (0, 1000, b"apple pie", {"key": b"user-1", "headers": [("source", b"shop"), ("n", None)]}),
            (0, 1001, b"\xff\x00apple", {"key": b"user-22", "headers": [("source", b"web"), ("source", b"shop")]}),
            (0, 1002, None, {"key": b"user-1"}),
            (0, 1003, b"pear\nand line", {"headers": [("other", b"x")]}),
        ],
    )
    return "mixed"


@pytest.mark.parametrize(
    ("words", "offsets"),
    [
        (["--key", "user-1"], [0, 2]),
        (["--key", "user-*"], [0, 1, 2]),
        (["--key", "user-?", "--key", "user-22"], [0, 1, 2]),
        (["--key", ""], []),
        (["--header", "source"], [0, 1]),
        (["--header", "source=shop"], [0, 1]),
        (["--header", "source=w*"], [1]),
        (["--header", "source=shop", "--header", "n"], [0]),
        (["--header", "n="], []),
        (["--grep", "apple"], [0, 1]),
        (["--grep", "^apple"], [0]),
        (["--grep", r"\xff"], [1]),
        (["--grep", "a", "--grep", "p"], [0, 1, 3]),
        (["--grep", "pear", "--key", "user-1"], []),
        (["--key", "user-1", "-n", 1], [0]),
    ],
    ids=lambda words: " ".join(map(str, words)),
)
def test_filters_choose_by_key_header_and_content(fleuve, mixed, words, offsets):
    assert shown(fleuve, mixed, "--exit-at-end", "--print", "offset", *words) == [str(offset) for offset in offsets]


# ------------------------------------------------------------ how they are shown


def test_text_shows_the_fields_that_are_asked_for_with_separators(fleuve, mixed):
    fields = ("--print", "topic,partition,offset,timestamp,key,headers,value")
    assert shown(fleuve, mixed, "-n", 1, *fields) == [
        "mixed\t0\t0\t1970-01-01T00:00:01.000Z\tuser-1\tsource=shop,n=null\tapple pie"
    ]
    assert shown(fleuve, mixed, "--offset", 2, "-n", 1, "--key-separator", ": ") == ["user-1: null"]
    words = ("--null-marker", "", "--delimiter", ";", "--key-separator", "=")
    assert fleuve.ok("consume", mixed, "--offset", 2, "-n", 2, *words).out == "user-1=;=pear\nand line;"


def test_in_a_pipe_bytes_are_as_they_are(cluster, mixed):
    assert bash("fleuve consume mixed --offset 1 -n 1 | od -An -tx1", cluster).stdout == (b" ff 00 61 70 70 6c 65 0a\n")


def test_json_has_all_of_a_record(fleuve, mixed):
    assert fleuve.ok("consume", mixed, "--offset", 1, "-n", 2, "--output", "json").objects == [
        {
            "topic": "mixed",
            "partition": 0,
            "offset": 1,
            "timestamp": 1001,
            "timestamp_type": "CreateTime",
            "key": "user-22",
            "value": {"base64": "/wBhcHBsZQ=="},
            "headers": [{"name": "source", "value": "web"}, {"name": "source", "value": "shop"}],
        },
        {
            "topic": "mixed",
            "partition": 0,
            "offset": 2,
            "timestamp": 1002,
            "timestamp_type": "CreateTime",
            "key": "user-1",
            "value": None,
            "headers": [],
        },
    ]


def test_hex_shows_offsets_bytes_and_characters(fleuve, cluster):
    make(cluster, "hex", [(0, 1000, bytes(range(0x58, 0x6A)), {"key": b"", "headers": [("h", None)]})])
    assert fleuve.ok("consume", "hex", "-n", 1, "--output", "hex").out == (
        "hex [0] offset 0  1970-01-01T00:00:01.000Z\n"
        "key  0 bytes\n"
        "header h  null\n"
        "value  18 bytes\n"
        "  00000000  58 59 5a 5b 5c 5d 5e 5f  60 61 62 63 64 65 66 67  |XYZ[\\]^_`abcdefg|\n"
        "  00000010  68 69                                             |hi|\n"
        "\n"
    )


def test_json_has_nothing_that_a_terminal_obeys(fleuve, cluster):
    steering = "\x9b31m\x7f\u202e\x1b"
    make(cluster, "steering", [(0, 1000, steering)])
    ran = fleuve.ok("consume", "steering", "-n", 1, "--output", "json")
    assert ran.objects[0]["value"] == steering
    assert not set(steering) & set(ran.out) - set("31m")


def test_the_time_of_the_broker_is_said_to_be_so(fleuve, cluster):
    make(cluster, "appended", [(0, 1000, "x")], config={"message.timestamp.type": "LogAppendTime"})
    (record,) = fleuve.ok("consume", "appended", "-n", 1, "--output", "json").objects
    assert record["timestamp_type"] == "LogAppendTime"
    assert record["timestamp"] > 1_700_000_000_000


def test_in_a_pipe_nothing_is_said_beside_the_records(fleuve, ten):
    assert fleuve.ok("consume", ten, "--exit-at-end").err == ""


# ------------------------------------------------------------ groups


def committed(cluster, group, topic):
    consumer = Consumer({"bootstrap.servers": cluster, "group.id": group})
    try:
        return [it.offset for it in consumer.committed([TopicPartition(topic, 0)], timeout=10)]
    finally:
        consumer.close()


def test_a_group_goes_on_where_it_has_come_to_and_commits_what_was_shown(fleuve, cluster, ten):
    assert shown(fleuve, ten, "--group", "g", "-n", 4) == ["0", "1", "2", "3"]
    assert committed(cluster, "g", ten) == [4]
    assert shown(fleuve, ten, "--group", "g", "--exit-at-end") == ["4", "5", "6", "7", "8", "9"]
    assert shown(fleuve, ten, "--group", "g", "--exit-at-end") == []
    assert committed(cluster, "g", ten) == [10]


def test_a_new_group_may_begin_at_the_end(fleuve, cluster, ten):
    assert shown(fleuve, ten, "--group", "late", "--from", "end", "--exit-at-end") == []


def test_a_group_commits_what_its_filters_passed_over(fleuve, cluster, ten):
    assert shown(fleuve, ten, "--group", "picky", "--grep", "[25]", "-n", 2) == ["2", "5"]
    assert committed(cluster, "picky", ten) == [6]


def test_a_member_that_is_interrupted_commits_what_was_shown(fleuve, cluster, ten):
    with Running(f"fleuve consume {ten} --group interrupted", cluster) as consuming:
        consuming.until("9\n")
        consuming.signal(signal.SIGTERM)
        assert consuming.ended() == 130
    assert committed(cluster, "interrupted", ten) == [10]


def test_a_member_that_is_to_end_at_the_end_goes_on_after_a_rebalance(cluster):
    # Three partitions are at their ends before the rebalance, and of whichever two it is given then, one is of these.
    counts = [10, 10, 10, 4000]
    records = [
        (partition, f"{partition} {n} {'x' * 500}") for partition, count in enumerate(counts) for n in range(count)
    ]
    make(cluster, "shared", [(partition, 1_000_000, line) for partition, line in records], partitions=4)
    # Little is read ahead, and it hears soon of another member: it is to be in the middle then.
    clients = "-X queued.min.messages=1 -X max.partition.fetch.bytes=50000 -X heartbeat.interval.ms=20"
    command = ["bash", "-c", f"exec fleuve consume shared --group sharing --exit-at-end {clients}"]
    with subprocess.Popen(command, env=environment(cluster), stdout=subprocess.PIPE) as consuming:
        number = consuming.stdout.fileno()
        printed = data = os.read(number, 100)
        other = Consumer({"bootstrap.servers": cluster, "group.id": "sharing", "enable.auto.commit": False})
        try:
            other.subscribe(["shared"])
            # It waits for whoever reads what it prints, so both go on together.
            while data:
                other.poll(0.002)
                if select.select([number], [], [], 0)[0]:
                    data = os.read(number, 8192)
                    printed += data
            assert other.assignment()
            assert consuming.wait() == 0
        finally:
            consuming.kill()
            other.close()
    shown = {tuple(map(int, line.split()[:2])) for line in printed.splitlines()}
    wanted = [{(partition, n) for partition in two for n in range(counts[partition])} for two in ((0, 1), (2, 3))]
    assert any(shown >= all_of_two for all_of_two in wanted)


def test_without_a_group_none_is_left_behind(fleuve, cluster, ten):
    fleuve.ok("consume", ten, "--exit-at-end")
    admin = AdminClient({"bootstrap.servers": cluster})
    groups = admin.list_consumer_groups().result().valid
    assert "fleuve-consume" not in [group.group_id for group in groups]


# ------------------------------------------------------------ following, pipes, signals


def test_new_records_are_shown_as_they_come_until_ctrl_c(fleuve, cluster):
    make(cluster, "followed", [(0, 1000, "old")])
    with Running("fleuve consume followed", cluster) as consuming:
        consuming.until("old\n")
        fleuve.ok("produce", "followed", stdin="new\n")
        consuming.until("new\n")
        consuming.signal(signal.SIGINT)
        assert consuming.ended() == 130
        assert consuming.printed == "old\nnew\n"


def test_the_last_are_followed_by_what_comes_in_any_partition(fleuve, cluster):
    make(
        cluster, "tailed-3", [(partition, 1000 + partition, f"old{partition}") for partition in range(3)], partitions=3
    )
    with Running("fleuve consume tailed-3 --last 1 --follow -n 4", cluster) as consuming:
        consuming.until("old2\n")
        for partition in range(3):
            fleuve.ok("produce", "tailed-3", "--partition", partition, stdin=f"new{partition}\n")
            consuming.until(f"new{partition}\n")
        assert consuming.ended() == 0


def test_the_last_are_followed_by_what_comes(fleuve, cluster):
    make(cluster, "tailed", [(0, 1000, "old"), (0, 1000, "older")])
    with Running("fleuve consume tailed --last 1 --follow -n 2", cluster) as consuming:
        consuming.until("older\n")
        fleuve.ok("produce", "tailed", stdin="new\n")
        assert consuming.ended() == 0
        assert consuming.printed == "older\nnew\n"


def test_the_end_is_where_it_was_at_the_start_though_others_write_on(fleuve, cluster):
    make(cluster, "growing", [(0, 1000, "old")])
    with Running("fleuve produce growing -q < <(yes)", cluster) as producing:
        fleuve.ok("consume", "growing", "-n", 100)
        assert len(shown(fleuve, "growing", "--exit-at-end")) >= 100
        producing.signal(signal.SIGINT)
        producing.ended()


@pytest.mark.parametrize("command", ["fleuve consume ten | head -1", "fleuve consume ten --output json | head -1"])
def test_a_closed_pipe_ends_it_quietly_though_nothing_more_comes(cluster, ten, command):
    ran = bash(f"set -o pipefail; {command}", cluster)
    assert (ran.returncode, ran.stderr, ran.stdout.count(b"\n")) == (0, b"", 1)


def test_a_full_disk_is_one_line(cluster, ten):
    ran = bash("fleuve consume ten --exit-at-end > /dev/full", cluster)
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"fleuve: standard output: cannot be written (No space left on device); ")
    assert ran.stderr.count(b"\n") == 1


def test_a_broker_that_goes_and_comes_back_is_said_once_and_reading_goes_on(tmp_path):
    with BrokerProcess(tmp_path) as broker:
        bash("fleuve produce resumed -q", broker.bootstrap, stdin=b"before\n")
        with Running("fleuve consume resumed", broker.bootstrap) as consuming:
            consuming.until("before\n")
            broker.restart()
            bash("fleuve produce resumed -q", broker.bootstrap, stdin=b"after\n")
            consuming.until("after\n")
            consuming.signal(signal.SIGINT)
            assert consuming.ended() == 130
            assert consuming.printed.count("lost; trying again") <= 1


def test_a_topic_that_is_deleted_ends_those_who_follow_it(fleuve, cluster):
    make(cluster, "doomed", [(0, 1000, "old")])
    with Running("fleuve consume doomed", cluster) as consuming:
        consuming.until("old\n")
        fleuve.ok("topic", "delete", "doomed", "--yes")
        assert consuming.ended() == 1
        assert "reading ended: doomed [0]: topic does not exist" in consuming.printed


def test_a_group_that_cannot_commit_says_so_and_does_not_wait_for_ever(tmp_path):
    with BrokerProcess(tmp_path, settings={"group.initial.rebalance.delay.ms": 0}) as broker:
        bash("fleuve produce left -q", broker.bootstrap, stdin=b"one\n")
        with Running("fleuve consume left --group g", broker.bootstrap) as consuming:
            consuming.until("one\n")
            broker.terminate()
            consuming.until("lost; trying again")
            consuming.signal(signal.SIGINT)
            assert consuming.ended() == 1
            assert "group g: what was shown could not be committed" in consuming.printed
        broker.start()


def test_records_deleted_ahead_of_a_reader_are_said_and_it_goes_on(cluster):
    small = {"batch.num.messages": 10}
    make(cluster, "overtaken", [(0, 1000, "x" * 1000)] * 1000 + [(0, 1000, "last")], settings=small)
    admin = AdminClient({"bootstrap.servers": cluster})
    little = "-X fetch.message.max.bytes=1000 -X queued.min.messages=1 -X queued.max.messages.kbytes=1"
    with subprocess.Popen(
        ["bash", "-c", f"exec fleuve consume overtaken {little}"],
        env=environment(cluster),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        # It stops where the pipe is full, and what lies ahead of it is deleted.
        first = process.stdout.readline()
        where = TopicPartition("overtaken", 0, 1000)
        admin.delete_records([where])[where].result()
        rest = iter(process.stdout.readline, b"last\n")
        assert len([first, *rest]) < 1000
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said == b"overtaken [0]: records were deleted before they were read; going on at offset 1000\n"


# ------------------------------------------------------------ what goes wrong


def test_a_topic_that_does_not_exist_is_refused_and_not_created(fleuve, cluster):
    assert_refused(fleuve("consume", "absent"), 1, "topic absent: does not exist", "fleuve topic list")
    assert_refused(fleuve("consume", "absent", "--group", "g"), 1, "topic absent: does not exist")
    assert_refused(fleuve("consume", "^absent"), 1, "no topic matches '^absent'")
    assert_refused(fleuve("consume", "absent*"), 1, "no topic matches 'absent*'")
    assert "absent" not in AdminClient({"bootstrap.servers": cluster}).list_topics(timeout=10).topics


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--offset", 11], ["ten [0]: offset 11 is out of range: it has 0 to 9"]),
        (["--partition", 1], ["topic ten has no partition 1: it has only partition 0"]),
    ],
    ids=lambda words: " ".join(map(str, words)),
)
def test_what_is_not_there_is_said(fleuve, ten, words, said):
    assert_refused(fleuve("consume", ten, *words), 1, *said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--since", "yesterday"], "--since: 'yesterday' is not a time"),
        (["--grep", "("], "--grep: '(' is not a regular expression"),
        (["--offset", "-1"], "--offset"),
        (["--print", "value,colour"], "'colour' is not a field"),
        (["--output", "json", "--print", "key"], "--print is for --output text"),
        (["--group", "g", "--offset", "1"], "fleuve group reset"),
        (["--group", "g", "--partition", "0"], "--partition"),
        (["--group", ""], "--group: the name is empty"),
        (["--from", "end", "--last", "1"], "--last"),
        (["--follow", "--exit-at-end"], "--exit-at-end"),
        (["-n", "0"], "-n"),
        (["--key-separator", ""], "--key-separator"),
    ],
    ids=lambda words: " ".join(map(str, words)),
)
def test_wrong_use_is_one_line_and_exit_code_2(fleuve, ten, words, said):
    assert_refused(fleuve("consume", ten, *words), 2, said)
