"""Rules of the layout that the import contract cannot say. The contract itself is in pyproject.toml."""

import ast
from pathlib import Path

import fleuve

ROOT = Path(fleuve.__file__).parent
FILE_LINES_MAX = 700


def imported(path):
    """Return the names of all modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from package import name` may import a module of the package: both readings count.
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def meets_through_the_back_door(name, room):
    """Return whether `name` is of another engine room, and not of its service."""
    parts = name.split(".")
    if parts[:2] != ["fleuve", "engine"] or len(parts) < 4 or parts[2] == room:
        return False
    return parts[3] != "service"


def test_rooms_of_the_engine_meet_only_through_their_services():
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "engine").rglob("*.py"))
        for name in sorted(imported(path))
        if meets_through_the_back_door(name, path.relative_to(ROOT / "engine").parts[0])
    ]
    assert wrong == []


def test_the_back_door_is_recognised():
    assert meets_through_the_back_door("fleuve.engine.topics.names", "log")
    assert not meets_through_the_back_door("fleuve.engine.topics.service.TopicService", "log")
    assert not meets_through_the_back_door("fleuve.engine.topics", "log")
    assert not meets_through_the_back_door("fleuve.engine.log.flush", "log")


def test_a_file_is_short_enough_to_be_read():
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in ROOT.rglob("*.py")
        if "generated" not in path.parts
    }
    assert {name: size for name, size in sizes.items() if size > FILE_LINES_MAX} == {}


def test_nothing_hides_in_a_package_that_says_nothing():
    nondescript = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "shared"}
    assert [
        str(path) for path in ROOT.rglob("*.py") if nondescript & set(path.relative_to(ROOT).with_suffix("").parts)
    ] == []
