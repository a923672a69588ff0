"""kafka-consumer-groups --reset-offsets, with everything that it can be told."""

from __future__ import annotations

import csv
from datetime import UTC, datetime

import pytest

from clients.records import TIMESTAMP_FIRST_MS, numbered

TOOLS = "kafka-consumer-groups --reset-offsets"


@pytest.fixture
def topic(driver, topic):
    """A topic of two partitions with ten records each, two seconds apart."""
    driver.create_topic(topic, 2)
    driver.produce(topic, numbered(20, 2))
    return topic


@pytest.fixture
def stand(tools, topic, group):
    """Tell where the group stands; it starts with offsets 4 and 6."""
    reset(tools, group, "--topic", f"{topic}:0", "--to-offset", 4, "--execute")
    reset(tools, group, "--topic", f"{topic}:1", "--to-offset", 6, "--execute")
    return lambda: offsets(tools("consumer-groups", "--describe", "--group", group).rows, "CURRENT-OFFSET")


def reset(tools, group, *options):
    return tools("consumer-groups", "--reset-offsets", "--group", group, *options)


def offsets(rows, head="NEW-OFFSET"):
    """Return offsets by partition."""
    return {int(row["PARTITION"]): int(row[head]) for row in rows}


def time_of(index):
    """Return the time of a record of partition 0, by its offset, as the tool wants it."""
    moment = datetime.fromtimestamp((TIMESTAMP_FIRST_MS + index * 2_000) / 1_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("how", "found"),
    [
        (["--to-earliest"], {0: 0, 1: 0}),
        (["--to-latest"], {0: 10, 1: 10}),
        (["--to-current"], {0: 4, 1: 6}),
        (["--to-offset", 3], {0: 3, 1: 3}),
        (["--to-offset", 100], {0: 10, 1: 10}),
        (["--shift-by", 3], {0: 7, 1: 9}),
        (["--shift-by", -5], {0: 0, 1: 1}),
        (["--shift-by", 100], {0: 10, 1: 10}),
        (["--to-datetime", "2143-11-14T23:13:20.000+02:00"], {0: 10, 1: 10}),
        (["--by-duration", "P1D"], {0: 0, 1: 0}),
        (["--by-duration", "PT1S"], {0: 10, 1: 10}),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_a_group_is_set_where_it_shall_go_on(tools, topic, group, stand, how, found):
    planned = reset(tools, group, "--topic", topic, *how, "--dry-run")
    before = stand()
    done = reset(tools, group, "--topic", topic, *how, "--execute")

    assert offsets(planned.rows) == offsets(done.rows) == found
    assert {(row["GROUP"], row["TOPIC"]) for row in done.rows} == {(group, topic)}
    assert before == {0: 4, 1: 6}
    assert stand() == found


@pytest.mark.parametrize(("index", "found"), [(5, {0: 5, 1: 5}), (-100, {0: 0, 1: 0})])
def test_a_group_is_set_to_the_first_record_of_a_time(tools, topic, group, stand, index, found):
    reset(tools, group, "--topic", topic, "--to-datetime", time_of(index), "--execute")

    assert stand() == found


def test_records_that_are_gone_are_no_place_to_go_to(tools, topic, group, stand, tmp_path):
    file = tmp_path / "delete.json"
    file.write_text(f'{{"version": 1, "partitions": [{{"topic": "{topic}", "partition": 0, "offset": 3}}]}}')
    tools("delete-records", "--offset-json-file", file)

    assert offsets(reset(tools, group, "--topic", topic, "--to-earliest", "--execute").rows) == {0: 3, 1: 0}
    assert offsets(reset(tools, group, "--topic", topic, "--to-offset", 1, "--execute").rows) == {0: 3, 1: 1}
    assert stand() == {0: 3, 1: 1}


def test_without_a_word_nothing_is_done(tools, topic, group, stand):
    said = reset(tools, group, "--topic", topic, "--to-earliest")

    assert "No action will be performed as the --execute option is missing" in said.err
    assert stand() == {0: 4, 1: 6}


def test_single_partitions_are_reset(tools, topic, group, stand):
    reset(tools, group, "--topic", f"{topic}:1", "--to-latest", "--execute")
    assert stand() == {0: 4, 1: 10}

    reset(tools, group, "--topic", f"{topic}:0,1", "--to-offset", 2, "--execute")
    assert stand() == {0: 2, 1: 2}


def test_all_topics_of_a_group_are_reset(tools, driver, topic, group, stand):
    other = f"{topic}-other"
    driver.create_topic(other, 1)
    driver.produce(other, numbered(5, 1))
    reset(tools, group, "--topic", other, "--to-latest", "--execute")

    done = reset(tools, group, "--all-topics", "--to-earliest", "--execute")

    assert sorted((row["TOPIC"], row["PARTITION"], row["NEW-OFFSET"]) for row in done.rows) == [
        (topic, "0", "0"),
        (topic, "1", "0"),
        (other, "0", "0"),
    ]


def test_what_was_exported_is_taken_from_the_file(tools, topic, group, stand, tmp_path):
    exported = reset(tools, group, "--all-topics", "--to-current", "--export", "--dry-run")
    file = tmp_path / "offsets.csv"
    file.write_text(exported.out)
    reset(tools, group, "--topic", topic, "--to-latest", "--execute")

    planned = reset(tools, group, "--from-file", file, "--dry-run")
    before = stand()
    reset(tools, group, "--from-file", file, "--execute")

    assert sorted(csv.reader(exported.lines)) == [[topic, "0", "4"], [topic, "1", "6"]]
    assert offsets(planned.rows) == {0: 4, 1: 6}
    assert before == {0: 10, 1: 10}
    assert stand() == {0: 4, 1: 6}


def test_two_groups_are_reset_at_once_and_exported_by_name(tools, topic, group, stand, tmp_path):
    both = ["--group", f"{group}-2", "--topic", topic, "--to-offset", 1]
    done = reset(tools, group, *both, "--execute")
    exported = reset(tools, group, *both, "--export", "--dry-run")

    assert {row["GROUP"] for row in done.rows} == {group, f"{group}-2"}
    assert stand() == {0: 1, 1: 1}
    assert {(row[0], row[3]) for row in csv.reader(exported.lines)} == {(group, "1"), (f"{group}-2", "1")}


def test_a_reset_makes_a_group_that_was_not_there(tools, topic, group):
    reset(tools, group, "--topic", topic, "--to-offset", 2, "--execute")

    assert offsets(tools("consumer-groups", "--describe", "--group", group).rows, "CURRENT-OFFSET") == {0: 2, 1: 2}


def test_a_partition_that_is_missing_is_an_error(tools, topic, group, stand):
    said = reset(tools, group, "--topic", f"{topic}:7", "--to-earliest", "--execute")

    assert f'The partitions "{topic}-7" do not exist' in said.out
    assert stand() == {0: 4, 1: 6}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--to-earliest", "--execute"], "One of the reset scopes should be defined: --all-topics, --topic."),
        (["--all-topics", "--execute"], "Option '[reset-offsets]' requires one of the following scenarios"),
    ],
)
def test_what_is_missing_of_the_command_is_told(tools, group, options, words):
    assert words in tools.refused("consumer-groups", "--reset-offsets", "--group", group, *options)
