"""What the scenarios were run with, kept in `results.json`: the table of clients in the documentation is made of it.

A pytest plugin. With `--clients-results=write` the rows of the clients that ran are written anew, unless a test
failed; with `--clients-results=check` the run fails if a row is not what the file says. A client's row is what the
scenarios told through `record_property("client", …)`, that of one of Kafka's tools what its tests told through
`record_property("tool", …)`; what was run against another broker tells nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from clients.driver import Client

PATH = Path(__file__).with_name("results.json")
PROPERTY = "client"
TOOL = "tool"
LEFT_OUT = "left out"
"""Among a scenario's marks: the client cannot do this at all, and nothing was run."""

Row = dict[str, Any]
Rows = dict[str, Row]


class Telling:
    """What one test tells of its client."""

    def __init__(self, node: pytest.Item) -> None:
        self._node = node
        self._lacks: dict[str, str] = {}
        self._marks: list[str] = []

    def client(self, client: Client) -> None:
        """Say which client the test drives."""
        told = {"name": client.name, "version": client.version, "runtime": client.runtime}
        self._node.user_properties.append((PROPERTY, {**told, "lacks": self._lacks, "marks": self._marks}))

    def lacking(self, client: Client, *shortcomings: str) -> bool:
        """Return whether the client lacks one of these, and mark the test so."""
        found = {each: client.lacks[each] for each in shortcomings if each in client.lacks}
        self._lacks.update(found)
        self._marks += [each for each in found if each not in self._marks]
        return bool(found)

    def left_out(self, client: Client, shortcoming: str) -> bool:
        """Return whether the client lacks this, so that there is nothing to run."""
        lacking = self.lacking(client, shortcoming)
        if lacking:
            self._marks.append(LEFT_OUT)
        return lacking


def load() -> Rows:
    """Return the rows that were kept, by the clients' names."""
    rows: Rows = json.loads(PATH.read_text()) if PATH.exists() else {}
    return rows


def sentence(node_id: str) -> str:
    """Return what a test is about: its name as a sentence, and its parameter."""
    name, _, parameter = node_id.rpartition("::")[2].removeprefix("test_").partition("[")
    text = name.replace("_", " ").strip()
    return f"{text}: {parameter.removesuffix(']')}" if parameter else text


class Results:
    """The plugin at work in the process that sees every test's report."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._rows: Rows = {}
        self._complaint = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a passed test told."""
        if report.when != "call" or not report.passed:
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                assert isinstance(value, dict)
                self._take(value, sentence(report.nodeid))
            elif name == TOOL:
                assert isinstance(value, dict)
                # Of a test with many parameters, it is enough to know what it is about.
                row = self._rows.setdefault(value["name"], {"tool": True, "version": value["version"], "ran": {}})
                row["ran"][sentence(report.nodeid.partition("[")[0])] = []

    def _take(self, found: Row, scenario: str) -> None:
        row = self._rows.setdefault(
            found["name"], {"version": found["version"], "runtime": found["runtime"], "lacks": {}, "ran": {}}
        )
        row["ran"][scenario] = found["marks"]
        row["lacks"] |= found["lacks"]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the rows, or compare them."""
        before = load()
        if self._mode == "write" and not session.testsfailed:
            rows = dict(sorted((before | self._rows).items(), key=lambda item: item[0].lstrip("@").lower()))
            text = json.dumps(rows, indent=1, ensure_ascii=False)
            PATH.write_text(text + "\n")
        elif self._mode == "check":
            other = [name for name, row in self._rows.items() if not _same(row, before.get(name))]
            if other:
                self._complaint = f"{PATH.name} says otherwise of {', '.join(other)}: run `make clients`"
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what is wrong with the file."""
        if self._complaint:
            terminalreporter.write_line(self._complaint, red=True)


def _same(row: Row, other: Row | None) -> bool:
    """Return whether two rows say the same; what a client ran on may be another."""
    return other is not None and {**row, "runtime": ""} == {**other, "runtime": ""}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--clients-results", choices=["write", "check"], help="write or check tests/clients/results.json")


def pytest_configure(config: pytest.Config) -> None:
    """Look on in the process that gets the reports: not in xdist's workers."""
    mode = config.getoption("--clients-results")
    if mode is not None and not hasattr(config, "workerinput") and "FLEUVE_TEST_BOOTSTRAP" not in os.environ:
        config.pluginmanager.register(Results(mode))
