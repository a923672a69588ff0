"""`fleuve topic trim`."""

from __future__ import annotations

import argparse

from fleuve.app.options import UsageError
from fleuve.cli.client.moments import MOMENTS
from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.client.partitions import parse_topic_partitions
from fleuve.cli.client.positions import Kind, parse_position
from fleuve.cli.output.options import add_confirmation_options, add_output_option, confirmed
from fleuve.cli.parsers import Commands, add_command


def add_to(commands: Commands) -> None:
    """Add `trim` to the commands of `topic`."""
    parser = add_command(
        commands,
        "trim",
        summary="delete a topic's old records",
        description="Delete the records of a topic before an offset or a time; the topic stays, and so do the"
        " offsets of what is left. On a terminal it asks first.",
        examples=(
            "fleuve topic create orders",
            "fleuve topic trim orders --before 7d --dry-run",
            "fleuve topic trim orders --before latest --yes",
        ),
        run=run,
    )
    add = parser.add_argument
    add("topic", metavar="TOPIC[:PARTITIONS]", help="all its partitions, or some: orders:0,2-5")
    add(
        "--before",
        required=True,
        metavar="POSITION",
        help=f"the first offset that stays: an offset, latest (delete everything), or a time: {MOMENTS}",
    )
    add_confirmation_options(parser)
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Delete the records, if whoever sits at the terminal agrees."""
    topic, indexes = parse_topic_partitions(parsed.topic, flag="TOPIC")
    try:
        position = parse_position(parsed.before)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"--before: {error}") from None
    if position.kind is Kind.SHIFT:
        raise UsageError("--before: a topic has no place of its own to count from: give an offset, latest or a time")
    options = client_options(parsed)
    from confluent_kafka import KafkaException, TopicPartition

    from fleuve.cli.client.cluster import REQUEST_S_MAX, cluster
    from fleuve.cli.client.errors import CommandFailed, failure
    from fleuve.cli.client.placing import places
    from fleuve.cli.client.topics import named_partitions
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures, tell
    from fleuve.cli.output.tables import Table, counted

    failures = Failures()
    with cluster(options) as there:
        partitions = named_partitions(there.metadata(), topic, indexes)
        found = places(there, position, partitions, {})
        trimmed = {partition: found.ranges[partition].earliest or 0 for partition in partitions}
        records = sum(found.places[partition].offset - trimmed[partition] for partition in partitions)
        question = f"Delete {counted(records, 'record')} of topic {topic} for ever?"
        if not parsed.dry_run:
            if not confirmed(parsed, question):
                raise CommandFailed("nothing was deleted")
            asked = [TopicPartition(name, index, found.places[name, index].offset) for name, index in partitions]
            for partition, future in there.admin.delete_records(asked, request_timeout=REQUEST_S_MAX).items():
                try:
                    future.result()
                except KafkaException as error:
                    refused = (partition.topic, partition.partition)
                    failures.add(failure(error, what=f"topic {topic}, partition {partition.partition}"))
                    records -= found.places[refused].offset - trimmed.pop(refused)
    if not trimmed:
        return failures.exit_code
    table = Table(
        ("PARTITION", "EARLIEST", "NEW EARLIEST", "DELETED", "NOTE"),
        right=("PARTITION", "EARLIEST", "NEW EARLIEST", "DELETED"),
        optional=("NOTE",),
    )
    for (name, index), earliest in trimmed.items():
        place = found.places[name, index]
        deleted = place.offset - earliest
        if parsed.output == "json":
            document = {"topic": name, "partition": index, "earliest": earliest, "new_earliest": place.offset}
            print_json({**document, "deleted": deleted, "note": place.note or None, "dry_run": parsed.dry_run})
        else:
            table.add(index, earliest, place.offset, deleted, place.note)
    if parsed.output == "table":
        table.print()
        tell(f"{'would delete' if parsed.dry_run else 'deleted'} {counted(records, 'record')} of topic {topic}")
    return failures.exit_code
