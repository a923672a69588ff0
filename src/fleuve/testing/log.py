"""What a broker in a test says: to the process's logger `fleuve`, whose level and handlers are the test's business.

So pytest shows it with the test that failed. Errors are kept, too: a broker should have none.
"""

from __future__ import annotations

import logging


class ProcessLogger:
    """A `Logger` over the standard library's; fields are written as name=value."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("fleuve")
        self.errors: list[str] = []
        """What was logged as an error."""

    def debug(self, event: str, /, **fields: object) -> None:
        """Log at level debug."""
        self._log(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log at level info."""
        self._log(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log at level warning."""
        self._log(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Log at level error, and keep it."""
        self.errors.append(_line(event, fields))
        self._log(logging.ERROR, event, fields)

    def _log(self, level: int, event: str, fields: dict[str, object]) -> None:
        if not self._logger.isEnabledFor(level):
            return
        raised = fields.get("exc_info")
        self._logger.log(
            level, "%s", _line(event, fields), exc_info=raised if isinstance(raised, BaseException) else None
        )


def _line(event: str, fields: dict[str, object]) -> str:
    words = [f"{name}={value}" for name, value in fields.items() if not isinstance(value, BaseException)]
    return f"{event}: {' '.join(words)}" if words else event
