"""`fleuve topic list`."""

from __future__ import annotations

import argparse

from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import add_output_option
from fleuve.cli.parsers import Commands, add_command


def add_to(commands: Commands) -> None:
    """Add `list` to the commands of `topic`."""
    parser = add_command(
        commands,
        "list",
        summary="list topics",
        description="List topics: their partitions, replicas, and how many records they have at most.",
        examples=(
            "fleuve topic list",
            "fleuve topic create orders.eu orders.us && fleuve topic list 'orders.*'",
            "fleuve topic list --names --internal",
            "fleuve topic list --output json",
        ),
        run=run,
    )
    add = parser.add_argument
    add("topics", nargs="*", metavar="TOPIC", help="only these: names, or patterns such as 'orders.*' (default: all)")
    add("--internal", action="store_true", help="those of the brokers too, whose names begin with __")
    add("--names", action="store_true", help="only their names, one a line")
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Print the topics that are wanted."""
    options = client_options(parsed)
    from fleuve.cli.client.cluster import cluster
    from fleuve.cli.client.offsets import ranges
    from fleuve.cli.client.topics import chosen, matching, partitions_of, topics_named
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures
    from fleuve.cli.output.tables import Table, print_lines

    failures = Failures()
    with cluster(options) as there:
        metadata = there.metadata()
        names = matching(parsed.topics, metadata.topics, internal=parsed.internal)
        _, missing = chosen([text for text in parsed.topics if not matching([text], names, internal=True)], metadata)
        topics = topics_named(names, metadata)
        if parsed.names:
            print_lines(names)
            topics = []
        of = ranges(there, partitions_of(topics))
    table = Table(("TOPIC", "PARTITIONS", "REPLICAS", "RECORDS"), right=("PARTITIONS", "REPLICAS", "RECORDS"))
    for topic in topics:
        # The broker has but a name and an error to tell of a topic that is just being made.
        partitions = len(topic.partitions) or None
        replicas = max((len(partition.replicas) for partition in topic.metadata.values()), default=None)
        counts = [of[partition].records for partition in topic.partitions]
        known = [count for count in counts if count is not None]
        # What a partition has whose leader is gone is not known; a sum without it would look like one with it.
        records = sum(known) if counts and len(known) == len(counts) else None
        if parsed.output == "json":
            print_json(
                {
                    "topic": topic.name,
                    "partitions": partitions,
                    "replication_factor": replicas,
                    "records": records,
                }
            )
        else:
            table.add(topic.name, partitions, replicas, records)
    if parsed.output == "table" and not parsed.names:
        table.print()
    for error in missing:
        failures.add(error)
    return failures.exit_code
