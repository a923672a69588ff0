"""The commands below `fleuve group`."""

from __future__ import annotations

from fleuve.cli.group import delete, describe, listing, reset
from fleuve.cli.parsers import Commands, add_group


def add_to(commands: Commands) -> None:
    """Add `group` and its commands to the commands of the parser."""
    below = add_group(commands, "group", summary="list, describe, reset and delete consumer groups")
    for command in (listing, describe, reset, delete):
        command.add_to(below)
