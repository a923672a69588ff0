"""What a room may say to the people who run a broker: the shape of a logger.

Rooms take a `Logger` as a parameter and never import a logging library; `app` gives them the real one. An
event is a short sentence in lower case, always the same; what differs goes into the fields. Nothing is logged
per request.
"""

from __future__ import annotations

from typing import Protocol


class Logger(Protocol):
    """Writes one line per call: an event and its fields."""

    def debug(self, event: str, /, **fields: object) -> None:
        """Note a step that helps to follow what the broker does."""
        ...

    def info(self, event: str, /, **fields: object) -> None:
        """Note something normal that people want to know."""
        ...

    def warning(self, event: str, /, **fields: object) -> None:
        """Note something that people should look at; the broker goes on."""
        ...

    def error(self, event: str, /, **fields: object) -> None:
        """Note something that failed, with what it means and what to do."""
        ...


class SilentLogger:
    """A logger that says nothing: for tests and tools."""

    def debug(self, event: str, /, **fields: object) -> None:
        """Say nothing."""

    def info(self, event: str, /, **fields: object) -> None:
        """Say nothing."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Say nothing."""

    def error(self, event: str, /, **fields: object) -> None:
        """Say nothing."""
