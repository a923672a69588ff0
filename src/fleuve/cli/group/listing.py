"""`fleuve group list`."""

from __future__ import annotations

import argparse
from fnmatch import fnmatchcase

from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import add_output_option
from fleuve.cli.parsers import Commands, add_command


def add_to(commands: Commands) -> None:
    """Add `list` to the commands of `group`."""
    parser = add_command(
        commands,
        "list",
        summary="list groups with their lag",
        description="List consumer groups: their state, how many members they have, and how many records they are"
        " behind.",
        examples=(
            "fleuve group list",
            "fleuve topic create orders && fleuve group reset billing --topic orders --to earliest --yes",
            "fleuve group list 'bill*'",
            "fleuve group list --names",
            "fleuve group list --output json",
        ),
        run=run,
    )
    add = parser.add_argument
    add("groups", nargs="*", metavar="GROUP", help="only these: names, or patterns such as 'billing*' (default: all)")
    add("--names", action="store_true", help="only their names, one a line")
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Print the groups that are wanted."""
    options = client_options(parsed)
    from fleuve.cli.client.cluster import cluster
    from fleuve.cli.client.errors import CommandFailed
    from fleuve.cli.client.groups import described, listed
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures
    from fleuve.cli.output.tables import Table, print_lines

    failures = Failures()
    with cluster(options) as there:
        listings, failed = listed(there)
        names = [listing.group_id for listing in listings]
        wanted = parsed.groups or ["*"]
        shown = [name for name in names if any(name == text or fnmatchcase(name, text) for text in wanted)]
        groups, refused = described(there, [] if parsed.names else shown)
    if parsed.names:
        print_lines(shown)
    table = Table(("GROUP", "STATE", "TYPE", "MEMBERS", "PARTITIONS", "LAG"), right=("MEMBERS", "PARTITIONS", "LAG"))
    for group in groups.values():
        if parsed.output == "json":
            print_json(
                {
                    "group": group.group_id,
                    "state": group.state,
                    "type": group.kind,
                    "members": len(group.members),
                    "partitions": len(group.progress),
                    "lag": group.lag,
                }
            )
        else:
            table.add(group.group_id, group.state, group.kind, len(group.members), len(group.progress), group.lag)
    if parsed.output == "table" and not parsed.names:
        table.print()
    missing = [text for text in parsed.groups if not any(name == text or fnmatchcase(name, text) for name in names)]
    for error in [*failed, *refused.values()]:
        failures.add(error)
    for text in missing:
        failures.add(CommandFailed(f"no group is, or matches, {text!r}; see `fleuve group list`"))
    return failures.exit_code
