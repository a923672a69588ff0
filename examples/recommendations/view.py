"""The screen: what is trending, and what was recommended last. Pure: recommenders in, a picture of a given size out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from examples.recommendations.recommender import FAST_MS, SLOW_MS, Recommender
from examples.shared.head import head, plain
from examples.shared.progress import Status
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

TITLE = "Shop: trending, and recommended"
_WIDE = 130
_BAR = 12
_TRENDING_WIDTH = 77
_ROWS_MAX = 24
# How much faster than usual an item is looked at, and the sign for it.
_SIGNS = ((1.6, "▲▲", "bold green"), (1.15, "▲", "green"), (0.85, "", ""), (0.0, "▼", "red"))


def picture(of: Sequence[Recommender], status: Status, width: int, height: int) -> RenderableType:
    """Return the screen: two tables, beside each other where there is room."""
    now = max((each.now for each in of), default=0)
    top = [head(TITLE, now, status, width)]
    if not of and status.made:
        return Group(*top)  # The generator alone.
    top += [usefulness(of), Text()]
    rows = height - 4
    if width >= _WIDE:
        side = Table.grid(padding=(0, 4, 0, 0))
        rows = min(rows - 1, _ROWS_MAX)
        side.add_row(trending(of, now, rows), recommended(of, rows, width - _TRENDING_WIDTH - 4))
        return Group(*top, side)
    above = min(8, max(1, (rows - 3) // 2))
    below = min(_ROWS_MAX, max(1, rows - above - 3))
    return Group(*top, trending(of, now, above), Text(), recommended(of, below, width))


def shares(of: Sequence[Recommender]) -> tuple[int, float, float]:
    """Return of how many clicks it is known, and how many percent were on offer, and among the popular."""
    asked = sum(each.score["asked"] for each in of)
    hits, popular = (sum(each.score[name] for each in of) for name in ("hits", "popular"))
    return asked, 100 * hits / max(1, asked), 100 * popular / max(1, asked)


def usefulness(of: Sequence[Recommender]) -> Text:
    """Return how often a recommendation was what the visitor looked at next."""
    asked, hits, popular = shares(of)
    robots = sum(each.score["robots"] for each in of)
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{hits:.0f} %", style="bold green")
    line.append(f" of next clicks were on offer (the popular: {popular:.0f} %) · {asked:,} clicks · {robots:,} robots")
    return line


def trending(of: Sequence[Recommender], now: int, rows: int) -> RenderableType:
    """Return what is looked at most, with `rows` rows."""
    often: dict[str, float] = {}
    lately: dict[str, float] = {}
    for each in of:
        for item, fading in each.slow.items():
            often[item] = often.get(item, 0) + fading.now(now, SLOW_MS)
            lately[item] = lately.get(item, 0) + each.fast[item].now(now, FAST_MS)
    ranked = sorted(often, key=lambda item: (-lately[item], item))[:rows]
    most = max((lately[item] for item in ranked), default=1) or 1
    # What both sums would be in the long run, if as many looked all the time.
    usual = sum(lately.values()) / (sum(often.values()) or 1)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("trending", width=17, no_wrap=True)
    table.add_column("", width=_BAR, no_wrap=True)
    table.add_column("", width=2, no_wrap=True)
    table.add_column("looked at together with", width=38, no_wrap=True)
    for item in ranked:
        faster = lately[item] / (often[item] * usual) if often[item] else 1
        arrow, colour = next(signs for least, *signs in _SIGNS if faster >= least)
        bar = Text("█" * max(1, round(_BAR * lately[item] / most)), style="cyan")
        table.add_row(item, bar, Text(arrow, style=colour), Text(", ".join(companions(of, item, now)[:3]), style="dim"))
    _fill(table, rows - len(ranked))
    return table


def companions(of: Sequence[Recommender], item: str, now: int) -> list[str]:
    """Return what an item was looked at together with, the most often first."""
    sums: dict[str, float] = {}
    for each in of:
        for other, fading in each.together.get(item, {}).items():
            sums[other] = sums.get(other, 0) + fading.now(now, SLOW_MS)
    return sorted(sums, key=lambda other: (-sums[other], other))


def recommended(of: Sequence[Recommender], rows: int, width: int) -> RenderableType:
    """Return the last recommendations, in a table of `width`."""
    latest: list[dict[str, Any]] = [result for each in of for result in each.latest]
    latest.sort(key=lambda result: (-result["at"], result["user"]))
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("visitor", width=12, no_wrap=True)
    table.add_column("looks at", width=17, no_wrap=True)
    table.add_column("is recommended", width=max(20, min(60, width - 35)), no_wrap=True)
    for result in latest[:rows]:
        table.add_row(result["user"], result["after"], Text(", ".join(result["recommended"]), style="green"))
    _fill(table, rows - len(latest))
    return table


def _fill(table: Table, rows: int) -> None:
    """Keep the height: a table that grows would make the rest jump."""
    for _ in range(rows):
        table.add_row("")


def line(of: Sequence[Recommender], status: Status) -> str:
    """Return the screen as a line."""
    asked, hits, popular = shares(of)
    what = f"{hits:.0f} % of next clicks were on offer (the popular: {popular:.0f} %)" if asked else ""
    return plain(max((each.now for each in of), default=0), status, what=what)
