"""The clock of a made-up world, and how its generator goes on after it was killed.

A world is a pure function of its seed, made day by day; its days begin at 06:30, before most people do. Each event has
a number that grows with time, so whoever knows the last number in each partition can make that day again, leave out
what is there already, and go on: each event is in the topic once, whenever the generator was killed.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Protocol, TypeVar

from examples.shared.options import Refused

DAY_MS = 86_400_000
# Monday, 2026-01-05, 06:30 UTC. Fixed, so that a seed means the same events at any time.
EPOCH_MS = 1_767_594_600_000
NUMBERS_PER_DAY = 10_000_000


class Event(Protocol):
    """What a world is made of."""

    @property
    def number(self) -> int:
        """Its place in the world: `first_number(day)` and on."""
        ...

    @property
    def key(self) -> str:
        """What keeps its order: the events of one key are in one partition."""
        ...


E = TypeVar("E", bound=Event)


def first_number(day: int) -> int:
    """Return the number of a day's first event."""
    return day * NUMBERS_PER_DAY


def start_of(day: int) -> int:
    """Return when a day begins, in milliseconds."""
    return EPOCH_MS + day * DAY_MS


def hour_of(at_ms: int) -> float:
    """Return the time of day, 0 to 24."""
    return at_ms % DAY_MS / 3_600_000


def clock(at_ms: int) -> str:
    """Return `Mon 08:35`."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%a %H:%M")


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key: what librdkafka's clients choose by default for the same key."""
    return zlib.crc32(key.encode()) % partitions


def last_number(values: Sequence[bytes], read: Callable[[bytes], E], topic: str) -> int | None:
    """Return the number of the last event among a partition's last records; None if the partition is empty."""
    for value in reversed(values):
        try:
            return read(value).number
        except (ValueError, KeyError, TypeError):
            continue  # Not ours.
    if values:
        raise Refused(f"{topic} has records that are no events of this example: take another --prefix")
    return None


def told(last_numbers: Sequence[int | None]) -> str:
    """Return what a generator says before it begins."""
    known = [number for number in last_numbers if number is not None]
    if not known:
        return "making events from the beginning of the world"
    day, number = divmod(max(known), NUMBERS_PER_DAY)
    return f"making events: going on after number {number:,} of day {day + 1}"


def unsent(days: Callable[[int], Iterator[E]], last_numbers: Sequence[int | None]) -> Iterator[tuple[int, E]]:
    """Return the world's events that are in no partition yet, each with its partition.

    `last_numbers` has the number of the last event in each partition, None where there is none.
    """
    known = [number for number in last_numbers if number is not None]
    first_day = min(known) // NUMBERS_PER_DAY if known else 0
    for day in count(first_day):
        for event in days(day):
            partition = partition_of(event.key, len(last_numbers))
            last = last_numbers[partition]
            if last is None or event.number > last:
                yield partition, event


class Pace:
    """When events are due: `rate` of them a second, or all at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._began = time.monotonic()
        self._taken = 0

    def take(self) -> None:
        """Go on to the next event."""
        self._taken += 1

    def early(self) -> float:
        """Return in how many seconds the event is due, 0 if it is."""
        due = self._began + self._taken / self._rate if self._rate > 0 else 0.0
        return max(0.0, due - time.monotonic())
