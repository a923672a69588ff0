"""`fleuve consume`: the records of topics, as text, as a hex dump or as JSON."""

from __future__ import annotations

import argparse

from fleuve.app.options import UsageError
from fleuve.cli.client.moments import MOMENTS
from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import positive
from fleuve.cli.parsers import Commands, add_command
from fleuve.cli.separators import marker, separator

_DESCRIPTION = """\
Show the records of topics: from the first one on, and new ones as they are written, until Ctrl-C. Where to begin
(--from, --offset, --since, --last) and when to end (--exit-at-end, --until, -n) can be said.
"""
_EXAMPLES = (
    "seq 20 | fleuve produce numbers && fleuve consume numbers --exit-at-end",
    "fleuve consume numbers --last 5",
    "fleuve consume numbers --since 15m -n 3 --print timestamp,key,value",
    "fleuve consume numbers --offset 10 --partition 0 --exit-at-end --output hex",
    "fleuve consume '^num' --grep '^1.$' --exit-at-end --output json",
    "fleuve consume numbers --group readers --exit-at-end",
)
TEXT_FIELDS = ("topic", "partition", "offset", "timestamp", "key", "headers", "value")


def add_to(commands: Commands) -> None:
    """Add `consume` to the commands of the parser."""
    parser = add_command(
        commands,
        "consume",
        summary="show the records of topics",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
        run=run,
    )
    parser.add_argument(
        "topics",
        nargs="+",
        metavar="TOPIC",
        help="names, patterns such as 'orders.*', or regular expressions such as '^orders'",
    )
    _add_range(parser)
    _add_filters(parser)
    _add_output(parser)
    group = parser.add_argument_group("groups")
    group.add_argument(
        "--group",
        metavar="GROUP",
        help="read as a member of this group: from where it has come to, and commit what was shown",
    )
    add_client_options(parser)


def _add_range(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where to begin and when to end")
    start = group.add_mutually_exclusive_group()
    start.add_argument(
        "--from",
        dest="start",
        choices=("beginning", "end"),
        help="the first record there is, or the next one that is written (default: beginning)",
    )
    start.add_argument("--offset", type=_number, metavar="OFFSET", help="this offset")
    start.add_argument("--since", metavar="TIME", help=f"the first record of this time or later: {MOMENTS}")
    start.add_argument(
        "--last",
        type=positive,
        metavar="N",
        help="the last N records of all partitions together, by their timestamps; then end, unless --follow is given",
    )
    end = group.add_mutually_exclusive_group()
    end.add_argument("--exit-at-end", action="store_true", help="end where the topics ended when the command began")
    end.add_argument("--until", metavar="TIME", help="end before the first record of this time or later, or at the end")
    end.add_argument("--follow", action="store_true", help="go on with what is written from now on, behind --last too")
    group.add_argument("-n", dest="count", type=positive, metavar="COUNT", help="end after so many records")
    group.add_argument(
        "--partition",
        action="append",
        type=_number,
        default=[],
        metavar="N",
        help="read this partition only; may be repeated",
    )
    group.add_argument(
        "--isolation-level",
        choices=("read_committed", "read_uncommitted"),
        default="read_committed",
        help="whether to show records of transactions that are open or were aborted (default: read_committed)",
    )


def _add_filters(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which records are shown")
    add = group.add_argument
    add(
        "--key",
        action="append",
        default=[],
        metavar="KEY",
        help="those with this key, or one that fits, as in 'user-*'",
    )
    add(
        "--header",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="those with this header, or with this value of it, as in source=shop or 'trace=ab*'",
    )
    add("--grep", action="append", default=[], metavar="REGEX", help="those whose value has this in it")


def _add_output(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how they are shown")
    add = group.add_argument
    add(
        "--output",
        choices=("text", "hex", "json"),
        default="text",
        help="text, a hex dump, or one JSON object a line, which produce --input json takes back (default: text)",
    )
    add(
        "--print",
        type=_fields,
        dest="fields",
        metavar="FIELDS",
        help=f"what to show as text, in this order: {', '.join(TEXT_FIELDS)} (default: value)",
    )
    add(
        "--key-separator",
        type=separator,
        metavar="SEP",
        help="what stands between the fields (default: '\\t'); without --print, show key and value",
    )
    add("--delimiter", type=separator, metavar="SEP", help="what ends a record instead of a line end, such as '\\0'")
    add(
        "--null-marker",
        type=marker,
        metavar="TEXT",
        help="what is shown for a key or value that is null (default: null)",
    )
    add("-q", "--quiet", action="store_true", help="say nothing on standard error but errors")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _fields(text: str) -> tuple[str, ...]:
    fields = tuple(field.strip() for field in text.split(","))
    for field in fields:
        if field not in TEXT_FIELDS:
            raise argparse.ArgumentTypeError(f"{field!r} is not a field: known are {', '.join(TEXT_FIELDS)}")
    return fields


def run(parsed: argparse.Namespace) -> int:
    """Show the records; return 0 when all that was asked for was shown."""
    _check(parsed)
    options = client_options(parsed)
    from fleuve.cli.consuming.course import consume

    return consume(parsed, options)


def _check(parsed: argparse.Namespace) -> None:
    if parsed.output != "text":
        for name in ("fields", "key_separator", "delimiter", "null_marker"):
            if getattr(parsed, name) is not None:
                flag = "print" if name == "fields" else name.replace("_", "-")
                raise UsageError(f"--{flag} is for --output text")
    if parsed.group is None:
        return
    if not parsed.group:
        raise UsageError("--group: the name is empty")
    for name in ("offset", "since", "last", "until"):
        if getattr(parsed, name) is not None:
            raise UsageError(
                f"--group begins where the group has come to, --{name} says where to read: give one of them"
                " (`fleuve group reset` moves a group)"
            )
    if parsed.partition:
        raise UsageError("--group is given its partitions by the group: leave --partition out")
