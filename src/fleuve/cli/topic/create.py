"""`fleuve topic create`."""

from __future__ import annotations

import argparse
import threading
import time

from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import add_output_option, name_and_value, positive
from fleuve.cli.parsers import Commands, add_command

_SEEN_S_MAX, _SEEN_PAUSE_S = 3.0, 0.1
BROKERS_DEFAULT = -1
"""A number of partitions or replicas that the broker's settings decide."""


def add_to(commands: Commands) -> None:
    """Add `create` to the commands of `topic`."""
    parser = add_command(
        commands,
        "create",
        summary="create topics",
        description="Create topics. What is not given is what the broker's settings say.",
        examples=(
            "fleuve topic create orders",
            "fleuve topic create clicks views -p 12 --config retention.ms=86400000 --config max.message.bytes=2000000",
            "fleuve topic create orders --if-not-exists",
            "fleuve topic create payments --partitions 3 --dry-run",
        ),
        run=run,
    )
    add = parser.add_argument
    add("topics", nargs="+", metavar="TOPIC", help="its name: letters, digits, '.', '_' and '-'")
    add("-p", "--partitions", type=positive, metavar="N", help="how many partitions (default: the broker's)")
    add("-r", "--replication-factor", type=positive, metavar="N", help="how many replicas (default: the broker's)")
    add(
        "--config",
        action="append",
        default=[],
        dest="configs",
        metavar="NAME=VALUE",
        help="a config of the topic by Kafka's name, such as retention.ms=3600000; may be repeated",
    )
    add("--if-not-exists", action="store_true", help="it is no failure if there is such a topic already")
    add("--dry-run", action="store_true", help="let the broker check everything, and create nothing")
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Create the topics; each that cannot be created is said, and the rest are created."""
    configs = dict(name_and_value(text, flag="--config") for text in parsed.configs)
    options = client_options(parsed)
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import NewTopic

    from fleuve.cli.client.cluster import REQUEST_S_MAX, cluster
    from fleuve.cli.client.errors import failure
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures, tell
    from fleuve.cli.output.tables import counted

    failures = Failures()
    names = list(dict.fromkeys(parsed.topics))
    with cluster(options) as there:
        new = [
            NewTopic(
                name,
                num_partitions=parsed.partitions or BROKERS_DEFAULT,
                replication_factor=parsed.replication_factor or BROKERS_DEFAULT,
                config=configs,
            )
            for name in names
        ]
        done: dict[str, bool] = {}
        futures = there.admin.create_topics(new, validate_only=parsed.dry_run, request_timeout=REQUEST_S_MAX)
        for name in names:
            try:
                futures[name].result()
                done[name] = True
            except KafkaException as error:
                if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS and parsed.if_not_exists:
                    done[name] = False
                else:
                    failures.add(failure(error, what=f"topic {name}"))
        # What the broker's settings made of it; a dry run leaves nothing to look at.
        topics = there.metadata().topics if done else {}
        began = time.perf_counter()
        # Whoever types the next command wants to find the topic; brokers hear of it from their controller.
        while not parsed.dry_run and not done.keys() <= topics.keys() and time.perf_counter() - began < _SEEN_S_MAX:
            threading.Event().wait(_SEEN_PAUSE_S)
            topics = there.metadata().topics
    for name, is_new in done.items():
        partitions = len(topics[name].partitions) if name in topics else parsed.partitions
        if parsed.output == "json":
            document = {"topic": name, "created": is_new and not parsed.dry_run, "dry_run": parsed.dry_run}
            print_json({**document, "partitions": partitions})
            continue
        size = f": {counted(partitions, 'partition')}" if partitions else ""
        if is_new:
            tell(f"{'would create' if parsed.dry_run else 'created'} topic {name}{size}")
        else:
            tell(f"topic {name} exists already{size}")
    return failures.exit_code
