"""The command line: flags become options, and every failure is one line and an exit code."""

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


def test_what_cannot_be_printed_is_a_failure_of_one_line():
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "fleuve", "completion", "bash"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    said = b"fleuve: standard output: cannot be written (No space left on device)\n"
    assert (ran.returncode, ran.stderr) == (1, said)
