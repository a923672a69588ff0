"""Tables for people: columns aligned, fitted to the terminal, and whole in a pipe."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress

from rich.table import Table as RichTable
from rich.text import Text

from fleuve.cli.output.consoles import PIPE_WIDTH, console
from fleuve.cli.output.standard_output import write, writing
from fleuve.cli.output.terminal import harmless_text

_WIDE = 120
"""From so many columns on there is room for what few look for."""
_NOTHING = frozenset({"", "-"})
_PADDING_AT_END = re.compile(r" +$", re.MULTILINE)


@dataclass(slots=True)
class Table:
    """A table that is filled row by row and printed once.

    Columns are named in capitals, as `PARTITION`. Those in `right` are aligned to the right, as numbers are; those in
    `wide` are left out where the terminal is narrow, those in `optional` where no row has anything for them.
    """

    columns: Sequence[str]
    right: Sequence[str] = ()
    wide: Sequence[str] = ()
    optional: Sequence[str] = ()
    rows: list[Sequence[str]] = field(default_factory=list)

    def add(self, *cells: object) -> None:
        r"""Add a row; None is shown as `-`, and what would steer a terminal as what it is: `\x1b`."""
        assert len(cells) == len(self.columns)
        self.rows.append(["-" if cell is None else shown(cell) for cell in cells])

    def rendered(self, width: int = PIPE_WIDTH) -> RichTable:
        """Return it for rich to print in so many columns of a terminal."""
        table = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        visible = [self._is_shown(number, width) for number in range(len(self.columns))]
        for column in compress(self.columns, visible):
            right = column in self.right
            # What is cut off cannot be copied: long words go on in the next line.
            table.add_column(column, justify="right" if right else "left", overflow="fold", no_wrap=right)
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in compress(row, visible)))
        return table

    def _is_shown(self, number: int, width: int) -> bool:
        column = self.columns[number]
        if column in self.wide and width < _WIDE:
            return False
        return column not in self.optional or any(row[number] not in _NOTHING for row in self.rows)

    def print(self) -> None:
        """Print it to standard output."""
        out = console()
        # rich writes nothing then, and that too a full disk refuses.
        with writing(), out.capture() as printed:
            out.print(self.rendered(out.width))
        write(_PADDING_AT_END.sub("", printed.get()))


def shown(cell: object) -> str:
    """Return a cell's text in one line that a terminal only shows: clients choose their names themselves."""
    return harmless_text(str(cell)).replace("\n", "\\n").replace("\t", "\\t")


def print_lines(lines: Iterable[str]) -> None:
    """Print lines to standard output."""
    for line in lines:
        write(f"{line}\n")


def counted(number: int, word: str) -> str:
    """Return a number and what it counts: 1 record, 2 records."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
