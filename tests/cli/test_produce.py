"""`fleuve produce`: what becomes of lines, files and JSON, and what is said if not all of it was written."""

import json
import signal

import pytest
from aiokafka.partitioner import murmur2

from support.broker_process import BrokerProcess
from support.shell import Running, bash


def stored(fleuve, topic):
    """Return the records of a topic as JSON objects, oldest first."""
    return fleuve.ok("consume", topic, "--exit-at-end", "--output", "json").objects


def values(fleuve, topic):
    return [record["value"] for record in stored(fleuve, topic)]


def assert_refused(ran, code, *words):
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1), ran.err
    assert [word for word in words if word not in ran.err] == []


@pytest.fixture
def topic(request, fleuve):
    """A topic with three partitions of this test alone."""
    from confluent_kafka.admin import AdminClient, NewTopic

    name = f"t-{abs(hash(request.node.nodeid)):x}"
    admin = AdminClient({"bootstrap.servers": fleuve.bootstrap})
    admin.create_topics([NewTopic(name, num_partitions=3)])[name].result()
    return name


# ------------------------------------------------------------ what is read


def test_each_line_is_a_record_and_the_summary_counts_them(fleuve):
    ran = fleuve.ok("produce", "lines", stdin="a\n\nb c\n")
    assert "3 records to lines in " in ran.err
    assert values(fleuve, "lines") == ["a", "", "b c"]


def test_a_last_line_without_its_end_counts(fleuve):
    fleuve.ok("produce", "no-end", stdin="a\nb")
    assert values(fleuve, "no-end") == ["a", "b"]


def test_no_input_is_no_record(fleuve):
    assert "0 records to nothing" in fleuve.ok("produce", "nothing").err


def test_quiet_says_nothing(fleuve):
    assert fleuve.ok("produce", "quiet", "--quiet", stdin="a\n").err == ""


def test_a_new_topic_is_said(fleuve):
    assert "topic brand-new is new: created with 1 partition" in fleuve.ok("produce", "brand-new", stdin="a\n").err


def test_files_are_read_in_order_and_a_dash_is_standard_input(fleuve, tmp_path):
    (tmp_path / "a").write_text("a1\na2\n")
    (tmp_path / "b").write_text("b1")
    fleuve.ok("produce", "files", tmp_path / "a", "-", tmp_path / "b", stdin="in\n")
    assert values(fleuve, "files") == ["a1", "a2", "in", "b1"]


def test_whole_files_are_records(fleuve, tmp_path):
    (tmp_path / "a").write_text("a1\na2\n")
    (tmp_path / "b").write_bytes(b"\x00\xff")
    fleuve.ok("produce", "whole", "--whole", tmp_path / "a", tmp_path / "b")
    assert values(fleuve, "whole") == ["a1\na2\n", {"base64": "AP8="}]


def test_a_large_file_with_lines_of_all_lengths_arrives_as_it_is(fleuve, tmp_path):
    lines = ["x" * (number * 37 % 5000) for number in range(600)]
    (tmp_path / "large").write_text("\n".join(lines))
    fleuve.ok("produce", "large", tmp_path / "large")
    assert values(fleuve, "large") == lines


def test_a_delimiter_of_several_bytes_may_lie_across_two_reads(fleuve):
    records = ["y" * 262_143, "z"]
    fleuve.ok("produce", "delimited", "--delimiter", "\\r\\n", stdin="\r\n".join(records))
    assert values(fleuve, "delimited") == records


def test_count_stops_early(fleuve):
    fleuve.ok("produce", "counted", "-n", 2, stdin="1\n2\n3\n")
    assert values(fleuve, "counted") == ["1", "2"]


def test_count_is_of_records_and_not_of_empty_lines_between_them(fleuve):
    lines = '\n{"value":"1"}\n\n{"value":"2"}\n{"value":"3"}\n'
    fleuve.ok("produce", "counted-json", "--input", "json", "-n", 2, stdin=lines)
    assert values(fleuve, "counted-json") == ["1", "2"]


def test_names_that_cannot_be_text_are_refused_and_do_not_end_the_process(cluster):
    half = rb'{"value":"x","headers":[{"name":"\ud800","value":null}]}'
    ran = bash("fleuve produce halves --input json", cluster, stdin=half)
    assert (ran.returncode, ran.stderr.count(b"half of a character")) == (1, 1)
    for words in ("consume halves --group $'\\xff'", "group describe $'\\xff'", "info -X client.id=$'\\xff'"):
        ran = bash(f"fleuve {words}", cluster)
        assert (ran.returncode, ran.stderr.count(b"is not UTF-8")) == (2, 1), words


