"""Tables for people: columns aligned, fitted to the terminal, and whole in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

_PIPE_WIDTH = 10_000
"""Where nobody sees the edge of a screen, lines are as long as they are."""


@dataclass(slots=True)
class Table:
    """A table that is filled row by row and printed once.

    Columns are named in capitals, as `PARTITION`; those in `right` are aligned to the right, as numbers are.
    """

    columns: Sequence[str]
    right: Sequence[str] = ()
    rows: list[Sequence[str]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        """Add a row; None is shown as `-`."""
        assert len(cells) == len(self.columns)
        self.rows.append(["-" if cell is None else str(cell) for cell in cells])

    def rendered(self) -> RichTable:
        """Return it for rich to print."""
        table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in self.columns:
            right = column in self.right
            # What is cut off cannot be copied: long words go on in the next line.
            table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=right)
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        return table

    def print(self) -> None:
        """Print it to standard output."""
        console().print(self.rendered())


def console(*, stderr: bool = False) -> Console:
    """Return rich's console for standard output, or standard error; in a pipe, lines are not cut."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to standard output."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
