"""Kafka's command-line tools, called as `bin/kafka-*.sh` does, and what they print, read for its meaning.

One JVM runs them all, since most of what a tool costs is the JVM's start.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from clients import jvm

# For a tool to come to its end: long, since reaching it fails the test.
_TIMEOUT_S = 50
_TABLE_HEADS = ("GROUP", "TOPIC", "ID")

Row = dict[str, str]


@dataclass(frozen=True)
class Printed:
    """What a tool left: its exit status and its output."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output that are not empty."""
        return [line for line in self.out.splitlines() if line.strip()]

    @property
    def rows(self) -> list[Row]:
        """The rows of all tables in the output, by their heads."""
        rows: list[Row] = []
        heads: list[tuple[str, int, int | None]] = []
        for line in self.out.splitlines():
            if line.split(" ", 1)[0] in _TABLE_HEADS:
                found = list(re.finditer(r"\S+(?: \(ID\))?", line))
                ends = [match.start() for match in found[1:]]
                heads = [(match[0], match.start(), end) for match, end in zip(found, [*ends, None], strict=True)]
            elif line.strip():
                rows.append({head: line[start:end].strip() for head, start, end in heads})
            else:
                heads = []
        return [row for row in rows if row]

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The lines of standard output that are JSON."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]


class Toolbox:
    """The tools, for one broker. A context manager."""

    def __init__(self, bootstrap: str, log: Path) -> None:
        """Start the JVM; `log` is for what it says itself."""
        self._bootstrap = bootstrap
        self._log = log
        self._classes: dict[str, str] = jvm.kafka()["TOOLS"]
        command = jvm.command("RunTools")
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def alone(self, tool: str, *arguments: object) -> Printed:
        """Run a tool that prints its result when its JVM shuts down, in a JVM of its own; it succeeds."""
        options = ["--bootstrap-server", self._bootstrap, *map(str, arguments)]
        done = subprocess.run(
            [*jvm.command(self._classes[tool]), *options],
            capture_output=True, text=True, check=False, timeout=_TIMEOUT_S,
        )  # fmt: skip
        assert done.returncode == 0, done
        return Printed(done.returncode, done.stdout, done.stderr)

    def call(self, tool: str, *arguments: object, stdin: str = "") -> Printed:
        """Run a tool to its end, whatever that is."""
        call = {
            "main": self._classes[tool],
            "args": [*map(str, arguments), "--bootstrap-server", self._bootstrap],
            "stdin": stdin,
            "timeout_s": _TIMEOUT_S,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self._log.read_text(errors="replace")
        printed = Printed(**json.loads(answer))
        assert printed.status is not None, f"kafka-{tool} does not come to its end:\n{printed.out}\n{printed.err}"
        return printed

    def __call__(self, tool: str, *arguments: object, stdin: str = "") -> Printed:
        """Run a tool that succeeds."""
        printed = self.call(tool, *arguments, stdin=stdin)
        assert printed.status == 0, printed
        return printed

    def refused(self, tool: str, *arguments: object, stdin: str = "") -> str:
        """Run a tool that fails, and return all that it says."""
        printed = self.call(tool, *arguments, stdin=stdin)
        assert printed.status == 1, printed
        return printed.out + printed.err
