"""The command line of the examples."""

import sys

import pytest
from examples.shared.options import parse, start


def parsed(*arguments):
    return parse("taxis", "About.", "surge", arguments, rate=300)


def test_without_arguments_one_process_does_both_at_the_usual_address(monkeypatch):
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    options = parsed()
    assert (options.generates, options.processes, options.bootstrap) == (True, True, "localhost:9092")
    assert (options.topics.events, options.topics.results, options.topics.state) == (
        "taxis.events",
        "taxis.surge",
        "taxis.state",
    )


@pytest.mark.parametrize(("command", "halves"), [("generate", (True, False)), ("process", (False, True))])
def test_each_half_runs_alone(command, halves):
    options = parsed(command)
    assert (options.generates, options.processes) == halves


def test_the_environment_names_the_broker_and_the_option_goes_first(monkeypatch):
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka.example:9092")
    assert parsed().bootstrap == "kafka.example:9092"
    assert parsed("--bootstrap-server", "other.example:1").bootstrap == "other.example:1"


def test_the_prefix_names_topics_and_group():
    options = parsed("--prefix", "mine")
    assert (options.topics.results, options.group) == ("mine.surge", "mine.processors")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--events", "0"],
        ["--partitions", "-1"],
        ["walk"],
        ["--rate", "fast"],
        ["--rate", "-1"],
        ["--ratte", "1"],
        ["-b", "localhost:kafka"],
        ["-b", "http://localhost:9092"],
        ["-b", "one:1,two"],
        ["--prefix", "no topic!"],
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        parsed(*arguments)
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("python -m examples.taxis: ")


def test_a_client_that_is_not_installed_is_told_in_one_line(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "examples.taxis.stream", raising=False)
    monkeypatch.setitem(sys.modules, "aiokafka", None)
    assert start("taxis", parsed()) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line == "aiokafka is not installed: pip install -r examples/requirements.txt"
