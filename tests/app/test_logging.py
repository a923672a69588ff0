"""What a log line looks like."""

import io
import json
import logging

import pytest

from fleuve.app.logging import configure


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def restored_logging():
    root, fleuve = logging.getLogger(), logging.getLogger("fleuve")
    before = root.handlers[:], root.level, fleuve.level, logging.raiseExceptions
    yield
    logging.captureWarnings(False)
    root.handlers[:], level, fleuve_level, logging.raiseExceptions = before
    root.setLevel(level)
    fleuve.setLevel(fleuve_level)


def test_away_from_a_terminal_a_line_is_one_json_object():
    stream = io.StringIO()
    configure("info", "auto", stream).warning("flush failed", journal="0001", attempts=3)
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"level": "warning", "event": "flush failed", "journal": "0001", "attempts": 3}


def test_on_a_terminal_a_line_is_text():
    stream = Terminal()
    configure("info", "auto", stream).info("broker is ready", data_dir="/a b", port=9092)
    assert stream.getvalue().endswith(' info    broker is ready  data_dir="/a b" port=9092\n')


@pytest.mark.parametrize("form", ["text", "json"])
def test_whatever_a_client_calls_itself_stays_on_one_line(form):
    stream = io.StringIO()
    configure("info", form, stream).warning("bad request", client_id="x\n{'level': 'error'}\r\x1b[2J")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_lines_below_the_level_are_left_out():
    stream = io.StringIO()
    log = configure("warning", "json", stream)
    log.info("broker is ready")
    assert stream.getvalue() == ""


def test_an_exception_comes_with_its_traceback():
    stream = io.StringIO()
    log = configure("info", "json", stream)
    try:
        raise KeyError("missing")
    except KeyError as error:
        log.error("request failed", exc_info=error)
    assert "KeyError: 'missing'" in json.loads(stream.getvalue())["exception"]


def test_a_field_never_hides_what_every_line_has():
    stream = io.StringIO()
    configure("info", "json", stream).info("real", level="fake", timestamp="fake")
    assert json.loads(stream.getvalue())["level"] == "info"


def test_libraries_log_in_the_same_form():
    stream = io.StringIO()
    configure("info", "json", stream)
    logging.getLogger("asyncio").error("Task exception was never retrieved %d", 1)
    line = json.loads(stream.getvalue())
    assert (line["logger"], line["event"]) == ("asyncio", "Task exception was never retrieved 1")
