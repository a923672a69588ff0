"""Every program in Python on a page is one, and looks as the project's own code does."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.pages import DOCS, blocks

PAGES = [str(path.relative_to(DOCS)) for path in sorted(DOCS.rglob("*.md"))]
PROGRAMS = [(page, block) for page in PAGES for block in blocks(page) if block.language == "python"]


def test_there_are_programs():
    assert len(PROGRAMS) > 10


@pytest.mark.parametrize(("page", "block"), PROGRAMS, ids=lambda value: getattr(value, "heading", value))
def test_a_program_is_python(page, block):
    compile(block.text, page, "exec")


def test_programs_are_formatted(tmp_path):
    for number, (_, block) in enumerate(PROGRAMS):
        (tmp_path / f"program_{number}.py").write_text(block.text)
    ruff = Path(sys.executable).with_name("ruff")
    configuration = Path(__file__).parents[2] / "pyproject.toml"
    done = subprocess.run(
        [ruff, "format", "--no-cache", "--diff", "--config", configuration, tmp_path],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0
