"""rich's consoles for standard output and standard error."""

from __future__ import annotations

import sys

from rich.console import Console

PIPE_WIDTH = 10_000
"""Where nobody sees the edge of a screen, lines are as long as they are."""


def console(*, stderr: bool = False) -> Console:
    """Return rich's console for standard output, or standard error; in a pipe, lines are not cut."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
