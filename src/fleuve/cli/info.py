"""`fleuve info`: which cluster this is, its brokers, what is in it, and whether something is wrong with it."""

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
        description="Show the cluster's id, its brokers, how many topics, partitions and groups there are, and"
        " partitions that have no leader or too few replicas in sync.",
        examples=("fleuve info", "fleuve info -b localhost:9092 --output json"),
        run=run,
    )
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Print the cluster and its brokers."""
    options = client_options(parsed)
    from collections import Counter

    from fleuve.cli.client.cluster import REQUEST_S_MAX, cluster
    from fleuve.cli.client.groups import listed, state_of
    from fleuve.cli.client.partitions import shown_partitions
    from fleuve.cli.client.topics import is_internal
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures
    from fleuve.cli.output.tables import Table, counted, print_lines

    failures = Failures()
    with cluster(options) as there:
        metadata = there.metadata()
        described = there.admin.describe_cluster(request_timeout=REQUEST_S_MAX).result()
        listings, failed = listed(there)
    partitions = {
        (name, index): partition
        for name, topic in sorted(metadata.topics.items())
        for index, partition in sorted(topic.partitions.items())
    }
    leads = Counter(partition.leader for partition in partitions.values())
    offline = [one for one, partition in partitions.items() if partition.leader < 0]
    lagging = [one for one, partition in partitions.items() if len(partition.isrs) < len(partition.replicas)]
    states = Counter(state_of(listing) for listing in listings)
    internal = sum(map(is_internal, metadata.topics))
    brokers = [
        {
            "id": node.id,
            "host": node.host,
            "port": node.port,
            "rack": node.rack or None,
            "controller": described.controller is not None and node.id == described.controller.id,
            "leads": leads[node.id],
        }
        for node in sorted(described.nodes, key=lambda node: node.id)
    ]
    if parsed.output == "json":
        print_json(
            {
                "cluster_id": described.cluster_id,
                "controller_id": described.controller.id if described.controller else None,
                "brokers": brokers,
                "topics": len(metadata.topics),
                "internal_topics": internal,
                "partitions": len(partitions),
                "partitions_without_leader": [{"topic": topic, "partition": index} for topic, index in offline],
                "partitions_out_of_sync": [{"topic": topic, "partition": index} for topic, index in lagging],
                "groups": len(listings),
                "group_states": dict(sorted(states.items())),
            }
        )
    else:
        topics = counted(len(metadata.topics), "topic") + (f" ({internal} internal)" if internal else "")
        of_states = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        groups = counted(len(listings), "group") + (f" ({of_states})" if states else "")
        print_lines([f"cluster {described.cluster_id}: {topics}, {counted(len(partitions), 'partition')}, {groups}"])
        for what, some in (("without a leader", offline), ("with replicas out of sync", lagging)):
            if some:
                print_lines([f"{counted(len(some), 'partition')} {what}: {shown_partitions(some)}"])
        print_lines([""])
        table = Table(
            ("BROKER", "HOST", "PORT", "RACK", "CONTROLLER", "LEADS"),
            right=("BROKER", "PORT", "LEADS"),
            optional=("RACK",),
        )
        for broker in brokers:
            controller = "yes" if broker["controller"] else ""
            table.add(broker["id"], broker["host"], broker["port"], broker["rack"], controller, broker["leads"])
        table.print()
    for error in failed:
        failures.add(error)
    return failures.exit_code
