"""`fleuve backup`: a copy of a data directory, of a broker that is at work or one that is stopped."""

from __future__ import annotations

import argparse
from pathlib import Path

from fleuve.app.options import DATA_DIR_DEFAULT
from fleuve.cli.parsers import Commands, add_command

_DESCRIPTION = """\
Copy a broker's data directory into a new one, from which a broker can be started. The broker may be at work: the copy
holds one moment, and everything that was acknowledged before the command began. Run it as the broker's user, on its
machine.
"""


def add_to(commands: Commands) -> None:
    """Add `backup` to the commands of the parser."""
    parser = add_command(
        commands,
        "backup",
        summary="copy a data directory, of a running broker too",
        description=_DESCRIPTION,
        examples=("fleuve backup --data-dir ./fleuve-data ./backup",),
        run=run,
    )
    parser.add_argument("target", type=Path, metavar="TARGET", help="the copy: a directory that is not there, or empty")
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help=f"the broker's directory (default: what KAFKA_LOG_DIRS or KAFKA_LOG_DIR say, or {DATA_DIR_DEFAULT})",
    )


def run(parsed: argparse.Namespace) -> int:
    """Make the backup and say what it holds."""
    from fleuve.app.backup import back_up
    from fleuve.app.registry import registry
    from fleuve.app.sources import read
    from fleuve.cli.output.messages import tell

    source = parsed.data_dir or Path(read(registry()).data_dir)
    made = back_up(source, parsed.target)
    state = "of a broker at work" if made.at_work else "of a stopped broker"
    tell(f"{parsed.target}: {made.objects} files, {made.size_bytes} bytes and the catalog, {state}")
    return 0
