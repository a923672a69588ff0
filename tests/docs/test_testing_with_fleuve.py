"""The page about tests: everything on it that is a test is run as one."""

import os
import re
import subprocess
import sys

import pytest

import fleuve.testing
from fleuve.cli.main import main
from support.pages import DOCS, blocks

PAGE = "testing-with-fleuve.md"
INI = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"


def test_every_test_of_the_page_passes(tmp_path):
    programs = [block for block in blocks(PAGE) if block.language == "python"]
    for number, block in enumerate(programs):
        (tmp_path / f"test_{number}.py").write_text(block.text)
    assert_passes(tmp_path, sum(block.text.count("def test_") for block in programs))


def assert_passes(folder, count):
    (folder / "pytest.ini").write_text(INI)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", folder],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=55,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert f" {count} passed" in ran.stdout, ran.stdout


def test_the_test_of_the_readme_passes(tmp_path):
    section = (DOCS.parent / "README.md").read_text().partition("## Test with it")[2]
    (tmp_path / "test_readme.py").write_text(section.partition("```python\n")[2].partition("```")[0])
    assert_passes(tmp_path, 1)


def test_everything_that_a_broker_can_be_asked_is_on_the_page():
    page = (DOCS / PAGE).read_text()
    offered = {name for name in dir(fleuve.testing.Broker) if not name.startswith("_")}
    assert sorted(name for name in offered if f"`{name}" not in page) == []


def test_every_flag_of_run_is_on_the_page(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    flags = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out)) - {"--help"}
    page = (DOCS / PAGE).read_text()
    assert sorted(flag for flag in flags if f"`{flag}" not in page) == []
