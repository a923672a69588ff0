"""The page about the command line: what it shows to type is typed, and prints what the page says."""

import re
import shlex
from pathlib import Path

import pytest

from support.broker_thread import BrokerThread
from support.command_line import CommandLine

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


@pytest.fixture
def fleuve(tmp_path, monkeypatch, capfd):
    with BrokerThread(tmp_path) as broker:
        yield CommandLine(f"{broker.address[0]}:{broker.address[1]}", monkeypatch, capfd)


def commands():
    """Return each command of the page with the lines that it shows below it."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    shown = "".join(block for block in blocks if "completion" not in block)
    for part in re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def typed(fleuve, command):
    """Run a command as a shell would; `printf … |` in front is its standard input."""
    before, _, behind = command.rpartition(" | ")
    stdin = shlex.split(before)[1].replace(r"\n", "\n") if before else ""
    return fleuve.ok(*shlex.split(behind)[1:], stdin=stdin)


def test_commands_print_what_the_page_shows(fleuve):
    for command, printed in commands():
        ran = typed(fleuve, command)
        assert ran.out + ran.err == printed, command


def test_every_field_of_every_object_is_on_the_page(fleuve):
    fleuve.ok("topic", "create", "t", "u")
    reset = ["group", "reset", "g", "--topic", "t", "--to", "earliest"]
    documented = {
        row[0]: row[2] for row in re.findall(r"^\| `([a-z ]+)` \| (.*?) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    }
    ran = {
        "topic create": ["v"],
        "topic list": [],
        "topic describe": ["t", "--all-configs"],
        "topic alter": ["t", "--config", "retention.ms=1", "--dry-run"],
        "topic trim": ["t", "--before", "latest"],
        "group reset": reset[2:],
        "group list": [],
        "group describe": ["g"],
        "info": [],
        "top": ["--once", "--interval", "0.1"],
        "group delete": ["g"],
        "topic delete": ["u"],
    }
    assert set(ran) == set(documented)
    for name, words in ran.items():
        (document, *_) = fleuve.ok(*name.split(), *words, "--output", "json").objects
        told = set(re.findall(r"`(\w+)`", documented[name])) - {"null"}
        assert set(names(document)) <= told, name
        # This group has no members, whose fields would be seen.
        unseen = {"instance_id", "client_id", "host"} if name == "group describe" else set()
        assert told - unseen <= set(names(document)), name


def names(document):
    """Return the names of fields, of objects in lists too; what is inside an object by name is data."""
    for name, value in document.items():
        yield name
        if isinstance(value, list):
            for item in value:
                yield from names(item) if isinstance(item, dict) else ()
