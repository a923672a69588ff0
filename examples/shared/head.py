"""The head that every screen has: what it is, what time it is in the world, and how the stream is doing."""

from __future__ import annotations

from examples.shared.progress import Status, partitions
from examples.shared.world import clock
from rich.text import Text


def head(title: str, at_ms: int, status: Status, width: int) -> Text:
    """Return two lines of at most `width` characters."""
    first = Text.assemble((title, "bold"), "  ", (time(at_ms, status), "bold cyan"), no_wrap=True, overflow="ellipsis")
    first.truncate(width)
    return Text("\n", no_wrap=True).join([first, numbers(status, width)])


def numbers(status: Status, width: int) -> Text:
    """Return how the stream is doing, in one line of at most `width` characters."""
    lag = status.lag
    parts = [f"{status.rate():,.0f}/s"]
    if status.made:
        parts.append(f"{status.made:,} made")
    if status.held or not status.made:
        parts += [f"{status.done:,} done", f"{lag:,} behind", f"{partitions(status.held)} of {status.partitions}"]
    line = Text(" · ".join(parts), style="dim" if lag < 10_000 else "yellow", no_wrap=True)
    line.truncate(width, overflow="ellipsis")
    return line


def time(at_ms: int, status: Status) -> str:
    """Return what time it is in the world: of the events that were worked on, or of those that were made."""
    at_ms = at_ms or status.made_at
    return clock(at_ms) if at_ms else "no event yet"


def plain(at_ms: int, status: Status, *, what: str) -> str:
    """Return the screen as one line; `what` is the example's part. Nothing is said before there is something."""
    if not status.made and not status.held:
        return ""
    return " · ".join(filter(None, [time(at_ms, status), numbers(status, 1000).plain, what]))
