"""What happened in a simulation, line by line, and what must not have happened."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from fleuve.simulation.loop import Process


class Violation(AssertionError):
    """An invariant is broken: its number in ARCHITECTURE.md, and how."""

    def __init__(self, invariant: int, what: str) -> None:
        super().__init__(f"invariant {invariant}: {what}")
        self.invariant = invariant


class History:
    """Lines with their virtual time. Their digest tells whether two histories are the same."""

    def __init__(self, now: Callable[[], float], *, write: Callable[[str], object] | None = None) -> None:
        self._now = now
        self._write = write
        self._digest = hashlib.sha256()
        self.lines = 0

    def note(self, who: str, what: str) -> None:
        """Add a line."""
        line = f"{self._now():12.6f}  {who:<14} {what}"
        self.lines += 1
        self._digest.update(line.encode() + b"\n")
        if self._write is not None:
            self._write(line)

    def digest(self) -> str:
        """Return a text that stands for all lines so far."""
        return self._digest.hexdigest()[:16]


class HistoryLogger:
    """A broker's logger that writes into the history. Errors end the simulation: they are bugs, or look like one."""

    def __init__(self, history: History, process: Process, on_error: Callable[[str], None]) -> None:
        self._history = history
        self._process = process
        self._on_error = on_error

    def debug(self, event: str, /, **fields: object) -> None:
        """Note nothing."""

    def info(self, event: str, /, **fields: object) -> None:
        """Note the event."""
        self._note("info", _text(event, fields))

    def warning(self, event: str, /, **fields: object) -> None:
        """Note the event."""
        self._note("warning", _text(event, fields))

    def error(self, event: str, /, **fields: object) -> None:
        """Note the event, and tell."""
        text = _text(event, fields)
        if self._process.alive:
            self._note("error", text)
            self._on_error(text)

    def _note(self, level: str, text: str) -> None:
        if self._process.alive:
            self._history.note(self._process.name, f"{level}: {text}")


def _text(event: str, fields: dict[str, object]) -> str:
    shown = " ".join(f"{name}={value}" for name, value in fields.items() if name != "exc_info")
    return f"{event} {shown}" if shown else event