def test_bytes_that_are_not_text_go_through_unchanged(cluster):
    data = bytes(range(256)).replace(b"\n", b"")
    assert bash("fleuve produce bytes -q", cluster, stdin=data).returncode == 0
    assert bash("fleuve consume bytes --exit-at-end", cluster).stdout == data + b"\n"


# ------------------------------------------------------------ what the records get


def test_a_separator_divides_key_and_value_once(fleuve):
    fleuve.ok("produce", "keyed", "--key-separator", ":", stdin="k:v:w\n:v\nk:\n")
    assert [(record["key"], record["value"]) for record in stored(fleuve, "keyed")] == [
        ("k", "v:w"),
        ("", "v"),
        ("k", ""),
    ]


def test_a_line_without_the_separator_is_named_and_those_before_it_are_written(fleuve):
    ran = fleuve("produce", "half-keyed", "--key-separator", "\\t", "-q", stdin="a\t1\nb 2\nc\t3\n")
    assert_refused(ran, 1, "1 record written", "line 2 has no key separator '\\t'")
    assert values(fleuve, "half-keyed") == ["1"]


def test_a_marker_is_null_and_so_is_an_empty_one(fleuve):
    fleuve.ok("produce", "nulls", "--key-separator", "=", "--null-marker", "NULL", stdin="k=NULL\nNULL=v\nk=\n")
    fleuve.ok("produce", "nulls", "--key-separator", "=", "--null-marker", "", stdin="k=\n")
    assert [(record["key"], record["value"]) for record in stored(fleuve, "nulls")] == [
        ("k", None),
        (None, "v"),
        ("k", ""),
        ("k", None),
    ]


def test_key_headers_partition_and_time_are_given_to_all(fleuve, topic):
    fleuve.ok(
        *("produce", topic, "--key", "k", "-H", "a=1", "-H", "b=", "-H", "a=2"),
        *("--partition", 2, "--timestamp", "2026-01-02T03:04:05.678Z"),
        stdin="x\ny\n",
    )
    for record in stored(fleuve, topic):
        assert (record["key"], record["partition"], record["timestamp"]) == ("k", 2, 1767323045678)
        assert [(header["name"], header["value"]) for header in record["headers"]] == [
            ("a", "1"),
            ("b", ""),
            ("a", "2"),
        ]


def test_keys_lie_where_a_java_client_puts_them(fleuve, topic):
    fleuve.ok("produce", topic, "--key-separator", ":", stdin="".join(f"{key}:v\n" for key in range(8)))
    placed = {record["key"]: record["partition"] for record in stored(fleuve, topic)}
    assert placed == {key: (murmur2(key.encode()) & 0x7FFFFFFF) % 3 for key in placed}
    assert set(placed.values()) == {0, 1, 2}


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_compressed_records_arrive_as_they_are(fleuve, compression):
    fleuve.ok("produce", f"in-{compression}", "--compression", compression, stdin="same\n" * 100)
    assert values(fleuve, f"in-{compression}") == ["same"] * 100


@pytest.mark.parametrize("words", [("--acks", "all"), ("--acks", "1"), ("--acks", "0"), ("-X", "acks=1")], ids=" ".join)
def test_records_are_written_with_each_kind_of_acknowledgement(fleuve, words):
    topic = "acks" + "".join(words).replace("=", "")
    fleuve.ok("produce", topic, *words, stdin="a\n")
    assert values(fleuve, topic) == ["a"]


# ------------------------------------------------------------ JSON


def test_json_says_what_a_record_is(fleuve, topic):
    records = [
        {"value": "v", "key": None, "partition": 1, "timestamp": 5, "headers": [{"name": "h", "value": None}]},
        {"value": None, "key": {"base64": "/w=="}, "partition": 1, "offset": 77, "topic": "elsewhere"},
    ]
    fleuve.ok("produce", topic, "--input", "json", stdin="\n".join(json.dumps(record) for record in records) + "\n\n")
    first, second = stored(fleuve, topic)
    assert (first["value"], first["timestamp"], first["headers"]) == ("v", 5, [{"name": "h", "value": None}])
    assert (second["value"], second["key"], second["partition"]) == (None, {"base64": "/w=="}, 1)


