"""Logs to standard error: text on a terminal, else one JSON object a line.

The standard library's logging does the work, because it costs 10 ms of a start where structlog costs 90 (200 beside
rich); what asyncio and uvicorn log comes out in the same form. Rooms see the `Logger` of `fleuve.base.log` only.
Every line is one line whatever a client put into its name: control characters are escaped.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

from fleuve.app.options import LOG_FORMATS, LOG_LEVELS
from fleuve.base.log import Logger

FAULT_INTERVAL_S = 60.0
"""A client's fault is logged once in this time for each address and client id …"""
FAULT_LINES_PER_INTERVAL_MAX = 60
"""… and all clients' faults together this often, so that a crowd of them cannot fill a disk."""
FAULT_SOURCES_MAX = 1_000
"""Bounds the memory of who was at fault; the longest silent one is forgotten first."""

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


class FaultLogger:
    """A `Logger` for the faults of clients: a line names who, and stands for all of that client's in the interval.

    The fields `address` (host and port, or host) and `client_id` say whose fault it is. The next line after an
    interval tells how many were left out, in `suppressed`. Errors of our own do not belong here.
    """

    def __init__(self, logger: Logger, now_s: Callable[[], float]) -> None:
        self._logger = logger
        self._now_s = now_s
        self._sources: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()
        self._window_start_s = 0.0
        self._window_lines = 0
        self._window_suppressed = 0

    def debug(self, event: str, /, **fields: object) -> None:
        """Log at level debug; not limited, since nobody reads it by default."""
        self._logger.debug(event, **fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Log at level info, if this client's turn has come."""
        if (suppressed := self._turn(fields)) is not None:
            self._logger.info(event, **fields, **suppressed)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log at level warning, if this client's turn has come."""
        if (suppressed := self._turn(fields)) is not None:
            self._logger.warning(event, **fields, **suppressed)

    def error(self, event: str, /, **fields: object) -> None:
        """Log at level error, if this client's turn has come."""
        if (suppressed := self._turn(fields)) is not None:
            self._logger.error(event, **fields, **suppressed)

    def _turn(self, fields: dict[str, object]) -> dict[str, object] | None:
        """Return what to add to the line, or None if there is to be no line."""
        now_s = self._now_s()
        # A client that reconnects comes from another port and is still the same one.
        host = str(fields.get("address", "")).rpartition(":")[0] or str(fields.get("address", ""))
        source = (host, str(fields.get("client_id") or ""))
        last_s, suppressed = self._sources.get(source, (None, 0))
        if last_s is not None and now_s - last_s < FAULT_INTERVAL_S:
            self._sources[source] = (last_s, suppressed + 1)
            return None
        if now_s - self._window_start_s >= FAULT_INTERVAL_S or not self._window_lines:
            self._window_start_s, self._window_lines = now_s, 0
        if self._window_lines >= FAULT_LINES_PER_INTERVAL_MAX:
            self._window_suppressed += 1
            return None
        self._window_lines += 1
        self._sources[source] = (now_s, 0)
        self._sources.move_to_end(source)
        if len(self._sources) > FAULT_SOURCES_MAX:
            self._sources.popitem(last=False)
        added: dict[str, object] = {"suppressed": suppressed} if suppressed else {}
        if self._window_suppressed:
            added["suppressed_of_others"] = self._window_suppressed
            self._window_suppressed = 0
        return added


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
