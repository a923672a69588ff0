"""Runs `fleuve` in this process, as a shell would: words in; exit code, standard output and standard error out."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from fleuve.cli.main import main


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects on standard output, line by line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def rows(self) -> list[list[str]]:
        """The words of the lines on standard output."""
        return [line.split() for line in self.out.splitlines()]


class CommandLine:
    """The command line of a user whose cluster is at `bootstrap`; what C code writes is caught as well."""

    def __init__(self, bootstrap: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap)
        self.bootstrap = bootstrap
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *words: object, stdin: str | bytes = b"") -> Ran:
        """Run `fleuve` with these words; standard input is not a terminal, and has `stdin`."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
        self._capfd.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 1
        printed = self._capfd.readouterr()
        return Ran(code, printed.out, printed.err)

    def ok(self, *words: object, stdin: str | bytes = b"") -> Ran:
        """Run it, and fail unless it exits with 0."""
        ran = self(*words, stdin=stdin)
        assert ran.code == 0, f"fleuve {' '.join(map(str, words))}: exit code {ran.code}\n{ran.err}"
        return ran


def commands() -> Iterator[tuple[str, Any]]:
    """Return each command, as "topic create", with its parser."""
    from fleuve.cli.main import make_parser

    yield from _below("", make_parser())


def _below(name: str, parser: Any) -> Iterator[tuple[str, Any]]:
    groups = [action for action in parser._actions if hasattr(action, "_name_parser_map")]
    if not groups:
        yield name.strip(), parser
    for group in groups:
        for word, sub in group._name_parser_map.items():
            yield from _below(f"{name} {word}", sub)
