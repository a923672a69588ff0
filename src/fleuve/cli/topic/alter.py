"""`fleuve topic alter`."""

from __future__ import annotations

import argparse

from fleuve.app.options import UsageError
from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import add_output_option, name_and_value, positive
from fleuve.cli.parsers import Commands, add_command


def add_to(commands: Commands) -> None:
    """Add `alter` to the commands of `topic`."""
    parser = add_command(
        commands,
        "alter",
        summary="change a topic's configs, or give it more partitions",
        description="Change configs of topics, or give them more partitions. Each topic is changed as a whole or not at"
        " all: the broker checks everything first.",
        examples=(
            "fleuve topic create orders",
            "fleuve topic alter orders --config retention.ms=3600000 --config max.message.bytes=2000000",
            "fleuve topic alter orders --unset retention.ms --partitions 6",
            "fleuve topic alter orders --partitions 12 --dry-run",
        ),
        run=run,
    )
    add = parser.add_argument
    add("topics", nargs="+", metavar="TOPIC", help="names, or patterns such as 'orders.*'")
    add(
        "--config",
        action="append",
        default=[],
        dest="configs",
        metavar="NAME=VALUE",
        help="set a config by Kafka's name; may be repeated",
    )
    add("--unset", action="append", default=[], metavar="NAME", help="give a config its default back; may be repeated")
    add(
        "-p",
        "--partitions",
        type=positive,
        metavar="N",
        help="raise the number of partitions to this; records with the same key go to another partition from then on",
    )
    add("--dry-run", action="store_true", help="let the broker check everything, and change nothing")
    add_output_option(parser)
    add_client_options(parser)


def changes_of(parsed: argparse.Namespace) -> dict[str, str | None]:
    """Return the configs to set, and those to unset with None. Raises UsageError."""
    changes: dict[str, str | None] = {}
    given = [name_and_value(text, flag="--config") for text in parsed.configs]
    for name, value in [*given, *((name.strip(), None) for name in parsed.unset)]:
        if name in changes:
            raise UsageError(f"{name} is given twice: once is enough")
        changes[name] = value
    if not changes and parsed.partitions is None:
        raise UsageError("nothing to change: give --config NAME=VALUE, --unset NAME or --partitions N")
    return changes


def run(parsed: argparse.Namespace) -> int:
    """Change the topics; each that cannot be changed is said, and the rest are changed."""
    changes = changes_of(parsed)
    options = client_options(parsed)
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import NewPartitions

    from fleuve.cli.client.cluster import REQUEST_S_MAX, Cluster, cluster
    from fleuve.cli.client.configs import alter_topic
    from fleuve.cli.client.errors import failure
    from fleuve.cli.client.topics import chosen
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures, tell

    def alter(there: Cluster, topic: str, *, validate_only: bool) -> None:
        if parsed.partitions is not None:
            new = [NewPartitions(topic, parsed.partitions)]
            futures = there.admin.create_partitions(new, validate_only=validate_only, request_timeout=REQUEST_S_MAX)
            futures[topic].result()
        if changes:
            alter_topic(there, topic, changes, validate_only=validate_only)

    failures = Failures()
    with cluster(options) as there:
        topics, missing = chosen(parsed.topics, there.metadata())
        for error in missing:
            failures.add(error)
        for topic in topics:
            name = topic.name
            try:
                # First everything is checked: what is refused then has changed nothing.
                for validate_only in (True,) if parsed.dry_run else (True, False):
                    alter(there, name, validate_only=validate_only)
            except KafkaException as error:
                failures.add(failure(error, what=f"topic {name}"))
                continue
            if parsed.output == "json":
                document = {"topic": name, "altered": not parsed.dry_run, "dry_run": parsed.dry_run}
                print_json({**document, "partitions": parsed.partitions or len(topic.partitions), "configs": changes})
                continue
            said = [f"{config} unset" if value is None else f"{config}={value}" for config, value in changes.items()]
            if parsed.partitions is not None:
                said.append(f"{len(topic.partitions)} → {parsed.partitions} partitions")
            tell(f"{'would alter' if parsed.dry_run else 'altered'} topic {name}: {', '.join(said)}")
    return failures.exit_code
