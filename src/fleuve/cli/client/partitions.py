"""Partitions as people name them: `orders`, `orders:3`, `orders:0-5,9`; and the same backwards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from fleuve.app.options import UsageError

Partition = tuple[str, int]
"""A topic's name and a partition's index."""

_INDEX_MAX = 2**31 - 1


def parse_topic_partitions(text: str, *, flag: str) -> tuple[str, tuple[int, ...] | None]:
    """Return a topic and its partitions, None for all, of TOPIC[:PARTITIONS]. Raises UsageError."""
    topic, colon, listed = text.partition(":")
    wrong = UsageError(f"{flag}: {text!r}: want TOPIC or TOPIC:PARTITIONS, as in orders:0,2-5")
    if not topic:
        raise wrong
    if not colon:
        return topic, None
    indexes: set[int] = set()
    for part in listed.split(","):
        first, dash, last = part.strip().partition("-")
        if not (_is_index(first) and (not dash or _is_index(last))):
            raise wrong
        if dash and not int(first) <= int(last) < int(first) + 100_000:
            raise wrong
        indexes.update(range(int(first), int(last if dash else first) + 1))
    return topic, tuple(sorted(indexes))


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= _INDEX_MAX


def shown_indexes(indexes: Iterable[int]) -> str:
    """Return indexes in short: 0-5,9."""
    runs = []
    for _, run in groupby(enumerate(sorted(set(indexes))), key=lambda pair: pair[1] - pair[0]):
        members = [index for _, index in run]
        runs.append(f"{members[0]}" if len(members) == 1 else f"{members[0]}-{members[-1]}")
    return ",".join(runs)


def shown_partitions(partitions: Sequence[Partition]) -> str:
    """Return partitions of one or several topics in short: orders:0-5 payments:1."""
    by_topic = groupby(sorted(partitions), key=lambda partition: partition[0])
    return " ".join(f"{topic}:{shown_indexes(index for _, index in found)}" for topic, found in by_topic)
