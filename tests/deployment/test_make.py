"""The Makefile, where a clone may lie."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).parents[2] / "Makefile"


def make(directory, *arguments, cwd=None):
    directory.mkdir()
    shutil.copy(MAKEFILE, directory)
    # The tests themselves may run below a make, which says so to those that it calls.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=cwd or directory, env=environment, capture_output=True, text=True, check=False
    )


def test_a_clone_in_a_directory_with_a_space_is_refused_in_one_line(tmp_path):
    ran = make(tmp_path / "my projects", "run")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "with a space in its path: move the clone, or install it with pip" in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [["help"], ["-C", "clone", "help"], ["-f", "clone/Makefile", "help"]])
def test_targets_are_shown_wherever_make_is_called_from(tmp_path, words):
    ran = make(tmp_path / "clone", *words, cwd=tmp_path if len(words) > 1 else tmp_path / "clone")
    assert ran.returncode == 0, ran.stderr
    assert "Start a broker on localhost:9092" in ran.stdout
