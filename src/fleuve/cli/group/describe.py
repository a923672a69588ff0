"""`fleuve group describe`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import add_output_option
from fleuve.cli.parsers import Commands, add_command

if TYPE_CHECKING:
    from fleuve.cli.client.groups import Group


def add_to(commands: Commands) -> None:
    """Add `describe` to the commands of `group`."""
    parser = add_command(
        commands,
        "describe",
        summary="show a group's members, offsets and lag",
        description="Show groups: their members and what each reads; for each partition the committed offset, the end"
        " and the lag.",
        examples=(
            "fleuve topic create orders --partitions 3",
            "fleuve group reset billing --topic orders --to earliest --yes",
            "fleuve group describe billing",
            "fleuve group describe billing --output json",
        ),
        run=run,
    )
    parser.add_argument("groups", nargs="+", metavar="GROUP", help="their names")
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Print the groups that are wanted, one after the other."""
    options = client_options(parsed)
    from fleuve.cli.client.cluster import cluster
    from fleuve.cli.client.groups import described
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures

    failures = Failures()
    with cluster(options) as there:
        groups, failed = described(there, list(dict.fromkeys(parsed.groups)))
    for number, group in enumerate(groups.values()):
        if parsed.output == "json":
            print_json(_document(group))
        else:
            _print(group, is_first=number == 0)
    for error in failed.values():
        failures.add(error)
    return failures.exit_code


def _document(group: Group) -> dict[str, Any]:
    partitions = []
    for (topic, index), progress in group.progress.items():
        member = group.member_of((topic, index))
        partitions.append(
            {
                "topic": topic,
                "partition": index,
                "committed": progress.committed,
                "earliest": progress.range.earliest if progress.range else None,
                "latest": progress.range.latest if progress.range else None,
                "lag": progress.lag,
                "member_id": group.members[member].member_id if member is not None else None,
                "note": progress.note or None,
            }
        )
    return {
        "group": group.group_id,
        "state": group.state,
        "type": group.kind,
        "assignor": group.assignor or None,
        "coordinator": group.coordinator,
        "lag": group.lag,
        "members": [
            {
                "member_id": member.member_id,
                "instance_id": member.instance_id,
                "client_id": member.client_id,
                "host": member.host,
                "partitions": [{"topic": topic, "partition": index} for topic, index in member.partitions],
            }
            for member in group.members
        ],
        "partitions": partitions,
    }


def _print(group: Group, *, is_first: bool) -> None:
    from fleuve.cli.client.partitions import shown_partitions
    from fleuve.cli.output.tables import Table, counted, print_lines, shown

    lag = "lag unknown" if group.lag is None else f"lag {group.lag}"
    facts = [group.state, counted(len(group.members), "member"), lag]
    if group.assignor:
        facts.insert(1, f"assignor {group.assignor}")
    if group.coordinator is not None:
        facts.append(f"coordinator {group.coordinator}")
    print_lines([*([] if is_first else [""]), f"group {shown(group.group_id)}: {', '.join(facts)}"])
    if group.members:
        print_lines([""])
        members = Table(("MEMBER", "CLIENT", "HOST", "READS", "ID"), right=("MEMBER",), wide=("ID",))
        for number, member in enumerate(group.members, start=1):
            members.add(
                number,
                member.client_id,
                member.host,
                shown_partitions(member.partitions) or None,
                member.instance_id or member.member_id,
            )
        members.print()
    print_lines([""])
    if not group.progress:
        print_lines(["nothing is committed"])
        return
    table = Table(
        ("TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "NOTE"),
        right=("PARTITION", "COMMITTED", "END", "LAG", "MEMBER"),
        optional=("MEMBER", "NOTE"),
    )
    for partition, progress in group.progress.items():
        member_index = group.member_of(partition)
        table.add(
            *partition,
            progress.committed,
            progress.range.latest if progress.range else None,
            progress.lag,
            None if member_index is None else member_index + 1,
            progress.note,
        )
    table.print()
