"""The command line: flags become options, and every failure is one line and an exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fleuve import __version__
from fleuve.app.options import ListenerSpec, ServeOptions
from fleuve.cli.main import main, make_parser
from fleuve.cli.serve import options_of


def options(*arguments):
    return options_of(make_parser().parse_args(["serve", *arguments]))


def test_without_flags_everything_is_the_default():
    assert options() == ServeOptions()


def test_each_flag_has_its_option():
    asked = options(
        *("--listen", "A=localhost:1", "--listen", "localhost:2", "--data-dir", "d", "--set", "num.partitions=3"),
        *("--set", "listeners=x=y", "--config", "c", "--ready-file", "r", "--http", "off"),
        *("--log-level", "debug", "--log-format", "json"),
    )
    assert asked == ServeOptions(
        listeners=(
            ListenerSpec("A", "localhost", 1, "localhost", 1),
            ListenerSpec("PLAINTEXT", "localhost", 2, "localhost", 2),
        ),
        data_dir=Path("d"),
        settings=(("num.partitions", "3"), ("listeners", "x=y")),
        config=Path("c"),
        ready_file=Path("r"),
        http="off",
        log_level="debug",
        log_format="json",
    )
    assert options("--http", "[::1]:80", "--ephemeral") == ServeOptions(http="[::1]:80", ephemeral=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--listen", "0.0.0.0:9092"], "--listen"),
        (["serve", "--set", "x"], "--set"),
        (["serve", "--http", "x"], "--http"),
        (["serve", "--ephemeral", "--data-dir", "d"], "--ephemeral"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert main(arguments) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["serve", "--no-such-flag"], ["serve", "--log-level", "loud"]])
def test_what_the_parser_refuses_is_one_line_and_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_a_command_does_not_know_sends_to_its_own_help(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["serve", "--port", "9092"])
    assert exit_.value.code == 2
    assert capsys.readouterr().err == "fleuve serve: unrecognized arguments: --port 9092 (see fleuve serve --help)\n"


def test_flags_may_stand_between_words():
    parsed = make_parser().parse_args(["produce", "orders", "--whole", "a", "b", "-q", "c"])
    assert (parsed.topic, parsed.files, parsed.whole, parsed.quiet) == ("orders", ["a", "b", "c"], True, True)


def test_help_names_every_flag(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["serve", "--help"])
    assert exit_.value.code == 0
    text = capsys.readouterr().out
    flags = ["listen", "data-dir", "ephemeral", "set", "config", "ready-file", "http", "log-level", "log-format"]
    assert [flag for flag in flags if f"--{flag}" not in text] == []


def test_the_module_is_the_command():
    ran = subprocess.run([sys.executable, "-m", "fleuve", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout == f"fleuve {__version__}\n"


def test_asking_for_help_imports_nothing_that_a_broker_needs():
    code = "import sys, fleuve.cli.main as m\n"
    code += "try: m.main(['--help'])\nexcept SystemExit: pass\n"
    code += "heavy = ('asyncio', 'uvloop', 'sqlite3', 'uvicorn', 'starlette', 'confluent_kafka', 'rich', 'shtab'); "
    code += "print([name for name in heavy if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "fleuve: name a command: serve, run, topic, "),
        (["topic"], "fleuve topic: name a command: create, list, "),
        (["prodce"], "fleuve: there is no command 'prodce'; did you mean produce?"),
        (["topic", "lst"], "fleuve topic: there is no command 'lst'; did you mean list?"),
        (["nothing"], "fleuve: there is no command 'nothing'; there are serve, run, topic, "),
        (
            ["produce", "t", "--partitoin", "3"],
            "fleuve produce: unrecognized arguments: --partitoin 3; did you mean --",
        ),
        (["produce", "t", "--acks=2"], "fleuve produce: argument --acks: want another value than '2'; there are "),
        (["produce"], "fleuve produce: the following arguments are required: TOPIC (see"),
        (["topic", "list", "-b", "http://localhost:9092"], "fleuve: -b: 'http://localhost:9092' is not the address"),
    ],
)
def test_who_mistypes_is_told_what_there_is(arguments, said):
    ran = subprocess.run([sys.executable, "-m", "fleuve", *arguments], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(said)
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["topic"], ["topic", "create"]])
def test_help_is_a_command_too(words, capsys):
    said = []
    for arguments in (["help", *words], [*words, "--help"]):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["serve", "-h"], ["completion", "bash"]])
def test_a_full_disk_is_one_line(arguments, unbuffered):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "fleuve", *arguments]
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    assert ran.returncode == 1
    assert ran.stderr.startswith("fleuve: standard output: cannot be written (No space left on device); ")
    assert ran.stderr.count("\n") == 1