def test_flags_go_over_what_json_says(fleuve, topic):
    record = {"value": "v", "key": "k", "partition": 1, "timestamp": 5, "headers": [{"name": "h", "value": "1"}]}
    flags = ("--partition", 0, "--key", "mine", "--timestamp", "@9", "-H", "i=2")
    fleuve.ok("produce", topic, "--input", "json", *flags, stdin=json.dumps(record))
    (found,) = stored(fleuve, topic)
    assert (found["partition"], found["key"], found["timestamp"]) == (0, "mine", 9)
    assert found["headers"] == [{"name": "h", "value": "1"}, {"name": "i", "value": "2"}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ("{}", 'no "value"'),
        ('{"value": 1}', "value: want a text"),
        ('{"value": "v", "vlaue": 1}', "unknown field 'vlaue'"),
        ('{"value": {"base64": "?"}}', "value: "),
        ('{"value": "\\ud800"}', "value: "),
        ('{"value": "v", "headers": {"a": "b"}}', "headers: want a list"),
        ('{"value": "v", "headers": [{"name": "\\u0000", "value": ""}]}', "a zero character"),
        ('{"value": "v", "partition": 17}', "no partition 17: it has only partition 0; --partition auto"),
        ('{"value": "v", "partition": -1}', "partition: want a whole number"),
        ('{"value": "v", "timestamp": 0}', "timestamp: 0 cannot be sent"),
        ('{"value": "v", "timestamp": "today"}', "timestamp: want a whole number"),
        ("[" * 100_000, "nested too deeply"),
    ],
    ids=lambda text: text[:40],
)
def test_json_that_is_no_record_is_named_by_its_line(fleuve, line, said):
    ran = fleuve("produce", "bad-json", "--input", "json", "-q", stdin=f'{{"value": "good"}}\n{line}\n')
    assert_refused(ran, 1, "1 record written: line 2", said)


# ------------------------------------------------------------ what goes wrong


def test_a_line_that_is_too_long_is_named_with_the_limit(fleuve):
    ran = fleuve("produce", "long", "-q", stdin="a\n" + "x" * 3_000_000 + "\nb\n")
    assert_refused(ran, 1, "1 record written: line 2: larger than 1,048,488 bytes", "fleuve topic alter")
    assert values(fleuve, "long") == ["a"]


def test_a_topic_with_a_larger_limit_takes_larger_records(fleuve, tmp_path):
    fleuve.ok("topic", "create", "roomy", "--config", "max.message.bytes=4000000")
    (tmp_path / "large").write_text("x" * 3_000_000)
    fleuve.ok("produce", "roomy", "--whole", tmp_path / "large")
    assert [len(value) for value in values(fleuve, "roomy")] == [3_000_000]


def test_a_topic_with_a_small_limit_takes_small_records_and_the_first_large_one_is_named(fleuve, tmp_path):
    fleuve.ok("topic", "create", "narrow", "--config", "max.message.bytes=2000")
    (tmp_path / "lines").write_text("small\n" * 1000 + "x" * 1800 + "\n" + "x" * 1899 + "\nnever\n")
    ran = fleuve("produce", "narrow", "-q", tmp_path / "lines")
    assert_refused(
        ran, 1, "1,001 records written", f"{tmp_path}/lines:1002 failed: Message size too large", "fleuve topic alter"
    )
    assert values(fleuve, "narrow") == ["small"] * 1000 + ["x" * 1800]


def test_a_record_that_the_broker_refuses_is_named_by_file_and_line(fleuve, tmp_path):
    (tmp_path / "big.txt").write_text("x" * 2_000_000 + "\n")
    ran = fleuve("produce", "refused", "-q", "-X", "message.max.bytes=3000000", tmp_path / "big.txt")
    assert_refused(ran, 1, "0 records written", f"{tmp_path}/big.txt:1 failed", "too large")


def test_a_partition_that_is_not_there_is_said_before_anything_is_sent(fleuve, topic):
    ran = fleuve("produce", topic, "--partition", 3, stdin="a\n")
    assert_refused(ran, 1, f"topic {topic} has no partition 3: it has 0 to 2")


def test_a_name_that_no_topic_can_have_is_said(fleuve):
    assert_refused(fleuve("produce", "a b", stdin="a\n"), 1, "topic a b", "Invalid topic")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--input", "json", "--whole"], ["--whole is for text"]),
        (["--whole", "--key-separator", ":"], ["--whole"]),
        (["-H", "x"], ["-H", "NAME=VALUE"]),
        (["--timestamp", "soon"], ["--timestamp", "'soon' is not a time"]),
        (["/missing.txt"], ["/missing.txt", "No such file"]),
        (["/"], ["is a directory"]),
        (["-X", "acks=maybe"], ["-X", "request.required.acks"]),
    ],
    ids=lambda words: " ".join(words),
)
def test_wrong_use_is_one_line_and_exit_code_2(fleuve, words, said):
    assert_refused(fleuve("produce", "wrong", *words, stdin="a\n"), 2, *said)


