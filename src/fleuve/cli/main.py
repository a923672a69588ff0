"""The `fleuve` command: its parser, and how a command ends.

Parsing is the standard library's, and a command's code is imported when the command runs: `--help` and a start pay
for nothing they do not use. Exit codes: 0 done, 1 failed, 2 used wrongly, 130 interrupted. Each failure is one line
on standard error that says what to do.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence

from fleuve import __version__
from fleuve.app.options import UsageError
from fleuve.base.errors import FleuveError
from fleuve.cli.output.messages import complain
from fleuve.cli.output.standard_output import flush
from fleuve.cli.parsers import EXIT_USAGE, Parser

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    from fleuve.cli import backup, completion, consume, info, produce, run, serve
    from fleuve.cli.group import commands as group
    from fleuve.cli.top import command as top
    from fleuve.cli.topic import commands as topic

    parser = Parser(
        prog="fleuve",
        description="An event-streaming platform that speaks the Apache Kafka wire protocol.",
    )
    # What `fleuve completion` completes.
    parser.set_defaults(parser=parser)
    parser.add_argument("--version", action="version", version=f"fleuve {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    for command in (serve, run, topic, produce, consume, group, info, top, backup, completion):
        command.add_to(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (by default the process's) name, and return its exit code."""
    _open_standard_streams()
    _write_utf8()
    try:
        return _run(arguments)
    finally:
        _give_up_what_cannot_be_written()


def _run(arguments: Sequence[str] | None) -> int:
    try:
        parsed = make_parser().parse_args(_asked(arguments))
        code: int = parsed.run(parsed)
        if parsed.prints_data:
            # What is still in the buffer may be what does not fit on the disk.
            flush()
    except UsageError as error:
        return _fail(error, EXIT_USAGE)
    except FleuveError as error:
        return _fail(error, EXIT_FAILED)
    except UnicodeEncodeError as error:
        # Names go to brokers as UTF-8; bytes of arguments that are none stand there as halves of characters.
        return _fail(UsageError(f"{error.object!r} is not UTF-8, as what is sent to a broker has to be"), EXIT_USAGE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough: `fleuve consume … | head`.
        return 0
    return code


def _asked(arguments: Sequence[str] | None) -> list[str]:
    words = list(sys.argv[1:] if arguments is None else arguments)
    # `fleuve help produce` is what many type first.
    return [*words[1:], "--help"] if words[:1] == ["help"] else words


def _open_standard_streams() -> None:
    """Put /dev/null where standard input, output or error is closed.

    Else the next file or socket that is opened takes the number: output would go there, and libuv aborts.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is taken, and that is this one.
            os.open(os.devnull, os.O_RDWR)
    # What was closed when Python began has no object. These live as long as the process.
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123


def _write_utf8() -> None:
    """On Windows, write UTF-8 into pipes and files too; the code page of the system lacks most of what people store."""
    if sys.platform == "win32":
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(encoding="utf-8")


def _give_up_what_cannot_be_written() -> None:
    """Flush the standard streams, and drop what they cannot take, such as log lines for a full disk.

    Else Python's end would fail at them, and turn the exit code into 120.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def _fail(error: FleuveError, code: int) -> int:
    complain(error)
    return code
