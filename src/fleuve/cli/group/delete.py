"""`fleuve group delete`."""

from __future__ import annotations

import argparse

from fleuve.cli.client.options import add_client_options, client_options
from fleuve.cli.output.options import add_confirmation_options, add_output_option, confirmed
from fleuve.cli.parsers import Commands, add_command


def add_to(commands: Commands) -> None:
    """Add `delete` to the commands of `group`."""
    parser = add_command(
        commands,
        "delete",
        summary="delete groups and their committed offsets",
        description="Delete groups that have no members, with what they have committed. On a terminal it asks first.",
        examples=(
            "fleuve topic create orders",
            "fleuve group reset billing --topic orders --to earliest --yes",
            "fleuve group delete billing --dry-run",
            "fleuve group delete billing --yes",
            "fleuve group delete billing --if-exists",
        ),
        run=run,
    )
    add = parser.add_argument
    add("groups", nargs="+", metavar="GROUP", help="their names")
    add("--if-exists", action="store_true", help="it is no failure if there is no such group")
    add_confirmation_options(parser)
    add_output_option(parser)
    add_client_options(parser)


def run(parsed: argparse.Namespace) -> int:
    """Delete the groups, if whoever sits at the terminal agrees."""
    options = client_options(parsed)
    from confluent_kafka import KafkaError

    from fleuve.cli.client.cluster import REQUEST_S_MAX, cluster
    from fleuve.cli.client.deletion import deleted
    from fleuve.cli.client.errors import CommandFailed
    from fleuve.cli.client.groups import listed, members_of
    from fleuve.cli.output.json_lines import print_json
    from fleuve.cli.output.messages import Failures, tell

    failures = Failures()
    with cluster(options) as there:
        listings, failed = listed(there)
        known = {listing.group_id for listing in listings}
        wanted = list(dict.fromkeys(parsed.groups))
        # While a coordinator does not answer, a group that is not listed may be there all the same.
        names = [name for name in wanted if name in known or failed]
        if not parsed.if_exists:
            for name in wanted:
                if name not in names:
                    failures.add(CommandFailed(f"group {name}: does not exist; see `fleuve group list`"))
        for name, clients in members_of(there, names).items():
            names.remove(name)
            failures.add(CommandFailed(f"group {name}: has members ({clients}); stop them first"))
        if not names:
            return failures.exit_code
        futures = {}
        if not parsed.dry_run:
            if not confirmed(parsed, f"Delete {', '.join(names)} and what is committed for ever?"):
                raise CommandFailed("nothing was deleted")
            futures = there.admin.delete_consumer_groups(names, request_timeout=REQUEST_S_MAX)
        gone = KafkaError.GROUP_ID_NOT_FOUND if parsed.if_exists else None
        for name in deleted(names, futures, kind="group", gone=gone, failures=failures):
            if parsed.output == "json":
                print_json({"group": name, "deleted": not parsed.dry_run, "dry_run": parsed.dry_run})
            else:
                tell(f"{'would delete' if parsed.dry_run else 'deleted'} group {name}")
    return failures.exit_code
