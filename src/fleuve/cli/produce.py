"""`fleuve produce`: lines, files or JSON become records of a topic."""

from __future__ import annotations

import argparse

from fleuve.app.options import UsageError
from fleuve.cli.client.moments import MOMENTS
from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import positive
from fleuve.cli.parsers import Commands, add_command
from fleuve.cli.separators import marker, separator

_DESCRIPTION = """\
Send records to a topic: each line of standard input, or of the files, is one. On a terminal, type lines; Ctrl-D
ends. The command ends with 0 when a broker has acknowledged every record, and says how many were written.
"""
_EXAMPLES = (
    "echo hello | fleuve produce greetings",
    "printf 'u1:3 apples\\nu2:1 pear\\n' | fleuve produce orders --key-separator : -H source=shop",
    "seq 100000 > numbers.txt && fleuve produce numbers numbers.txt --compression zstd",
    "fleuve consume orders --exit-at-end --output json | fleuve produce orders-copy --input json",
)
_COMPRESSIONS = ("none", "gzip", "snappy", "lz4", "zstd")


def add_to(commands: Commands) -> None:
    """Add `produce` to the commands of the parser."""
    parser = add_command(
        commands,
        "produce",
        summary="send records to a topic",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    add = parser.add_argument
    add("topic", metavar="TOPIC", help="the topic; brokers that create topics on demand create it")
    add("files", nargs="*", default=[], metavar="FILE", help="read these instead of standard input, which is -")

    reading = parser.add_argument_group("how the input is read")
    add = reading.add_argument
    add("--input", choices=("text", "json"), default="text", help="json is what consume --output json prints")
    add("--whole", action="store_true", help="each file is one record, not each line")
    add("--delimiter", type=separator, metavar="SEP", help="what ends a record instead of a line end, such as '\\0'")
    add("--key-separator", type=separator, metavar="SEP", help="what stands between key and value, such as '\\t'")
    add("--null-marker", type=marker, metavar="TEXT", help="a key or value that is this is null (a tombstone)")
    add("-n", dest="count", type=positive, metavar="COUNT", help="stop after so many records")

    making = parser.add_argument_group("what the records get")
    add = making.add_argument
    add("--key", metavar="KEY", help="give every record this key")
    add(
        "-H",
        "--header",
        action="append",
        default=[],
        dest="headers",
        metavar="NAME=VALUE",
        help="a header; may be repeated",
    )
    add(
        "--partition",
        type=_partition,
        metavar="N|auto",
        help="write to this partition; auto chooses by the key (default: auto, with JSON the one it names)",
    )
    add("--timestamp", metavar="TIME", help=f"{MOMENTS} (default: now, with JSON the one it names)")

    sending = parser.add_argument_group("how they are sent")
    add = sending.add_argument
    add("--compression", choices=_COMPRESSIONS, help="compress batches (default: none)")
    add(
        "--acks",
        choices=("all", "1", "0"),
        help="what a broker must have done: all is written once and safe, 1 by the leader, 0 nothing (default: all)",
    )
    add("-q", "--quiet", action="store_true", help="no summary, no progress bar; errors only")
    add_client_options(parser)


def _partition(text: str) -> int:
    if text == "auto":
        return -1
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a partition's number nor auto")
    return int(text)


def _header(text: str) -> tuple[str, bytes]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"-H: {text!r}: want NAME=VALUE")
    from fleuve.cli.producing.records import is_sendable_name

    if not is_sendable_name(name):
        raise UsageError(f"-H: {name!r}: the name of a header is UTF-8; only its value may be other bytes")
    return name, value.encode("utf-8", "surrogateescape")


def run(parsed: argparse.Namespace) -> int:
    """Send the records; return 0 if each was written."""
    if parsed.input == "json":
        _refuse_with_json(parsed)
    if parsed.whole and (parsed.delimiter is not None or parsed.key_separator is not None):
        raise UsageError("--whole makes one record of a file: --delimiter and --key-separator do not go with it")
    options = client_options(parsed)
    from fleuve.cli.producing.course import Asked, transfer

    return transfer(
        Asked(
            topic=parsed.topic,
            paths=tuple(parsed.files),
            json=parsed.input == "json",
            whole=parsed.whole,
            delimiter=parsed.delimiter or b"\n",
            key_separator=parsed.key_separator,
            null_marker=parsed.null_marker,
            count_max=parsed.count,
            key=None if parsed.key is None else parsed.key.encode("utf-8", "surrogateescape"),
            headers=tuple(map(_header, parsed.headers)),
            partition=parsed.partition,
            timestamp=parsed.timestamp,
            compression=parsed.compression,
            acks=parsed.acks,
            quiet=parsed.quiet,
        ),
        options,
    )


def _refuse_with_json(parsed: argparse.Namespace) -> None:
    for name in ("whole", "key_separator", "null_marker"):
        if getattr(parsed, name):
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} is for text; with --input json each line says what a record is")
