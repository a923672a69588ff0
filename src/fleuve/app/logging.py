"""Logs to standard error: text on a terminal, else one JSON object a line.

The standard library's logging does the work, because it costs 10 ms of a start where structlog costs 90 (200 beside
rich); what asyncio and uvicorn log comes out in the same form. Rooms see the `Logger` of `fleuve.base.log` only.
Every line is one line whatever a client put into its name: control characters are escaped.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from fleuve.app.options import LOG_FORMATS, LOG_LEVELS
from fleuve.base.log import Logger

_FIELDS = "fleuve_fields"


class StandardLogger:
    """A `Logger` over one of the standard library's. A field `exc_info` is an exception to show with its traceback."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

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
        """Log at level error."""
        self._log(logging.ERROR, event, fields)

    def _log(self, level: int, event: str, fields: dict[str, object]) -> None:
        if not self._logger.isEnabledFor(level):
            return
        error = fields.pop("exc_info", None)
        # The event goes in as an argument: it is no format, whatever signs it contains.
        self._logger.log(
            level, "%s", event, exc_info=error if isinstance(error, BaseException) else None, extra={_FIELDS: fields}
        )


def configure(level: str, form: str, stream: TextIO | None = None) -> Logger:
    """Send all logs to `stream` (standard error) and return the root of Fleuve's; `form` is one of LOG_FORMATS."""
    assert level in LOG_LEVELS
    assert form in LOG_FORMATS
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    as_text = form == "text" or (form == "auto" and stream.isatty())
    handler.setFormatter(TextFormatter() if as_text else JsonFormatter())
    # A standard error that is gone must not become another error at each line.
    logging.raiseExceptions = False
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    fleuve = logging.getLogger("fleuve")
    fleuve.setLevel(level.upper())
    return StandardLogger(fleuve)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: timestamp, level, event, and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for `record`, without its end."""
        line: dict[str, object] = {
            "timestamp": _timestamp(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if record.name != "fleuve":
            line["logger"] = record.name
        # A field never replaces what every line has.
        line |= {name: value for name, value in _fields(record).items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """One line for people: local time, level, event, fields as name=value; then the traceback, if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for `record`, without its end."""
        moment = _timestamp(record).astimezone().strftime("%H:%M:%S")
        event = record.getMessage() if record.name == "fleuve" else f"{record.name}: {record.getMessage()}"
        words = [f"{moment} {record.levelname.lower():7} {_printable(event)}"]
        words += [f"{name}={_word(value)}" for name, value in _fields(record).items()]
        line = "  ".join((words[0], " ".join(words[1:]))) if len(words) > 1 else words[0]
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _timestamp(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = getattr(record, _FIELDS, {})
    return fields


def _printable(text: str) -> str:
    return text if text.isprintable() else json.dumps(text, ensure_ascii=True)[1:-1]


def _word(value: object) -> str:
    text = str(value)
    plain = text and text.isprintable() and not any(sign in text for sign in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())
