"""`--help` of every command: it has examples, and they work as they are printed."""

import os
import re
import shlex
import subprocess
import sysconfig

import pytest

from fleuve.cli.main import make_parser
from support.broker_thread import BrokerThread
from support.command_line import CommandLine, commands

COMMANDS = dict(commands())
# These run until somebody stops them.
ENDLESS = {"serve"}
TIMEOUT_S = 30


def examples(parser):
    """Return the command lines that a help shows."""
    _, _, behind = parser.format_help().partition("\nexamples:\n")
    return [line.removeprefix("  $ ") for line in behind.splitlines()]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_of_itself_and_they_are_understood(name):
    parts = [part for example in examples(COMMANDS[name]) for part in re.split(r" \| | && ", example)]
    mine = [part for part in parts if part.startswith(f"fleuve {name}")]
    assert mine
    for part in mine:
        make_parser().parse_args(shlex.split(part)[1:])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_a_terminal(name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    # What is indented is to be copied as it is: examples, and what other files need.
    long = [line for line in COMMANDS[name].format_help().splitlines() if len(line) > 80 and line[:2] != "  "]
    assert long == []


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ENDLESS])
def test_examples_work_one_after_the_other_at_a_new_broker(name, tmp_path, monkeypatch, capfd):
    workplace = tmp_path / "workplace"
    workplace.mkdir()
    # Where a broker that was started here would have its data.
    (workplace / "fleuve-data").symlink_to(tmp_path / "broker")
    monkeypatch.chdir(workplace)
    with BrokerThread(tmp_path / "broker", {"group.initial.rebalance.delay.ms": "0"}) as broker:
        bootstrap = f"{broker.address[0]}:{broker.address[1]}"
        fleuve = CommandLine(bootstrap, monkeypatch, capfd)
        for example in examples(COMMANDS[name]):
            typed = example.replace("localhost:9092", bootstrap)
            # A shell is needed for pipes and files alone; without one there is no process to start.
            if set("|<>$&;") & set(typed.replace(" && ", "")):
                run_in_shell(typed, bootstrap)
                continue
            for command in typed.split(" && "):
                words = shlex.split(command)
                assert words[0] == "fleuve"
                fleuve.ok(*words[1:])


def run_in_shell(typed, bootstrap):
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
    }
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", typed],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 0, f"{typed}\n{ran.stdout}{ran.stderr}"
