"""How far a processor is: what it caught up after its start, how fast it is, how much is left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_RATE_SECONDS = 5.0


def spans(numbers: Iterable[int]) -> str:
    """Return `0–2, 5` for 0, 1, 2, 5."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def partitions(numbers: Iterable[int]) -> str:
    """Return `partition 3` or `partitions 0–3`."""
    held = sorted(numbers)
    return f"partition{'s' * (len(held) != 1)} {spans(held)}" if held else "no partition"


def offsets(of: Mapping[int, int]) -> str:
    """Return `offset 7` or `offsets 7, 12`, in the order of their partitions."""
    return f"offset{'s' * (len(of) != 1)} " + ", ".join(f"{of[each]:,}" for each in sorted(of))


class CatchUp:
    """The way from where a processor starts to what was the end at that time."""

    def __init__(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> None:
        self.waiting = sum(ends[each] - starts[each] for each in starts)
        self._starts = dict(starts)
        self._missing = {each: ends[each] for each in starts if ends[each] > starts[each]}
        self._began = time.monotonic()

    @property
    def done(self) -> bool:
        """Whether the end is reached."""
        return not self._missing

    def reached(self, partition: int, next_offset: int) -> str | None:
        """Note where a partition is; return what to say once all are at their ends, and None before."""
        if self._missing.get(partition, next_offset + 1) > next_offset:
            return None
        del self._missing[partition]
        return None if self._missing else self.said()

    def beginning(self) -> str:
        """Return what to say at the start."""
        waiting = f"{self.waiting:,} events are waiting" if self.waiting else "no event is waiting"
        if not any(self._starts.values()):
            return f"{partitions(self._starts)}: at the beginning, {waiting}"
        return f"{partitions(self._starts)}: going on at {offsets(self._starts)}; {waiting}"

    def said(self) -> str:
        """Return what was caught up."""
        seconds = time.monotonic() - self._began
        return f"caught up {self.waiting:,} events in {seconds:.1f} s, from {offsets(self._starts)}"


@dataclass(slots=True)
class Status:
    """The numbers in the head of every screen."""

    held: list[int] = field(default_factory=list)
    partitions: int = 0
    made: int = 0
    made_at: int = 0
    done: int = 0
    results: int = 0
    snapshots: int = 0
    unreadable: int = 0
    ends: dict[int, int] = field(default_factory=dict)
    places: dict[int, int] = field(default_factory=dict)
    _marks: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def lag(self) -> int:
        """Events of the held partitions that are not worked on yet."""
        return sum(max(0, self.ends.get(each, 0) - self.places.get(each, 0)) for each in self.held)

    def rate(self) -> float:
        """Events per second, over the last seconds: worked on, or made if nothing is worked on here."""
        now, count = time.monotonic(), self.done if self.held else self.made
        if self._marks and self._marks[-1][1] > count:
            self._marks.clear()
        self._marks.append((now, count))
        while now - self._marks[0][0] > _RATE_SECONDS:
            self._marks.popleft()
        began, before = self._marks[0]
        return (count - before) / (now - began) if now > began else 0.0

    def summary(self) -> str:
        """Return the last line of a run."""
        made = f"made {self.made:,} events" if self.made else ""
        done = f"worked on {self.done:,} events, wrote {self.results:,} results and {self.snapshots:,} snapshots"
        strange = f", left out {self.unreadable:,} records that are no events" if self.unreadable else ""
        return "; ".join(filter(None, [made, done + strange if self.done or not made else ""]))
