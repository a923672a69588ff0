"""`fleuve topic delete`."""

from __future__ import annotations

import argparse

from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import add_confirmation_options, add_output_option, confirmed
from fleuve.cli.parsers import Commands, add_command


def add_to(commands: Commands) -> None:
    """Add `delete` to the commands of `topic`."""
    parser = add_command(
        commands,
        "delete",
        summary="delete topics and their records",
        description="Delete topics with all their records. On a terminal it asks first.",
        examples=(
            "fleuve topic create orders tmp-1 tmp-2",
            "fleuve topic delete orders --dry-run",
            "fleuve topic delete orders --yes",
            "fleuve topic delete 'tmp-*' orders --if-exists",
        ),
        run=run,
    )
    add = parser.add_argument
    add("topics", nargs="+", metavar="TOPIC", help="names, or patterns such as 'tmp-*'")
    add("--if-exists", action="store_true", help="it is no failure if there is no such topic")
    add_confirmation_options(parser)
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Delete the topics, if whoever sits at the terminal agrees."""
    options = client_options(parsed)
    from confluent_kafka import KafkaError

    from fleuve.cli.client.cluster import REQUEST_S_MAX, cluster
    from fleuve.cli.client.deletion import deleted
    from fleuve.cli.client.errors import CommandFailed
    from fleuve.cli.client.offsets import ranges
    from fleuve.cli.client.topics import chosen, partitions_of
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures, tell
    from fleuve.cli.output.tables import counted

    failures = Failures()
    with cluster(options) as there:
        topics, missing = chosen(parsed.topics, there.metadata())
        if not parsed.if_exists:
            for error in missing:
                failures.add(error)
        if not topics:
            return failures.exit_code
        of = ranges(there, partitions_of(topics))
        records = {topic.name: sum(of[one].records or 0 for one in topic.partitions) for topic in topics}
        told = {name: f"{name} ({counted(count, 'record')})" for name, count in records.items()}
        if not parsed.dry_run and not confirmed(parsed, f"Delete {', '.join(told.values())} for ever?"):
            raise CommandFailed("nothing was deleted")
        futures = {}
        if not parsed.dry_run:
            futures = there.admin.delete_topics(list(records), request_timeout=REQUEST_S_MAX)
        gone = KafkaError.UNKNOWN_TOPIC_OR_PART if parsed.if_exists else None
        for name in deleted(records, futures, kind="topic", gone=gone, failures=failures):
            if parsed.output == "json":
                document = {"topic": name, "deleted": not parsed.dry_run, "dry_run": parsed.dry_run}
                print_json({**document, "records": records[name]})
            else:
                tell(f"{'would delete' if parsed.dry_run else 'deleted'} topic {told[name]}")
    return failures.exit_code
