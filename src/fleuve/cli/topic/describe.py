"""`fleuve topic describe`."""

from __future__ import annotations

import argparse
from typing import Any

from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import add_output_option
from fleuve.cli.parsers import Commands, add_command


def add_to(commands: Commands) -> None:
    """Add `describe` to the commands of `topic`."""
    parser = add_command(
        commands,
        "describe",
        summary="show a topic's partitions and configs",
        description="Show topics: each partition with its leader, replicas and offsets, and the configs that are"
        " not the default.",
        examples=(
            "fleuve topic create orders --partitions 3 --config retention.ms=86400000",
            "fleuve topic describe orders",
            "fleuve topic describe orders --all-configs",
            "fleuve topic describe 'ord*' --output json",
        ),
        run=run,
    )
    add = parser.add_argument
    add("topics", nargs="+", metavar="TOPIC", help="names, or patterns such as 'orders.*'")
    add("--all-configs", action="store_true", help="all configs, not only those that are not the default")
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Print the topics that are wanted, one after the other."""
    options = client_options(parsed)
    from fleuve.cli.client.cluster import cluster
    from fleuve.cli.client.configs import topic_configs
    from fleuve.cli.client.offsets import ranges
    from fleuve.cli.client.topics import chosen, partitions_of
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures

    failures = Failures()
    with cluster(options) as there:
        topics, missing = chosen(parsed.topics, there.metadata())
        of = ranges(there, partitions_of(topics))
        configs, refused = topic_configs(there, [topic.name for topic in topics])
    for number, topic in enumerate(topics):
        partitions: list[dict[str, Any]] = [
            {
                "partition": index,
                "leader": partition.leader if partition.leader >= 0 else None,
                "replicas": partition.replicas,
                "isr": partition.isrs,
                "earliest": of[topic.name, index].earliest,
                "latest": of[topic.name, index].latest,
                "records": of[topic.name, index].records,
            }
            for index, partition in sorted(topic.metadata.items())
        ]
        shown = [config for config in configs.get(topic.name, []) if parsed.all_configs or not config.is_default]
        if parsed.output == "json":
            print_json(
                {
                    "topic": topic.name,
                    "partitions": partitions,
                    "configs": [
                        {"name": config.name, "value": config.value, "source": config.source} for config in shown
                    ],
                }
            )
        else:
            _print(topic.name, partitions, shown, is_first=number == 0)
    for error in [*missing, *refused]:
        failures.add(error)
    return failures.exit_code


def _print(topic: str, partitions: list[dict[str, Any]], configs: list[Any], *, is_first: bool) -> None:
    from fleuve.cli.output.tables import Table, counted, print_lines

    counts = [partition["records"] for partition in partitions]
    records = "unknown number of records" if None in counts else counted(sum(counts), "record")
    print_lines([*([] if is_first else [""]), f"topic {topic}: {counted(len(counts), 'partition')}, {records}", ""])
    table = Table(
        ("PARTITION", "LEADER", "REPLICAS", "IN SYNC", "EARLIEST", "LATEST", "RECORDS"),
        right=("PARTITION", "LEADER", "EARLIEST", "LATEST", "RECORDS"),
    )
    for partition in partitions:
        table.add(
            partition["partition"],
            partition["leader"],
            ",".join(map(str, partition["replicas"])),
            ",".join(map(str, partition["isr"])) or None,
            partition["earliest"],
            partition["latest"],
            partition["records"],
        )
    table.print()
    print_lines([""])
    if not configs:
        print_lines(["all configs have their defaults"])
        return
    shown = Table(("CONFIG", "VALUE", "SOURCE"))
    for config in configs:
        shown.add(config.name, config.value, config.source)
    shown.print()
