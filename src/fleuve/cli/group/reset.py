"""`fleuve group reset`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from fleuve.app.options import UsageError
from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.client.partitions import parse_topic_partitions
from fleuve.cli.client.positions import POSITIONS, parse_position
from fleuve.cli.output.options import add_confirmation_options, add_output_option, confirmed
from fleuve.cli.parsers import Commands, add_command

if TYPE_CHECKING:
    from fleuve.cli.client.cluster import Cluster
    from fleuve.cli.client.partitions import Partition


def add_to(commands: Commands) -> None:
    """Add `reset` to the commands of `group`."""
    parser = add_command(
        commands,
        "reset",
        summary="set where a group goes on reading",
        description="Set the committed offsets of a group that has no members, and so where it goes on. The old and the"
        " new offsets are shown; on a terminal it asks first. A place outside the log becomes its nearest end.",
        examples=(
            "fleuve topic create orders --partitions 3",
            "fleuve group reset billing --topic orders --to earliest",
            "fleuve group reset billing --to 2h --dry-run",
            "fleuve group reset billing --topic orders:0,2 --to 2026-11-30T18:00:00Z --yes",
            "fleuve group reset billing --to -100 --yes",
        ),
        run=run,
    )
    add = parser.add_argument
    add("group", metavar="GROUP", help="its name; one that is not there yet is made")
    add("--to", required=True, type=parse_position, metavar="POSITION", help=POSITIONS)
    add(
        "-t",
        "--topic",
        action="append",
        default=[],
        dest="topics",
        metavar="TOPIC[:PARTITIONS]",
        help="only this topic, or these partitions of it, as in orders:0,2-5; may be repeated"
        " (default: all that the group has committed)",
    )
    add_confirmation_options(parser)
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Show the old and the new offsets, and set them if whoever sits at the terminal agrees."""
    chosen = [parse_topic_partitions(text, flag="--topic") for text in parsed.topics]
    if not parsed.group:
        raise UsageError("GROUP: the name is empty")
    options = client_options(parsed)
    from fleuve.cli.client.cluster import cluster
    from fleuve.cli.client.errors import CommandFailed
    from fleuve.cli.client.groups import committed_offsets, members_of
    from fleuve.cli.client.placing import places
    from fleuve.cli.client.topics import named_partitions
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures, tell
    from fleuve.cli.output.tables import Table, counted

    failures = Failures()
    with cluster(options) as there:
        for name, clients in members_of(there, [parsed.group]).items():
            # They would go on where they are, and commit over what is set here.
            raise CommandFailed(f"group {name}: has members ({clients}); stop them first")
        by_group, failed = committed_offsets(there, [parsed.group])
        for error in failed.values():
            raise error
        committed = by_group[parsed.group]
        metadata = there.metadata()
        if chosen:
            partitions = [one for topic, indexes in chosen for one in named_partitions(metadata, topic, indexes)]
        else:
            partitions = [(topic, index) for topic, index in sorted(committed) if topic in metadata.topics]
        if not partitions:
            raise CommandFailed(f"group {parsed.group}: has committed nothing; say what to set with --topic TOPIC")
        partitions = list(dict.fromkeys(partitions))
        found = places(there, parsed.to, partitions, committed).places
        for topic, index in partitions:
            if (topic, index) not in found:
                failures.add(CommandFailed(f"topic {topic}, partition {index}: nothing is committed to count from"))
        if not found:
            return failures.exit_code
        table = Table(
            ("TOPIC", "PARTITION", "OLD", "NEW", "CHANGE", "NOTE"),
            right=("PARTITION", "OLD", "NEW", "CHANGE"),
            optional=("NOTE",),
        )
        documents = []
        for (topic, index), place in found.items():
            old = committed.get((topic, index))
            change = None if old is None else f"{place.offset - old:+d}" if place.offset != old else "0"
            table.add(topic, index, old, place.offset, change, place.note)
            documents.append(
                {
                    "group": parsed.group,
                    "topic": topic,
                    "partition": index,
                    "old": old,
                    "new": place.offset,
                    "note": place.note or None,
                    "dry_run": parsed.dry_run,
                }
            )
        if parsed.output == "table":
            table.print()
        number = counted(len(found), "partition")
        if not parsed.dry_run:
            if not confirmed(parsed, f"Set the offsets of group {parsed.group} in {number}?"):
                raise CommandFailed("nothing was changed")
            _set(there, parsed.group, {partition: place.offset for partition, place in found.items()})
    for document in documents if parsed.output == "json" else ():
        print_json(document)
    if parsed.output == "table":
        tell(f"{'would set' if parsed.dry_run else 'set'} the offsets of group {parsed.group} in {number}")
    return failures.exit_code


def _set(there: Cluster, group: str, offsets: dict[Partition, int]) -> None:
    from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

    from fleuve.cli.client.cluster import REQUEST_S_MAX
    from fleuve.cli.client.errors import failing, failure

    asked = [TopicPartition(topic, index, offset) for (topic, index), offset in offsets.items()]
    with failing(f"group {group}"):
        futures = there.admin.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, asked)], request_timeout=REQUEST_S_MAX
        )
        told = futures[group].result()
    for one in told.topic_partitions:
        if one.error is not None:
            raise failure(one.error, what=f"group {group}, topic {one.topic}, partition {one.partition}")
