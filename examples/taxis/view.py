"""The screen: a map of the zones and a table of the dearest. Pure: zones in, a picture of the given size out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from examples.shared.head import head, plain
from examples.shared.progress import Status
from examples.taxis.city import MAP
from examples.taxis.demand import PRICE_MAX
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

TITLE = "Taxis: demand and price by zone"
_CELL = 13
_MAP_LINES = 3 * len(MAP) + 1
# The price from which a colour holds: background, text.
_COLOURS = (
    (2.4, "#b3261e", "#ffffff"),
    (1.7, "#c2571a", "#ffffff"),
    (1.2, "#b58900", "#000000"),
    (0, "#1f6f43", "#ffffff"),
)
_BARS = "▁▂▃▄▅▆▇█"

Zones = Mapping[str, Mapping[str, Any]]


def picture(zones: Zones, at_ms: int, status: Status, width: int, height: int) -> RenderableType:
    """Return the screen: the table stands right of the map where there is room, else below it."""
    top = head(TITLE, at_ms, status, width)
    if not zones and status.made and not status.held:
        return top  # The generator alone.
    city = map_of(zones)
    if width >= 2 * _CELL * len(MAP[0]) - 8:
        side = Table.grid(padding=(0, 4, 0, 0))
        side.add_row(city, table_of(zones, height - 4))
        return Group(top, Text(), side)
    rows = height - 4 - _MAP_LINES
    return Group(top, city, *([table_of(zones, rows)] if rows > 0 else []))


def map_of(zones: Zones) -> RenderableType:
    """Return the city, each zone in the colour of its price."""
    grid = Table.grid(padding=0)
    for _ in MAP[0]:
        grid.add_column(width=_CELL, no_wrap=True)
    for row in MAP:
        grid.add_row(*[_cell(zone, zones.get(zone)) for zone in row])
    return Group(grid, Text("price · people who asked / free taxis, in 5 minutes", style="dim"))


def _cell(zone: str, known: Mapping[str, Any] | None) -> Text:
    if not zone:
        return Text("  ≈ ≈ ≈ ≈ ≈  \n ≈ ≈ ≈ ≈ ≈ ≈ \n  ≈ ≈ ≈ ≈ ≈  ", style="#3a7ca5")
    if known is None or "requests" not in known:
        # Nothing yet, or another processor's partition.
        return Text("\n".join(f" {line:<{_CELL - 1}}" for line in (zone, "–", "")), style="dim")
    background, text = next((back, fore) for least, back, fore in _COLOURS if known["surge"] >= least)
    before = known["history"][-2] if len(known["history"]) > 1 else known["surge"]
    arrow = "▲" if known["surge"] > before else "▼" if known["surge"] < before else " "
    lines = (zone, f"×{known['surge']:.2f} {arrow}", f"{known['requests']} / {known['taxis']}")
    cell = Text(no_wrap=True)
    for index, line in enumerate(lines):
        cell.append(f" {line:<{_CELL - 2}}", style=f"{'bold ' if index < 2 else ''}{text} on {background}")
        # A gap between the cells; lines stay together, as the fields of a map.
        cell.append(" \n" if index < len(lines) - 1 else " ")
    return cell


def table_of(zones: Zones, rows: int) -> RenderableType:
    """Return the dearest zones, at most `rows` of them with the table's head in a line more."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("zone", width=11, no_wrap=True)
    table.add_column("price", justify="right", width=5)
    table.add_column("the last hour", width=13, no_wrap=True)
    for name, size in (("asked", 5), ("taxis", 5), ("picked up", 9), ("wait", 5), ("late", 4)):
        table.add_column(name, justify="right", width=size, no_wrap=True)
    known = [(zone, each) for zone, each in zones.items() if "requests" in each]
    known.sort(key=lambda pair: (-pair[1]["surge"], -pair[1]["requests"], pair[0]))
    for zone, each in known[:rows]:
        wait = "–" if each["wait_s"] is None else f"{each['wait_s'] // 60}:{each['wait_s'] % 60:02}"
        colour = next(back for least, back, _ in _COLOURS if each["surge"] >= least)
        table.add_row(
            zone,
            f"{each['surge']:.2f}",
            Text(bars(each["history"]), style=colour),
            str(each["requests"]),
            str(each["taxis"]),
            str(each["pickups"]),
            wait,
            str(each["late"] or ""),
        )
    return table


def bars(prices: list[float]) -> str:
    """Return a price's course, a bar for each window."""
    steps = len(_BARS) - 1
    return "".join(_BARS[min(steps, int((price - 1) / (PRICE_MAX - 1) * steps + 0.5))] for price in prices)


def line(zones: Zones, at_ms: int, status: Status) -> str:
    """Return the screen as a line, with the dearest zones."""
    known = sorted((-each["surge"], zone) for zone, each in zones.items() if "requests" in each)
    return plain(at_ms, status, what=", ".join(f"{zone} ×{-surge:.2f}" for surge, zone in known[:3]))
