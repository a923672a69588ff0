"""What people see while files are sent: a bar on standard error, if that is a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from fleuve.cli.output.consoles import console

Advance = Callable[[int, int], None]
"""Takes the bytes read and the records written so far."""


class _RecordsPerSecond(ProgressColumn):
    """How fast records are written, over the whole time."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        elapsed_s = task.elapsed or 0.0
        rate = task.fields["records"] / elapsed_s if elapsed_s else 0.0
        return Text(f"{rate:,.0f} records/s", style="progress.data.speed")


@contextlib.contextmanager
def bar(topic: str, size_bytes: int) -> Iterator[Advance]:
    """Show a bar for as long as the block runs; it is gone afterwards."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        _RecordsPerSecond(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task(topic, total=size_bytes, records=0)

        def advance(bytes_read: int, records: int) -> None:
            progress.update(task, completed=bytes_read, records=records)

        yield advance
