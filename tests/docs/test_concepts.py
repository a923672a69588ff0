"""The programs of the page about concepts do what it says, one after the other and some of them twice."""

import subprocess
import sys
from itertools import pairwise

import pytest

from support.broker_process import BrokerProcess
from support.pages import DOCS, blocks

PAGE = "concepts.md"
TIMEOUT_S = 40


@pytest.fixture
def broker(tmp_path):
    with BrokerProcess(tmp_path / "broker", environment={"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0"}) as running:
        yield running


def printed_by(program, bootstrap, directory):
    command = [sys.executable, "-c", program.at(bootstrap)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, cwd=directory)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_each_program_prints_what_the_page_says(broker, tmp_path):
    shown = blocks(PAGE)
    programs = [(block, after) for block, after in pairwise(shown) if block.language == "python"]
    assert [after.language for _, after in programs] == ["text"] * 3
    for program, after in programs:
        assert printed_by(program, broker.bootstrap, tmp_path) == after.text
    # The last one counts each record once, however often it runs.
    assert printed_by(program, broker.bootstrap, tmp_path) == after.text


def test_the_table_of_partitions_follows_its_rule():
    text = (DOCS / PAGE).read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ") and " ms | " in line]
    assert len(rows) == 4
    for rate, work, busy, partitions in rows:
        consumers = float(rate.replace(",", "")) * float(work.removesuffix(" ms")) / 1000
        assert consumers == float(busy)
        assert int(partitions) == min(number for number in (1, 3, 6, 12, 24, 48) if number >= 2 * consumers)
