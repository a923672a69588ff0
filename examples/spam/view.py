"""The screen: how much of each kind there is, and who is a spammer. Pure: detectors in, a picture of given size out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from examples.shared.head import head, plain
from examples.shared.progress import Status
from examples.shared.world import clock
from examples.spam.detector import Detector
from examples.spam.events import KINDS
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

TITLE = "Members: interactions, and who is a spammer"
_WIDE = 130
_BAR = 16
_ROWS_MAX = 32
_KINDS_WIDTH = 62
_COLOURS = {"spam": "bold red", "suspect": "yellow", "": "dim"}


def picture(of: Sequence[Detector], status: Status, width: int, height: int) -> RenderableType:
    """Return the screen: two tables, beside each other where there is room."""
    now = latest(of)
    top = [head(TITLE, now, status, width)]
    if not of and status.made:
        return Group(*top)  # The generator alone.
    top += [rightness(of), Text()]
    rows = min(height - len(top) - 1, _ROWS_MAX)
    if width >= _WIDE:
        side = Table.grid(padding=(0, 4, 0, 0))
        side.add_row(kinds(of), verdicts(of, rows - 1, width - _KINDS_WIDTH - 8))
        return Group(*top, side)
    return Group(*top, kinds(of), Text(), verdicts(of, max(1, rows - len(KINDS) - 3), width))


def latest(of: Sequence[Detector]) -> int:
    """Return the latest time that is known."""
    return max((each.now for each in of), default=0)


def rightness(of: Sequence[Detector]) -> Text:
    """Return how many bots were found, and how many members were wronged."""
    bots, found, wrong = (sum(each.score[name] for each in of) for name in ("bots", "found", "wrong"))
    text = Text(no_wrap=True)
    text.append(f"{found:,}", style="bold green")
    text.append(f" of {bots:,} bots found, ")
    text.append(f"{wrong:,}", style="bold red" if wrong else "bold green")
    text.append(" members wrongly taken for one")
    return text


def kinds(of: Sequence[Detector]) -> RenderableType:
    """Return the counts of each kind: of the last minute that is over, and of all time."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("kind", width=8)
    for name in ("a minute", "in all", "spam"):
        table.add_column(name, justify="right", width=8)
    table.add_column("", width=_BAR, no_wrap=True)
    for kind in KINDS:
        minute = sum(each.last_minute.get(kind, [0, 0])[0] for each in of)
        every, spam = (sum(each.totals.get(kind, [0, 0])[index] for each in of) for index in (0, 1))
        share = spam / every if every else 0.0
        full = round(_BAR * share)
        bar = Text.assemble(("█" * full, "red"), ("░" * (_BAR - full), "dim"))
        table.add_row(kind, f"{minute:,}", f"{every:,}", f"{spam:,}", bar)
    return table


def verdicts(of: Sequence[Detector], rows: int, width: int) -> RenderableType:
    """Return the last verdicts, with `rows` rows."""
    last: list[dict[str, Any]] = [verdict for each in of for verdict in each.latest]
    last.sort(key=lambda verdict: (-verdict["at"], verdict["member"]))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("since", width=9, no_wrap=True)
    table.add_column("member", width=14, no_wrap=True)
    table.add_column("verdict", width=7, no_wrap=True)
    table.add_column("because", width=26, no_wrap=True)
    table.add_column("had done", width=max(12, min(48, width - 66)), no_wrap=True)
    for verdict in last[:rows]:
        done = ", ".join(f"{count} {kind}" for kind, count in verdict["counts"].items() if kind != "join")
        table.add_row(
            clock(verdict["at"]),
            verdict["member"],
            Text(verdict["verdict"] or "nothing", style=_COLOURS[verdict["verdict"]]),
            ", ".join(verdict["rules"]),
            Text(done, style="dim"),
        )
    for _ in range(rows - len(last)):
        table.add_row("")  # The height stays: a table that grows would make the rest jump.
    return table


def line(of: Sequence[Detector], status: Status) -> str:
    """Return the screen as a line."""
    bots, found, wrong = (sum(each.score[name] for each in of) for name in ("bots", "found", "wrong"))
    return plain(latest(of), status, what=f"{found} of {bots} bots found, {wrong} wronged" if of else "")
