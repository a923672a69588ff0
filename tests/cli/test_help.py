"""`--help` of every command: it has examples, and they work as they are printed."""

import os
import re
import shlex
import subprocess
import sysconfig

import pytest

from support.broker_process import BrokerProcess
from support.command_line import commands

COMMANDS = dict(commands())
# These run until somebody stops them.
ENDLESS = {"serve"}
TIMEOUT_S = 30


def examples(parser):
    """Return the command lines that a help shows."""
    _, _, behind = parser.format_help().partition("\nexamples:\n")
    return [line.removeprefix("  $ ") for line in behind.splitlines()]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_that_it_understands(name):
    assert examples(COMMANDS[name])
    for example in examples(COMMANDS[name]):
        mine = [part for part in re.split(r" \| | && ", example) if part.startswith(f"fleuve {name}")]
        assert mine, example


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ENDLESS])
def test_examples_work_one_after_the_other_at_a_new_broker(name, tmp_path):
    settings = {"group.initial.rebalance.delay.ms": 0}
    with BrokerProcess(tmp_path / "broker", settings=settings) as broker:
        environment = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
            "PATH": os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]),
        }
        workplace = tmp_path / "workplace"
        workplace.mkdir()
        for example in examples(COMMANDS[name]):
            ran = subprocess.run(
                ["bash", "-o", "pipefail", "-c", example.replace("localhost:9092", broker.bootstrap)],
                cwd=workplace,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
            assert ran.returncode == 0, f"{example}\n{ran.stdout}{ran.stderr}"


def test_examples_of_serve_are_understood():
    for example in examples(COMMANDS["serve"]):
        COMMANDS["serve"].parse_args(shlex.split(example)[2:])
