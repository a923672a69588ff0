"""The options that say how a command shows what it found, and whether it may go ahead."""

from __future__ import annotations

import argparse
import select
import sys

from fleuve.app.options import UsageError
from fleuve.cli.output.standard_output import flush

_LOOK_UP_S = 0.1


def add_output_option(parser: argparse.ArgumentParser) -> None:
    """Add `--output table|json` to a command that lists or describes."""
    parser.add_argument(
        "--output",
        choices=("table", "json"),
        default="table",
        help="a table for people, or one JSON object a line (default: table)",
    )


def add_confirmation_options(parser: argparse.ArgumentParser) -> None:
    """Add `--yes` and `--dry-run` to a command that takes something away."""
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask; only a terminal is asked at all")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def confirmed(parsed: argparse.Namespace, question: str) -> bool:
    """Return whether to go ahead: what `--yes` says, or the answer to `question` where somebody sits at a terminal."""
    if parsed.yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    # What the question is about may be on its way to a pager.
    flush()
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    # A Ctrl-C that comes just before a read begins is seen when the read ends: so look up while nothing is typed.
    while sys.platform != "win32" and not select.select([sys.stdin], [], [], _LOOK_UP_S)[0]:
        continue
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def positive(text: str) -> int:
    """Return a whole number from 1, for `type=` of an option."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return number


def name_and_value(text: str, *, flag: str) -> tuple[str, str]:
    """Return NAME and VALUE of NAME=VALUE. Raises UsageError."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"{flag}: {text!r}: want NAME=VALUE")
    return name.strip(), value.strip()