def test_a_topic_that_is_not_created_on_demand_is_refused_with_what_to_do(tmp_path):
    with BrokerProcess(tmp_path, settings={"auto.create.topics.enable": "false"}) as broker:
        ran = bash("fleuve produce missing", broker.bootstrap, stdin=b"a\n")
    assert ran.returncode == 1
    assert ran.stderr.decode().splitlines() == [
        "fleuve: topic missing does not exist; create it with `fleuve topic create missing`"
    ]


# ------------------------------------------------------------ interruption, pipes that stay open


def test_lines_are_written_as_they_come(fleuve, cluster):
    with Running("fleuve produce slowly", cluster) as producing:
        producing.until("created")
        producing.write(b"one\n")
        assert fleuve.ok("consume", "slowly", "-n", 1).out == "one\n"
        producing.write(b"two")
        producing.close_input()
        assert producing.ended() == 0
    assert values(fleuve, "slowly") == ["one", "two"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_read_is_written_when_it_is_interrupted(fleuve, cluster, number):
    topic = f"interrupted-{number}"
    with Running(f"fleuve produce {topic}", cluster) as producing:
        producing.until("created")
        producing.write(b"one\ntwo\nthr")
        producing.until_read()
        producing.signal(number)
        assert producing.ended() == 130
        assert "interrupted: 2 records written" in producing.printed
    assert values(fleuve, topic) == ["one", "two"]


def test_endless_input_ends_with_ctrl_c_in_bounded_memory(fleuve, cluster):
    with Running("fleuve produce endless < <(yes $(head -c 2000 /dev/zero | tr '\\0' y))", cluster) as producing:
        producing.until("created")
        fleuve.ok("consume", "endless", "-n", 30_000)
        with open(f"/proc/{producing.pid}/status") as status:
            (peak,) = (int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        producing.signal(signal.SIGINT)
        assert producing.ended() == 130
    assert peak < 400 * 1024


def started(producing, bootstrap, topic):
    """Wait until a producer is past its start: a first record is there."""
    producing.until("created")
    producing.write(b"first\n")
    assert bash(f"fleuve consume {topic} -n 1", bootstrap).stdout == b"first\n"


def test_a_broker_that_goes_and_comes_back_is_said_and_nothing_is_lost(tmp_path):
    with BrokerProcess(tmp_path, settings={"log.flush.interval.messages": 1000}) as broker:
        with Running("fleuve produce patient", broker.bootstrap) as producing:
            started(producing, broker.bootstrap, "patient")
            broker.terminate()
            producing.until("lost; trying again")
            producing.write(b"while it was gone\n")
            broker.start()
            producing.close_input()
            assert producing.ended() == 0
            assert "2 records to patient" in producing.printed
        shown = bash("fleuve consume patient --exit-at-end", broker.bootstrap).stdout
        assert shown == b"first\nwhile it was gone\n"


def test_ctrl_c_twice_gives_up_what_cannot_be_written(tmp_path):
    with BrokerProcess(tmp_path) as broker, Running("fleuve produce hopeless", broker.bootstrap) as producing:
        started(producing, broker.bootstrap, "hopeless")
        broker.signal(signal.SIGSTOP)
        producing.write(b"never\n")
        producing.until_read()
        producing.signal(signal.SIGINT)
        producing.until("waiting for 1 ")
        producing.signal(signal.SIGINT)
        assert producing.ended() == 130
        assert "interrupted: 1 record written, 1 given up" in producing.printed
        broker.signal(signal.SIGCONT)


def test_the_name_of_a_header_that_is_no_text_is_refused(fleuve):
    ran = fleuve("produce", "named", "-H", "\udcff=1", stdin="a\n")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "the name of a header is UTF-8" in ran.err
    line = '{"value": "a", "headers": [{"name": "\\ud800", "value": null}]}\n'
    ran = fleuve("produce", "named", "--input", "json", "-q", stdin=line)
    assert ran.code == 1
    assert "line 1: headers: a name has half of a character" in ran.err


def test_a_topic_that_cannot_be_called_so_is_told_how_it_can(fleuve):
    ran = fleuve("produce", "no topic!", stdin="a\n")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "want at most 249 letters, digits, '.', '_' and '-'" in ran.err


def test_a_topic_that_is_no_text_is_refused(fleuve):
    ran = fleuve("produce", "\udcff", stdin="a\n")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "is not UTF-8" in ran.err


def test_closed_standard_input_has_no_records(cluster):
    ran = bash("fleuve produce closed <&-", cluster)
    assert ran.returncode == 0
    assert b"0 records to closed" in ran.stderr
