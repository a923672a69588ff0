"""`fleuve run`: its flags, and how it ends when the command cannot be run."""

from __future__ import annotations

import argparse
import sys

from fleuve.app.options import LOG_LEVELS, UsageError, parse_listener, parse_setting
from fleuve.cli.parsers import Commands, add_command

_DESCRIPTION = """\
Run a command beside a broker of its own, which is gone afterwards: a test suite, in any language. The command finds
the broker's address in the variable KAFKA_BOOTSTRAP_SERVERS; its exit code is the exit code (128 and the number, if a
signal ended it; 127, if there is no such command). The broker keeps nothing, and takes no settings from the
environment.
"""


def add_to(commands: Commands) -> None:
    """Add `run` to the commands of the parser."""
    parser = add_command(
        commands,
        "run",
        summary="run a command beside a throw-away broker",
        description=_DESCRIPTION,
        examples=(
            "fleuve run -- sh -c 'echo the broker is at $KAFKA_BOOTSTRAP_SERVERS'",
            "fleuve run --set num.partitions=3 -- sh -c 'fleuve info -b $KAFKA_BOOTSTRAP_SERVERS'",
            "fleuve run --env SPRING_KAFKA_BOOTSTRAP_SERVERS -- sh -c 'echo $SPRING_KAFKA_BOOTSTRAP_SERVERS'",
        ),
        run=run,
        prints_data=False,
    )
    # Made by argparse, it would end in dots alone.
    parser.usage = (
        "%(prog)s [-h] [--set NAME=VALUE] [--env VARIABLE]\n"
        "                  [--listen HOST:PORT] [--log-level LEVEL] -- COMMAND ..."
    )
    add = parser.add_argument
    add(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="set any broker setting by Kafka's name; may be repeated",
    )
    add(
        "--env",
        action="append",
        default=[],
        dest="variables",
        metavar="VARIABLE",
        help="put the broker's address into this variable, too; may be repeated",
    )
    add(
        "--listen",
        default="127.0.0.1:0",
        metavar="HOST:PORT[@HOST:PORT]",
        help="listen here; port 0 takes a free one (default: %(default)s)",
    )
    add("--log-level", choices=LOG_LEVELS, default="warning", help="log from this level on (default: %(default)s)")
    add("command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...", help="the command and its arguments")


def run(parsed: argparse.Namespace) -> int:
    """Run the command, and return its exit code."""
    command = parsed.command[1:] if parsed.command[:1] == ["--"] else parsed.command
    if not command:
        raise UsageError("run: name the command to run, as in: fleuve run -- pytest")
    for name in parsed.variables:
        if not name or "=" in name:
            raise UsageError(f"--env: {name!r} is not a variable's name, as in KAFKA_BROKERS; its value is the address")
    listener = parse_listener(parsed.listen)
    settings = tuple(parse_setting(text) for text in parsed.settings)
    from fleuve.app import run as app_run

    try:
        return app_run.run(
            app_run.RunOptions(
                command=tuple(command),
                settings=settings,
                listener=listener,
                variables=tuple(parsed.variables),
                log_level=parsed.log_level,
            )
        )
    except app_run.CannotRun as error:
        print("fleuve: run:", error, file=sys.stderr)
        return error.exit_code
