"""A processor's work without Kafka: which partitions it has, what it takes, and when it writes snapshots.

`stream.py` of each example does what is Kafka's: it reads and writes, in its client's way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from examples.shared.options import Options
from examples.shared.partition import Model, Partition, Snapshot, newest
from examples.shared.progress import CatchUp, Status, offsets, partitions

E = TypeVar("E")
_SNAPSHOT_SECONDS = 1.0


class Work(Generic[E]):
    """The partitions that a processor has, and what it knows of them."""

    def __init__(
        self,
        options: Options,
        status: Status,
        read: Callable[[bytes], E],
        make: type[Model[E]],
    ) -> None:
        self.held: dict[int, Partition[E]] = {}
        self._options, self._status = options, status
        self._read, self._make = read, make
        self._caught_up: CatchUp | None = None
        self._finish: Mapping[int, int] | None = None
        self._next_snapshot = time.monotonic() + _SNAPSHOT_SECONDS
        self.say: Callable[[str], None] = print

    @property
    def over(self) -> bool:
        """Whether what was asked for is done."""
        if self._finish is not None:
            ends = self._finish
            return bool(self.held) and all(each.next_offset >= ends[number] for number, each in self.held.items())
        if self._options.exit_at_end:
            return self._caught_up is not None and self._caught_up.done
        return not self._options.generates and self._status.done == self._options.events

    def finish(self, ends: Mapping[int, int]) -> None:
        """Be over at `ends`: no event comes after them."""
        self._finish = ends

    def begin(
        self,
        states: Mapping[int, list[bytes]],
        begins: Mapping[int, int],
        ends: Mapping[int, int],
    ) -> dict[int, int]:
        """Take partitions over; return at which offset each is to be read.

        `states` has their last values in the state topic; `begins` and `ends` are the events' offsets now.
        """
        for number, values in states.items():
            partition = Partition(number, self._read, self._make, newest(values, self._make.__name__))
            missing = partition.begin(begins[number], ends[number], self._options.topics.events)
            if missing:
                self.say(f"partition {number}: retention removed {missing:,} events that were not worked on yet")
            self.held[number] = partition
            self._status.ends[number] = ends[number]
        self._show()
        places = {number: each.next_offset for number, each in self.held.items()}
        if places:
            self._caught_up = CatchUp(places, ends)
            self.say(self._caught_up.beginning())
        return places

    def take(self, number: int, offset: int, value: bytes | None, end: int | None) -> list[tuple[str, bytes]]:
        """Take a record; return the results to write. `end` is where the partition ends now, if that is known."""
        partition = self.held[number]
        results = partition.take(offset, value)
        self._status.done += 1
        self._status.results += len(results)
        self._status.places[number] = partition.next_offset
        self._status.ends[number] = max(end or 0, self._status.ends[number], partition.next_offset)
        if self._caught_up is not None and (said := self._caught_up.reached(number, partition.next_offset)):
            self.say(said)
        return results

    def due(self) -> list[Partition[E]]:
        """Return the partitions of which a snapshot is to be written now."""
        if time.monotonic() >= self._next_snapshot:
            return self.changed(self.held)
        return [each for each in self.held.values() if each.taken >= self._options.snapshot_every]

    def changed(self, numbers: Iterable[int]) -> list[Partition[E]]:
        """Return those of the partitions that took something since their last snapshots."""
        self._next_snapshot = time.monotonic() + _SNAPSHOT_SECONDS
        return [self.held[each] for each in numbers if each in self.held and self.held[each].taken]

    def snapshots(self, of: Iterable[Partition[E]]) -> dict[int, Snapshot]:
        """Return snapshots. The results before must be acknowledged before these are written."""
        made = {each.number: each.snapshot() for each in of}
        self._status.snapshots += len(made)
        return made

    def end(self, numbers: Iterable[int]) -> None:
        """Give partitions away; their snapshots are written, or somebody else has them already."""
        gone = {each: self.held.pop(each).next_offset for each in list(numbers) if each in self.held}
        if gone:
            self.say(f"{partitions(gone)}: handed over at {offsets(gone)}")
        self._show()

    def _show(self) -> None:
        self._status.held = sorted(self.held)
        self._status.places |= {number: each.next_offset for number, each in self.held.items()}
        self._status.unreadable = sum(each.unreadable for each in self.held.values())
