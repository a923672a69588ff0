"""`fleuve top`: its options, and which way it shows what it sees: a screen, a snapshot, or JSON."""

from __future__ import annotations

import argparse
import sys

from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import add_output_option, positive
from fleuve.cli.parsers import Commands, add_command

INTERVAL_S_DEFAULT = 2.0
_INTERVAL_S_MIN, _INTERVAL_S_MAX = 0.1, 3600.0
ROWS_DEFAULT = 20


def add_to(commands: Commands) -> None:
    """Add `top` to the commands of the parser."""
    parser = add_command(
        commands,
        "top",
        summary="watch a cluster: rates, lag, connections",
        description="Watch a cluster: records per second by topic, groups with their lag and when they will have caught"
        " up, and, of Fleuve's brokers, connections and bytes. On a terminal this is a screen that moves; elsewhere, or"
        " with --once, it is one table for one interval.\n\nKeys: q quits, t and g sort topics and groups another way,"
        " space halts.",
        examples=(
            "fleuve top --once --interval 0.2",
            "fleuve top --topic 'orders*' --group billing --once --interval 0.2",
            "fleuve top --once --interval 0.2 --output json",
        ),
        run=run,
    )
    add = parser.add_argument
    add(
        "-i",
        "--interval",
        type=_seconds,
        default=INTERVAL_S_DEFAULT,
        metavar="SECONDS",
        help=f"look this often (default: {INTERVAL_S_DEFAULT:g})",
    )
    add("--once", action="store_true", help="show one interval and end")
    add(
        "-t",
        "--topic",
        action="append",
        default=[],
        dest="topics",
        metavar="TOPIC",
        help="only these topics: a name or a pattern; may be repeated",
    )
    add(
        "-g",
        "--group",
        action="append",
        default=[],
        dest="groups",
        metavar="GROUP",
        help="only these groups: a name or a pattern; may be repeated",
    )
    add(
        "-n",
        "--rows",
        type=positive,
        metavar="N",
        help=f"at most so many topics and groups (default: what fits the screen, else {ROWS_DEFAULT})",
    )
    add(
        "--metrics",
        type=_metrics,
        metavar="URL",
        help="where a broker of Fleuve has its metrics, or 'off'"
        " (default: port 9644 of every broker's host, if it answers)",
    )
    add_output_option(parser)
    add_client_options(parser)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _INTERVAL_S_MIN <= seconds <= _INTERVAL_S_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, {_INTERVAL_S_MIN:g} to 3600")
    return seconds


def _metrics(text: str) -> str:
    if text != "off" and not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is neither a URL, as http://localhost:9644/metrics, nor off")
    return text


def run(parsed: argparse.Namespace) -> int:
    """Watch the cluster until somebody has seen enough."""
    options = client_options(parsed)
    from fleuve.cli.client.cluster import cluster
    from fleuve.cli.top import screen, snapshots
    from fleuve.cli.top.sampling import Sampler

    with cluster(options) as there:
        sampler = Sampler(there, topics=parsed.topics, groups=parsed.groups, metrics=parsed.metrics)
        if parsed.output == "json":
            return snapshots.print_objects(sampler, parsed.interval, once=parsed.once)
        if parsed.once or not sys.stdout.isatty():
            return snapshots.print_once(sampler, parsed.interval, rows_max=parsed.rows or ROWS_DEFAULT)
        return screen.watch(sampler, parsed.interval, rows_max=parsed.rows)
