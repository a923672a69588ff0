"""The screen of `fleuve top`: what stands where, in a window of any size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.console import Group as Stack
from rich.table import Table
from rich.text import Text

from fleuve.cli.output.tables import shown as shown_text
from fleuve.cli.top import words
from fleuve.cli.top.rates import BrokerRow, Course, GroupRow, TopicRow, View
from fleuve.cli.top.snapshots import headline
from fleuve.cli.top.sorting import GROUP_ORDERS, TOPIC_ORDERS, groups_in_order, topics_in_order

_SIDE_BY_SIDE = 140
"""From so many columns on, groups stand beside topics."""
_NARROW = 70
"""Below so many columns there is room for names and for the numbers that matter most."""
_BROKERS_MAX = 5
_STYLES = {
    Course.CAUGHT_UP: "green",
    Course.KEEPING_UP: "green",
    Course.CATCHING_UP: "yellow",
    Course.STANDING_STILL: "red",
    Course.FALLING_BEHIND: "red",
}


_Row = TypeVar("_Row")


@dataclass(slots=True)
class Shown:
    """What is on the screen, and how the user wants it."""

    interval_s: float
    view: View | None = None
    trouble: str | None = None
    rows_max: int | None = None
    topic_order: int = 0
    group_order: int = 0
    halted: View | None = None

    def take(self, key: str) -> None:
        """Do what a key means."""
        match key:
            case "t":
                self.topic_order += 1
            case "g":
                self.group_order += 1
            case " ":
                self.halted = None if self.halted else self.view


def drawn(shown: Shown, width: int, height: int) -> RenderableType:
    """Return the screen for a window of this size."""
    view = shown.halted or shown.view
    assert view is not None
    head: list[RenderableType] = [_headline(view), _status(view, shown)]
    brokers = view.brokers[:_BROKERS_MAX]
    head += [Text(), _brokers(brokers, len(view.brokers) - len(brokers), narrow=width < _NARROW)]
    # The head, the brokers' heading, an empty line below each part, and the keys at the bottom.
    left = height - len(head) - len(brokers) - (len(brokers) < len(view.brokers)) - 2
    topics = topics_in_order(view.topics, shown.topic_order)
    groups = groups_in_order(view.groups, shown.group_order)
    body: RenderableType
    if width >= _SIDE_BY_SIDE:
        rows = max(0, left - 2)
        body = Table.grid(padding=(0, 2, 0, 0), expand=True)
        body.add_column(ratio=5)
        body.add_column(ratio=6)
        body.add_row(
            _topics(topics, rows, shown),
            _groups(groups, rows, shown),
        )
        body = Stack(Text(), body)
    else:
        topic_rows, group_rows = _divided(max(0, left - 4), len(topics), len(groups))
        body = Stack(
            Text(),
            _topics(topics, topic_rows, shown),
            Text(),
            _groups(groups, group_rows, shown, narrow=width < _NARROW),
        )
    screen = Table.grid(expand=True)
    screen.add_row(Stack(*head, body))
    return _Pinned(screen, _keys())


class _Pinned:
    """Something with a last line that stays at the bottom of the window."""

    def __init__(self, above: RenderableType, last: Text) -> None:
        self._above = above
        self._last = last

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._above, options.update(height=None))[: max(0, options.max_height - 1)]
        for line in lines:
            yield from line
            yield Text("\n", end="")
        yield from (Text("\n", end="") for _ in range(options.max_height - 1 - len(lines)))
        yield self._last


def _divided(rows: int, topics: int, groups: int) -> tuple[int, int]:
    """Share rows between topics and groups: half each, and what one does not need is the other's."""
    half = rows // 2
    for_groups = min(groups, max(half, rows - topics))
    return min(topics, rows - for_groups), for_groups


def _headline(view: View) -> Text:
    return Text(headline(view), style="bold", no_wrap=True, overflow="ellipsis")


