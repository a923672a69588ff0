"""`fleuve serve`: its flags, turned into `ServeOptions`.

What the flags mean is decided in `fleuve.app`; this file only names them and explains them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fleuve.app.options import (
    DATA_DIR_DEFAULT,
    HTTP_DEFAULT,
    LISTENERS_DEFAULT,
    LOG_FORMATS,
    LOG_LEVELS,
    ServeOptions,
    UsageError,
    parse_http,
    parse_listeners,
    parse_setting,
)
from fleuve.cli.parsers import Commands, add_command

_DESCRIPTION = """\
Run a broker until SIGTERM or SIGINT. When it is ready, one line on standard output says where it listens, where its
data is and what it promises. Logs go to standard error.
"""


def add_to(commands: Commands) -> None:
    """Add `serve` to the commands of the parser."""
    parser = add_command(
        commands,
        "serve",
        summary="run a broker",
        description=_DESCRIPTION,
        examples=(
            "fleuve serve --ephemeral",
            "fleuve serve --data-dir ./data --listen localhost:19092 --http off --set num.partitions=3",
        ),
        run=run,
        prints_data=False,
    )
    add = parser.add_argument
    add(
        "--listen",
        action="append",
        default=[],
        metavar="[NAME=]HOST:PORT[@HOST:PORT]",
        help="listen for Kafka clients here; behind the @, the address to advertise to them. May be repeated; port 0"
        f" takes a free one (default: {LISTENERS_DEFAULT}, on both loopbacks)",
    )
    add("--data-dir", type=_path, metavar="DIR", help=f"keep the data here (default: {DATA_DIR_DEFAULT})")
    add("--ephemeral", action="store_true", help="keep nothing: all data is gone when the broker stops")
    add(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="NAME=VALUE",
        help="set any broker setting by Kafka's name; may be repeated",
    )
    add("--config", type=_path, metavar="FILE", help="read settings from a file like Kafka's server.properties")
    add(
        "--ready-file",
        type=_path,
        metavar="FILE",
        help="write the broker's address here when it is ready, and take it away in the end",
    )
    add(
        "--http",
        metavar="HOST:PORT",
        help=f"serve /metrics, /livez and /readyz here, or 'off' (default: {HTTP_DEFAULT})",
    )
    add("--log-level", choices=LOG_LEVELS, help="log from this level on (default: info)")
    add(
        "--log-format",
        choices=LOG_FORMATS,
        help="auto is text on a terminal, else JSON (default: auto)",
    )


def _path(text: str) -> Path:
    """Return a path. An empty one is most likely a variable that a script did not set, not the current directory."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


def options_of(parsed: argparse.Namespace) -> ServeOptions:
    """Return the options that the flags say; raise UsageError if they do not fit each other or their form."""
    if parsed.ephemeral and parsed.data_dir is not None:
        raise UsageError("--ephemeral keeps no data, --data-dir says where to keep it: give one of them")
    if parsed.http is not None:
        parse_http(parsed.http)
    return ServeOptions(
        listeners=parse_listeners(tuple(parsed.listen)) if parsed.listen else None,
        data_dir=parsed.data_dir,
        ephemeral=parsed.ephemeral,
        settings=tuple(parse_setting(text) for text in parsed.settings),
        config=parsed.config,
        ready_file=parsed.ready_file,
        http=parsed.http,
        log_level=parsed.log_level,
        log_format=parsed.log_format,
    )


def run(parsed: argparse.Namespace) -> int:
    """Run a broker as the flags say, until it is told to stop; return the exit code."""
    options = options_of(parsed)
    from fleuve.app import serve

    return serve.run(options)
