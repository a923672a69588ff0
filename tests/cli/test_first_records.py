"""What README.md and the getting-started page tell newcomers to type, typed at a broker of this version."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.broker_process import BrokerProcess
from support.shell import bash

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", "docs/getting-started.md"]
PAGES_OF_COMMANDS = [*PAGES, "docs/produce-and-consume.md"]
TIMEOUT_S = 40


@pytest.fixture
def broker(tmp_path):
    with BrokerProcess(tmp_path / "broker", environment={"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0"}) as running:
        yield running


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def run(command, **keywords):
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True, **keywords).stdout


@pytest.mark.skipif(shutil.which("kcat") is None and "CI" not in os.environ, reason="kcat is not installed")
@pytest.mark.parametrize("page", PAGES)
def test_commands_of_kcat_print_what_the_page_says(broker, page):
    lines = "".join(block for block in blocks(page, "console") if "localhost:9092" in block).splitlines()
    # A group's member reads on until it is stopped.
    commands = [line for line in lines if line.startswith("$ ") and "kcat" in line and " -G " not in line]
    assert commands
    for command in commands:
        printed = run(["bash", "-o", "pipefail", "-c", command[2:].replace("localhost:9092", broker.bootstrap)])
        assert printed.splitlines() == expected(page, command)


@pytest.mark.parametrize("page", PAGES_OF_COMMANDS)
def test_commands_of_fleuve_print_what_the_page_says(broker, page):
    lines = "".join(blocks(page, "console")).splitlines()
    commands = [line for line in lines if re.match(r"\$ .*fleuve (produce|consume) ", line)]
    assert commands
    for command in commands:
        assert bash(command[2:], broker.bootstrap).stdout.decode().splitlines() == expected(page, command)


def expected(page, command):
    """Return the lines that the page shows below a command."""
    _, _, rest = (ROOT / page).read_text().partition(command + "\n")
    return re.split(r"^(?:\$ |```)", rest, maxsplit=1, flags=re.MULTILINE)[0].splitlines()


@pytest.mark.parametrize("page", PAGES)
def test_programs_run_one_after_the_other(broker, page):
    programs = blocks(page, "python")
    assert programs
    for program in programs:
        run([sys.executable, "-c", program.replace("localhost:9092", broker.bootstrap)])


def test_the_readme_says_what_its_program_prints(broker):
    program = blocks("README.md", "python")[0].replace("localhost:9092", broker.bootstrap)
    assert f"`{run([sys.executable, '-c', program]).strip()}`" in (ROOT / "README.md").read_text()