def _status(view: View, shown: Shown) -> Text:
    seen = datetime.fromtimestamp(view.sample.time_ms / 1000).astimezone().strftime("%H:%M:%S")
    if shown.trouble:
        return Text(f"seen last at {seen}: {shown.trouble}", style="bold red", no_wrap=True, overflow="ellipsis")
    rate = f"{words.rate(view.records_per_s)} records/s" if view.interval_s else "…"
    text = Text(rate, style="bold", no_wrap=True, overflow="ellipsis")
    if shown.halted:
        return text.append(f"  halted at {seen}: space goes on", style="yellow")
    return text.append(f"  seen at {seen}, every {shown.interval_s:g} s", style="not bold dim")


def _table(*columns: str, names: str, right: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=True)
    for column in columns:
        if column == names:
            table.add_column(column, no_wrap=True, overflow="ellipsis", ratio=1)
        else:
            table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return table


def _brokers(rows: Sequence[BrokerRow], more: int, *, narrow: bool) -> Table:
    numbers = ("CONNECTIONS",) if narrow else ("CONNECTIONS", "REQUESTS/S", "IN/S", "OUT/S")
    table = _table("BROKER", "ADDRESS", *numbers, names="", right=("BROKER", *numbers))
    table.expand = False
    for row in rows:
        counted = (
            words.amount(row.connections),
            words.rate(row.requests_per_s),
            words.size(row.received_bytes_per_s),
            words.size(row.sent_bytes_per_s),
        )
        table.add_row(str(row.broker_id), Text(f"{row.host}:{row.port}"), *counted[: len(numbers)])
    if more:
        table.add_row("", Text(f"… {more:,} more", style="dim"))
    return table


def _topics(rows: Sequence[TopicRow], room: int, how: Shown) -> Table:
    table = _table("TOPIC", "PARTITIONS", "RECORDS/S", names="TOPIC", right=("PARTITIONS", "RECORDS/S"))
    shown, more = _cut(rows, room, how.rows_max)
    for row in shown:
        busy = bool(row.records_per_s)
        table.add_row(
            Text(row.topic),
            str(row.partitions),
            words.rate(row.records_per_s),
            style="" if busy else "dim",
        )
    if more:
        table.add_row(Text(f"… {more:,} more, by {_order(TOPIC_ORDERS, how.topic_order)}", style="dim"))
    return table


def _groups(rows: Sequence[GroupRow], room: int, how: Shown, *, narrow: bool = False) -> Table:
    all_of_them = ("GROUP", "STATE", "MEMBERS", "LAG", "RECORDS/S", "CAUGHT UP IN")
    table = _table(
        *(("GROUP", "LAG", "CAUGHT UP IN") if narrow else all_of_them),
        names="GROUP",
        right=("MEMBERS", "LAG", "RECORDS/S", "CAUGHT UP IN"),
    )
    shown, more = _cut(rows, room, how.rows_max)
    for row in shown:
        outlook = Text(words.outlook(row), style=_STYLES.get(row.course, ""))
        between = () if narrow else (row.state, str(row.members))
        rate = () if narrow else (words.rate(row.records_per_s),)
        table.add_row(Text(shown_text(row.group)), *between, words.amount(row.lag), *rate, outlook)
    if more:
        table.add_row(Text(f"… {more:,} more, by {_order(GROUP_ORDERS, how.group_order)}", style="dim"))
    return table


def _cut(rows: Sequence[_Row], room: int, rows_max: int | None) -> tuple[Sequence[_Row], int]:
    """Return the rows that are shown in `room` lines, and how many are not; these need a line themselves."""
    if len(rows) <= room and (rows_max is None or len(rows) <= rows_max):
        return rows, 0
    kept = max(0, room - 1) if rows_max is None else max(0, min(rows_max, room - 1))
    return rows[:kept], len(rows) - kept


def _order(orders: Sequence[tuple[str, object]], number: int) -> str:
    return orders[number % len(orders)][0]


def _keys() -> Text:
    text = Text(no_wrap=True, overflow="ellipsis", end="")
    for key, meaning in (("q", "quit"), ("t", "sort topics"), ("g", "sort groups"), ("space", "halt")):
        text.append(f" {key} ", style="reverse").append(f" {meaning}  ")
    return text
