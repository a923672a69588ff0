"""The commands below `fleuve topic`."""

from __future__ import annotations

from fleuve.cli.parsers import Commands, add_group
from fleuve.cli.topic import alter, create, delete, describe, listing, trim


def add_to(commands: Commands) -> None:
    """Add `topic` and its commands to the commands of the parser."""
    below = add_group(commands, "topic", summary="create, list, describe, alter and delete topics")
    for command in (create, listing, describe, alter, trim, delete):
        command.add_to(below)
