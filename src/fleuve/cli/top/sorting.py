"""The orders in which topics and groups can be shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fleuve.cli.top.rates import GroupRow, TopicRow

Key = Callable[[Any], Any]


def _most(value: float | None) -> float:
    return -1.0 if value is None else value


# Within the same number, names are in order: rows must not change places for nothing.
TOPIC_ORDERS: Sequence[tuple[str, Key]] = (
    ("rate", lambda row: (-_most(row.records_per_s), row.topic)),
    ("name", lambda row: row.topic),
    ("partitions", lambda row: (-row.partitions, row.topic)),
)
GROUP_ORDERS: Sequence[tuple[str, Key]] = (
    ("lag", lambda row: (-_most(row.lag), row.group)),
    ("rate", lambda row: (-_most(row.records_per_s), row.group)),
    ("name", lambda row: row.group),
)


def topics_in_order(rows: Sequence[TopicRow], order: int) -> list[TopicRow]:
    """Return topics in the order of that number."""
    return sorted(rows, key=TOPIC_ORDERS[order % len(TOPIC_ORDERS)][1])


def groups_in_order(rows: Sequence[GroupRow], order: int) -> list[GroupRow]:
    """Return groups in the order of that number."""
    return sorted(rows, key=GROUP_ORDERS[order % len(GROUP_ORDERS)][1])
