"""The examples as their users run them: killed with SIGKILL, started again, at a broker of this version."""

import json
import os
import random
import re
import signal

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from examples.shared.partition import Repeats, newest
from examples.shared.world import partition_of

from support.broker_thread import BrokerThread
from support.example_programs import EXAMPLES, Program, Topics, results_of

PARTITIONS = 3
EVENTS_MIN = 3000

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=str)


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory):
    with BrokerThread(tmp_path_factory.mktemp("broker"), {"group.initial.rebalance.delay.ms": "0"}) as broker:
        yield "{}:{}".format(*broker.address)


@pytest.fixture
def topics(bootstrap):
    looker = Topics(bootstrap)
    yield looker
    looker.close()


def world_of(example, counts):
    """Return how a world begins: so many events of each partition."""
    parts = {number: [] for number in counts}
    for event in example.day(1, 0):
        part = parts[partition_of(event.key, PARTITIONS)]
        if len(part) < counts[partition_of(event.key, PARTITIONS)]:
            part.append(event.encode())
        elif {number: len(part) for number, part in parts.items()} == counts:
            return parts
    raise AssertionError("a day is shorter than that")


@every_example
def test_killed_and_started_again_generator_and_processor_come_to_the_results_of_an_undisturbed_run(
    example, bootstrap, topics, tmp_path, record_property
):
    chance = random.Random(f"kills {example}")
    events, results, state = f"{example}.events", f"{example}.{example.results}", f"{example}.state"

    def program(*arguments):
        return Program(example, bootstrap, tmp_path / "said", *arguments)

    making = program("generate", "--rate", "0", "--partitions", str(PARTITIONS))
    making.kill_when(lambda: EVENTS_MIN + chance.randrange(2000) <= topics.count(events))
    total = sum(len(results_of(example, values, number)[0]) for number, values in topics.values(events).items())
    kills = sorted(chance.randrange(total // 2) for _ in range(2))
    for kill in kills:
        program("process", "--snapshot-every", "20").kill_when(
            lambda kill=kill: topics.count(results) > kill and topics.count(state) > 0
        )

    code, said = program("generate", "--rate", "0", "--events", "500").end()
    assert (code, said.splitlines()[-1]) == (0, "made 500 events")
    assert re.match(r"making events: going on after number [\d,]+ of day 1\n", said)
    made = topics.values(events)
    assert made == world_of(example, {number: len(values) for number, values in made.items()})
    expected = {number: results_of(example, values, number) for number, values in made.items()}

    code, said = program("process", "--exit-at-end", "--snapshot-every", "20").end()
    assert code == 0, said
    assert said.startswith(f"partitions 0–{PARTITIONS - 1}: going on at offsets "), said
    assert re.search(r"^caught up [\d,]+ events in \d+\.\d s, from offsets [\d, ]+$", said, re.MULTILINE)
    record_property(
        "ran", f"{sum(map(len, made.values())):,} events, processor killed after {kills} of {total:,} results"
    )

    repeats = Repeats()
    written = topics.values(results)
    once = {number: [each for each in values if repeats.is_new(json.loads(each))] for number, values in written.items()}
    assert once == {number: wanted for number, (wanted, _) in expected.items()}
    assert topics.count(state) > sum(map(len, topics.values(state).values()))  # Those that were replaced are deleted.
    kept = {number: newest(values, example.model.__name__) for number, values in topics.values(state).items()}
    assert {number: json.dumps(each.state) for number, each in kept.items()} == {
        number: json.dumps(wanted) for number, (_, wanted) in expected.items()
    }


@every_example
def test_both_halves_in_one_process_end_when_all_events_are_worked_on(example, bootstrap, tmp_path):
    code, said = Program(
        example, bootstrap, tmp_path / "said", "--prefix", f"both-{example}", "--rate", "0", "--events", "300"
    ).end()
    assert code == 0, said
    assert said.splitlines()[-1].startswith("made 300 events; worked on 300 events, wrote ")


@every_example
def test_a_signal_ends_it_with_a_summary(example, bootstrap, topics, tmp_path):
    prefix = f"signal-{example}"
    running = Program(example, bootstrap, tmp_path / "said", "--prefix", prefix, "--rate", "2000")
    running.signal_when(signal.SIGINT, lambda: topics.count(f"{prefix}.state") > 0)
    code, said = running.end()
    assert code == 0, said
    assert "worked on" in said.splitlines()[-1]
    assert "Traceback" not in said


@every_example
def test_it_ends_when_nobody_reads_its_lines_any_more(example, bootstrap, tmp_path):
    read_end, write_end = os.pipe()
    os.close(read_end)
    running = Program(example, bootstrap, tmp_path / "said", "--prefix", f"pipe-{example}", lines_to=write_end)
    os.close(write_end)
    assert running.end() == (0, "")


@every_example
def test_without_a_broker_it_says_in_one_line_what_to_do(example, tmp_path):
    code, said = Program(example, "localhost:1", tmp_path / "said").end()
    assert code == 1
    [line] = said.splitlines()
    assert line == (
        "no Kafka broker answers at localhost:1: start one (fleuve serve), or name another with --bootstrap-server"
    )


def test_topics_of_another_example_are_refused_in_one_line(bootstrap, tmp_path):
    one, other = EXAMPLES[:2]
    code, said = Program(one, bootstrap, tmp_path / "said", "--prefix", "one", "--rate", "0", "--events", "90").end()
    assert code == 0, said
    code, said = Program(other, bootstrap, tmp_path / "said", "--prefix", "one", "generate").end()
    assert code == 1
    [line] = said.splitlines()
    assert line == "one.events has records that are no events of this example: take another --prefix"


def test_a_key_has_the_partition_that_librdkafka_gives_it(bootstrap, topics):
    keys = [f"key-{each}" for each in range(50)]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic("keys", PARTITIONS)])["keys"].result(20)
    producer = Producer({"bootstrap.servers": bootstrap})
    for key in keys:
        producer.produce("keys", key, key)
    assert producer.flush(20) == 0
    placed = topics.values("keys")
    assert {number: [value.decode() for value in values] for number, values in placed.items()} == {
        number: [key for key in keys if partition_of(key, PARTITIONS) == number] for number in range(PARTITIONS)
    }
