"""`fleuve info`: which cluster this is, its brokers, and what is in it."""

from __future__ import annotations

import argparse

from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import add_output_option
from fleuve.cli.parsers import Commands, add_command


def add_to(commands: Commands) -> None:
    """Add `info` to the commands of the parser."""
    parser = add_command(
        commands,
        "info",
        summary="show a cluster and its brokers",
        description="Show the cluster's id, its brokers, and how many topics, partitions and groups there are.",
        examples=("fleuve info", "fleuve info -b localhost:9092 --output json"),
        run=run,
    )
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Print the cluster and its brokers."""
    options = client_options(parsed)
    from fleuve.cli.client.cluster import cluster
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.tables import Table, print_lines

    with cluster(options) as there:
        metadata = there.metadata()
        groups = len(there.admin.list_consumer_groups(request_timeout=5).result().valid)
    topics = metadata.topics
    partitions = sum(len(topic.partitions) for topic in topics.values())
    brokers = sorted(metadata.brokers.values(), key=lambda broker: broker.id)
    if parsed.output == "json":
        print_json(
            {
                "cluster_id": metadata.cluster_id,
                "controller_id": metadata.controller_id,
                "brokers": [{"id": broker.id, "host": broker.host, "port": broker.port} for broker in brokers],
                "topics": len(topics),
                "partitions": partitions,
                "groups": groups,
            }
        )
        return 0
    print_lines([f"cluster {metadata.cluster_id}: {len(topics)} topics, {partitions} partitions, {groups} groups", ""])
    table = Table(("BROKER", "HOST", "PORT", "CONTROLLER"), right=("BROKER", "PORT"))
    for broker in brokers:
        table.add(broker.id, broker.host, broker.port, "yes" if broker.id == metadata.controller_id else "")
    table.print()
    return 0
